"""Sound as bytes: formats, and the arithmetic between bytes, samples and milliseconds.

That arithmetic is here and nowhere else. The wire is 24 kHz mono PCM16 little-endian (or 8 kHz G.711).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class AudioFormat:
    """Linear PCM, interleaved, little-endian, signed.

    Attributes:
        rate: Sample rate in hertz.
        channels: 1 for mono, 2 for stereo.
        width: Bytes of one sample of one channel.
    """

    rate: int = 24_000
    channels: int = 1
    width: int = 2

    @property
    def frame_bytes(self) -> int:
        """Bytes of one sample of every channel."""
        return self.channels * self.width

    def samples(self, data: bytes | int) -> int:
        """Whole samples (per channel) in `data`, given as bytes or as a number of bytes."""
        size = data if isinstance(data, int) else len(data)
        return size // self.frame_bytes

    def ms(self, data: bytes | int) -> float:
        """Duration of `data` in milliseconds, given as bytes or as a number of bytes."""
        return self.samples(data) * 1000 / self.rate

    def bytes_in(self, ms: float) -> int:
        """Bytes of `ms` milliseconds, rounded down to a whole sample."""
        return int(ms * self.rate / 1000) * self.frame_bytes

    def samples_in(self, ms: float) -> int:
        """Samples (per channel) of `ms` milliseconds, rounded down."""
        return int(ms * self.rate / 1000)

    def silence(self, ms: float) -> bytes:
        """`ms` milliseconds of silence."""
        return bytes(self.bytes_in(ms))


WIRE = AudioFormat(rate=24_000, channels=1, width=2)
"""What the Realtime API speaks by default: 24 kHz, mono, PCM16."""


@dataclass(frozen=True, slots=True)
class AudioChunk:
    """PCM bytes with their format.

    Attributes:
        pcm: The samples, a whole number of them.
        format: How to read them.
    """

    pcm: bytes
    format: AudioFormat = WIRE

    @property
    def samples(self) -> int:
        """Samples per channel."""
        return self.format.samples(self.pcm)

    @property
    def ms(self) -> float:
        """Duration in milliseconds."""
        return self.format.ms(self.pcm)


def to_float(pcm: bytes) -> NDArray[np.float32]:
    """PCM16 bytes as float32 samples in [-1, 1); an odd last byte is dropped."""
    whole = len(pcm) - len(pcm) % 2
    return np.frombuffer(pcm[:whole], dtype="<i2").astype(np.float32) / 32768.0


def to_pcm16(samples: NDArray[np.float32]) -> bytes:
    """Float samples as PCM16 bytes, clipped at full scale."""
    clipped: NDArray[np.float32] = np.clip(samples * 32768.0, -32768, 32767)
    return clipped.astype("<i2").tobytes()


def level_dbfs(pcm: bytes) -> float:
    """RMS level of PCM16 bytes in dB relative to full scale; -96.0 for silence and for nothing."""
    samples = to_float(pcm)
    if samples.size == 0:
        return -96.0
    power = float(np.mean(samples * samples))
    return max(-96.0, 10 * float(np.log10(power))) if power > 0 else -96.0
