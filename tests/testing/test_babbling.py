import numpy as np
import pytest
import soxr

from rtchat.chunk import WIRE
from rtchat.silero import SileroDetector
from rtchat.testing.babbling import babble


@pytest.mark.parametrize("seconds", [0.5, 2.0, 6.0])
def test_a_detector_takes_it_for_speech(seconds):
    detector = SileroDetector()
    sound = np.frombuffer(babble(seconds, before=0.2, after=0), dtype="<i2")
    spoken = soxr.resample(sound, 24_000, detector.rate).tobytes()
    size = 2 * detector.window_samples
    found = [detector.probability(spoken[at : at + size]) for at in range(0, len(spoken) - size + 1, size)]
    assert max(found[:5]) < 0.3
    assert sum(one > 0.5 for one in found[9:]) >= 0.9 * len(found[9:])


def test_its_length_and_its_silence():
    sound = babble(1.0, before=0.5, after=0.25)
    assert WIRE.ms(sound) == 1750
    assert not any(sound[: WIRE.bytes_in(500)]) and not any(sound[-WIRE.bytes_in(250) :])
    assert babble(1.0, before=0.5, after=0.25) == sound
