"""The live view: the conversation, with a status line below it that never lies.

Finished lines are printed above the live region and belong to the terminal's scrollback from then on; only what may
still change is redrawn, and only when it did change.
"""

from __future__ import annotations

import asyncio
import io
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout, suppress
from dataclasses import replace
from types import TracebackType
from typing import Self, TextIO

from rich.console import Console
from rich.text import Text

from rtchat.conversation.notices import Notice, SessionEnded, SessionStarted
from rtchat.display.base import Sink
from rtchat.display.bindings import Talk
from rtchat.display.region import Region
from rtchat.display.rows import (
    conversation_rows,
    end_row,
    header_row,
    help_rows,
    meter_steps,
    status_rows,
    typing_row,
)
from rtchat.display.terminal import HIDE_CURSOR, SHOW_CURSOR, guarded, suspendable
from rtchat.display.transcript import Line, Told, Transcript, clean
from rtchat.display.words import playback_text

REDRAW_SECONDS = 1 / 30
"""Changes that come faster than this are drawn together."""


class LiveDisplay:
    """Draws the session in the terminal.

    May be called from several threads. While it is entered, what is printed on standard output and standard error
    appears above the live region.

    Args:
        stream: The terminal; standard output when None.
        clock: Seconds, monotonic.
        console: For tests: a console of a fixed size that writes to `stream`.
    """

    def __init__(
        self,
        stream: TextIO | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
        console: Console | None = None,
    ) -> None:
        stream = stream or sys.stdout
        self._sink = Sink(stream)
        self._console = console or _console(stream)
        self._region = Region(self._console, self._sink.write)
        self._clock = clock
        self._began = clock()
        self._transcript = Transcript()
        self._levels: tuple[int | None, int | None] = (None, None)
        self._playback = (0, 0)  # milliseconds buffered, underruns
        self._typing: tuple[str, int] | None = None
        self._help = False
        self._first = True
        self._drawn: object = None
        self._drawn_at = float("-inf")
        self._timer: asyncio.TimerHandle | None = None
        self._lock = threading.RLock()
        self._stack = ExitStack()
        self._ended: float | None = None

    @staticmethod
    def usable() -> bool:
        """True where standard input and output are a terminal that can redraw."""
        console = Console()
        capable = console.is_terminal and not console.is_dumb_terminal and not console.legacy_windows
        return sys.stdin.isatty() and sys.stdout.isatty() and capable

    @property
    def closed(self) -> bool:
        """True once the terminal is gone."""
        return self._sink.broken

    def __enter__(self) -> Self:
        """Acquire the terminal."""
        with ExitStack() as stack:
            stack.enter_context(guarded())
            stack.callback(self._sink.write, SHOW_CURSOR)
            stack.callback(self._leave)
            for redirect, stream in ((redirect_stdout, self._sink.stream), (redirect_stderr, sys.stderr)):
                above = _Above(self, stream)
                stack.callback(above.finish)
                stack.enter_context(redirect(above))
            stack.enter_context(_on_resize(self._redraw))
            stack.enter_context(suspendable(self._give_up, self._take_back))
            self._take_back()
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def show(self, t: float, notice: Notice) -> None:
        """Draw one notice; `t` sets the session's clock."""
        with self._lock:
            self._began = self._clock() - t
            began = bool(self._transcript.status.mode)
            self._transcript.fold(notice)
            if isinstance(notice, SessionStarted) and not began:
                self._transcript.fold(Told(header_row(self._transcript.status)))
            if isinstance(notice, SessionEnded):
                self._ended = t
            self._request()

    def meter(
        self, microphone_dbfs: float | None, loudspeaker_dbfs: float | None, buffered_ms: int, underruns: int
    ) -> None:
        """Levels in dBFS; costs nothing where the meters would look the same."""
        with self._lock:
            self._levels = (meter_steps(microphone_dbfs), meter_steps(loudspeaker_dbfs))
            self._playback = (buffered_ms, underruns)
            self._request()

    def tell(self, text: str) -> None:
        """One dim line in the conversation."""
        with self._lock:
            self._transcript.fold(Told(text))
            self._request()

    def typing(self, text: str | None, cursor: int = 0) -> None:
        """Show the line being typed, or no more."""
        with self._lock:
            self._typing = None if text is None else (clean(text).replace("\n", " "), cursor)
            self._request()

    def switches(self, talk: Talk, *, muted: bool) -> None:
        """Show whether the microphone is open, and what opens it."""
        with self._lock:
            self._transcript.switch(talk, muted=muted)
            self._request()

    def toggle_help(self) -> None:
        """Show the keys, or hide them."""
        with self._lock:
            self._help = not self._help
            self._request()

    def _request(self) -> None:
        """Draw now, or very soon together with what else changes until then."""
        if self._timer is not None:
            return
        wait = self._drawn_at + REDRAW_SECONDS - time.monotonic()
        if wait > 0:
            with suppress(RuntimeError):  # no event loop in this thread: draw at once
                self._timer = asyncio.get_running_loop().call_later(wait, self._redraw)
                return
        self._redraw()

    def _redraw(self) -> None:
        with self._lock:
            self._timer = None
            width, height = self._console.size
            look = (
                self._transcript.version,
                self._levels,
                self._playback if self._help else self._playback[1],
                self._typing,
                self._help,
                width,
                height,
                int(self._clock() - self._began),
            )
            if look == self._drawn:
                return
            settled = self._print(self._transcript.settle(), width)
            self._region.draw(self._rows(max(1, width - 1), max(1, height - 1)), settled)
            self._drawn = (self._transcript.version, *look[1:])
            self._drawn_at = time.monotonic()

    def _rows(self, width: int, height: int) -> list[Text]:
        """The live region, at most `height` rows: conversation, status, help, typed line."""
        status = replace(self._transcript.status, underruns=self._playback[1])
        t = self._clock() - self._began
        bottom = status_rows(status, self._levels, t, width, rows=2 if height >= 10 else 1)
        if self._help:
            help_ = help_rows(self._console, width, playback_text(*self._playback), status.talk)
            bottom += help_[: max(0, height - len(bottom) - 1)]
        if self._typing is not None:
            bottom.append(typing_row(*self._typing, width))
        if height >= 8:
            bottom.insert(0, Text())
        room = max(0, height - len(bottom))
        lines = self._transcript.lines
        rows = conversation_rows(self._console, self._transcript, lines, width, first=self._first)
        return [*(rows[-room:] if room else ()), *bottom[-height:]]

    def _print(self, lines: Sequence[Line], width: int) -> list[Text]:
        """Rows of settled lines, on their way into the scrollback."""
        rows = conversation_rows(self._console, self._transcript, lines, width - 1, first=self._first)
        self._first = self._first and not rows
        return rows

    def _give_up(self) -> None:
        """The terminal is somebody else's for a while."""
        with self._lock:
            self._region.draw(())
            self._sink.write(SHOW_CURSOR)

    def _take_back(self) -> None:
        with self._lock:
            self._sink.write(HIDE_CURSOR)
            self._drawn = None
            self._redraw()

    def _leave(self) -> None:
        """Print what is left of the conversation and how it ended; erase the rest."""
        with self._lock:
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
            rows = self._print(self._transcript.finish(), self._console.width)
            if self._ended is not None:
                rows += [Text(), Text(end_row(self._transcript.status, self._ended), "dim")]
            self._region.draw((), rows)


def _console(stream: TextIO) -> Console:
    """A console that asks the terminal for its size: exported COLUMNS and LINES stay as they were at a resize."""
    environ = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")}
    return Console(file=stream, highlight=False, _environ=environ)


class _Above(io.TextIOBase):
    """Stands in for standard output and standard error: whole lines appear above the live region."""

    def __init__(self, display: LiveDisplay, instead_of: TextIO) -> None:
        self._display = display
        self._instead_of = instead_of
        self._rest = ""

    def write(self, text: str) -> int:
        *lines, self._rest = (self._rest + text).split("\n")
        for line in lines:
            self._display.tell(line)
        return len(text)

    def finish(self) -> None:
        """Print a last line that has no newline."""
        if self._rest:
            self.write("\n")

    def flush(self) -> None:
        pass

    def fileno(self) -> int:
        return self._instead_of.fileno()

    def isatty(self) -> bool:
        return False


@contextmanager
def _on_resize(redraw: Callable[[], None]) -> Iterator[None]:
    """Call `redraw` when the terminal was resized, where an event loop and SIGWINCH are there to tell."""
    try:
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGWINCH, redraw)
    except (RuntimeError, NotImplementedError, AttributeError, ValueError):
        yield  # the next level, ten a second, finds the new size
        return
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGWINCH)
