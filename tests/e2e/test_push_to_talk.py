"""Push to talk in a terminal that reports when a key comes up, and in one that does not; a real microphone."""

from __future__ import annotations

import json
import re
import signal
import threading
import wave
from contextlib import contextmanager, suppress

import numpy as np
import pytest

pytestmark = [pytest.mark.sound, pytest.mark.slow]

LOCAL = ("--server", "local")
HOLD, TAP = "hold space to talk", "space starts, space ends"
SENT = {
    "input_audio_buffer.clear": "clear",
    "input_audio_buffer.commit": "commit",
    "response.cancel": "cancel",
    "conversation.item.truncate": "truncate",
}


@pytest.fixture
def talks(terminal, pulse):
    """`talks()`: rtchat in push to talk, in a terminal that reports releases; what is said and sent."""

    def begin(*, kitty=31, shows=HOLD):
        program = terminal("interactive", "--vad", "off", "--record", *LOCAL, kitty=kitty)
        program.shows(shows)
        return program

    return begin


@pytest.fixture
def sent(recording):
    """What the finished session has sent of this, in order."""

    def read():
        lines = map(json.loads, (recording() / "events.jsonl").read_text().splitlines())
        kinds = [line["event"]["type"] for line in lines if line["dir"] == "sent"]
        return [SENT[kind] for kind in kinds if kind in SENT]

    return read


@contextmanager
def held(program):
    """The space key is down, and repeats itself as keys do."""
    program.press(" ")
    program.shows("let go to end")
    done = threading.Event()

    def repeat():
        while not done.wait(0.03):
            with suppress(BlockingIOError):  # nobody has taken those before
                program.type("\x1b[32;1:2;32u")

    thread = threading.Thread(target=repeat)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
    program.release(" ")


def answered(program):
    """The words were understood, nearly enough, and something was said to them."""
    program.until(lambda: any(re.match("you        .*seven times", row) for row in program.everything()))
    program.shows("○ push to talk")


def leave(program):
    program.strike("q")
    assert program.exit_code() == 0
    program.assert_restored()


def test_hold_to_talk(talks, pulse, spoken, sent):
    program = talks()
    pulse.speak(spoken("tell me a joke"))  # nobody listens
    with held(program):
        pulse.speak(spoken("what is seven times six", before=0.05, after=0.2))
    answered(program)
    leave(program)
    assert sent() == ["clear", "commit"]


def test_the_key_interrupts_and_a_short_press_sends_nothing(talks, pulse, spoken, sent):
    program = talks()
    program.strike("t")
    program.until(lambda: program.flags == [0])
    program.type("tell me a long story\r")
    program.shows("● speaking")
    with pulse.listen() as heard:
        heard.wait_for_ms(1500)
        program.strike(" ")
        program.shows("(interrupted after ")
        program.shows("○ push to talk")
    with held(program):
        pulse.speak(spoken("what is seven times six", before=0.05, after=0.2))
    answered(program)
    leave(program)
    assert sent() == ["cancel", "truncate", "clear", "clear", "clear", "commit"]


def test_a_window_that_loses_the_keyboard_lets_go(talks, pulse, spoken, sent):
    program = talks()
    program.press(" ")
    program.shows("let go to end")
    pulse.speak(spoken("what is seven times six", before=0.05, after=0.2))
    program.type("\x1b[O")
    answered(program)
    program.type("\x1b[I")
    leave(program)
    assert sent() == ["clear", "commit"]


@pytest.mark.parametrize("kitty", [None, 1], ids=["unknown", "a part of it"])
def test_tap_to_talk_elsewhere_and_a_key_that_repeats_itself(talks, pulse, spoken, sent, kitty):
    program = talks(kitty=kitty, shows=TAP)
    program.type(" " * 20)
    program.shows("space ends")
    pulse.speak(spoken("what is seven times six", before=0.05, after=0.2))
    program.type(" ")
    answered(program)
    program.type("q")
    assert program.exit_code() == 0
    program.assert_restored()
    assert sent() == ["clear", "commit"]


def test_told_to_end_while_the_key_is_down(talks, recording):
    program = talks()
    with held(program):
        program.kill(signal.SIGTERM)
        assert program.exit_code() == 143
    program.assert_restored()
    recording()


def test_muted_nothing_of_the_user_is_kept_or_shown(terminal, pulse, spoken, recording):
    program = terminal("interactive", "--record", *LOCAL)
    program.shows("● listening")
    program.type("m")
    program.shows("mic MUTED")
    pulse.speak(spoken("tell me a joke", after=0.3))
    program.type("t")
    program.type("repeat after me: one two three four five six seven\r")
    program.shows("● speaking")
    program.shows("mic MUTED")
    program.shows("○ muted")
    program.type("q")
    assert program.exit_code() == 0
    with wave.open(str(recording() / "audio.wav")) as wav:
        both = np.frombuffer(wav.readframes(wav.getnframes()), "<i2").reshape(-1, 2)
    assert not both[:, 0].any(), "the user is in the recording"
    assert both[:, 1].any()


def test_muted_the_key_sends_silence(talks, pulse, spoken):
    program = talks()
    program.strike("m")
    program.shows("mic MUTED")
    program.press(" ")
    pulse.speak(spoken("what is seven times six", before=0.05, after=0.2))
    program.release(" ")
    program.strike("m")
    program.shows(HOLD)
    program.read()
    assert not any("what is" in row for row in program.everything())
    with held(program):
        pulse.speak(spoken("what is seven times six", before=0.05, after=0.2))
    answered(program)
    leave(program)
