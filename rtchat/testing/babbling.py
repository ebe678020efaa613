"""Sound that a voice activity detector takes for speech, made here: a test needs no microphone and no WAV file.

Harmonics through three formants that move from a closed mouth to a vowel, syllable after syllable. It has no words;
a scenario's `hear` gives them.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from rtchat.chunk import WIRE, to_pcm16

if TYPE_CHECKING:
    from numpy.typing import NDArray

_VOWELS = ((730, 1090, 2440), (270, 2290, 3010), (530, 1840, 2480), (300, 870, 2240), (570, 840, 2410))
_CLOSED = (250, 1100, 2300)
_GAINS = (1.0, 0.6, 0.3)
_BANDWIDTH_HZ, _PITCH_HZ, _SYLLABLE_S = 80, 125, 0.18
_HARMONICS, _HIGHEST_HZ, _LEVEL = 50, 7_800, 0.5


@lru_cache(maxsize=16)
def babble(seconds: float = 1.5, *, before: float = 0.3, after: float = 1.0) -> bytes:
    """Speech without words, with silence around it: 24 kHz mono PCM16, the same every time.

    Args:
        seconds: Of speech; at least 0.2.
        before: Seconds of silence before it.
        after: Seconds of silence after it; server VAD ends a turn after half a second.
    """
    spoken = to_pcm16(_voice(int(max(seconds, 0.2) * WIRE.rate)).astype(np.float32))
    return WIRE.silence(before * 1000) + spoken + WIRE.silence(after * 1000)


def _voice(samples: int) -> NDArray[np.float64]:
    at = np.arange(samples) / WIRE.rate
    syllable, into = np.divmod(at, _SYLLABLE_S)
    vowels = np.array(_VOWELS)[syllable.astype(int) % len(_VOWELS)]
    opened = np.clip(into / (0.3 * _SYLLABLE_S), 0, 1)[:, None]
    formants = np.array(_CLOSED) * (1 - opened) + vowels * opened
    pitch = _PITCH_HZ * (1 + 0.12 * np.sin(2 * np.pi * 0.8 * at) + 0.04 * np.sin(2 * np.pi * 5 * at))
    phase = 2 * np.pi * np.cumsum(pitch) / WIRE.rate
    sound = np.zeros(samples)
    for number in range(1, _HARMONICS):
        frequency = number * pitch
        gain = sum(
            loud / (1 + ((frequency - formants[:, which]) / _BANDWIDTH_HZ) ** 2)
            for which, loud in enumerate(_GAINS)
        )
        sound += np.where(frequency < _HIGHEST_HZ, gain + 0.003, 0) * np.sin(number * phase) / number**0.3
    edge = np.clip(np.minimum(into / 0.04, (_SYLLABLE_S - into) / 0.05), 0, 1)
    sound *= 0.05 + 0.95 * edge
    sound *= _LEVEL / np.abs(sound).max()
    return sound
