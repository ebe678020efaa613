"""A program in a real pseudo-terminal, and a screen to look at it. Used by fixtures of several `conftest.py`."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

import pyte
import pytest

PRELUDE = """
import os, runpy, signal, sys
signal.signal(signal.SIGHUP, signal.SIG_DFL)  # where the tests run, it and Ctrl-C may be ignored
signal.signal(signal.SIGINT, signal.default_int_handler)
os.close(os.open(os.ttyname(0), os.O_RDWR))  # the leader of a new session: this becomes its terminal
runpy.run_path(sys.argv[1], run_name="__main__")
"""


QUESTION = re.compile(rb"\x1b\[(?:(6)n|(c)|([?><])(\d*)u)")
"""What a program asks a terminal that its screen does not answer: cursor, attributes, the keyboard protocol."""

PICTURE, DRAWN = b"\x1b[?2026h", b"\x1b[?2026l"
"""Around a change of the screen that terminals show at once: synchronised output."""

CODES = {"\r": 13, "\x1b": 27, "\x7f": 127, "\t": 9}
"""Keys without text in the Kitty keyboard protocol."""


class Program:
    """A Python script in a real pseudo-terminal, which is its controlling terminal.

    Args:
        path: The script.
        columns: The terminal's width.
        lines: Its height.
        env: Variables of the program, instead of those of this process.
        kitty: Flags of the Kitty keyboard protocol that the terminal can grant; None where it does not know it.
        answers: False for a terminal that answers no question.

    Attributes:
        flags: The stack of the flags that are on.
    """

    def __init__(
        self,
        path: Path,
        columns: int = 80,
        lines: int = 24,
        *,
        env: Mapping[str, str] | None = None,
        kitty: int | None = None,
        answers: bool = True,
    ) -> None:
        self.kitty = kitty
        self.answers = answers
        self.flags = [0]
        self.master, slave = os.openpty()
        termios.tcsetwinsize(self.master, (lines, columns))
        self.before = termios.tcgetattr(slave)
        self.screen = pyte.HistoryScreen(columns, lines, history=1000)
        self.stream = pyte.ByteStream(self.screen)
        self.sent = b""
        self._unseen = b""
        environment = {
            "TERM": "xterm-256color",
            **({name: value for name, value in os.environ.items() if name != "TERM"} if env is None else env),
            "PYTHONPATH": str(Path(__file__).parents[1]),
            "PYTHONWARNINGS": "default",
            "PYTHONFAULTHANDLER": "1",
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
        """Take in what the program has written."""
        while self._look():
            pass

    def _look(self) -> bool:
        """Take in the next picture, or what else there is; False when there is nothing.

        Whoever looks late sees every picture all the same, one after the other.
        """
        if DRAWN not in self._unseen:
            with suppress(BlockingIOError):
                self._unseen += os.read(self.master, 65536)
        if DRAWN in self._unseen:
            end = self._unseen.index(DRAWN) + len(DRAWN)
        elif PICTURE in self._unseen and self.process.poll() is None:  # half drawn: nobody sees it
            end = self._unseen.index(PICTURE)
        else:
            end = len(self._unseen)
        data, self._unseen = self._unseen[:end], self._unseen[end:]
        self.sent += data
        at = 0
        for question in QUESTION.finditer(data):  # what pyte does not know, it would print
            self.stream.feed(data[at : question.start()])
            self._answer(*question.groups())
            at = question.end()
        self.stream.feed(data[at:])
        return bool(data)

    def _answer(self, cursor: bytes, attributes: bytes, way: bytes, number: bytes) -> None:
        if not self.answers:
            return
        if cursor:
            self.type(f"\x1b[{self.screen.cursor.y + 1};{self.screen.cursor.x + 1}R")
        elif attributes:
            self.type("\x1b[?62;c")
        elif self.kitty is None:
            assert way == b"?", "a terminal that does not know the protocol is told nothing of it"
        elif way == b"?":
            self.type(f"\x1b[?{self.flags[-1]}u")
        elif way == b">":
            self.flags.append(int(number or 0) & self.kitty)
        else:
            self.flags = self.flags[: -int(number or 1)] or [0]

    def until(self, true: Callable[[], object], seconds: float = 120) -> None:
        """Read until `true()`, looked at after every picture; fail with the screen when it does not happen."""
        end = time.monotonic() + seconds
        while True:
            looked = self._look()
            if true():
                return
            if time.monotonic() > end:
                pytest.fail("never happened; the screen:\n" + "\n".join(trimmed(self.screen.display)))
            if not looked:
                time.sleep(0.01)

    def shows(self, text: str, seconds: float = 120) -> None:
        """Wait until it is on the screen, be it wrapped."""

        def there() -> bool:
            rows = self.screen.display
            return any(text in row for row in rows) or text in " ".join(" ".join(rows).split())

        self.until(there, seconds)

    def rows(self) -> list[str]:
        """What is on the screen, without empty rows at the bottom."""
        return trimmed(self.screen.display)

    def everything(self) -> list[str]:
        """What scrolled away, and what is on the screen."""
        width = range(self.screen.columns)
        return ["".join(row[x].data for x in width).rstrip() for row in self.screen.history.top] + self.rows()

    def resize(self, columns: int, lines: int) -> None:
        """As a user does who pulls at the window's edge; the program gets SIGWINCH."""
        self.screen.resize(lines, columns)
        termios.tcsetwinsize(self.master, (lines, columns))

    def type(self, text: str) -> None:
        """Press keys."""
        os.write(self.master, text.encode())

    def press(self, key: str, event: int = 1) -> None:
        """A key goes down (or is repeated, 2, or comes up, 3), as the flags that are on have it sent."""
        self.read()
        self.type(self._sent_for(key, event))

    def release(self, key: str) -> None:
        """A key comes up."""
        self.press(key, 3)

    def strike(self, keys: str) -> None:
        """Keys go down and at once come up, one after the other."""
        for key in keys:
            self.read()
            self.type(self._sent_for(key, 1) + self._sent_for(key, 3))

    def _sent_for(self, key: str, event: int) -> str:
        if not self.flags[-1] & 8:
            return key if event < 3 else ""
        code = CODES.get(key, ord(key.lower()))
        shift = 2 if key.isupper() or key == "?" else 1
        text = f";{ord(key)}" if key not in CODES and event < 3 else ""
        return f"\x1b[{code};{shift}:{event}{text}u"

    def kill(self, number: signal.Signals) -> None:
        """Send the program a signal."""
        self.process.send_signal(number)

    def signal_foreground(self, number: signal.Signals) -> None:
        """Send a signal to what has the terminal, as a key does that means one."""
        os.killpg(os.tcgetpgrp(self.master), number)

    def exit_code(self) -> int:
        """Wait until the program has ended."""
        self.until(lambda: self.process.poll() is not None)
        self.read()
        if self.process.returncode == -signal.SIGABRT:  # a library ended it, and has said why
            pytest.fail("aborted; the screen:\n" + "\n".join(self.everything()))
        return int(self.process.returncode)

    def raw(self) -> bool:
        """Whether every key comes as it is, Ctrl-C too."""
        return not termios.tcgetattr(self.slave)[3] & (termios.ICANON | termios.ISIG)

    def assert_restored(self) -> None:
        """The settings are as before, the cursor is visible, no alternate screen is left on."""
        assert termios.tcgetattr(self.slave) == self.before
        assert not self.screen.cursor.hidden
        for mode in (b"1049", b"1004", b"2004"):
            on, off = (self.sent.rfind(b"\x1b[?" + mode + end) for end in (b"h", b"l"))
            assert on <= off, f"mode {mode.decode()} is left on"
        assert self.flags == [0]

    def close(self) -> None:
        """Take everything away."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self.master)
        os.close(self.slave)


def trimmed(rows: list[str]) -> list[str]:
    """Without spaces at the ends and without empty rows at the bottom."""
    rows = [row.rstrip() for row in rows]
    while rows and not rows[-1]:
        rows.pop()
    return rows
