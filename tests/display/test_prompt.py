from __future__ import annotations

import stat

import pytest

PROGRAM = """
import asyncio, sys
from pathlib import Path
from rtchat.display.prompt import Interrupt, Leave, Prompt, Submitted

async def main():
    idle = asyncio.Event()
    idle.set()
    async for event in Prompt(history=Path(sys.argv[1]).parent / "deep" / "history").events(idle):
        match event:
            case Submitted(text="answer me"):
                idle.clear()
                print("answering", flush=True)
            case Submitted(text="later"):
                asyncio.get_running_loop().call_later(0.2, print, "news")
            case Submitted(text=text):
                print(f"got {text}", flush=True)
            case Interrupt():
                print("interrupted", flush=True)
                idle.set()
            case Leave():
                print("bye", flush=True)

asyncio.run(main())
"""


@pytest.fixture
def prompt(program):
    def start():
        one = program(PROGRAM)
        one.until(lambda: one.raw() and prompts(one) == 1)
        return one

    return start


def prompts(one):
    return sum(row.startswith(">") for row in one.screen.display)


def test_lines_are_edited_submitted_and_remembered(prompt, tmp_path):
    one = prompt()
    one.type("helo\x1b[Dl\r")
    one.shows("got hello")
    one.until(lambda: one.raw() and prompts(one) == 2)
    one.type("  \r")
    one.until(lambda: prompts(one) == 3)
    one.type("\x04")
    assert one.exit_code() == 0
    one.shows("bye")
    one.assert_restored()
    history = tmp_path / "deep" / "history"
    assert "+hello" in history.read_text(encoding="utf-8")
    assert stat.S_IMODE(history.stat().st_mode) == 0o600
    again = prompt()

    def recalled():
        again.type("\x1b[A")  # the history is read in the background
        return any("> hello" in row for row in again.screen.display)

    again.until(recalled)
    again.type("\r")
    again.shows("got hello")


def test_ctrl_c_on_an_empty_line_leaves(prompt):
    one = prompt()
    one.type("\x03")
    one.shows("bye")
    assert one.exit_code() == 0
    one.assert_restored()


def test_ctrl_c_gives_a_typed_line_up(prompt):
    one = prompt()
    one.type("half a li")
    one.shows("> half a li")
    one.type("\x03")
    one.until(lambda: one.raw() and prompts(one) == 2)
    one.type("whole\r")
    one.shows("got whole")


def test_ctrl_c_while_answering_interrupts_and_asks_again(prompt):
    one = prompt()
    one.type("answer me\r")
    one.shows("answering")
    one.until(lambda: not one.raw())
    one.type("\x03")
    one.until(lambda: any(row.rstrip().endswith("interrupted") for row in one.screen.display))
    one.until(lambda: one.raw() and prompts(one) == 2)
    one.type("\x04")
    assert one.exit_code() == 0
    one.assert_restored()


def test_what_is_told_meanwhile_appears_above_the_prompt(prompt):
    one = prompt()
    one.type("later\r")
    one.until(lambda: one.raw() and prompts(one) == 2)
    one.type("typed")
    one.shows("news")
    one.shows("> typed")
    rows = [row.rstrip() for row in one.screen.display if row.strip()]
    assert rows == ["> later", "news", "> typed"]
