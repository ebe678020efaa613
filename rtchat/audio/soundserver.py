"""What PulseAudio, or PipeWire in its place, does with this program's streams: asked of `pactl`, where that is.

`pactl subscribe` sleeps until something changes, so watching costs nothing; each change is one `pactl list`, 10 ms
and at most four times a second. Without `pactl`, or without such a server, nothing is known and nothing is missed
that PortAudio tells.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

from rtchat.audio.places import places
from rtchat.audio.stream import now

if TYPE_CHECKING:
    from collections.abc import Callable

    from rtchat.audio.devices import Side
    from rtchat.audio.places import Place

_ASK_SECONDS = 1.0
_REST_SECONDS = 0.25
# `pactl subscribe` writes nothing until something changes, so it would not notice that this process was killed. The
# kernel ends it (PR_SET_PDEATHSIG is 1, SIGKILL 9; it outlasts exec), unless this process had gone before that.
_DIES_WITH_PARENT = """
import ctypes, os, sys
ctypes.CDLL(None).prctl(1, 9)
if os.getppid() == int(sys.argv[1]):
    os.execv(sys.argv[2], sys.argv[2:])
"""
_DYING_WITH = ("-I", "-S", "-c", _DIES_WITH_PARENT)
# Volumes are changes of sinks and sources; our own questions are changes of clients.
_TELLING = re.compile(rb"on (sink-input|source-output|server|card)\b|'(new|remove)' on (sink|source)\b")


class SoundServer:
    """Knows where this process's streams are.

    Args:
        tell: Called on the event loop after a change; read `places` then.

    Attributes:
        places: The place of each side, as far as it is known.
        changed_at: Seconds, on the clock of `now`, of the change that was told last.
    """

    def __init__(self, tell: Callable[[], None]) -> None:
        self.places: dict[Side, Place] = {}
        self.changed_at = 0.0
        self._tell = tell
        self._there = asyncio.Event()
        self._changed = asyncio.Event()
        self._first = 0.0
        self._program = shutil.which("pactl") if sys.platform == "linux" else None

    async def look(self) -> None:
        """Bring `places` up to date; a server that does not answer has none."""
        self.places = await self._asked() if self._program is not None else {}
        if self.places:
            self._there.set()

    async def watch(self) -> None:
        """Tell of changes until cancelled. It sleeps until `look` has found streams of this process."""
        reader = asyncio.create_task(self._read())
        try:
            while True:
                await self._changed.wait()
                self._changed.clear()
                changed_at = self._first
                await self.look()
                self.changed_at = changed_at
                self._tell()
                await asyncio.sleep(_REST_SECONDS)
        finally:
            reader.cancel()
            await asyncio.wait([reader])

    async def _read(self) -> None:
        while True:
            await self._there.wait()
            with suppress(OSError):
                await self._subscribed()
            self._there.clear()  # it has ended: whoever finds it again looks

    async def _subscribed(self) -> None:
        assert self._program is not None
        process = await _start(sys.executable, *_DYING_WITH, str(os.getpid()), self._program, "subscribe")
        assert process.stdout is not None
        lines = b""
        asking = asyncio.create_task(self._ask())
        try:
            while told := await process.stdout.read(65_536):
                if asking.cancel():  # it listens; what changed just before was not told
                    self._note_change()
                lines += told
                whole = lines.rfind(b"\n") + 1
                if _TELLING.search(lines, 0, whole):
                    self._note_change()
                lines = lines[whole:]
            await process.wait()  # killing one that is ending would take its end from asyncio, which complains
        finally:
            asking.cancel()
            await asyncio.wait([asking])
            await _end(process)

    async def _ask(self) -> None:
        """Look until cancelled: `pactl` does not listen at once, and what it hears first are our questions."""
        while True:
            self._note_change()
            await asyncio.sleep(_REST_SECONDS)

    def _note_change(self) -> None:
        if not self._changed.is_set():
            self._first = now()
            self._changed.set()

    async def _asked(self) -> dict[Side, Place]:
        try:
            assert self._program is not None
            process = await _start(self._program, "-f", "json", "list")
            try:
                async with asyncio.timeout(_ASK_SECONDS):
                    told, _ = await process.communicate()
            finally:
                await _end(process)
            return places(json.loads(told), os.getpid())
        except (OSError, TimeoutError, ValueError, KeyError, TypeError):
            return {}


async def _start(*command: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *command,
        env={**os.environ, "LC_ALL": "C"},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
