"""espeak-ng's library, in a process of its own that forks for each text: sound and word marks, as they are made."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import struct
import subprocess
import sys
import threading
import weakref
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rtchat.errors import EngineError
from rtchat.server.engines.base import WordMark

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping

_WORKER = Path(__file__).with_name("espeak_worker.py")
_READ = 65_536
_HEAD = struct.Struct("!cI")
_MARK = struct.Struct("!Id")


class NoLibraryError(Exception):
    """libespeak-ng cannot be loaded here."""


class NoVoiceError(Exception):
    """espeak-ng does not know the voice."""


class EspeakProcess:
    """Speaks any number of texts at once. Needs Unix sockets and `fork`.

    The process starts with the first text or with `warm_up`, starts again when it has ended unexpectedly, and ends
    with this object.
    """

    def __init__(self) -> None:
        self._control: socket.socket | None = None
        self._pid = 0
        self._end: weakref.finalize[Any, Any] | None = None
        self._starting = threading.Lock()

    @staticmethod
    def possible() -> bool:
        """Can this system do it?"""
        return hasattr(socket, "AF_UNIX") and sys.platform != "win32"

    def warm_up(self) -> None:
        """Start the process now. Returns at once; may be called from any thread."""
        with self._starting:
            if self._control is None:
                self._start()

    def close(self) -> None:
        """End the process; texts under way end too."""
        if self._end is not None:
            self._end()
        self._control = self._end = None

    async def speak(self, text: str, **manner: Any) -> AsyncGenerator[bytes | WordMark, None]:
        """Say `text`: sound at 24 kHz, and a mark for each word. Closing the iterator ends the work.

        Args:
            text: Any characters; positions in it are those of the marks.
            manner: `voice`, `wpm`, `pitch` and `gap` (see `espeak_worker.py`).

        Raises:
            NoLibraryError: There is no libespeak-ng.
            NoVoiceError: It does not know the voice.
            EngineError: The process ended in the middle.
        """
        for attempt in (1, 2):
            sound = self._frames({"text": text, **manner})
            try:
                async with contextlib.aclosing(sound) as frames:
                    first = True
                    async for frame in frames:
                        first = False
                        yield frame
                return
            except ConnectionError:
                self.close()
                if attempt == 2 or not first:
                    raise EngineError(
                        "espeak-ng's process ended unexpectedly.", hint="Try it by hand: `espeak-ng hello`."
                    ) from None

    async def _frames(self, asked: Mapping[str, Any]) -> AsyncGenerator[bytes | WordMark, None]:
        loop = asyncio.get_running_loop()
        with self._ask() as ours:
            await loop.sock_sendall(ours, json.dumps(asked).encode() + b"\n")
            buffer = bytearray()
            while data := await loop.sock_recv(ours, _READ):
                buffer += data
                while len(buffer) >= _HEAD.size:
                    kind, length = _HEAD.unpack_from(buffer)
                    if len(buffer) < _HEAD.size + length:
                        break
                    body = bytes(buffer[_HEAD.size : _HEAD.size + length])
                    del buffer[: _HEAD.size + length]
                    if kind == b"S":
                        yield body
                    elif kind == b"M":
                        yield WordMark(*_MARK.unpack(body))
                    elif kind == b"E":
                        return
                    elif body == b"voice":
                        raise NoVoiceError
                    else:
                        raise NoLibraryError(body.decode(errors="replace"))
        raise ConnectionResetError

    def _ask(self) -> socket.socket:
        """Our end of a new text's socket; the process has the other one."""
        self.warm_up()
        assert self._control is not None
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        try:
            with theirs:
                socket.send_fds(self._control, [b"."], [theirs.fileno()])
        except OSError as error:
            ours.close()
            raise ConnectionResetError from error
        return ours

    def _start(self) -> None:
        control, theirs = socket.socketpair()
        with theirs:
            try:
                # -P: this file's folder must not come before the standard library. A session of its own: Ctrl-C at
                # the terminal is not for it.
                process = subprocess.Popen(
                    [sys.executable, "-P", str(_WORKER)],
                    stdin=theirs.fileno(),
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    start_new_session=True,
                )
            except OSError as error:
                control.close()
                raise EngineError(f"espeak-ng's process did not start: {error}.") from error
        self._control, self._pid = control, process.pid
        self._end = weakref.finalize(self, _end, process, control)


def _end(process: subprocess.Popen[bytes], control: socket.socket) -> None:
    control.close()
    process.kill()
    process.wait()
