"""Typing a conversation in a terminal: a line editor with history, and Ctrl-C that knows what is going on.

================  =====================================================
Ctrl-C            means
================  =====================================================
while answering   `Interrupt`: stop the answer
on a typed line   the line is given up
on an empty line  `Leave`
================  =====================================================

Ctrl-D on an empty line is `Leave` as well.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path

from platformdirs import user_state_path
from prompt_toolkit import PromptSession
from prompt_toolkit.history import FileHistory, History, InMemoryHistory
from prompt_toolkit.input import Input
from prompt_toolkit.output import Output, create_output
from prompt_toolkit.patch_stdout import patch_stdout

from rtchat.display.terminal import guarded, silent_keys

HISTORY = "text-history"
"""The file of typed lines, in the user's state folder."""


@dataclass(frozen=True, slots=True)
class Submitted:
    """A line that the user sent; never empty."""

    text: str


@dataclass(frozen=True, slots=True)
class Interrupt:
    """Ctrl-C while the assistant was answering."""


@dataclass(frozen=True, slots=True)
class Leave:
    """The user is done; the last event."""


class Prompt:
    """Asks for lines whenever the conversation is idle.

    Args:
        history: The file for the history; the user's state folder when None.
        message: What stands before the typed line.
        source: Where keys come from; the terminal when None.
        screen: Where the line is drawn; the terminal when None.
    """

    def __init__(
        self,
        *,
        history: Path | None = None,
        message: str = "> ",
        source: Input | None = None,
        screen: Output | None = None,
    ) -> None:
        self._session: PromptSession[str] = PromptSession(
            message,
            history=_history(history or user_state_path("rtchat") / HISTORY),
            input=source,
            output=screen or create_output(always_prefer_tty=True),
        )

    async def events(self, idle: asyncio.Event) -> AsyncIterator[Submitted | Interrupt | Leave]:
        """What the user does, until `Leave`.

        Args:
            idle: Set while there is nothing to answer. The prompt shows only then; clear it before asking for the
                next event after a `Submitted`, and set it when the answer is complete.
        """
        with guarded(), silent_keys():
            while True:
                if not idle.is_set():
                    if await self._interrupted(idle):
                        yield Interrupt()
                    continue
                event = await self._ask()
                if event is not None:
                    yield event
                if isinstance(event, Leave):
                    return

    async def _ask(self) -> Submitted | Leave | None:
        try:
            # What is printed meanwhile appears above the prompt; a file or pipe gets it as it is.
            with patch_stdout(raw=True) if sys.stdout.isatty() else nullcontext():
                text = (await self._session.prompt_async(handle_sigint=False)).strip()
        except KeyboardInterrupt:
            return None if self._session.default_buffer.text else Leave()
        except EOFError:
            return Leave()
        return Submitted(text) if text else None

    async def _interrupted(self, idle: asyncio.Event) -> bool:
        """Wait for Ctrl-C or for `idle`; True for Ctrl-C."""
        pressed = asyncio.Event()
        with _on_interrupt(pressed):
            waits = [asyncio.ensure_future(idle.wait()), asyncio.ensure_future(pressed.wait())]
            try:
                await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for wait in waits:
                    wait.cancel()
        return pressed.is_set()


@contextmanager
def _on_interrupt(pressed: asyncio.Event) -> Iterator[None]:
    """Ctrl-C sets `pressed` instead of ending the program."""
    loop = asyncio.get_running_loop()
    before = signal.getsignal(signal.SIGINT)

    def handle(number: int, frame: object) -> None:
        loop.call_soon_threadsafe(pressed.set)

    signal.signal(signal.SIGINT, handle)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _history(path: Path) -> History:
    """The file's history, or one that lasts as long as the program where the file cannot be written."""
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
        return FileHistory(str(path))
    return InMemoryHistory()
