from __future__ import annotations

import asyncio
import signal
import sys
from contextlib import aclosing

import pytest
from prompt_toolkit.input import create_pipe_input

from rtchat.display.bindings import Action, Key, Talk
from rtchat.display.keys import keys


@pytest.fixture
def source():
    with create_pipe_input() as pipe:
        yield pipe


async def pressed(source, count, **options):
    """The next `count` keys, after what is known of the talk key at the start."""
    async with asyncio.timeout(60), aclosing(keys(source, to_terminal=lambda _: None, **options)) as stream:
        assert (await anext(stream)).action is Action.TALK
        return [await anext(stream) for _ in range(count)]


async def test_keys_become_actions(source):
    source.send_text("m x?\x03")
    assert [key.action for key in await pressed(source, 4)] == [
        Action.MUTE,
        Action.SPACE,
        Action.HELP,
        Action.ABORT,
    ]


async def test_an_escape_alone_is_told_without_waiting_for_another_key(source):
    source.send_text("ta\x1b")
    assert await pressed(source, 3) == [Key(Action.TYPE), Key(Action.TYPE, "a", 1), Key(Action.CANCEL)]


async def test_an_arrow_key_is_not_an_escape(source):
    source.send_text("tab\x1b[Dc")
    assert (await pressed(source, 5))[3:] == [Key(Action.TYPE, "ab", 1), Key(Action.TYPE, "acb", 2)]


async def test_a_pasted_line_of_another_language(source):
    source.send_text("t\x1b[200~¿Qué\nhora?\x1b[201~\r")
    assert (await pressed(source, 3))[1:] == [
        Key(Action.TYPE, "¿Qué hora?", 10),
        Key(Action.SUBMIT, "¿Qué hora?"),
    ]


async def test_the_keys_end_when_the_terminal_closes(source):
    source.send_text("m")
    async with asyncio.timeout(60), aclosing(keys(source, to_terminal=lambda _: None)) as stream:
        assert await anext(stream) == Key(Action.TALK)
        assert await anext(stream) == Key(Action.MUTE)
        source.close()
        assert [key async for key in stream] == []


async def test_a_terminal_that_is_slow_to_answer_is_one_to_tap_until_it_does(source, monkeypatch):
    monkeypatch.setattr("rtchat.display.keys.ANSWER_SECONDS", 0.01)
    async with asyncio.timeout(60), aclosing(keys(source, push_to_talk=True, to_terminal=lambda _: None)) as stream:
        assert [(await anext(stream)).talk for _ in range(2)] == [Talk.ASKED, Talk.TAP]
        source.send_text("\x1b[?0u\x1b[?62c\x1b[?31u")
        assert await anext(stream) == Key(Action.TALK, talk=Talk.HOLD)


async def test_a_terminal_that_knows_no_sequences_is_not_asked(source, monkeypatch):
    monkeypatch.setenv("TERM", "dumb")
    written = []
    async with asyncio.timeout(60), aclosing(keys(source, push_to_talk=True, to_terminal=written.append)) as stream:
        assert await anext(stream) == Key(Action.TALK, talk=Talk.TAP)
    assert written == []


async def test_a_space_that_is_held_where_no_release_is_told_is_one_tap(source):
    source.send_text("     " * 20 + "m")
    assert await pressed(source, 2) == [Key(Action.SPACE), Key(Action.MUTE)]


async def test_a_command_whose_key_is_held_is_one(source):
    source.send_text("\x1b[109;;109u" + "\x1b[109;1:2;109u" * 9 + "\x1b[109;1:3u\x1b[63;;63u")
    assert await pressed(source, 2) == [Key(Action.MUTE), Key(Action.HELP)]


async def test_a_paste_among_commands_is_none(source):
    source.send_text("\x1b[200~quit my tests\x1b[201~?")
    assert await pressed(source, 1) == [Key(Action.HELP)]


RAISES = """
import asyncio
from rtchat.display.keys import Action, keys

async def main():
    async for key in keys():
        if key.action is not Action.TALK:
            raise RuntimeError("in the middle")

asyncio.run(main())
"""


def test_raw_mode_ends_even_where_nobody_closes_the_iterator(program):
    one = program(RAISES)
    one.until(one.raw)
    one.type("m")
    assert one.exit_code() == 1
    one.shows("RuntimeError: in the middle")
    one.assert_restored()


TALKS = """
import asyncio, contextlib
from rtchat.display.keys import Action, keys

async def main():
    async with contextlib.aclosing(keys(push_to_talk=True)) as pressed:
        async for key in pressed:
            print(key.action.name, key.talk.name, repr(key.text), end="\\r\\n", flush=True)
            if key.action in (Action.QUIT, Action.ABORT):
                break

asyncio.run(main())
"""


PATIENT = """
from rtchat.display import keys as keyboard, terminal

keyboard.ANSWER_SECONDS = terminal.ANSWER_SECONDS = 60
"""  # for a terminal that does answer, however busy the machine is


def lines(one):
    return [row for row in one.everything() if row]


def test_a_terminal_that_reports_releases(program):
    one = program(PATIENT + TALKS, kitty=31)
    one.shows("TALK HOLD")
    one.press(" ")
    for _ in range(20):
        one.press(" ", 2)
    one.release(" ")
    one.strike("m?y\x1bn")
    one.shows("NO OPEN")
    assert [row.split()[0] for row in lines(one)] == [
        *["TALK"] * 2, "SPACE", "SPACE_UP", "MUTE", "HELP", "YES", "NO",
    ]  # fmt: skip
    one.strike("q")
    assert one.exit_code() == 0
    one.assert_restored()


def test_there_a_line_is_typed_as_usual(program):
    one = program(PATIENT + TALKS, kitty=31)
    one.shows("TALK HOLD")
    one.press(" ")  # still down when the line begins
    one.strike("t")
    one.shows("SPACE_UP")
    one.until(lambda: one.flags == [0])
    one.strike("Hey ?")
    one.type("日本\x1b[D\x1b[200~pasted\x1b[201~")
    one.strike("x\x7f\r")
    one.shows("SUBMIT OPEN 'Hey ?日pasted本'")
    one.until(lambda: one.flags == [0, 31])
    one.press(" ")
    one.release(" ")
    one.type("\x1b[99;5u")
    assert one.exit_code() == 0
    assert [row.split()[0] for row in lines(one)][-4:] == ["SUBMIT", "SPACE", "SPACE_UP", "ABORT"]
    one.assert_restored()


def test_there_a_terminal_that_loses_the_keyboard_lets_go(program):
    one = program(PATIENT + TALKS, kitty=31)
    one.shows("TALK HOLD")
    one.press(" ")
    one.shows("SPACE OPEN")
    one.type("\x1b[O")
    one.shows("SPACE_UP OPEN")
    one.strike("q")
    assert one.exit_code() == 0


@pytest.mark.parametrize(
    "options",
    [{"kitty": None}, {"kitty": 0}, {"kitty": 1}, {"kitty": 9}, {"answers": False}],
    ids=["does not know it", "grants nothing", "grants a part", "drops releases", "says nothing"],
)
def test_a_terminal_that_does_not_report_them(program, options):
    one = program(TALKS, **options)
    one.shows("TALK TAP")
    one.type(" ")
    one.shows("SPACE OPEN")
    one.type("tq m\x1b[Di\r")
    one.shows("SUBMIT OPEN 'q im'")
    one.type("\x03")
    assert one.exit_code() == 0
    one.assert_restored()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGINT, None)])
def test_a_signal_gives_the_keyboard_back(program, number, code):
    one = program(PATIENT + TALKS, kitty=31)
    one.shows("TALK HOLD")
    one.press(" ")
    one.kill(number)
    assert one.exit_code() == (-number if code is None else code)
    one.assert_restored()


@pytest.mark.parametrize("held", [False, True])
def test_a_crash_gives_the_keyboard_back(program, held):
    one = program(PATIENT + RAISES.replace("keys():", "keys(push_to_talk=True):"), kitty=31)
    one.until(lambda: one.flags == [0, 31] and b"\x1b[?1004h" in one.sent)
    one.press(" " if held else "m")
    assert one.exit_code() == 1
    one.shows("RuntimeError: in the middle")
    one.assert_restored()


SHELL = "import subprocess, sys; sys.exit(subprocess.call(['bash', '--norc', '-i']))"


@pytest.mark.parametrize("way", ["Ctrl-Z", "SIGTSTP"])
def test_suspended_the_terminal_is_the_shells(program, tmp_path, way):
    (tmp_path / "talks.py").write_text(PATIENT + TALKS)
    one = program(SHELL, kitty=31)
    one.type(f"export PS1='$ '; {sys.executable} {tmp_path / 'talks.py'}\n")
    one.shows("TALK HOLD")
    for _ in range(2):
        one.press(" ")
        if way == "Ctrl-Z":
            one.type("\x1b[122;5u")
        else:
            one.signal_foreground(signal.SIGTSTP)
        one.shows("Stopped")
        one.until(lambda: one.flags == [0] and b"\x1b[?1004l" in one.sent and b"\x1b[?2004l" in one.sent)
        one.type("clear\n")
        one.until(lambda: not any("Stopped" in row for row in one.rows()))
        one.type("fg\n")
        one.until(lambda: one.flags == [0, 31])
        one.shows("SPACE_UP")
    one.strike("q")
    one.until(lambda: one.flags == [0] and not one.raw())
    one.type("exit\n")
    assert one.exit_code() == 0
