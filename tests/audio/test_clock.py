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


def test_what_is_reported_while_a_buffer_fills_is_no_drift():
    """As recorded: six milliseconds too early at first."""
    clock = DeviceClock(44_100)
    for n in range(125):
        clock.begins(352, 50 + n * 352 / 44_100 - (0.006 if n < 10 else 0))
    assert abs(clock.drift_ppm) < 20


def after_ten_seconds(change):
    """Times of the blocks, less those of an even clock, from a change of the latency on."""
    clock = DeviceClock(48_000)
    for n in range(1250):
        clock.begins(FRAMES, n * 0.008)
    return np.array([clock.begins(FRAMES, n * 0.008 + change) - n * 0.008 for n in range(1250, 10_000)])


def test_a_latency_that_changed_a_little_is_walked_to():
    off = after_ten_seconds(0.004)
    assert np.abs(np.diff(off)).max() < 30e-6
    assert off[-1] == pytest.approx(0.004, abs=0.003)


@pytest.mark.parametrize("change", [0.008, 0.020, 0.035, -0.012])
def test_silence_that_a_device_put_in_is_believed_within_half_a_second_and_then_no_more_is_moved(change):
    off = after_ten_seconds(change)
    assert np.abs(off[:30]).max() < 0.001
    assert off[62:] == pytest.approx(change, abs=0.0005)


WANDERING = (
    (-2.5, 7.1, 6.2, 5.2, 2.9, 0.4, -1.8, -4.0, -4.5, -6.4, -5.4, -8.1, -2.3, 1.6, 0.5, 0.9, 1.2),
    (-2.5, -3.6, -3.0, -1.8, 0.0, 1.4, 2.5, 3.8, 4.8, 5.5, 5.9, 2.3, 3.3, 0.5, -0.8, -0.7, 0.0),
    (-2.5, -3.8, -2.7, -2.0, -0.1, 0.6, 1.3, 1.4, 2.3, 3.3, 3.6, 3.9, 4.5, 5.0, 5.0, 5.0, 5.0),
)
"""By how many milliseconds PulseAudio's times of a microphone were off, at `WANDERING_AT`: three recordings."""
WANDERING_AT = (0, 0.3, 0.5, 0.9, 1.3, 1.7, 2.2, 2.7, 3.2, 3.7, 4.2, 5.2, 6.2, 7.2, 8.2, 10.2, 12.2)


@pytest.mark.parametrize("recording", WANDERING)
def test_the_wandering_of_a_sound_server_that_guesses_is_not_followed(recording):
    """A canceller of echo loses its hold where one clock slides by 200 parts in a million against the other."""
    even = np.arange(12 * 125) * 0.008
    late = np.abs(np.random.default_rng(3).normal(0, 0.0004, len(even)))
    wandering = np.interp(even, WANDERING_AT, np.array(recording) / 1000)
    clock = DeviceClock(44_100)
    off = np.array([clock.begins(352, at) for at in 50 + even * 352 / 352.8 + late + wandering])
    slide = np.diff((off - np.arange(len(off)) * 352 / 44_100)[::62]) / (62 * 352 / 44_100)
    assert np.abs(slide[3:]).max() < 200e-6


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
