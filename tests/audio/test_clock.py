import numpy as np
import pytest

from rtchat.audio.clock import DeviceClock, Track
from rtchat.chunk import WIRE

FRAMES = 384  # 8 ms at 48 kHz


def times(ppm: float, seconds: float, seed: int = 1) -> tuple[np.ndarray, np.ndarray, DeviceClock]:
    """True and steady times of the blocks of a device that reports them up to 5 ms late."""
    draw = np.random.default_rng(seed)
    true = 50 + np.arange(round(seconds * 125)) * 0.008 / (1 + ppm * 1e-6)
    late = np.minimum(draw.exponential(0.0006, len(true)), 0.005)
    late[draw.uniform(size=len(true)) < 0.02] = 0.005
    clock = DeviceClock(48_000)
    return true, np.array([clock.begins(FRAMES, at) for at in true + late]), clock


@pytest.mark.parametrize("ppm", [-100, 0, 37, 100])
def test_late_callbacks_and_a_clock_that_drifts_move_no_block_by_half_a_millisecond(ppm):
    true, steady, _ = times(ppm, seconds=60)
    off = (steady - true)[125:]  # after a second
    assert np.abs(off - off.mean()).max() < 0.0005


@pytest.mark.parametrize("ppm", [-100, 37, 100])
def test_drift_is_measured(ppm):
    _, _, clock = times(ppm, seconds=60)
    assert clock.drift_ppm == pytest.approx(ppm, abs=8)


def test_a_block_begins_where_the_one_before_it_ended():
    _, steady, _ = times(100, seconds=30)
    steps = np.diff(steady)[125:] - 0.008
    assert np.abs(steps).max() < 50e-6


def test_sound_that_was_lost_is_believed_at_once_and_nothing_less():
    clock = DeviceClock(48_000)
    for n in range(500):
        clock.begins(FRAMES, n * 0.008)
    assert clock.begins(FRAMES, 4.0 + 0.030) == pytest.approx(4.0, abs=0.001)
    assert clock.begins(FRAMES, 4.008 + 0.300) == pytest.approx(4.308)
    assert clock.begins(FRAMES, 4.316) == pytest.approx(4.316)


def test_a_latency_that_changed_is_walked_to():
    clock = DeviceClock(48_000)
    for n in range(1250):
        clock.begins(FRAMES, n * 0.008)
    steady = np.array([clock.begins(FRAMES, n * 0.008 + 0.020) for n in range(1250, 10_000)])
    assert np.abs(np.diff(steady) - 0.008).max() < 100e-6
    assert steady[-1] == pytest.approx(9_999 * 0.008 + 0.020, abs=0.001)


def test_a_track_has_no_hole_and_no_overlap_though_the_clock_drifts():
    track = Track()
    chunk = (10_000 * np.sin(2 * np.pi * 250 * np.arange(480) / 24_000)).round().astype("<i2").tobytes()
    at = np.arange(9000) * 0.02 * (1 + 100e-6)  # three minutes
    placed = [track.place(float(t), chunk) for t in at]
    assert placed[0] == (0, chunk)
    ends = [start + WIRE.samples(pcm) for start, pcm in placed]
    assert [start for start, _ in placed[1:]] == ends[:-1]
    assert ends[-1] / 24_000 == pytest.approx(180.018, abs=0.0051)
    whole = np.frombuffer(b"".join(pcm for _, pcm in placed), "<i2").astype(int)
    assert np.abs(np.diff(whole)).max() < 10_000 * 2 * np.pi * 250 / 24_000 * 1.05


def test_a_piece_after_a_pause_is_where_its_time_says():
    track = Track()
    assert track.place(-0.001, bytes(960)) == (0, bytes(960))
    assert track.place(0.5, bytes(960)) == (12_000, bytes(960))
    assert track.place(0.52, bytes(960)) == (12_480, bytes(960))
