"""What the microphone gives, made into chunks: mono, 24 kHz, 20 ms, each with the time of its first sample. Pure.

Time comes in with each block, steady (`clock.DeviceClock`), and is believed: chunks follow each other as evenly as
the blocks do, and with a gap where the device left one out.
"""

from __future__ import annotations

import numpy as np

from rtchat.audio.resample import Resampler
from rtchat.chunk import WIRE, AudioFormat, level_dbfs, to_float, to_pcm16

CHUNK_MS = 20
"""The API takes 20 to 40 ms at a time well; the shortest reaches the server's VAD first."""


class Microphone:
    """Device blocks in, wire chunks out.

    Args:
        device: The format of the blocks: the device's own rate, one channel or more, PCM16.

    Attributes:
        zero_seconds: How long there has been nothing but samples of exactly zero since it was opened; 0.0 once any
            sound has come, for noise suppressors give zeros between words.
    """

    def __init__(self, device: AudioFormat) -> None:
        self._device = device
        self._resampler = Resampler(device.rate, WIRE.rate)
        self._pending = bytearray()
        self._fed = 0
        self._given = 0
        self._origin = 0.0
        self._last = b""
        self.zero_seconds = 0.0
        self._alive = False

    def feed(self, block: bytes, at: float) -> list[tuple[float, bytes]]:
        """Take a block of the device.

        Args:
            block: Whole frames in the device's format.
            at: Seconds at which its first sample was recorded.

        Returns:
            Chunks of `CHUNK_MS` that are now complete: (seconds of the first sample, PCM16 at 24 kHz mono).
        """
        frames = self._device.samples(block)
        self._origin = at - self._fed / self._device.rate
        self._fed += frames
        self._alive = self._alive or block.count(0) != len(block)
        self.zero_seconds = 0.0 if self._alive else self.zero_seconds + frames / self._device.rate
        self._pending += to_pcm16(self._resampler.feed(self._mono(block)))
        return self._take_chunks()

    @property
    def level(self) -> float:
        """RMS of the last chunk in dBFS, -96 for silence."""
        return level_dbfs(self._last)

    def _mono(self, block: bytes) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
        samples = to_float(block)
        if self._device.channels == 1:
            return samples
        mixed: np.ndarray[tuple[int], np.dtype[np.float32]] = samples.reshape(-1, self._device.channels).mean(
            axis=1, dtype=np.float32
        )
        return mixed

    def _take_chunks(self) -> list[tuple[float, bytes]]:
        chunks = []
        size = WIRE.bytes_in(CHUNK_MS)
        while len(self._pending) >= size:
            self._last = bytes(self._pending[:size])
            del self._pending[:size]
            chunks.append((self._origin + self._given / WIRE.rate, self._last))
            self._given += WIRE.samples(size)
        return chunks
