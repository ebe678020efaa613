import numpy as np
import pytest

from rtchat.audio.far_end import FarEnd
from rtchat.chunk import to_float, to_pcm16


def sine(at: np.ndarray, hertz: float = 1000) -> np.ndarray:
    return (0.5 * np.sin(2 * np.pi * hertz * at)).astype(np.float32)


def played(far: FarEnd, seconds: float, *, hertz: float = 1000, ppm: float = 0, begins: float = 10.0) -> None:
    """A tone in blocks of 8 ms, by a loudspeaker that is fast by so much: by the clock, the tone is higher."""
    for n in range(round(seconds * 125)):
        block = np.arange(192 * n, 192 * (n + 1)) / 24_000
        far.played(begins + 0.008 * n / (1 + ppm * 1e-6), to_pcm16(sine(block, hertz)))


def off_db(got: bytes, wanted: np.ndarray) -> float:
    return 10 * float(np.log10(np.mean((to_float(got) - wanted) ** 2) / np.mean(wanted**2)))


@pytest.mark.parametrize("hertz", [200, 1000, 4000, 8000])
@pytest.mark.parametrize("begins", [10.1, 10.1 + 0.3 / 24_000, 10.1 + 0.77 / 24_000])
def test_between_two_times_is_what_was_played_then(hertz, begins):
    far = FarEnd()
    played(far, 0.5, hertz=hertz)
    wanted = sine(begins - 10 + np.arange(480) / 24_000, hertz)
    assert off_db(far.between(begins, begins + 0.02, 480), wanted) < -50


@pytest.mark.parametrize("ppm", [-100, 100])
def test_a_loudspeaker_with_another_clock_is_followed(ppm):
    far = FarEnd()
    got = []
    begins = 10.0
    for n in range(1250):  # ten seconds, in the order of a conversation
        block = np.arange(192 * n, 192 * (n + 1)) / 24_000
        far.played(10 + 0.008 * n / (1 + ppm * 1e-6), to_pcm16(sine(block)))
        if n > 10 and begins + 0.02 < 10 + 0.008 * n:
            got.append(far.between(begins, begins + 0.02, 480))
            begins += 0.02
    times = np.arange(480 * len(got)) / 24_000 * (1 + ppm * 1e-6)
    assert off_db(b"".join(got[1:]), sine(times[480:])) < -45


def test_where_nothing_played_is_silence():
    far = FarEnd()
    assert far.ends is None
    assert far.between(10.0, 10.02, 480) == bytes(960)
    far.played(10.0, b"\x00\x20" * 480)
    far.played(10.1, b"\x00\x20" * 480)
    assert far.ends == pytest.approx(10.12)
    assert far.between(9.9, 9.92, 480) == bytes(960)
    assert far.between(10.05, 10.07, 480) == bytes(960)
    assert far.between(10.2, 10.22, 480) == bytes(960)
    half = to_float(far.between(10.09, 10.11, 480))
    assert np.abs(half[:220]).max() < 0.01
    assert half[260:] == pytest.approx(0.25, abs=0.01)


def test_sound_that_was_taken_back_is_forgotten():
    far = FarEnd()
    far.played(10.0, b"\x00\x20" * 4800)
    far.played(10.1, b"\x00\x40" * 480)
    got = to_float(far.between(10.1, 10.12, 480))
    assert got[20:460] == pytest.approx(0.5, abs=0.01)
    assert far.ends == pytest.approx(10.12)


def test_an_hour_is_not_kept():
    far = FarEnd()
    played(far, 5)
    assert far.between(10.5, 10.52, 480) == bytes(960)
    assert off_db(far.between(14.5, 14.52, 480), sine(4.5 + np.arange(480) / 24_000)) < -45
    far.played(3600.0, b"\x00\x20" * 480)
    assert far.between(14.5, 14.52, 480) == bytes(960)
    assert to_float(far.between(3600.001, 3600.011, 240)) == pytest.approx(0.25, abs=0.01)
