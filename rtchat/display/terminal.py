"""The terminal is left as it was found, on every way out that a program gets to see."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from types import FrameType

if sys.platform != "win32":
    import termios

SHOW_CURSOR = "\x1b[?25h"
HIDE_CURSOR = "\x1b[?25l"


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
    """What is typed meanwhile does not appear in the middle of what is printed; whoever reads next gets it."""
    with _settings_kept():
        if sys.platform != "win32":
            with suppress(OSError, ValueError, AttributeError, termios.error):  # not a terminal, or none at all
                descriptor = sys.stdin.fileno()
                settings = termios.tcgetattr(descriptor)
                settings[3] &= ~termios.ECHO
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
