"""Silero's detector for a server: the windows of all its sessions together, at 24 kHz.

Matrices are multiplied in batches, which is what makes them quick: windows that come within a few milliseconds of
each other wait for each other. Turns are counted in windows, so nothing that a client is told changes by it.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from rtchat.errors import EngineError
from rtchat.server.engines.silero_model import HISTORY, STATE, WINDOW, SileroModel
from rtchat.silero import SileroDetector

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rtchat.server.engines.base import VoiceActivityDetector

TOGETHER_S = 0.005
"""How long windows wait for each other, when the last ones were not alone."""
LARGEST_BATCH = 64
"""Windows at once: 2 ms."""


@dataclass(slots=True, eq=False)
class _Asked:
    """Windows of one session, of which so many are done."""

    detector: BatchedDetector
    windows: Sequence[bytes]
    answer: asyncio.Future[list[float]]
    found: list[float]


class SileroSessions:
    """Makes the detectors of a server's sessions: `new_vad` of its engines. They share what this loads first."""

    def __init__(self) -> None:
        self._model: SileroModel | None = None
        self._library = False  # ours cannot read the installed weights, their own can
        self._loading = threading.Lock()
        self._asked: deque[_Asked] = deque()
        self._due: asyncio.Handle | None = None
        self._company = False
        # OpenBLAS with threads of its own is many times slower on matrices as small as these; the `rtchat` command
        # tells it to have none. Without that, windows go one by one, which it does not share out.
        self._batch = LARGEST_BATCH if os.environ.get("OPENBLAS_NUM_THREADS") == "1" else 1

    def __call__(self) -> VoiceActivityDetector:
        """A detector for a session. May be called from any thread."""
        with self._loading:
            if self._model is None and not self._library:
                try:
                    self._model = SileroModel()
                except EngineError:
                    self._library = True
        return SileroDetector() if self._model is None else BatchedDetector(self, self._model)

    def ask(self, detector: BatchedDetector, windows: Sequence[bytes]) -> asyncio.Future[list[float]]:
        """Probabilities of one session's next windows; the session asks again only when it has them."""
        loop = asyncio.get_running_loop()
        asked = _Asked(detector, windows, loop.create_future(), [])
        self._asked.append(asked)
        if self._due is None:
            self._due = loop.call_later(TOGETHER_S, self._answer) if self._company else loop.call_soon(self._answer)
        return asked.answer

    def _answer(self) -> None:
        """One window of each who asked."""
        self._due = None
        batch = [self._asked.popleft() for _ in range(min(len(self._asked), self._batch))]
        batch = [asked for asked in batch if not asked.answer.done()]  # the others' sessions have ended
        self._company = len(batch) > 1
        if batch and self._model is not None:
            windows = [asked.windows[len(asked.found)] for asked in batch]
            found = heard(self._model, [asked.detector for asked in batch], windows)
            for asked, probability in zip(batch, found, strict=True):
                asked.found.append(probability)
                if len(asked.found) == len(asked.windows):
                    asked.answer.set_result(asked.found)
                else:
                    self._asked.append(asked)
        if self._asked:
            self._due = asyncio.get_running_loop().call_soon(self._answer)


class BatchedDetector:
    """A `VoiceActivityDetector`: 24 kHz, windows of 768 samples. Without a session's event loop it hears alone."""

    name = "silero"
    rate = 24_000
    window_samples = WINDOW

    def __init__(self, sessions: SileroSessions, model: SileroModel) -> None:
        self._sessions = sessions
        self._model = model
        self.reset()

    def reset(self) -> None:
        """Forget what came before."""
        self.history = bytes(2 * HISTORY)
        self.state = np.zeros(STATE, np.float32)

    def probability(self, window: bytes) -> float:
        """Probability of speech, 0 to 1, in one window (1536 bytes, PCM16, 24 kHz).

        Raises:
            ValueError: The window has another size.
        """
        if len(window) != 2 * WINDOW:
            raise ValueError(f"a window is {2 * WINDOW} bytes, not {len(window)}")
        return heard(self._model, [self], [window])[0]

    async def probabilities(self, windows: Sequence[bytes]) -> list[float]:
        """Those of the next windows, found together with other sessions'."""
        return await self._sessions.ask(self, windows)


def heard(model: SileroModel, detectors: Sequence[BatchedDetector], windows: Sequence[bytes]) -> list[float]:
    """One window for each of these detectors."""
    pieces = [
        part for detector, window in zip(detectors, windows, strict=True) for part in (detector.history, window)
    ]
    sound = np.frombuffer(b"".join(pieces), dtype="<i2").astype(np.float32).reshape(len(windows), -1)
    state = np.stack([detector.state for detector in detectors])
    found, states = model.probabilities(sound, state)
    for detector, window, after in zip(detectors, windows, states, strict=True):
        detector.history = window[-2 * HISTORY :]
        detector.state = after
    probabilities: list[float] = found.tolist()
    return probabilities
