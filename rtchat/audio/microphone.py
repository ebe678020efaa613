"""What the microphone gives, made into chunks: mono, 24 kHz, 20 ms, each with the time of its first sample. Pure.

Time comes in with each block, steady (`clock.DeviceClock`), and is believed: chunks follow each other as evenly as
the blocks do, and with a gap where the device left one out.
"""

from __future__ import annotations

import numpy as np

from rtchat.audio.resample import Resampler
from rtchat.chunk import WIRE, AudioFormat, to_float, to_pcm16

CHUNK_MS = 20
"""The API takes 20 to 40 ms at a time well; the shortest reaches the server's VAD first."""

_CHUNK = WIRE.bytes_in(CHUNK_MS)


class Microphone:
    """Device blocks in, wire chunks out.

    Args:
        device: The format of the blocks: the device's own rate, one channel or more, PCM16.

    Attributes:
        due: Frames, of all there were since the first, that make the next chunk complete. Feeding less gives none.
    """

    def __init__(self, device: AudioFormat) -> None:
        self._device = device
        self._resampler = Resampler(device.rate, WIRE.rate)
        self._pending = bytearray()
        self._fed = 0
        self._given = 0
        self.due = self._frames(WIRE.samples(_CHUNK))

    def feed(self, block: bytes, at: float) -> list[tuple[float, bytes]]:
        """Take a block of the device.

        Args:
            block: Whole frames in the device's format.
            at: Seconds at which its first sample was recorded.

        Returns:
            Chunks of `CHUNK_MS` that are now complete: (seconds of the first sample, PCM16 at 24 kHz mono).
        """
        origin = at - self._fed / self._device.rate
        self._fed += self._device.samples(block)
        self._pending += to_pcm16(self._resampler.feed(self._mono(block)))
        chunks = self._take_chunks(origin)
        # The resampler holds back as much all the time: what is missing comes with as many frames.
        self.due = self._fed + self._frames(WIRE.samples(_CHUNK - len(self._pending)))
        return chunks

    def _mono(self, block: bytes) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
        samples = to_float(block)
        if self._device.channels == 1:
            return samples
        mixed: np.ndarray[tuple[int], np.dtype[np.float32]] = samples.reshape(-1, self._device.channels).mean(
            axis=1, dtype=np.float32
        )
        return mixed

    def _take_chunks(self, origin: float) -> list[tuple[float, bytes]]:
        chunks = []
        while len(self._pending) >= _CHUNK:
            chunks.append((origin + self._given / WIRE.rate, bytes(self._pending[:_CHUNK])))
            del self._pending[:_CHUNK]
            self._given += WIRE.samples(_CHUNK)
        return chunks

    def _frames(self, samples: int) -> int:
        """Frames of the device that last as long as so many samples of the wire, or longer."""
        return -(-samples * self._device.rate // WIRE.rate)
