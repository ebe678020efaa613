"""G.711: mu-law and A-law, the telephone's 8-bit logarithmic sound, to and from 16-bit samples.

The Realtime API calls them `audio/pcmu` and `audio/pcma`; both run at 8 kHz. Decoding is a table of 256 entries.
Encoding is a table of 65 536, built on first use from the decoder: each 16-bit sample gets the code whose value
is nearest, a tie going to the smaller magnitude.

Source: ITU-T G.711 (11/88), tables 1 and 2.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Table = NDArray[np.int16]


def ulaw_decode(data: bytes) -> bytes:
    """Mu-law bytes as PCM16: two bytes for each one."""
    return _decode(_ulaw_values(), data)


def ulaw_encode(pcm: bytes) -> bytes:
    """PCM16 bytes as mu-law: one byte for each two; an odd last byte is dropped."""
    return _encode(_ulaw_codes(), pcm)


def alaw_decode(data: bytes) -> bytes:
    """A-law bytes as PCM16: two bytes for each one."""
    return _decode(_alaw_values(), data)


def alaw_encode(pcm: bytes) -> bytes:
    """PCM16 bytes as A-law: one byte for each two; an odd last byte is dropped."""
    return _encode(_alaw_codes(), pcm)


def _decode(values: Table, data: bytes) -> bytes:
    return values[np.frombuffer(data, dtype=np.uint8)].astype("<i2").tobytes()


def _encode(codes: NDArray[np.uint8], pcm: bytes) -> bytes:
    samples = np.frombuffer(pcm[: len(pcm) - len(pcm) % 2], dtype="<i2")
    return codes[samples.astype(np.int32) + 32768].tobytes()


@cache
def _ulaw_values() -> Table:
    # G.711 table 2: every bit is inverted; sign, three bits of segment, four of step; bias 33 (132 in 16 bits).
    code = ~np.arange(256, dtype=np.int32) & 0xFF
    magnitude = (((code & 0x0F) << 3) + 132 << ((code & 0x70) >> 4)) - 132
    return np.where(code & 0x80, -magnitude, magnitude).astype(np.int16)


@cache
def _alaw_values() -> Table:
    # G.711 table 1: even bits are inverted (0x55); segment 0 is linear, the others carry a hidden leading one.
    code = np.arange(256, dtype=np.int32) ^ 0x55
    segment, step = (code & 0x70) >> 4, (code & 0x0F) << 4
    magnitude = np.where(segment == 0, step + 8, step + 0x108 << np.maximum(segment - 1, 0))
    return np.where(code & 0x80, magnitude, -magnitude).astype(np.int16)


@cache
def _ulaw_codes() -> NDArray[np.uint8]:
    return _nearest(_ulaw_values(), zero=0xFF)


@cache
def _alaw_codes() -> NDArray[np.uint8]:
    return _nearest(_alaw_values(), zero=0xD5)


def _nearest(values: Table, *, zero: int) -> NDArray[np.uint8]:
    """The code nearest to each 16-bit sample, from -32768 up; `zero` is the code of silence."""
    order = np.argsort(values, kind="stable")
    levels = values[order].astype(np.int32)
    samples = np.arange(-32768, 32768, dtype=np.int32)
    above = np.clip(np.searchsorted(levels, samples), 1, len(levels) - 1)
    lower, upper = levels[above - 1], levels[above]
    down, up = samples - lower, upper - samples
    tie_to_lower = np.abs(lower) < np.abs(upper)
    pick = np.where((down < up) | ((down == up) & tie_to_lower), above - 1, above)
    codes = order[pick].astype(np.uint8)
    codes[32768] = zero
    return codes
