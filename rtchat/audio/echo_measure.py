"""Whether there is an echo, and what is left of it. Pure.

The microphone's level follows the loudspeaker's where there is an echo, and does not where there is none, whoever
else speaks: the levels of some seconds are compared at every delay that there may be. What the canceller takes
away is judged by the chunks in which it takes away most, for in the others the user may speak.
"""

from __future__ import annotations

from collections import deque
from typing import Literal

import numpy as np

Verdict = Literal["measuring", "cancelling", "no echo", "failing"]

FAILING_DB = 3.0
"""A canceller that takes away less than this from an echo that is there is of no use."""

_KEPT = 400  # chunks of 20 ms: eight seconds of the assistant's speech
_LEAST = 100
_EVERY = 25
_DELAYS = 22  # chunks by which an echo may come later
_SILENT = -60.0  # dBFS, of the loudspeaker
_LOUD = -35.0
_DECAY = 4.0  # dB by which a room's reverberation falls in a chunk
_HEARD = 6.0  # dB above the noise
_ALIKE = 0.7


class Measure:
    """Levels of chunks in, a verdict out.

    Attributes:
        erle_db: Echo return loss enhancement: what is taken away from the echo; None until known.
        verdict: How it goes.
    """

    def __init__(self) -> None:
        self.erle_db: float | None = None
        self.verdict: Verdict = "measuring"
        self._quiet: deque[float] = deque(maxlen=_KEPT)
        self._levels: deque[tuple[float, float, float]] = deque(maxlen=_KEPT)
        self._noted = 0
        self._envelope = _SILENT

    def note(self, far: float, raw: float, given: float, *, active: bool) -> None:
        """Levels of a chunk in dBFS: of the far end, of the microphone, of what was given on."""
        self._quiet.append(raw)
        if not active:
            return
        self._envelope = max(far, self._envelope - _DECAY, _SILENT)
        self._levels.append((self._envelope, raw, given))
        self._noted += 1
        if self._noted % _EVERY == 0 and len(self._levels) >= _LEAST:
            self._judge()

    def _judge(self) -> None:
        far, raw, given = np.array(self._levels).T
        noise = float(np.percentile(self._quiet, 10))
        likeness, delay = max((_likeness(far, raw, delay), delay) for delay in range(_DELAYS))
        loud = far[: len(far) - delay] > _LOUD
        heard = loud & (raw[delay:] > noise + _HEARD)
        if loud.sum() < _LEAST // 2:
            return
        if heard.sum() < 0.15 * loud.sum():
            self.verdict, self.erle_db = "no echo", None
            return
        taken = (raw - given)[delay:][heard]
        best = float(np.percentile(taken, 70))
        if best > 2 * FAILING_DB:
            self.verdict, self.erle_db = "cancelling", best
        elif best < FAILING_DB and likeness > _ALIKE and len(self._levels) == _KEPT:
            self.verdict, self.erle_db = "failing", best


def _likeness(far: np.ndarray, raw: np.ndarray, delay: int) -> float:
    """The correlation of two rows of levels, the second later by so many chunks."""
    one = far[: len(far) - delay] - far.mean()
    other = raw[delay:] - raw.mean()
    return float(one @ other / (np.sqrt((one @ one) * (other @ other)) + 1e-9))
