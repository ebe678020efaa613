"""What the loudspeaker played, by the clock: the far end of an echo. Pure.

The loudspeaker's samples and the microphone's are counted by two crystals. Both have times on the computer's clock
(`clock.DeviceClock`), so what was played during a chunk of the microphone lies between two samples of the
loudspeaker, and is worked out there.
"""

from __future__ import annotations

from bisect import bisect_right
from functools import cache

import numpy as np

from rtchat.chunk import WIRE, to_float, to_pcm16

SEAM_SECONDS = 0.002
"""Pieces nearer than this follow each other: a clock corrects itself by less."""

_KEPT_SECONDS = 1.0
_TAPS = 16  # of the interpolation; with so many phases it is right to 50 dB up to 8 kHz
_PHASES = 512


class FarEnd:
    """Pieces of sound by the time at which they left the loudspeaker; silence between them.

    Attributes:
        ends: Seconds at which the last sample so far leaves the loudspeaker; None before the first.
    """

    def __init__(self) -> None:
        self.ends: float | None = None
        self._pcm = bytearray()
        self._first = 0  # position of the first sample kept
        self._times: list[float] = []  # of the samples at _positions
        self._positions: list[int] = []

    def played(self, begins: float, pcm: bytes) -> None:
        """Take the next piece that leaves the loudspeaker, in the order of their times."""
        if self.ends is None or begins - self.ends > _KEPT_SECONDS:
            self._forget_all()
        elif begins - self.ends > SEAM_SECONDS:
            self._add(self.ends, bytes(2 * round((begins - self.ends) * WIRE.rate)))
        elif self.ends - begins > SEAM_SECONDS:
            self._cut(begins)
        self._add(begins, pcm)
        self.ends = begins + WIRE.samples(pcm) / WIRE.rate
        self._forget(begins - _KEPT_SECONDS)

    def between(self, begins: float, ends: float, samples: int) -> bytes:
        """What was played between two times, as so many samples: the microphone's clock decides how many."""
        if self.ends is None or begins >= self.ends:
            return bytes(2 * samples)
        start, end = self._position(begins), self._position(ends)
        whole = int(start // 1)
        phase = (start - whole) * _PHASES
        slip = (end - start - samples) * _PHASES
        if abs(slip) > _PHASES / 2:  # not a drift but a seam; what comes after it is right again
            slip = 0.0
        around = self._samples(whole - _TAPS // 2 + 1, samples + _TAPS)
        return to_pcm16(_between(around, phase, phase + slip, samples))

    def _position(self, at: float) -> float:
        """The position, between samples, of what left the loudspeaker at this time."""
        after = bisect_right(self._times, at)
        if after in (0, len(self._times)):
            nearest = max(0, after - 1)
            return self._positions[nearest] + (at - self._times[nearest]) * WIRE.rate
        time, position = self._times[after - 1], self._positions[after - 1]
        pace = (self._positions[after] - position) / (self._times[after] - time)
        return position + (at - time) * pace

    def _samples(self, start: int, count: int) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
        """Samples from a position on, silence where there are none."""
        start -= self._first
        kept = to_float(bytes(self._pcm[2 * max(0, start) : 2 * max(0, start + count)]))
        if len(kept) == count:
            return kept
        padded = np.zeros(count, dtype=np.float32)
        offset = min(count, max(0, -start))
        padded[offset : offset + len(kept)] = kept
        return padded

    def _add(self, begins: float, pcm: bytes) -> None:
        self._times.append(begins)
        self._positions.append(self._first + len(self._pcm) // 2)
        self._pcm += pcm

    def _cut(self, at: float) -> None:
        """Forget what was to be played from this time on."""
        position = round(self._position(at))
        keep = bisect_right(self._times, at - SEAM_SECONDS)
        del self._times[keep:], self._positions[keep:]
        del self._pcm[2 * max(0, position - self._first) :]

    def _forget(self, before: float) -> None:
        old = bisect_right(self._times, before) - 1
        if old > 0:
            drop = self._positions[old] - self._first
            del self._times[:old], self._positions[:old], self._pcm[: 2 * drop]
            self._first += drop

    def _forget_all(self) -> None:
        self._first += len(self._pcm) // 2
        self._times.clear()
        self._positions.clear()
        self._pcm.clear()


def _kernels() -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    """Windowed sinc functions, one for each fraction of a sample, the last for a whole one."""
    fractions = np.arange(2 * _PHASES + 1)[:, None] / _PHASES - 0.5
    off = np.arange(_TAPS)[None, :] - (_TAPS // 2 - 1) - fractions
    window = np.i0(7.0 * np.sqrt(np.clip(1 - (off / (_TAPS // 2 + 1)) ** 2, 0, 1))) / np.i0(7.0)
    return (np.sinc(off) * window).astype(np.float32)


_KERNELS = _kernels()


def _between(
    around: np.ndarray[tuple[int], np.dtype[np.float32]], phase: float, last: float, samples: int
) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    """Samples at a fraction that walks from one phase to another: two filters, one fading into the other."""
    begin = _delayed(around, phase)[:samples]
    if round(phase) == round(last):
        return begin
    return begin + (_delayed(around, last)[:samples] - begin) * _ramp(samples)


@cache
def _ramp(samples: int) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    return np.linspace(0.0, 1.0, samples, dtype=np.float32)


def _delayed(
    around: np.ndarray[tuple[int], np.dtype[np.float32]], phase: float
) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    return np.convolve(around, _KERNELS[round(phase) + _PHASES // 2][::-1], mode="valid")
