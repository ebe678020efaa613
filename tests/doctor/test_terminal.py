import io
import os
import sys

import pytest

from rtchat.doctor.findings import Mark
from rtchat.doctor.terminal import terminal


class Screen(io.TextIOWrapper):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def screen(monkeypatch):
    """A terminal at both ends, as far as Python can tell."""

    def make(encoding="utf-8", columns="80", lines="24", **variables):
        for name in ("NO_COLOR", "FORCE_COLOR", "COLORTERM"):
            monkeypatch.delenv(name, raising=False)
        for name, value in {"TERM": "xterm-256color", "COLUMNS": columns, "LINES": lines, **variables}.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(sys, "stdin", Screen(io.BytesIO()))
        monkeypatch.setattr(sys, "stdout", Screen(io.BytesIO(), encoding=encoding))

    return make


def test_a_pipe_is_no_fault(monkeypatch):
    with open(os.devnull) as source:
        monkeypatch.setattr(sys, "stdin", source)
        monkeypatch.setattr(sys, "stdout", io.StringIO())
        found = terminal()
    assert found.mark is Mark.OK
    assert found.text.startswith("standard input and standard output are no terminal")


def test_an_ordinary_terminal(screen):
    screen()
    found = terminal()
    assert (found.mark, found.text) == (Mark.OK, "80 by 24, 256 colours, UTF-8")


def test_what_it_can_tell_of_keys(screen):
    screen()
    assert terminal(key_release=True).text.endswith("UTF-8, hold to talk")
    assert terminal(key_release=False).text.endswith("UTF-8, tap to talk")


def test_no_colours_are_said(screen):
    screen(NO_COLOR="1")
    assert "no colours" in terminal().text


def test_what_a_terminal_may_lack(screen):
    for wanted, options in (
        ("UTF-8 locale", {"encoding": "ascii"}),
        ("larger", {"columns": "40"}),
        ("larger", {"lines": "5"}),
        ("TERM", {"TERM": "dumb"}),
    ):
        screen(**options)
        found = terminal()
        assert found.mark is Mark.NOTE and wanted in found.hint
