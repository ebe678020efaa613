"""What the terminal can do."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from contextlib import aclosing

from rtchat.display.bindings import Action, Talk
from rtchat.display.keys import ANSWER_SECONDS, keys
from rtchat.display.terminal import speaks_sequences
from rtchat.doctor.findings import Finding, note, ok

_COLUMNS, _LINES = 56, 10
"""Under this the live view is cramped."""


def terminal(*, key_release: bool | None = None) -> Finding:
    """The terminal as one finding; with a pipe at one end there is no live view, which is no fault.

    Args:
        key_release: It reports when a key comes up (the Kitty keyboard protocol); None where that was not asked.
    """
    ends = [name for name in ("stdin", "stdout") if not getattr(sys, name).isatty()]
    if ends:
        which = " and ".join({"stdin": "standard input", "stdout": "standard output"}[name] for name in ends)
        verb = "is" if len(ends) == 1 else "are"
        return ok("terminal", f"{which} {verb} no terminal: plain lines instead of the live view")
    size = shutil.get_terminal_size()
    utf8 = _is_utf8()
    told = [f"{size.columns} by {size.lines}", _colours(), "UTF-8" if utf8 else f"no UTF-8 ({sys.stdout.encoding})"]
    if key_release is not None:
        told.append("hold to talk" if key_release else "tap to talk")
    text = ", ".join(told)
    if not utf8:
        return note("terminal", text, "Set LANG to a UTF-8 locale (C.UTF-8), or use --plain.")
    if size.columns < _COLUMNS or size.lines < _LINES:
        return note("terminal", text, "Make the window larger, or use --plain.")
    if os.environ.get("TERM") in (None, "", "dumb") and sys.platform != "win32":
        return note("terminal", text, "TERM names no terminal: plain lines instead of the live view.")
    return ok("terminal", text)


async def key_release() -> bool | None:
    """Ask the terminal whether it reports when a key comes up; None where there is none to ask.

    It answers at once; one that does not within a second is taken for one that does not. Keys that are pressed
    meanwhile are lost.

    Raises:
        KeyboardInterrupt: Ctrl-C was pressed, which is a key like others meanwhile.
    """
    if not (sys.stdin.isatty() and sys.stdout.isatty() and speaks_sequences()):
        return None
    try:
        async with asyncio.timeout(2 * ANSWER_SECONDS), aclosing(keys(push_to_talk=True)) as pressed:
            async for key in pressed:
                if key.action is Action.ABORT:
                    raise KeyboardInterrupt
                if key.action is Action.TALK and key.talk in (Talk.HOLD, Talk.TAP):
                    return key.talk is Talk.HOLD
    except TimeoutError:
        pass
    return None


def _is_utf8() -> bool:
    return (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"


def _colours() -> str:
    from rich.console import Console

    console = Console(file=sys.stdout)
    system = None if console.no_color else console.color_system
    return {None: "no colours", "truecolor": "16 million colours", "256": "256 colours"}.get(system, "16 colours")
