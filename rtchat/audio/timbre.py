"""What a window of sound is like: how loud in which band, above the noise of the room. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from rtchat.audio.speech import RATE, WINDOW

if TYPE_CHECKING:
    from numpy.typing import NDArray

EDGES_HZ = (90, 400, 1000, 1500, 2500, 4000, 7000)
"""Six bands: the voice's ground, its first formant, then four above 1 kHz, where closed lips let nothing out."""

DEPTH_DB = 22.0
"""A band so much weaker than the whole is as good as silent."""

_EDGES = [round(hertz * 2 * WINDOW / RATE) for hertz in EDGES_HZ]
_HANN = np.hanning(WINDOW).astype(np.float32)
_SCALE = np.float32(1 / 0.375 / WINDOW**2)  # power as mean square, the window's own loss made good
_PITCH = slice(RATE // 400, RATE // 75)  # periods of a voice, in samples
_OWN = np.fft.irfft(np.abs(np.fft.rfft(_HANN, 2 * WINDOW)) ** 2)
_LOSS = (_OWN[0] / np.maximum(_OWN, 0.1 * _OWN[0]))[_PITCH]  # of overlap, at longer periods


@dataclass(frozen=True, slots=True)
class Tone:
    """One window.

    Attributes:
        level: dBFS, RMS, less the noise of the room.
        open_db: Share of the sound over 1 kHz: none with the lips closed.
        shape: Each band against the whole, in dB, not under `-DEPTH_DB`.
        periodicity: How far it repeats at a voice's pitch: 0.75 to 1 for a vowel or a nasal, less for breath.
    """

    level: float
    open_db: float
    shape: NDArray[np.float32]
    periodicity: float


class Timbre:
    """The bands of window after window, less the noise of the room, which is learnt while nobody speaks."""

    def __init__(self) -> None:
        self._noise: NDArray[np.float32] | None = None

    def feed(self, samples: NDArray[np.float32], speech: float) -> Tone:
        """The next window.

        Args:
            samples: `WINDOW` samples, 16 kHz.
            speech: The probability that it is speech.
        """
        spectrum = np.abs(np.fft.rfft(samples * _HANN, 2 * WINDOW)) ** 2
        power = np.add.reduceat(spectrum, _EDGES)[:-1] * _SCALE
        repeats = np.fft.irfft(spectrum)
        periodicity = float((repeats[_PITCH] * _LOSS).max()) / (float(repeats[0]) + 1e-12)
        if self._noise is None:
            self._noise = power
        elif speech < 0.2:
            self._noise = self._noise + np.float32(0.1) * (power - self._noise)
        else:
            self._noise = np.minimum(self._noise, power)
        left = np.maximum(power - np.float32(1.5) * self._noise, np.float32(1e-10))
        whole = float(left.sum())
        return Tone(
            level=10 * float(np.log10(whole)),
            open_db=10 * float(np.log10(left[2:].sum() / whole)),
            shape=np.maximum(10 * np.log10(left / whole), -DEPTH_DB),
            periodicity=periodicity,
        )
