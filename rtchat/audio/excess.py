"""How much more does the microphone hear than the loudspeaker's echo and the room? Pure.

A canceller dulls the voice that it finds within an echo. This looks at the microphone as it is: the power of each
band is foretold from what the loudspeaker played in the last half second, and what is louder than foretold sounds
here. The coupling, with its delay and decay, is learnt chunk by chunk from powers alone: so clipping, drift and
phases hardly matter, and a jump of the delay is learnt within a second or two.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from rtchat.chunk import WIRE, to_float

if TYPE_CHECKING:
    from numpy.typing import NDArray

EDGES_HZ = (100, 300, 500, 750, 1000, 1400, 2000, 2800, 4000, 5500, 8000)
"""Ten bands, narrow where a voice has its power."""

BANDS = len(EDGES_HZ) - 1

REACH = 24
"""Chunks of 20 ms by which the echo may come later than its sound: 250 ms of delay, a jump, reverberation."""

MOST_DB = 20.0
"""A band counts no more than this."""

PACE, FIRST_PACE = 0.05, 0.3
"""How much of an error is made good by what is learnt, a chunk: later on, and in the first one."""

LEARNT_CHUNKS = 100
"""So many chunks learnt in which the loudspeaker sounded, and what is foretold can be relied on: two seconds."""

ANEW_CHUNKS = 75
"""So many of them after the loudspeaker was silent for `REST_CHUNKS`: the delay may have jumped while it was, and a
microphone with automatic gain turned itself up."""

REST_CHUNKS = 50

SOUNDS = 1e-6
"""Mean square of a sound that teaches something: -60 dBFS."""

LEAST_NOISE = 2.0
"""The lowest power of late, so many times, is what the noise of the room is seldom louder than."""

NOISE_RISES = 1.02
"""A chunk: 4 dB in a second, as fast as a microphone with automatic gain turns itself up."""

_NOTHING: NDArray[np.float32] = np.zeros(BANDS, dtype=np.float32)
_CHUNK = WIRE.samples_in(20)
_SIZE = 512
_BINS = [round(hertz * _SIZE / WIRE.rate) for hertz in EDGES_HZ]
_WINDOW = (np.hanning(_CHUNK) / np.sqrt(0.375 * _CHUNK * _SIZE / 2)).astype(np.float32)


class Excess:
    """What is learnt of the echo, and what exceeds it."""

    def __init__(self) -> None:
        self._coupling: NDArray[np.float32] = np.full((REACH, BANDS), 1e-4, dtype=np.float32)
        self._far: NDArray[np.float32] = np.zeros((REACH, BANDS), dtype=np.float32)  # the latest first
        self._noise: NDArray[np.float32] | None = None
        self._taught = 0
        self._silent = 0

    @property
    def learnt(self) -> bool:
        """The loudspeaker has sounded for long enough that what exceeds can be relied on."""
        return self._taught >= LEARNT_CHUNKS

    def feed(self, near: bytes, far: bytes, *, learn: bool) -> NDArray[np.float32]:
        """By how many dB the next chunk is louder than foretold, in each of the `BANDS`; 0 where it is not.

        Args:
            near: 20 ms of the microphone before any canceller, 24 kHz mono PCM16.
            far: What the loudspeaker played, as long, not later than its echo.
            learn: Nobody speaks, as far as is known: more echo than was foretold is learnt, not only less.
        """
        heard, played = _powers(near, far)
        self._far[1:] = self._far[:-1]
        self._far[0] = played
        if not heard.any():  # muted: there is nothing to learn from
            return _NOTHING
        if self._noise is None:
            self._noise = heard
        echo = (self._coupling * self._far).sum(axis=0)
        foretold = echo + LEAST_NOISE * self._noise
        error = np.minimum(heard - echo - (self._noise if learn else 0), 2 * foretold if learn else 0)
        sounds = bool(played.sum() > SOUNDS)
        self._silent = 0 if sounds else self._silent + 1
        self._taught += learn and sounds
        if self._silent >= REST_CHUNKS:
            self._taught = min(self._taught, LEARNT_CHUNKS - ANEW_CHUNKS)
        pace = max(PACE, FIRST_PACE / (1 + self._taught / 10))
        step = pace * error / ((self._far**2).sum(axis=0) + 1e-14)
        self._coupling = np.maximum(0, self._coupling + step * self._far)
        self._noise = np.where(heard < self._noise, 0.5 * (heard + self._noise), NOISE_RISES * self._noise)
        exceeds: NDArray[np.float32] = np.clip(10 * np.log10((heard + 1e-12) / (foretold + 1e-12)), 0, MOST_DB)
        return exceeds


def _powers(*chunks: bytes) -> NDArray[np.float32]:
    """A row of bands for each, as mean square."""
    spectra = np.fft.rfft(np.stack([to_float(pcm) for pcm in chunks]) * _WINDOW, _SIZE)
    powers: NDArray[np.float32] = np.add.reduceat(spectra.real**2 + spectra.imag**2, _BINS, axis=1)[:, :-1]
    return powers.astype(np.float32)
