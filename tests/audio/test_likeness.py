import numpy as np
import pytest

from rtchat.audio.likeness import Likeness
from rtchat.chunk import WIRE, to_pcm16

CHUNK = WIRE.bytes_in(20)
DRAW = np.random.default_rng(4)


def babble(seconds: float, pitch: float) -> np.ndarray:
    """Something like a voice: overtones of a pitch that moves, in syllables."""
    at = np.arange(int(seconds * WIRE.rate)) / WIRE.rate
    phase = 2 * np.pi * np.cumsum(pitch * (1 + 0.1 * np.sin(2 * np.pi * 1.3 * at + pitch))) / WIRE.rate
    voice = sum(np.sin(n * phase) / n for n in range(1, 20)) * (1.2 + np.sin(2 * np.pi * 4 * at + pitch))
    return (0.05 * voice + 0.01 * DRAW.standard_normal(len(at))).astype(np.float32)


def likeness(near: np.ndarray, far: np.ndarray, ms: int = 256) -> float:
    measured = Likeness()
    one, other = to_pcm16(near), to_pcm16(far)
    for at in range(0, len(one), CHUNK):
        measured.feed(one[at : at + CHUNK], other[at : at + CHUNK])
    return measured.measure(ms)


def delayed(samples: np.ndarray, ms: float) -> np.ndarray:
    size = WIRE.samples_in(ms)
    return np.concatenate([np.zeros(size, np.float32), samples[:-size]])


@pytest.mark.parametrize("ms", [20, 130, 480])
def test_an_echo_is_like_what_it_is_the_echo_of_at_any_delay(ms):
    far = babble(1, 130)
    room = np.convolve(far, [0.3, 0, 0, -0.1, 0.05])[: len(far)].astype(np.float32)
    assert likeness(delayed(room, ms), far) > 0.6
    assert likeness(delayed(0.01 * room, ms), far, 128) > 0.6


def test_another_voice_is_not():
    assert likeness(babble(1, 210), babble(1, 130)) < 0.2


def test_nor_is_an_echo_under_a_voice():
    far = babble(1, 130)
    assert likeness(babble(1, 210) + 0.1 * delayed(far, 100), far) < 0.2


def test_silence_is_like_nothing():
    silence = np.zeros(WIRE.rate, np.float32)
    assert likeness(silence, babble(1, 130)) == likeness(babble(1, 130), silence) == 0.0
    assert Likeness().measure(256) == 0.0


def test_it_can_be_asked_before_there_is_enough():
    assert 0 <= likeness(babble(0.02, 130), babble(0.02, 130)) <= 1.01


def test_what_was_before_a_reset_is_forgotten():
    measured = Likeness()
    measured.feed(to_pcm16(babble(0.3, 130)), to_pcm16(babble(0.3, 130)))
    measured.reset()
    assert measured.measure(256) == 0.0
