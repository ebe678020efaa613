"""What a recording gets of the sound: both sides on one clock, which counts samples from the beginning. Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from rtchat.audio.clock import Track

Tap = Callable[[Literal["microphone", "loudspeaker"], int, bytes], None]
"""(side, first sample at 24 kHz since the session's sound began, 24 kHz mono PCM16), on the event loop."""


class Tape:
    """Runs from `begin` on, whether or not anybody taps it.

    Args:
        tap: Sees all that is noted.

    Attributes:
        tap: The same; may be set or replaced at any time.
    """

    def __init__(self, tap: Tap | None) -> None:
        self.tap = tap
        self._began = 0.0
        self._tracks = {"microphone": Track(), "loudspeaker": Track()}

    def begin(self, at: float) -> None:
        """Sample 0 is at so many seconds."""
        self._began = at

    def note(self, side: Literal["microphone", "loudspeaker"], at: float, pcm: bytes) -> None:
        """A piece of one side's sound, 24 kHz mono PCM16, whose first sample was at so many seconds."""
        if self.tap is not None:
            self.tap(side, *self._tracks[side].place(at - self._began, pcm))
