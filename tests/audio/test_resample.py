import numpy as np
import pytest

from rtchat.audio.resample import Resampler


def tone(rate: int, seconds: float = 1.0, hertz: float = 440.0):
    return (0.5 * np.sin(2 * np.pi * hertz * np.arange(int(rate * seconds)) / rate)).astype(np.float32)


@pytest.mark.parametrize(
    ("source", "target"), [(24_000, 48_000), (24_000, 44_100), (48_000, 24_000), (16_000, 24_000)]
)
def test_a_stream_of_small_blocks_gives_the_same_tone_at_the_other_rate(source, target):
    resampler, sound = Resampler(source, target), tone(source)
    step = source // 125
    parts = [resampler.feed(sound[at : at + step]) for at in range(0, len(sound), step)]
    out = np.concatenate([*parts, resampler.finish()])
    assert len(out) == target
    # The same tone, at the same place within 0.1 ms, and nothing else.
    time = np.arange(target)[target // 10 : -target // 10] / target
    waves = np.stack([np.sin(2 * np.pi * 440 * time), np.cos(2 * np.pi * 440 * time)], axis=1)
    heard = out[target // 10 : -target // 10]
    (in_phase, quadrature), *_ = np.linalg.lstsq(waves, heard, rcond=None)
    assert np.hypot(in_phase, quadrature) == pytest.approx(0.5, abs=1e-4)
    assert abs(np.arctan2(quadrature, in_phase)) / (2 * np.pi * 440) < 0.0001
    assert np.max(np.abs(heard - waves @ [in_phase, quadrature])) < 1e-4


@pytest.mark.parametrize("source", [48_000, 44_100, 16_000])
def test_no_more_than_fifteen_milliseconds_are_held_back(source):
    resampler, given = Resampler(source, 24_000), 0
    block = np.zeros(source // 100, dtype=np.float32)
    for n in range(1, 101):
        given += len(resampler.feed(block))
        assert n * 10 - given / 24 <= 15.0


def test_it_can_be_used_again_after_its_end():
    resampler = Resampler(24_000, 48_000)
    for _ in range(2):
        assert len(np.concatenate([resampler.feed(tone(24_000)), resampler.finish()])) == 48_000


def test_equal_rates_change_nothing():
    resampler, sound = Resampler(24_000, 24_000), tone(24_000)
    assert resampler.feed(sound) is sound
    assert len(resampler.finish()) == 0
