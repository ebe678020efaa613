"""The canceller on recordings of the test sound, in rooms."""

import numpy as np
import pytest
from rooms import RATE, Room, Shape

from rtchat.audio.rehearsal import rehearse
from rtchat.audio.sweep import test_sound as make_sound

SOUND = make_sound()
PLAYED = np.concatenate([SOUND.samples, np.zeros(RATE, np.float32)])


def in_room(**shape) -> np.ndarray:
    return Room(2, shape=Shape(**shape)).pass_on(PLAYED)


@pytest.mark.parametrize("shape", [{}, {"delay_ms": 200}, {"clip": 0.2}, {"echo_db": -5}, {"drift_ppm": 80}])
def test_the_echo_of_a_room_is_cancelled(shape):
    canceller = pytest.importorskip("rtchat.audio.canceller")
    pytest.importorskip("livekit")
    found = rehearse(canceller.load_canceller().process, PLAYED, in_room(**shape))
    assert found.verdict == "cancelling" and found.erle_db > 15


def test_a_canceller_that_does_nothing_fails():
    found = rehearse(lambda near, far: near, PLAYED, in_room())
    assert found.verdict == "failing" and found.erle_db < 3


def test_headphones_have_no_echo():
    found = rehearse(lambda near, far: near, PLAYED, in_room(echo_db=-90))
    assert (found.verdict, found.erle_db) == ("no echo", None)


def test_a_recording_that_is_too_short_tells_nothing():
    for size in (0, 100, RATE // 2):
        found = rehearse(lambda near, far: near, PLAYED[:size], np.zeros(size, np.float32))
        assert (found.verdict, found.erle_db) == ("measuring", None)
