"""How loud the loudspeaker plays: the fades around a gap, and ducking. Pure.

Volumes are factors, one for each frame that the device takes, in straight lines: a volume that never jumps never
clicks. `None` stands for full volume, so that the usual block costs nothing.

::

    Fade   one part    1 ────────╲ dry        ╱──────── 1     falls to none at the end of what is in hand,
                                  ╲__________╱                rises where it goes on
    Ramp   the speaker 1 ──╲ duck        restore ╱───── 1
                            ╲___________________╱             DUCK_DB
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from rtchat.chunk import to_float, to_pcm16

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Volumes = NDArray[np.float32] | None
    """A factor for each frame; None is full volume."""

FADE_MS = 12
"""Length of the fade at a flush or a gap: short enough to be at once, long enough not to click."""

DUCK_DB = -18.0
"""How far the playback is turned down while the user may be speaking: to be talked over, yet followed."""

DUCK_MS = 20
"""How fast it is turned down."""

RESTORE_MS = 100
"""How fast it is turned up again: softer, since nobody waits for it."""

DUCKED = 10 ** (DUCK_DB / 20)
"""`DUCK_DB` as a factor."""


class Ramp:
    """A volume that goes to where it is told in a straight line.

    Attributes:
        level: The volume of the last frame taken.
        left: Frames until it is where it was told to go.
    """

    def __init__(self) -> None:
        self.level = 1.0
        self.left = 0
        self._target = 1.0

    def go(self, target: float, frames: int) -> None:
        """Be at `target` in so many frames, unless that is where it goes already."""
        if target != self._target:
            self._target, self.left = target, frames

    def take(self, frames: int) -> Volumes:
        """The volumes of the next frames."""
        if not self.left:
            return None if self.level == 1.0 else np.full(frames, self.level, dtype=np.float32)
        step = (self._target - self.level) / self.left
        moving = min(frames, self.left)
        volumes = np.full(frames, self._target, dtype=np.float32)
        volumes[:moving] = self.level + step * np.arange(1, moving + 1, dtype=np.float32)
        self.left -= moving
        self.level = self.level + step * moving if self.left else self._target
        return volumes


class Fade:
    """The volume of a part, none where its sound runs dry.

    Args:
        length: Frames of a fade.

    Attributes:
        level: The volume of the next frame.
    """

    def __init__(self, length: int) -> None:
        self.level = 1.0
        self._length = max(1, length)
        self._falls = False

    def fall(self, volume: float) -> None:
        """Fall from here, turned down to this volume, to none at the end of what is in hand."""
        self.level *= volume
        self._falls = True

    def take(self, frames: int, in_hand: int, *, closing: bool) -> Volumes:
        """The volumes of the next frames.

        Args:
            frames: How many, at least 1.
            in_hand: Frames there are, at least as many.
            closing: Be silent at the end of those, since no more may come in time. What is still rising from a
                gap closes in any case, so that a rest shorter than a fade does not click either.
        """
        if not self._falls and self.level == 1.0 and (not closing or in_hand - frames >= self._length):
            return None
        at = np.arange(frames + 1, dtype=np.float32)
        line = self.level * (in_hand - at) / in_hand
        volumes = line if self._falls else self._around_a_gap(at, in_hand, closing)
        self.level = float(volumes[-1])
        return volumes[:-1].astype(np.float32)

    def _around_a_gap(self, at: NDArray[np.float32], in_hand: int, closing: bool) -> NDArray[np.float32]:
        volumes = np.minimum(1.0, self.level + at / self._length)
        if closing or self.level < 1.0:
            # Where it turns down: one fade before the end, or in the middle of what is too short to rise to full.
            turn = max(0.0, in_hand - self._length, (in_hand - self.level * self._length) / 2)
            peak = min(1.0, self.level + turn / self._length)
            volumes = np.minimum(volumes, peak * (in_hand - at) / (in_hand - turn))
        return volumes


def both(one: Volumes, other: Volumes) -> Volumes:
    """Two volumes, one upon the other."""
    if one is None or other is None:
        return other if one is None else one
    return one * other


def at_volume(pcm: bytes, volumes: Volumes, channels: int = 1) -> bytes:
    """PCM16 at these volumes, which are stretched over it where it has another rate than theirs."""
    if volumes is None or not pcm:
        return pcm
    samples = to_float(pcm).reshape(-1, channels)
    if len(samples) != len(volumes):
        places = np.arange(len(samples)) * (len(volumes) / len(samples))
        volumes = np.interp(places, np.arange(len(volumes)), volumes).astype(np.float32)
    return to_pcm16((samples * volumes[:, np.newaxis]).reshape(-1))
