"""A voice activity detector and the sound that it is still to hear."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rtchat.chunk import WIRE
from rtchat.server.dialogue.sound import Rate

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rtchat.server.engines.base import VoiceActivityDetector


class BufferedDetector:
    """A detector with the sound that it is still to hear."""

    def __init__(self, detector: VoiceActivityDetector) -> None:
        self.detector = detector
        self.reset()

    def reset(self) -> None:
        """What comes next has nothing to do with what came before."""
        self.detector.reset()
        self._rate = None if self.detector.rate == WIRE.rate else Rate(WIRE.rate, self.detector.rate)
        self._rest = b""

    def windows(self, pcm: bytes) -> list[bytes]:
        """Whole windows of what has come; the rest waits."""
        sound = self._rest + (self._rate.feed(pcm) if self._rate else pcm)
        size = 2 * self.detector.window_samples
        whole = len(sound) - len(sound) % size
        self._rest = sound[whole:]
        return [sound[at : at + size] for at in range(0, whole, size)]

    async def probabilities(self, windows: list[bytes]) -> Sequence[float]:
        """What the detector makes of them."""
        together = getattr(self.detector, "probabilities", None)  # only of those that hear many sessions at once
        if together is None:
            return [self.detector.probability(window) for window in windows]
        found: Sequence[float] = await together(windows)
        return found
