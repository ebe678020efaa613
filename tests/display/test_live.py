from __future__ import annotations

import asyncio
import logging
import signal
import sys
import termios

import pytest

from rtchat.conversation.notices import (
    EchoTold,
    ErrorTold,
    SessionEnded,
    SessionStarted,
    StateChanged,
    ToolCalled,
    TurnEnded,
)
from rtchat.display.live import LiveDisplay


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def live(screen, clock):
    def make(columns=80, lines=24):
        terminal = screen(columns, lines)
        return terminal, LiveDisplay(terminal, clock=clock, console=terminal.console)

    return make


async def until(true):
    async with asyncio.timeout(60):
        while not true():  # noqa: ASYNC110 - the display tells nobody when it has drawn
            await asyncio.sleep(0.005)


STARTED = SessionStarted("127.0.0.1", "embedded", "marin", "s", "half-duplex", "interactive")


def test_a_session_on_screen(live, user, answer):
    terminal, display = live()
    with display:
        assert terminal.rows() == ["", "◌ connecting · 0:00 · ? keys"]
        display.tell("No key is set: the embedded server answers.")
        display.show(0.1, STARTED)
        display.meter(-30.0, -96.0, 0, 0)
        display.show(1.0, StateChanged("hearing"))
        display.show(1.0, user("", final=False))
        display.show(2.0, user("How warm is it?"))
        display.show(2.0, ToolCalled("c", "get_weather", "{}", "", "running", 0))
        assert terminal.rows()[-4:-2] == ["you        How warm is it?", "tool       get_weather {} …"]
        display.show(3.0, ToolCalled("c", "get_weather", "{}", "14", "ok", 212))
        display.show(3.0, StateChanged("speaking"))
        display.show(3.0, answer("It is 14 degrees.", "It is", status="in_progress", final=False))
        display.show(4.0, TurnEnded({"speech_end_to_first_audible_ms": 640}, {"total_tokens": 1240}, 0.0123))
        assert terminal.rows() == [
            "No key is set: the embedded server answers.",
            "rtchat interactive · embedded · marin · 127.0.0.1",
            "",
            "you        How warm is it?",
            "tool       get_weather {} → 14 (212 ms)",
            "assistant  It is 14 degrees.",
            "",
            "● speaking      mic off       out ──────── · not listening",
            "  half duplex · 640 ms · 1.2k tokens · $0.012 · 0:04 · ? keys",
        ]
        display.show(5.0, answer("It is 14 degrees.", "It is", status="interrupted"))
        assert terminal.struck() == " 14 degrees."
        display.show(6.0, ErrorTold("x", "It broke.", "Mend it.", False))
        display.show(65.0, SessionEnded("you quit", 1, {"total_tokens": 1240}, 0.0123, 0))
    assert terminal.rows() == [
        "No key is set: the embedded server answers.",
        "rtchat interactive · embedded · marin · 127.0.0.1",
        "",
        "you        How warm is it?",
        "tool       get_weather {} → 14 (212 ms)",
        "assistant  It is 14 degrees.  (interrupted after 1.2 s)",
        "error      It broke.",
        "           Mend it.",
        "",
        "ended: you quit, 1 turn, 1.2k tokens, $0.012, 1:05",
    ]
    assert not terminal.screen.cursor.hidden


def test_a_long_session_scrolls_into_the_terminals_own_history(live, user, answer):
    terminal, display = live(60, 8)
    with display:
        for turn in range(30):
            display.show(turn, user(f"Question {turn}", item=f"u{turn}"))
            display.show(turn, answer(f"Answer {turn}", item=f"a{turn}"))
    expected = ["you        Question 0", "assistant  Answer 0"]
    for turn in range(1, 30):
        expected += ["", f"you        Question {turn}", f"assistant  Answer {turn}"]
    assert terminal.everything() == expected


@pytest.mark.parametrize(("columns", "lines"), [(40, 24), (40, 5), (20, 3), (8, 2), (1, 1), (200, 60)])
def test_any_size_shows_the_end_of_the_conversation_and_all_of_it_at_the_end(live, user, answer, columns, lines):
    terminal, display = live(columns, lines)
    text = " ".join(f"w{number}" for number in range(100))
    with display:
        display.show(0.0, STARTED)
        display.meter(-20.0, -20.0, 0, 0)
        display.toggle_help()
        display.toggle_help()
        display.typing("hello", 5)
        display.typing(None)
        display.show(0.0, user("Talk"))
        display.show(0.0, answer(text, status="in_progress", final=False))
        assert len(terminal.rows()) <= max(1, lines - 1) or terminal.scrollback()
        if columns >= 20:
            assert any("w99" in row for row in terminal.rows())
            assert any("connecting" in row for row in terminal.rows())
        display.show(0.0, answer(text))
    if columns >= 20:
        words = " ".join(terminal.everything()).split()
        assert [word for word in words if word.startswith("w") and word[1:].isdigit()] == text.split()


def test_resizing_redraws(live, user, answer):
    terminal, display = live(80, 24)
    with display:
        display.show(0.0, user("Hi"))
        display.show(0.0, answer("word " * 30, status="in_progress", final=False))
        terminal.resize(40, 10)
        display.meter(None, None, 0, 0)
        rows = terminal.rows()
        assert rows.count("") == 1
        assert [row for row in rows if "connecting" in row] == [rows[-1]]
        assert rows[0].startswith("● word")


def test_nothing_is_written_while_nothing_changes(live, clock):
    terminal, display = live()
    with display:
        display.meter(-50.0, -96.0, 0, 0)
        count = len(terminal.writes)
        for _ in range(50):
            clock.now += 0.01
            display.meter(-50.2, -80.0, 0, 0)
        assert len(terminal.writes) == count
        clock.now += 1.0
        display.meter(-50.0, -96.0, 0, 0)
        assert len(terminal.writes) == count + 1


def test_echo_and_the_buffer_on_screen(live):
    terminal, display = live()
    with display:
        display.show(0.1, STARTED)
        display.meter(-30.0, -20.0, 120, 1)
        display.show(1.0, EchoTold("aec", 31.2))
        assert terminal.rows()[-1] == "  AEC 31 dB · full duplex · 0:01 · 1 underrun · ? keys"
        display.toggle_help()
        assert terminal.rows()[-1] == "120 ms of the voice buffered, 1 underrun"
        display.meter(-30.0, -20.0, 80, 1)
        assert terminal.rows()[-1] == "80 ms of the voice buffered, 1 underrun"


def test_the_connection_that_comes_back_is_no_new_session(live):
    terminal, display = live()
    with display:
        display.show(0.1, STARTED)
        display.show(1.0, StateChanged("reconnecting"))
        assert "◌ reconnecting" in terminal.rows()[-1]
        display.show(2.0, STARTED)
    assert sum("rtchat interactive" in row for row in terminal.everything()) == 1


def test_help_and_typed_line(live):
    terminal, display = live()
    with display:
        display.toggle_help()
        assert any("mute the microphone" in row for row in terminal.rows())
        display.typing("hel\x1b[2Jlo", 5)
        assert terminal.rows()[-1] == "› hello"
        display.toggle_help()
        display.typing(None)
        assert terminal.rows() == ["", "◌ connecting · 0:00 · ? keys"]


def test_text_cannot_drive_the_terminal(live, user, answer):
    terminal, display = live()
    with display:
        display.show(0.0, user("\x1b[2J\x1b]0;owned\x07one"))
        display.show(0.0, answer("[red]two\x9b5A\x1b[?1049h"))
        display.tell("three\rfour")
    assert terminal.rows() == ["you        one", "assistant  [red]two", "three", "four"]
    assert terminal.screen.title == ""


def test_what_others_print_appears_above(live):
    terminal, display = live()
    out, err = sys.stdout, sys.stderr
    with display:
        print("printed")
        print("half", end="")
        sys.stderr.write("complaint\n")
        handler = logging.StreamHandler()
        handler.emit(logging.makeLogRecord({"msg": "logged"}))
        assert terminal.rows()[:3] == ["printed", "complaint", "logged"]
        assert terminal.rows()[-1].startswith("◌ connecting")
    assert (sys.stdout, sys.stderr) == (out, err)
    assert terminal.rows() == ["printed", "complaint", "logged", "half"]


def test_the_terminal_is_restored_after_an_exception(live, answer):
    terminal, display = live()
    with pytest.raises(ZeroDivisionError), display:
        display.show(0.0, answer("Half an", status="in_progress", final=False))
        raise ZeroDivisionError
    assert terminal.rows() == ["assistant  Half an"]
    assert not terminal.screen.cursor.hidden


async def test_changes_that_come_together_are_drawn_together(live, answer):
    terminal, display = live()
    with display:
        terminal.writes.clear()
        for count in range(100):
            display.show(0.0, answer("word " * count, status="in_progress", final=False))
        assert len(terminal.writes) <= 2
        await until(lambda: f"{98 * 'word '}word" in " ".join(" ".join(terminal.rows()).split()))
        assert len(terminal.writes) <= 3


@pytest.mark.skipif(not hasattr(signal, "SIGWINCH"), reason="Windows tells of no resize")
async def test_a_resize_is_seen_at_once(live):
    terminal, display = live(80, 24)
    with display:
        terminal.resize(30, 10)
        terminal.writes.clear()
        signal.raise_signal(signal.SIGWINCH)
        await until(lambda: terminal.writes)


PROGRAM = """
import asyncio, contextlib, sys
from rtchat.conversation.notices import *
from rtchat.display.keys import Action, keys
from rtchat.display.live import LiveDisplay

async def main():
    with LiveDisplay() as display:
        display.show(0.0, StateChanged("listening"))
        async with contextlib.aclosing(keys()) as pressed:
            display.show(0.0, AssistantSaid("a", "Ready.", "", 0, 0, "in_progress", False))
            async for key in pressed:
                match key.action:
                    case Action.QUIT | Action.ABORT: break
                    case Action.HELP: display.toggle_help()
                    case Action.MUTE: raise RuntimeError("crash")
                    case Action.TYPE: display.typing(key.text, key.cursor)
                    case Action.CANCEL: display.typing(None)
                    case Action.SUBMIT:
                        display.typing(None)
                        display.show(1.0, UserSaid("u", key.text, True))

asyncio.run(main())
"""

EXPORTED = "import os; os.environ.update(COLUMNS='80', LINES='24')  # as some shells and pytest-xdist do"


def test_keys_in_a_real_terminal(program):
    one = program(PROGRAM)
    one.shows("Ready.")
    one.until(lambda: one.raw() and one.screen.cursor.hidden)
    one.type("?")
    one.shows("mute the microphone")
    one.type("t")
    one.type("hello tom\x7f")
    one.shows("› hello to ")
    one.type("\x1b[D\x1b[DX\r")
    one.shows("you        hello Xto")
    one.type("tgone\x1b")
    one.until(lambda: not any("gone" in row for row in one.screen.display))
    one.type("q")
    assert one.exit_code() == 0
    one.assert_restored()
    assert [row.rstrip() for row in one.screen.display if row.strip()] == [
        "assistant  Ready.",
        "you        hello Xto",
    ]


@pytest.mark.parametrize(("term", "usable"), [("xterm-256color", True), ("dumb", False)])
def test_where_it_is_usable(program, term, usable):
    one = program(
        "import os\n"
        f"os.environ['TERM'] = {term!r}\n"
        "from rtchat.display.live import LiveDisplay\n"
        "print('usable', LiveDisplay.usable())\n"
    )
    one.shows(f"usable {usable}")


def test_a_pipe_is_not_usable(capsys):
    assert not LiveDisplay.usable()


@pytest.mark.parametrize("key", ["\x03", "\x04"])
def test_ctrl_c_and_ctrl_d_are_keys(program, key):
    one = program(PROGRAM)
    one.shows("Ready.")
    one.until(one.raw)
    one.type(key)
    assert one.exit_code() == 0
    one.assert_restored()


def test_a_crash_restores_the_terminal(program):
    one = program(PROGRAM)
    one.shows("Ready.")
    one.until(one.raw)
    one.type("m")
    assert one.exit_code() == 1
    one.shows("RuntimeError: crash")
    one.assert_restored()


@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGINT, -signal.SIGINT)],
)
def test_a_signal_restores_the_terminal(program, number, code):
    one = program(PROGRAM)
    one.shows("Ready.")
    one.until(one.raw)
    one.kill(number)
    assert one.exit_code() == code
    one.assert_restored()


@pytest.mark.parametrize(
    "exported", [pytest.param("", id="plain"), pytest.param(EXPORTED, id="COLUMNS and LINES exported")]
)
def test_a_real_resize(program, exported):
    one = program(exported + PROGRAM, 80, 24)
    one.shows("Ready.")
    one.until(one.raw)
    one.screen.resize(10, 40)
    termios.tcsetwinsize(one.slave, (10, 40))
    one.kill(signal.SIGWINCH)
    one.shows("● Ready.")
    one.type("q")
    assert one.exit_code() == 0
    one.assert_restored()
