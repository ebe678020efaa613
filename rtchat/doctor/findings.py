"""What a check found: one line with a mark, a hint where there is something to do, and an exit code. Pure.

A mark is a word, not a colour or a sign: it reads the same in a pipe, in a screen reader and on any terminal.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from rtchat.errors import DeviceError, LinkError, Refused, UsageError

if TYPE_CHECKING:
    from rtchat.errors import RtchatError


class Mark(StrEnum):
    """What a finding means for a conversation."""

    OK = "ok"
    NOTE = "note"
    """It works, but the user should know."""
    PROBLEM = "problem"
    """A conversation would fail, or be no pleasure."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found.

    Attributes:
        check: What was looked at, in a word or two.
        mark: What it means.
        text: What was found: a phrase or a sentence.
        hint: What to do next; empty where nothing is to be done.
        code: The exit code with which a session would end because of it; 0 for none.
    """

    check: str
    mark: Mark
    text: str
    hint: str = ""
    code: int = 0

    def as_json(self) -> dict[str, Any]:
        """For `--json`."""
        return {
            "check": self.check,
            "mark": str(self.mark),
            "text": self.text,
            "hint": self.hint,
            "code": self.code,
        }


def ok(check: str, text: str) -> Finding:
    """All is well."""
    return Finding(check, Mark.OK, text)


def note(check: str, text: str, hint: str = "") -> Finding:
    """It works, but."""
    return Finding(check, Mark.NOTE, text, hint)


def problem(check: str, error: RtchatError) -> Finding:
    """What would end a session."""
    return Finding(check, Mark.PROBLEM, error.message, error.hint, error.exit_code)


# A session reads its settings first, then opens the devices, then connects.
_ORDER = (UsageError.exit_code, DeviceError.exit_code, LinkError.exit_code, Refused.exit_code)


def exit_code(findings: Iterable[Finding]) -> int:
    """The code with which a session would end: 0 when a conversation would work."""
    codes = {finding.code for finding in findings}
    return next((code for code in _ORDER if code in codes), max(codes, default=0))


NAME_COLUMNS = 13
_MARK_COLUMNS = 9
_INDENT = " " * (_MARK_COLUMNS + NAME_COLUMNS)


def lines(finding: Finding, width: int | None) -> list[str]:
    """A finding as lines of text; the first begins with its mark.

    Args:
        finding: What was found.
        width: Columns there are; None for no edge, as in a pipe: then it is one line, and one for the hint.
    """
    head = f"{finding.mark:<{_MARK_COLUMNS}}{finding.check:<{NAME_COLUMNS}}"
    said = _wrapped(head + finding.text, width)
    return [*said, *_wrapped(_INDENT + finding.hint, width)] if finding.hint else said


def _wrapped(line: str, width: int | None) -> list[str]:
    if width is None or len(line) <= width:
        return [line.rstrip()]
    room = max(20, width - len(_INDENT))
    body = textwrap.wrap(line[len(_INDENT) :], room, break_long_words=False, break_on_hyphens=False)
    return [(line[: len(_INDENT)] if number == 0 else _INDENT) + text for number, text in enumerate(body)]
