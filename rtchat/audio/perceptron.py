"""How sure is it that the user speaks? A small perceptron over the clues of the last third of a second. Pure.

`tests/bench/train_perceptron.py` makes its weights, in rooms from seeds, out of voices and noises that no figure is
taken with. It looks back `WINDOWS` windows and no further, so it cannot learn when in a conversation things happen.
"""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING

import numpy as np

from rtchat.audio.clues import CLUES

if TYPE_CHECKING:
    from numpy.typing import NDArray

WINDOWS = 10
"""Of 32 ms: how far back it looks."""

WEIGHTS = "perceptron.npz"
"""Beside this file: `w0`, `b0`, `w1`, `b1`, ... of layers of rectified sums; the last one gives a logit."""


class Perceptron:
    """Row after row in, a score out."""

    def __init__(self) -> None:
        with (files(__package__) / WEIGHTS).open("rb") as file, np.load(file) as kept:
            self._layers = [
                (kept[f"w{n}"].astype(np.float32), kept[f"b{n}"].astype(np.float32)) for n in range(len(kept) // 2)
            ]
        self._rows: NDArray[np.float32] = np.zeros((WINDOWS, CLUES), dtype=np.float32)

    def feed(self, row: NDArray[np.float32]) -> float:
        """The score, 0 to 1, that the user is speaking in the window with these clues.

        Args:
            row: `CLUES` numbers; see `Clue.row`.
        """
        self._rows[:-1] = self._rows[1:]
        self._rows[-1] = row
        sums = self._rows.ravel()
        for n, (weights, bias) in enumerate(self._layers):
            sums = weights @ (np.maximum(sums, 0) if n else sums) + bias
        return float(1 / (1 + np.exp(-np.clip(sums[0], -30, 30))))

    def reset(self) -> None:
        """Forget what came before."""
        self._rows[:] = 0
