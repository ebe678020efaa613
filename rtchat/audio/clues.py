"""What tells the user's voice from the loudspeaker's, a cough and a knock: a row of numbers for each window. Pure.

Silero's probability alone does not: a canceller dulls a voice that it finds within an echo until Silero takes it
for none, and Silero takes coughs, and what is left of an echo, for speech.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from rtchat.audio.excess import BANDS, Excess
from rtchat.audio.speech import Speech
from rtchat.audio.timbre import DEPTH_DB, EDGES_HZ, Timbre
from rtchat.chunk import level_dbfs

if TYPE_CHECKING:
    from numpy.typing import NDArray

CLUES = 1 + BANDS + 3 + (len(EDGES_HZ) - 1) + 5
"""How many numbers a row has."""

NOBODY = 0.3
"""Under this probability of speech nobody speaks, as far as is known, and the echo may be learnt."""

_FLOOR_DBFS = -92.0


@dataclass(frozen=True, slots=True)
class Clue:
    """One window of 32 ms.

    Attributes:
        begins: Seconds of its first sample.
        probability: That it is speech, says the detector.
        level: dBFS of what the canceller has left of it, less the noise of the room.
        raw_dbfs: Level of the loudest chunk of the microphone that it may lie in, before the canceller.
        excess: Mean of the bands' excess over the echo (see `Excess`), in dB; 0 until the echo is learnt.
        row: `CLUES` numbers of about the same size, for the perceptron.
    """

    begins: float
    probability: float
    level: float
    raw_dbfs: float
    excess: float
    row: NDArray[np.float32]


class Clues:
    """Chunks in, a row for each window out.

    Args:
        speech: The detector.

    Raises:
        EngineError: The detector's package is missing.
    """

    def __init__(self, speech: Speech | None = None) -> None:
        self._speech = speech or Speech()
        self._excess = Excess()
        self._timbre = Timbre()
        self._probability = 0.0
        self._excesses: deque[NDArray[np.float32]] = deque(maxlen=2)  # a window ends in the last two chunks
        self._raw: deque[float] = deque(maxlen=4)  # one more chunk than a window needs: the resampler is late
        self._far: deque[float] = deque(maxlen=4)

    def feed(self, at: float, pcm: bytes, *, raw: bytes, far: bytes, converged: bool) -> list[Clue]:
        """The windows that are complete with this chunk, in order.

        Args:
            at: Seconds of its first sample.
            pcm: 20 ms after the canceller, 24 kHz mono PCM16.
            raw: The same before the canceller.
            far: What the loudspeaker played then, as long.
            converged: The canceller knows the room by now.
        """
        self._raw.append(level_dbfs(raw))
        self._far.append(level_dbfs(far))
        self._excesses.append(self._excess.feed(raw, far, learn=self._probability < NOBODY))
        clues = []
        for window in self._speech.feed(pcm, at):
            self._probability = window.probability
            tone = self._timbre.feed(window.samples, window.probability)
            excess = (self._excesses[0] + self._excesses[-1]) / 2
            raw_dbfs, far_dbfs = max(self._raw), max(self._far)
            row = [
                window.probability,
                *(excess / 10),
                (tone.level - _FLOOR_DBFS) / 40,
                tone.open_db / 20 + 1.5,
                min(tone.periodicity, 1.5),
                *(tone.shape / DEPTH_DB + 0.5),
                (raw_dbfs - tone.level) / 40,
                raw_dbfs / 30 + 2,
                far_dbfs / 30 + 2,
                self._excess.learnt,
                converged,
            ]
            clues.append(
                Clue(
                    window.begins,
                    window.probability,
                    tone.level,
                    raw_dbfs,
                    float(excess.mean()) if self._excess.learnt else 0.0,
                    np.array(row, dtype=np.float32),
                )
            )
        return clues

    def reset(self) -> None:
        """Forget what came before, all but the room: the next chunk follows on nothing."""
        self._speech.reset()
        self._timbre = Timbre()
        self._probability = 0.0
        for last in (self._excesses, self._raw, self._far):
            last.clear()
