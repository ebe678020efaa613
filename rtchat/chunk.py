"""Sound as bytes: formats, and the arithmetic between bytes, samples and milliseconds.

That arithmetic is here and nowhere else. The wire is 24 kHz mono PCM16 little-endian (or 8 kHz G.711).
"""

from __future__ import annotations

import math
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


_FULL_SCALE = np.float32(32768)
_LARGEST = np.float32(32767)
_STEP = 1 / _FULL_SCALE


def to_float(pcm: bytes) -> NDArray[np.float32]:
    """PCM16 bytes as float32 samples in [-1, 1); an odd last byte is dropped."""
    samples: NDArray[np.float32] = np.frombuffer(pcm, dtype="<i2", count=len(pcm) // 2) * _STEP
    return samples


def to_pcm16(samples: NDArray[np.float32]) -> bytes:
    """Float samples as PCM16 bytes, clipped at full scale."""
    scaled = samples * _FULL_SCALE
    clipped: NDArray[np.float32] = np.minimum(np.maximum(scaled, -_FULL_SCALE, out=scaled), _LARGEST, out=scaled)
    return clipped.astype("<i2").tobytes()


def level_dbfs(pcm: bytes) -> float:
    """RMS level of PCM16 bytes in dB relative to full scale; -96.0 for silence and for nothing."""
    samples = to_float(pcm)
    energy = float(np.dot(samples, samples))
    return max(-96.0, 10 * math.log10(energy / samples.size)) if energy > 0 else -96.0
