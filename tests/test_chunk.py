import math

import numpy as np
import pytest

from rtchat.chunk import WIRE, AudioChunk, AudioFormat, level_dbfs, to_float, to_pcm16

STEREO = AudioFormat(rate=44_100, channels=2)


def test_the_wire_is_24_khz_mono_pcm16():
    assert (WIRE.rate, WIRE.channels, WIRE.width, WIRE.frame_bytes) == (24_000, 1, 2, 2)


@pytest.mark.parametrize(
    ("form", "size", "samples", "ms"),
    [
        (WIRE, 0, 0, 0.0),
        (WIRE, 1, 0, 0.0),
        (WIRE, 960, 480, 20.0),
        (WIRE, 4_801, 2_400, 100.0),
        (STEREO, 4 * 441, 441, 10.0),
        (AudioFormat(rate=8_000, width=1), 80, 80, 10.0),
    ],
)
def test_bytes_samples_and_milliseconds(form: AudioFormat, size: int, samples: int, ms: float):
    assert form.samples(size) == form.samples(bytes(size)) == samples
    assert form.ms(size) == form.ms(bytes(size)) == ms


@pytest.mark.parametrize(
    ("form", "ms", "size"),
    [(WIRE, 20, 960), (WIRE, 0, 0), (WIRE, 0.04, 0), (WIRE, 0.05, 2), (STEREO, 10, 1_764), (STEREO, 0.5, 88)],
)
def test_milliseconds_are_rounded_down_to_whole_samples(form: AudioFormat, ms: float, size: int):
    assert form.bytes_in(ms) == size
    assert form.samples_in(ms) * form.frame_bytes == size
    assert form.silence(ms) == bytes(size)


def test_there_and_back():
    assert [WIRE.ms(WIRE.bytes_in(ms)) for ms in range(1_000)] == list(range(1_000))


def test_a_chunk_knows_its_length():
    chunk = AudioChunk(bytes(1_764), STEREO)
    assert (chunk.samples, chunk.ms) == (441, 10.0)
    assert AudioChunk(bytes(48)).ms == 1.0


def test_floats_and_back():
    every = np.arange(-32_768, 32_768, dtype="<i2").tobytes()
    floats = to_float(every)
    assert floats.dtype == np.float32
    assert (floats.min(), floats.max()) == (-1.0, 32_767 / 32_768)
    assert to_pcm16(floats) == every


def test_an_odd_last_byte_is_dropped():
    assert to_float(b"\x00\x40\xff").tolist() == [0.5]
    assert to_float(b"\xff").size == 0


def test_what_is_too_loud_is_clipped():
    assert (
        to_pcm16(np.array([2.0, 1.0, -2.0], dtype=np.float32))
        == np.array([32_767, 32_767, -32_768], dtype="<i2").tobytes()
    )


@pytest.mark.parametrize(("amplitude", "level"), [(32_767, 0.0), (16_384, -6.02), (3_277, -20.0), (1, -90.3)])
def test_level(amplitude: int, level: float):
    square = np.tile(np.array([amplitude, -amplitude], dtype="<i2"), 500)
    assert math.isclose(level_dbfs(square.tobytes()), level, abs_tol=0.05)


def test_the_level_of_silence_and_of_nothing():
    assert level_dbfs(bytes(960)) == level_dbfs(b"") == level_dbfs(b"\x01") == -96.0
