"""Sound between the wire's format and the server's own (24 kHz mono PCM16)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import soxr

from rtchat.audio.codecs import alaw_decode, alaw_encode, ulaw_decode, ulaw_encode
from rtchat.chunk import WIRE

if TYPE_CHECKING:
    from numpy.typing import NDArray

_DECODE = {"audio/pcmu": ulaw_decode, "audio/pcma": alaw_decode}
_ENCODE = {"audio/pcmu": ulaw_encode, "audio/pcma": alaw_encode}
G711_RATE = 8_000


class Rate:
    """A stream of mono PCM16 from one rate to another: 10 ms late from 24 to 16 kHz, 30 ms to or from 8 kHz."""

    def __init__(self, source: int, target: int) -> None:
        self._stream = soxr.ResampleStream(source, target, 1, dtype="float32", vr=True)

    def feed(self, pcm: bytes) -> bytes:
        """The next samples, as far as they can be computed by now."""
        samples = np.frombuffer(pcm, dtype="<i2").astype(np.float32)
        return _pcm16(self._stream.resample_chunk(samples))

    def finish(self) -> bytes:
        """What was held back; nothing may follow."""
        return _pcm16(self._stream.resample_chunk(np.zeros(0, dtype=np.float32), last=True))


def _pcm16(samples: NDArray[np.float32]) -> bytes:
    return np.clip(np.rint(samples), -32768, 32767).astype("<i2").tobytes()


class Decoder:
    """What a client appends, as 24 kHz PCM16. `kind` is `audio/pcm`, `audio/pcmu` or `audio/pcma`."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._decode = _DECODE.get(kind)
        self._rate = Rate(G711_RATE, WIRE.rate) if self._decode else None
        self._odd = b""

    def feed(self, data: bytes) -> bytes:
        """The next bytes; half a sample waits for its other half."""
        if self._decode is not None and self._rate is not None:
            return self._rate.feed(self._decode(data))
        data = self._odd + data
        whole = len(data) - len(data) % 2
        self._odd = data[whole:]
        return data[:whole]


def decoded(data: bytes, kind: str) -> bytes:
    """A whole recording in a client's format as 24 kHz PCM16; half a sample at its end is dropped."""
    decode = _DECODE.get(kind)
    if decode is None:
        return data[: len(data) - len(data) % 2]
    rate = Rate(G711_RATE, WIRE.rate)
    return rate.feed(decode(data)) + rate.finish()


def encoded(pcm: bytes, kind: str) -> bytes:
    """A whole recording of 24 kHz PCM16 in a client's format."""
    encoder = Encoder(kind)
    return encoder.feed(pcm) + encoder.finish()


class Encoder:
    """24 kHz PCM16 in the format that a client asked for."""

    def __init__(self, kind: str) -> None:
        self._encode = _ENCODE.get(kind)
        self._rate = Rate(WIRE.rate, G711_RATE) if self._encode else None

    def feed(self, pcm: bytes) -> bytes:
        """The next samples."""
        if self._encode is None or self._rate is None:
            return pcm
        return self._encode(self._rate.feed(pcm))

    def finish(self) -> bytes:
        """The last of it."""
        return self._encode(self._rate.finish()) if self._encode and self._rate else b""
