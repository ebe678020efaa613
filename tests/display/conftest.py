"""Terminals to look at: one in the process, and a real pseudo-terminal with a program in it."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from pathlib import Path

import pyte
import pytest
from pseudo_terminal import Program, trimmed  # loaded by tests/conftest.py
from rich.console import Console

from rtchat.conversation.notices import AssistantSaid, AssistantStatus, UserSaid


class Screen(io.StringIO):
    """A terminal of a given size; what is written appears in `rows()`, what scrolled away in `scrollback()`."""

    def __init__(self, columns: int = 80, lines: int = 24) -> None:
        super().__init__()
        self.screen = pyte.HistoryScreen(columns, lines, history=1000)
        self.stream = pyte.Stream(self.screen)
        self.console = Console(
            file=self, width=columns, height=lines, force_terminal=True, color_system="standard", no_color=False
        )
        self.writes: list[str] = []

    def write(self, text: str) -> int:
        if text:
            self.writes.append(text)
        self.stream.feed(text.replace("\n", "\r\n"))
        return len(text)

    def isatty(self) -> bool:
        return True

    def resize(self, columns: int, lines: int) -> None:
        self.screen.resize(lines, columns)
        self.console.width, self.console.height = columns, lines

    def rows(self) -> list[str]:
        """What is on the screen, without empty rows at the bottom."""
        return trimmed(self.screen.display)

    def scrollback(self) -> list[str]:
        return [
            "".join(row[x].data for x in range(self.screen.columns)).rstrip() for row in self.screen.history.top
        ]

    def everything(self) -> list[str]:
        return self.scrollback() + self.rows()

    def struck(self) -> str:
        """The characters on the screen that are struck through."""
        found = []
        for y in range(self.screen.lines):
            row = self.screen.buffer[y]
            found += [row[x].data for x in range(self.screen.columns) if row[x].strikethrough]
        return "".join(found)


@pytest.fixture
def screen() -> Callable[..., Screen]:
    return Screen


@pytest.fixture
def program(tmp_path: Path) -> Iterator[Callable[..., Program]]:
    started: list[Program] = []

    def start(source: str, columns: int = 80, lines: int = 24, **options: object) -> Program:
        path = tmp_path / f"program{len(started)}.py"
        path.write_text(source, encoding="utf-8")
        started.append(Program(path, columns, lines, **options))
        return started[-1]

    yield start
    for one in started:
        one.close()


@pytest.fixture
def user() -> Callable[..., UserSaid]:
    def make(text: str, *, item: str = "u1", final: bool = True) -> UserSaid:
        return UserSaid(item, text, final)

    return make


@pytest.fixture
def answer() -> Callable[..., AssistantSaid]:
    def make(
        text: str,
        heard: str | None = None,
        *,
        item: str = "a1",
        status: AssistantStatus = "completed",
        final: bool = True,
    ) -> AssistantSaid:
        heard = text if heard is None else heard
        return AssistantSaid(item, text, heard, 1200, 4000, status, final)

    return make
