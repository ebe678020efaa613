"""`rtchat` in a real terminal: what is on the screen, what the keys do, and what is left behind."""

from __future__ import annotations

import json
import signal
import threading
import wave

import pytest

LOCAL = ("--server", "local")
UP, LEFT, ESC, ENTER = "\x1b[A", "\x1b[D", "\x1b", "\r"
LONG_ENOUGH = "one two three four five six seven"
"""To be seen while it is said, also on a machine that stops for a second or two."""
CTRL_A, CTRL_C, CTRL_D, CTRL_U = "\x01", "\x03", "\x04", "\x15"


@pytest.fixture
def quiet_room(world):
    """A microphone that hears nothing for a minute, and a loudspeaker: flags."""
    with wave.open("quiet.wav", "wb") as out:
        out.setparams((1, 2, 24_000, 0, "NONE", ""))
        out.writeframes(bytes(24_000 * 2 * 60))
    return ("--input-wav", "quiet.wav", "--output-wav", "a.wav", *LOCAL)


def on_screen(program, words):
    return sum(words in row for row in program.rows())


# --- the live view ----------------------------------------------------------------------------------------


@pytest.mark.needs("espeak-ng")
def test_the_live_view_and_its_keys(terminal, quiet_room, recording):
    program = terminal("interactive", "--record", *quiet_room)
    program.shows("● listening")
    assert program.raw() and program.screen.cursor.hidden
    program.shows("rtchat interactive · rtchat-assistant · marin · embedded")

    program.type("?")
    program.shows("mute the microphone")
    program.type("?")
    program.until(lambda: not on_screen(program, "mute the microphone"))

    program.type("m")
    program.shows("○ muted")
    program.type("m")
    program.shows("● listening")

    program.type("t")
    program.type(f"repeat after me: {LONG_ENOUGH} gren" + LEFT + "e")
    program.shows(f"› repeat after me: {LONG_ENOUGH} green")
    program.type(ENTER)
    program.shows(f"you        repeat after me: {LONG_ENOUGH} green")
    program.shows("● speaking")
    program.shows(f"assistant  {LONG_ENOUGH.capitalize()} green.")
    program.shows("● listening")
    program.shows("tokens")

    program.type("tqm?" + ESC)  # letters of a line are no commands, and Esc gives the line up
    program.until(lambda: not on_screen(program, "› qm?"))
    assert not on_screen(program, "mute the microphone") and not on_screen(program, "muted")

    program.type("q")
    assert program.exit_code() == 0
    program.assert_restored()
    said = program.rows()
    assert f"you        repeat after me: {LONG_ENOUGH} green" in said
    assert f"assistant  {LONG_ENOUGH.capitalize()} green." in said
    assert any("1 turn" in row for row in said[-2:]) and not on_screen(program, "listening")
    recording()


@pytest.mark.needs("espeak-ng")
def test_space_interrupts_a_story_and_shows_what_was_not_heard(terminal, quiet_room, world, recording):
    program = terminal("interactive", "--record", *quiet_room)
    program.shows("● listening")
    program.type("ttell me a long story" + ENTER)
    program.shows("● speaking")
    program.shows("lighthouse")
    program.until(lambda: len((world / "a.wav").read_bytes()[44:].strip(b"\0")) > 20_000)  # some of it is heard
    program.type(" ")
    program.shows("(interrupted after ")
    program.shows("● listening")
    struck = [row[x] for row in program.screen.buffer.values() for x in row if row[x].strikethrough]
    assert len(struck) > 20
    program.type("q")
    assert program.exit_code() == 0
    lines = (recording() / "events.jsonl").read_text().splitlines()
    kinds = [json.loads(line)["event"]["type"] for line in lines]
    assert kinds.count("conversation.item.truncate") == 1


def test_the_window_gets_smaller_and_larger_again(terminal, quiet_room):
    program = terminal("interactive", *quiet_room, columns=100, lines=30)
    program.shows("● listening")
    program.type("trepeat after me: green" + ENTER)
    program.shows("assistant  Green.")
    program.shows("● listening")
    for columns, rows in ((60, 15), (30, 6), (100, 30)):
        program.resize(columns, rows)
        program.type("m")
        program.shows("○ muted")
        program.type("m")
        program.until(lambda: on_screen(program, "● listening") and not on_screen(program, "muted"))
        assert on_screen(program, "● listening") == 1
    program.type("q")
    assert program.exit_code() == 0
    program.assert_restored()


@pytest.mark.parametrize(
    ("leave", "code"),
    [
        (lambda program: program.type(CTRL_C), 130),
        (lambda program: program.type(CTRL_D), 0),
        (lambda program: program.kill(signal.SIGINT), 130),
        (lambda program: program.kill(signal.SIGTERM), 143),
        (lambda program: program.kill(signal.SIGHUP), 129),
    ],
    ids=["Ctrl-C", "Ctrl-D", "SIGINT", "SIGTERM", "SIGHUP"],
)
@pytest.mark.needs("espeak-ng")
def test_every_way_out_while_it_speaks(terminal, quiet_room, recording, leave, code):
    program = terminal("interactive", "--record", *quiet_room)
    program.shows("● listening")
    program.type("ttell me a long story" + ENTER)
    program.shows("● speaking")
    leave(program)
    assert program.exit_code() == code
    program.assert_restored()
    screen = "\n".join(program.everything())
    assert "Traceback" not in screen and "rror" not in screen
    recording()


@pytest.mark.sound
def test_with_a_real_sound_device_nothing_is_written_over_the_screen(terminal, pulse):
    program = terminal("interactive", *LOCAL)
    program.shows("● listening")
    program.shows("AEC · full duplex")
    with pulse.listen() as heard:
        program.type(f"trepeat after me: {LONG_ENOUGH}" + ENTER)
        program.shows("● speaking")
        program.shows(f"assistant  {LONG_ENOUGH.capitalize()}.")
        program.shows("● listening")
    assert max(heard.pcm) > 0
    program.type("q")
    assert program.exit_code() == 0
    program.assert_restored()
    assert not any(word in "\n".join(program.everything()) for word in ("ALSA", "jack", "Cannot connect"))


def test_a_simple_terminal_gets_lines(terminal, quiet_room):
    program = terminal("interactive", *quiet_room, TERM="dumb")
    program.shows("[listening]")
    program.type("q")
    assert program.exit_code() == 0
    program.assert_restored()
    assert b"\x1b" not in program.sent


# --- the prompt -------------------------------------------------------------------------------------------


def test_typing_with_editing_and_history(terminal):
    program = terminal("text", "--quiet", *LOCAL)
    program.shows("> ")
    program.type("after me: green" + CTRL_A + "repeat " + ENTER)
    program.shows("Green.")
    program.until(lambda: program.rows()[-1].startswith(">"))
    program.type("a slip" + CTRL_U + UP)
    program.shows("> repeat after me: green")
    program.type(", and blue" + ENTER)
    program.shows("Green, and blue.")
    program.until(lambda: program.rows()[-1] == ">")
    program.type("given up" + CTRL_C)
    program.until(lambda: program.rows()[-1] == ">" and "> given up" in program.everything())
    program.type(CTRL_D)
    assert program.exit_code() == 0
    program.assert_restored()

    again = terminal("text", "--quiet", *LOCAL)
    again.shows("> ")
    again.type(UP)
    again.shows("> repeat after me: green, and blue")
    again.type(CTRL_C + CTRL_C)
    assert again.exit_code() == 0
    again.assert_restored()


def test_the_prompt_asks_nothing_of_a_terminal_that_could_report_releases(terminal):
    program = terminal("text", "--quiet", *LOCAL, kitty=31)
    program.shows("> ")
    program.strike("repeat after me: green\r")
    program.shows("Green.")
    assert b"\x1b[?u" not in program.sent and program.flags == [0]
    program.type(CTRL_D)
    assert program.exit_code() == 0
    program.assert_restored()


@pytest.mark.needs("espeak-ng")
def test_ctrl_c_interrupts_an_answer_and_leaves_on_an_empty_line(terminal, world, recording):
    program = terminal("text", "--speak", "--output-wav", "a.wav", "--record", *LOCAL)
    program.shows("> ")
    program.type("tell me a long story" + ENTER)
    program.shows("lighthouse")
    program.until(lambda: (world / "a.wav").read_bytes()[44:].strip(b"\0"))  # the story is heard
    program.type(CTRL_C)
    program.shows("[interrupted]")
    program.until(lambda: program.rows()[-1] == ">")
    program.type("repeat after me: green" + ENTER)
    program.shows("Green.")
    program.until(lambda: program.rows()[-1] == ">")
    program.type(CTRL_C)
    assert program.exit_code() == 0
    program.assert_restored()
    lines = (recording() / "events.jsonl").read_text().splitlines()
    kinds = [json.loads(line)["event"]["type"] for line in lines]
    assert kinds.count("conversation.item.truncate") == 1


@pytest.mark.needs("espeak-ng")
def test_what_is_typed_during_an_answer_waits_for_its_end(terminal):
    program = terminal("text", "--speak", "--output-wav", "a.wav", "--quiet", *LOCAL)
    program.shows("> ")
    program.type("repeat after me: one two three four" + ENTER)
    program.shows("One")
    program.type("repeat after me: green" + ENTER + "half a li")
    program.shows("Green.")
    program.shows("> half a li")
    assert program.everything() == [  # a terminal that tells late where its cursor is may have been scrolled
        "> repeat after me: one two three four",
        "One two three four.",
        "> repeat after me: green",
        "Green.",
        "> half a li",
    ]
    program.type(CTRL_C + CTRL_C)
    assert program.exit_code() == 0
    program.assert_restored()


@pytest.mark.needs("espeak-ng")
def test_ctrl_d_during_an_answer_ends_after_it(terminal):
    program = terminal("text", "--speak", "--output-wav", "a.wav", "--quiet", *LOCAL)
    program.shows("> ")
    program.type("repeat after me: one two three four" + ENTER)
    program.shows("One")
    program.type(CTRL_D)
    assert program.exit_code() == 0
    program.assert_restored()
    assert program.everything()[:2] == ["> repeat after me: one two three four", "One two three four."]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_prompt_that_is_told_to_end(terminal, recording, number):
    program = terminal("text", "--record", *LOCAL)
    program.shows("> ")
    program.type("half a li")
    program.shows("half a li")
    program.kill(number)
    assert program.exit_code() == 128 + number
    program.assert_restored()
    assert "Traceback" not in "\n".join(program.everything())
    recording()


def test_a_server_that_goes_while_a_line_is_typed(terminal, server_that, recording):
    typed = threading.Event()

    def leaves(peer):
        peer.greet()
        typed.wait(60)
        peer.socket.close(1000, "bye")  # it is done; what only breaks is dialled again

    program = terminal("text", "--record", "--server", server_that(leaves))
    program.shows("> ")
    program.type("half a li")
    program.shows("half a li")
    typed.set()
    program.shows("error: ")
    assert program.exit_code() == 3
    program.assert_restored()
    assert "Traceback" not in "\n".join(program.everything())
    recording()
