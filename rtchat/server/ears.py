"""A voice activity detector and the sound that it is still to hear."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rtchat.chunk import WIRE
from rtchat.server.dialogue.sound import Rate

if TYPE_CHECKING:
    from rtchat.server.engines.base import VoiceActivityDetector


class Ears:
    """A detector with the sound that it is still to hear."""

    def __init__(self, detector: VoiceActivityDetector) -> None:
        self.detector = detector
        self.reset()

    def reset(self) -> None:
        """What comes next has nothing to do with what came before."""
        self.detector.reset()
        self._rate = Rate(WIRE.rate, self.detector.rate)
        self._rest = b""

    def windows(self, pcm: bytes) -> list[bytes]:
        """Whole windows of what has come; the rest waits."""
        sound = self._rest + self._rate.feed(pcm)
        size = 2 * self.detector.window_samples
        whole = len(sound) - len(sound) % size
        self._rest = sound[whole:]
        return [sound[at : at + size] for at in range(0, whole, size)]
