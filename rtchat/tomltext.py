"""TOML text, and the line on which something stands in it, for sentences that point at the mistake."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from typing import Any


class TomlSyntaxError(ValueError):
    """Text that is not TOML.

    Args:
        message: What is wrong, without the position.
        line: 1-based.
    """

    def __init__(self, message: str, line: int) -> None:
        super().__init__(message)
        self.message = message
        self.line = line


def parse(text: str) -> dict[str, Any]:
    """Read TOML.

    Raises:
        TomlSyntaxError: It is not TOML; says the line.
    """
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        # tomllib says where in words: "(at line 3, column 5)" or "(at end of document)".
        message, _, where = str(error).rpartition(" (at ")
        found = re.match(r"line (\d+)", where)
        line = int(found[1]) if found else len(text.rstrip().splitlines()) or 1
        raise TomlSyntaxError(message or str(error), line) from None


def line_of(text: str, keys: Sequence[str | int]) -> int | None:
    """The 1-based line on which a key stands.

    Args:
        text: Valid TOML.
        keys: The way to it: table names, then the key; a number counts in an array (of tables).

    Returns:
        The line of the key, of its table's header where the key is a table, or of the nearest thing on the way
        that has a line of its own (an item of an array has none); None when nothing of it is there.

    The text is read line by line with tomllib itself: the key starts on the first line after the longest prefix
    that is whole and does not hold it. So every form of TOML (dotted, quoted, inline, multi-line) is covered.
    """
    lines = text.split("\n")  # TOML knows no other line ends
    while keys:
        start = 0
        for end in range(1, len(lines) + 1):
            try:
                data = tomllib.loads("\n".join(lines[:end]))
            except tomllib.TOMLDecodeError:
                continue
            if _holds(data, keys):
                return _first_statement(lines, start)
            start = end
        keys = keys[:-1]
    return None


def _holds(data: Any, keys: Sequence[str | int]) -> bool:
    for key in keys:
        there = key in data if isinstance(data, dict) else isinstance(data, list) and key in range(len(data))
        if not there:
            return False
        data = data[key]
    return True


def _first_statement(lines: Sequence[str], start: int) -> int:
    """The first line after `start` that is neither blank nor a comment, 1-based."""
    return next(number for number, line in enumerate(lines[start:], start + 1) if line.strip()[:1] not in ("", "#"))
