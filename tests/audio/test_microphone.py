import numpy as np
import pytest

from rtchat.audio.microphone import Microphone
from rtchat.chunk import WIRE, AudioFormat, level_dbfs


def counting(first: int, samples: int) -> bytes:
    return np.arange(first, first + samples, dtype="<i2").tobytes()


def test_blocks_become_chunks_of_twenty_milliseconds_with_their_times():
    microphone = Microphone(WIRE)
    got = []
    for n in range(6):  # 6 blocks of 8 ms
        got += microphone.feed(counting(192 * n, 192), 5.0 + 0.008 * n)
    assert got == [(5.0, counting(0, 480)), (pytest.approx(5.02), counting(480, 480))]


def test_the_times_of_the_blocks_are_believed():
    microphone = Microphone(AudioFormat(48_000, 1))
    times = [1.0 + 0.008 * n * (1 + 1e-4) for n in range(2500)]  # a device that is slow by 100 ppm
    got = [chunk for at in times for chunk in microphone.feed(bytes(768), at)]
    assert [at for at, _ in got] == pytest.approx([1.0 + 0.02 * n * (1 + 1e-4) for n in range(len(got))], abs=1e-5)


def test_sound_that_the_device_lost_leaves_a_gap_in_the_times():
    microphone = Microphone(WIRE)
    got = [chunk for at in (1.0, 1.02, 1.54, 1.56) for chunk in microphone.feed(bytes(960), at)]
    assert [at for at, _ in got] == pytest.approx([1.0, 1.02, 1.54, 1.56])


def test_stereo_is_mixed_and_resampled():
    microphone = Microphone(AudioFormat(48_000, 2))
    left = np.sin(2 * np.pi * 440 * np.arange(48_000) / 48_000) * 16_000
    block = np.stack([left, np.zeros_like(left)], axis=1).astype("<i2").tobytes()
    chunks = microphone.feed(block, 0.0)
    assert len(chunks) == 49  # one second, less what the resampler holds
    # Half of the left side's level: -6 dB of a sine of -9.2 dBFS RMS.
    assert [level_dbfs(pcm) for _, pcm in chunks[2:]] == pytest.approx([-15.25] * 47, abs=0.2)


@pytest.mark.parametrize("rate", [8_000, 16_000, 24_000, 44_100, 48_000])
def test_it_knows_when_the_next_chunk_is_complete(rate):
    microphone = Microphone(AudioFormat(rate, 1))
    fed, got = 0, []
    for _ in range(20):
        wanted = microphone.due - fed
        assert wanted <= rate // 50 + 2
        got.append(len(microphone.feed(bytes(2 * (wanted - 3)), 0.0) + microphone.feed(bytes(6), 0.0)))
        fed += wanted
    assert got[2:] == [1] * 18  # before that, the resampler fills up
