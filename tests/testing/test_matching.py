import re

import pytest

from rtchat.testing.matching import described, listed, mismatch

EVENT = {"type": "x", "session": {"type": "realtime", "tools": [{"name": "a"}, {"name": "b"}], "voice": None}}


def positive(value):
    return value > 0


@pytest.mark.parametrize(
    ("wanted", "why"),
    [
        ({"session__type": "realtime", "session__tools__1__name": "b", "session__tools__-1__name": "b"}, None),
        ({"session__voice": None}, None),
        ({"session__type": re.compile("^real")}, None),
        ({"session__tools": lambda tools: len(tools) == 2}, None),
        ({"session__type": "transcription"}, "session.type is 'realtime', not 'transcription'"),
        ({"session__speed": None}, "session.speed is missing, not None"),
        ({"session__tools__2__name": "c"}, "session.tools.2.name is missing, not 'c'"),
        ({"session__type__deeper": 1}, "session.type.deeper is missing, not 1"),
        ({"session__type": re.compile("^un")}, "session.type is 'realtime', not a text like '^un'"),
        ({"gone": positive}, "gone is missing, not what positive takes"),
    ],
)
def test_what_stands_in_an_event(wanted, why):
    assert mismatch(EVENT, wanted) == why


def test_what_was_wanted():
    assert described("x", {}) == "x"
    assert described("x", {"a__b": 1, "c": re.compile("d")}) == "x with a.b = 1 and c = a text like 'd'"


def test_a_run_of_sound_is_one_line():
    sound = {"type": "input_audio_buffer.append", "audio": "AAAA"}
    events = [{"type": "a", "event_id": "e", "n": 1}, sound, sound, sound, {"type": "b", "text": "x" * 500}, sound]
    lines = list(listed(events))
    assert lines[:2] == ['   1. a {"n": 1}', "   2. input_audio_buffer.append, 3 times"]
    assert lines[2].startswith('   5. b {"text": "xxx') and len(lines[2]) < 200
    assert lines[3] == "   6. input_audio_buffer.append"
