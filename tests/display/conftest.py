"""Terminals to look at: one in the process, and a real pseudo-terminal with a program in it."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pyte
import pytest
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


PRELUDE = """
import os, runpy, sys
os.close(os.open(os.ttyname(0), os.O_RDWR))  # the leader of a new session: this becomes its terminal
runpy.run_path(sys.argv[1], run_name="__main__")
"""


class Program:
    """A Python script in a real pseudo-terminal."""

    def __init__(self, path: Path, columns: int = 80, lines: int = 24) -> None:
        self.master, slave = os.openpty()
        termios.tcsetwinsize(self.master, (lines, columns))
        self.before = termios.tcgetattr(slave)
        self.screen = pyte.Screen(columns, lines)
        self.stream = pyte.ByteStream(self.screen)
        self.sent = b""
        environment = {
            **os.environ,
            "TERM": "xterm-256color",
            "PYTHONPATH": os.getcwd(),
            "PYTHONWARNINGS": "default",
        }
        for name in ("NO_COLOR", "COLUMNS", "LINES"):
            environment.pop(name, None)
        self.process = subprocess.Popen(
            [sys.executable, "-c", PRELUDE, str(path)],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env=environment,
            start_new_session=True,
        )
        self.slave = slave  # kept open, so that the settings can be read after the program is gone
        os.set_blocking(self.master, False)

    def read(self) -> None:
        try:
            while data := os.read(self.master, 65536):
                self.sent += data
                self.stream.feed(data)
                if b"\x1b[6n" in data:  # where is the cursor? Every terminal answers
                    self.type(f"\x1b[{self.screen.cursor.y + 1};{self.screen.cursor.x + 1}R")
        except BlockingIOError:
            pass

    def until(self, true: Callable[[], object], seconds: float = 20) -> None:
        """Read until `true()`; fail with the screen when it does not happen."""
        end = time.monotonic() + seconds
        while True:
            self.read()
            if true():
                return
            if time.monotonic() > end:
                pytest.fail("never happened; the screen:\n" + "\n".join(trimmed(self.screen.display)))
            time.sleep(0.01)

    def shows(self, text: str) -> None:
        self.until(lambda: any(text in row for row in self.screen.display))

    def type(self, text: str) -> None:
        os.write(self.master, text.encode())

    def kill(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def exit_code(self) -> int:
        self.until(lambda: self.process.poll() is not None)
        self.read()
        return int(self.process.returncode)

    def raw(self) -> bool:
        return not termios.tcgetattr(self.slave)[3] & termios.ICANON

    def assert_restored(self) -> None:
        """The settings are as before, the cursor is visible, no alternate screen is left on."""
        assert termios.tcgetattr(self.slave) == self.before
        assert not self.screen.cursor.hidden
        assert self.sent.count(b"\x1b[?1049h") == self.sent.count(b"\x1b[?1049l")

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self.master)
        os.close(self.slave)


def trimmed(rows: list[str]) -> list[str]:
    rows = [row.rstrip() for row in rows]
    while rows and not rows[-1]:
        rows.pop()
    return rows


@pytest.fixture
def screen() -> Callable[..., Screen]:
    return Screen


@pytest.fixture
def program(tmp_path: Path) -> Iterator[Callable[..., Program]]:
    started: list[Program] = []

    def start(source: str, columns: int = 80, lines: int = 24) -> Program:
        path = tmp_path / f"program{len(started)}.py"
        path.write_text(source, encoding="utf-8")
        started.append(Program(path, columns, lines))
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
