"""The terminal is left as it was found, on every way out that a program gets to see, and while it is suspended."""

from __future__ import annotations

import asyncio
import os
import re
import select
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from types import FrameType

if sys.platform != "win32":
    import termios

SHOW_CURSOR = "\x1b[?25h"
HIDE_CURSOR = "\x1b[?25l"


ANSWER_SECONDS = 0.25
"""How long `forget_keys` waits for the terminal."""

_ATTRIBUTES = re.compile(rb"\x1b\[\?[\d;]*c")
_borrowed: list[tuple[Callable[[], None], Callable[[], None]]] = []
"""How to put back what was changed of the terminal, and how to change it again: one pair for each that did."""


def write(text: str) -> None:
    """Write to the terminal behind standard output at once, whatever stands in for `sys.stdout`."""
    with suppress(OSError, ValueError, AttributeError):  # it hung up, or there is none
        os.write(sys.__stdout__.fileno(), text.encode())  # type: ignore[union-attr]


def forget_keys(descriptor: int, to_terminal: Callable[[str], None] = write) -> None:
    """Take away what the terminal has sent so far, so that whoever reads next gets what is sent from now on.

    The terminal is asked what it is, and what comes before its answer is what it sent before it obeyed what was
    written before this.
    """
    to_terminal("\x1b[c")
    end, got = time.monotonic() + ANSWER_SECONDS, b""
    with suppress(OSError, ValueError):  # it hung up
        while not _ATTRIBUTES.search(got) and (rest := end - time.monotonic()) > 0:
            if select.select([descriptor], [], [], rest)[0]:
                data = os.read(descriptor, 4096)
                if not data:
                    return
                got = got[-64:] + data


def speaks_sequences() -> bool:
    """False for a terminal that says of itself that it knows no control sequence."""
    return os.environ.get("TERM", "dumb") not in ("dumb", "unknown", "")


@contextmanager
def suspendable(leave: Callable[[], None], come_back: Callable[[], None]) -> Iterator[None]:
    """Inside, `suspend` calls `leave` before the program stops and `come_back` when it goes on."""
    _borrowed.append((leave, come_back))
    try:
        yield
    finally:
        _borrowed.remove((leave, come_back))


def suspend() -> None:
    """Stop the program, as Ctrl-Z does, until the shell lets it go on; the terminal is the shell's meanwhile.

    The whole process group stops, as it does by a terminal that is not in raw mode: the shell waits for all of it.
    Without job control (a process group whose parents are gone, Windows) nothing stops.
    """
    if sys.platform == "win32":
        return
    for leave, _ in reversed(_borrowed):
        leave()
    before = signal.signal(signal.SIGTSTP, signal.SIG_DFL)
    try:
        os.kill(0, signal.SIGTSTP)
    finally:
        signal.signal(signal.SIGTSTP, before)
    for _, come_back in _borrowed:
        come_back()


@contextmanager
def suspending(loop: asyncio.AbstractEventLoop) -> Iterator[None]:
    """Inside, SIGTSTP suspends through `suspend`, unless somebody has already chosen what it does."""
    if sys.platform == "win32" or threading.current_thread() is not threading.main_thread():
        yield
        return
    if signal.getsignal(signal.SIGTSTP) is not signal.SIG_DFL:
        yield
        return
    loop.add_signal_handler(signal.SIGTSTP, suspend)
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGTSTP)


@contextmanager
def guarded() -> Iterator[None]:
    """Restore the terminal's settings on leaving, and make SIGTERM and SIGHUP leave through `finally` blocks.

    Both signals end a Python program on the spot by default, with the terminal as it is. Inside this context they
    raise `SystemExit(128 + number)` instead, unless somebody has already chosen what they do.
    """
    with ExitStack() as stack:
        stack.enter_context(_settings_kept())
        if threading.current_thread() is threading.main_thread():
            for name in ("SIGTERM", "SIGHUP"):
                if hasattr(signal, name):
                    stack.enter_context(_leaving_on(getattr(signal, name)))
        yield


@contextmanager
def silent_keys() -> Iterator[None]:
    """What is typed meanwhile does not appear in the middle of what is printed; whoever reads next gets every key.

    Also those that the terminal itself would edit its line with, like Ctrl-D and Ctrl-U.
    """
    with _settings_kept():
        if sys.platform != "win32":
            with suppress(OSError, ValueError, AttributeError, termios.error):  # not a terminal, or none at all
                descriptor = sys.stdin.fileno()
                settings = termios.tcgetattr(descriptor)
                settings[3] &= ~(termios.ECHO | termios.ICANON)
                termios.tcsetattr(descriptor, termios.TCSANOW, settings)
        yield


@contextmanager
def _leaving_on(number: signal.Signals) -> Iterator[None]:
    if signal.getsignal(number) is not signal.SIG_DFL:
        yield
        return
    signal.signal(number, _leave)
    try:
        yield
    finally:
        if signal.getsignal(number) is _leave:
            signal.signal(number, signal.SIG_DFL)


def _leave(number: int, frame: FrameType | None) -> None:
    raise SystemExit(128 + number)


@contextmanager
def _settings_kept() -> Iterator[None]:
    """Put back what `tcgetattr` said about standard input."""
    if sys.platform == "win32":
        yield
        return
    try:
        descriptor = sys.stdin.fileno()
        before = termios.tcgetattr(descriptor)
    except (OSError, ValueError, AttributeError, termios.error):  # not a terminal, or none at all
        yield
        return
    try:
        yield
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)
