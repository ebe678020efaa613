"""What the terminal can do."""

from __future__ import annotations

import os
import shutil
import sys

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


def _is_utf8() -> bool:
    return (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"


def _colours() -> str:
    from rich.console import Console

    console = Console(file=sys.stdout)
    system = None if console.no_color else console.color_system
    return {None: "no colours", "truecolor": "16 million colours", "256": "256 colours"}.get(system, "16 colours")
