import importlib
import warnings

import numpy as np
import pytest

from rtchat.audio.codecs import alaw_decode, alaw_encode, ulaw_decode, ulaw_encode

CODES = bytes(range(256))
EVERY_SAMPLE = np.arange(-32768, 32768, dtype="<i2")


def values(pcm: bytes) -> list[int]:
    return np.frombuffer(pcm, dtype="<i2").tolist()


def test_mu_law_decodes_to_the_values_of_g711_table_2():
    # The table's decoder outputs 0, 2, 30, 33, 8031 and so on, in 14 bits; here in 16.
    assert values(ulaw_decode(bytes([0xFF, 0x7F, 0xFE, 0xF0, 0xEF, 0x80, 0x00]))) == [
        0,
        0,
        8,
        120,
        132,
        32124,
        -32124,
    ]


def test_a_law_decodes_to_the_values_of_g711_table_1():
    # 1, 3, 31, 33 and 4032 in 13 bits; even bits are inverted.
    assert values(alaw_decode(bytes([0xD5, 0x55, 0xD4, 0xDA, 0xC5, 0xAA, 0x2A]))) == [
        8,
        -8,
        24,
        248,
        264,
        32256,
        -32256,
    ]


@pytest.mark.parametrize(("encode", "decode"), [(ulaw_encode, ulaw_decode), (alaw_encode, alaw_decode)])
def test_every_code_survives_decoding_and_encoding(encode, decode):
    again = encode(decode(CODES))
    assert decode(again) == decode(CODES)
    assert [(a, b) for a, b in zip(again, CODES, strict=True) if a != b] in ([], [(0xFF, 0x7F)])


@pytest.mark.parametrize(("encode", "decode"), [(ulaw_encode, ulaw_decode), (alaw_encode, alaw_decode)])
def test_every_sample_gets_the_nearest_value(encode, decode):
    levels = np.unique(np.frombuffer(decode(CODES), dtype="<i2").astype(int))
    decoded = np.frombuffer(decode(encode(EVERY_SAMPLE.tobytes())), dtype="<i2").astype(int)
    best = np.min(np.abs(levels[None, :] - EVERY_SAMPLE.astype(int)[:, None]), axis=1)
    assert np.array_equal(np.abs(decoded - EVERY_SAMPLE), best)


def test_silence_is_the_code_that_telephones_use_for_it():
    assert ulaw_encode(b"\0\0") == b"\xff"
    assert alaw_encode(b"\0\0") == b"\xd5"


def test_half_a_sample_at_the_end_is_dropped():
    assert len(ulaw_encode(b"\0\0\0")) == 1
    assert alaw_encode(b"") == b""


def test_decoding_agrees_with_the_standard_library_where_it_still_has_it():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        try:
            audioop = importlib.import_module("audioop")
        except ModuleNotFoundError:
            pytest.skip("this Python has no audioop")
    assert ulaw_decode(CODES) == audioop.ulaw2lin(CODES, 2)
    assert alaw_decode(CODES) == audioop.alaw2lin(CODES, 2)
