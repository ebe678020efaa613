import numpy as np
import pytest

from rtchat.audio.speech import RATE, WINDOW
from rtchat.audio.timbre import DEPTH_DB, Timbre, Tone

AT = np.arange(WINDOW) / RATE
DRAW = np.random.default_rng(2)
HISS = np.diff(DRAW.standard_normal(WINDOW + 2), 2).astype(np.float32) * 0.02


def voiced(**overtones: float) -> np.ndarray:
    """A pitch of 125 Hz; `n4=0.5` is its fourth overtone."""
    return sum(np.float32(size) * np.sin(2 * np.pi * 125 * int(n[1:]) * AT) for n, size in overtones.items())


HUM = voiced(n1=0.2, n2=0.1, n12=0.002)
VOWEL = voiced(n1=0.1, n4=0.1, n10=0.1, n20=0.05)


def tone(samples: np.ndarray) -> Tone:
    timbre = Timbre()
    timbre.feed(np.zeros(WINDOW, np.float32), 0.0)
    return timbre.feed(samples.astype(np.float32), 0.9)


def test_the_level_is_that_of_the_sound():
    assert tone(0.1 * np.sqrt(2) * np.sin(2 * np.pi * 500 * AT)).level == pytest.approx(-20, abs=0.2)


def test_closed_lips_let_nothing_out_over_1_khz():
    assert tone(HUM).open_db < -26
    assert tone(VOWEL).open_db > -6


def test_a_pitch_repeats_and_breath_does_not():
    breath = np.convolve(DRAW.standard_normal(WINDOW + 7), np.ones(8) / 8)[7:-7]
    assert tone(HUM).periodicity > 0.75
    assert tone(VOWEL).periodicity > 0.75
    assert tone(HISS).periodicity < 0.5
    assert tone(0.05 * breath).periodicity < 0.7


def test_the_shape_tells_the_bands_apart():
    assert tone(HUM).shape.argmax() == 0 and tone(HISS).shape.argmax() == 5
    assert tone(HUM).shape.min() == -DEPTH_DB
    assert np.abs(tone(HUM).shape - tone(0.5 * HUM).shape).mean() < 0.5


def test_the_noise_of_the_room_is_no_part_of_it():
    """A hum in white noise is as closed as it is in silence."""
    timbre = Timbre()
    for _ in range(80):
        timbre.feed(0.003 * DRAW.standard_normal(WINDOW).astype(np.float32), 0.0)
    noisy = HUM.astype(np.float32) + 0.003 * DRAW.standard_normal(WINDOW).astype(np.float32)
    assert timbre.feed(noisy, 0.9).open_db < -24


def test_speech_is_not_learnt_as_noise():
    timbre = Timbre()
    timbre.feed(np.zeros(WINDOW, np.float32), 0.0)
    levels = [timbre.feed(VOWEL.astype(np.float32), 0.9).level for _ in range(50)]
    assert max(levels) == pytest.approx(min(levels), abs=0.01)


def test_silence_has_no_level_and_no_pitch():
    silent = tone(np.zeros(WINDOW))
    assert silent.level < -90
    assert silent.periodicity == 0
