"""What a user should know about the sound, each as one sentence and what to do; and a microphone's levels. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from rtchat.chunk import AudioFormat, level_dbfs

if TYPE_CHECKING:
    from numpy.typing import NDArray

ZEROS_SECONDS = 2.0
"""A microphone that has given nothing but samples of zero since it was opened is muted or forbidden."""

QUIET_DBFS = -70.0
"""A voice is louder than this at any usable microphone; so is a chair that moves."""

QUIET_SECONDS = 60.0
"""So long after it was opened it is certain that this microphone has heard nothing louder."""

CLIPPED_SECONDS = 0.4
"""So much sound with clipping in it, less `FORGIVEN` of all that passes, is more than a hand on the microphone."""

FORGIVEN = 0.04

_FULL_SCALE = 32_700  # a resampler on the way may have taken some hundredths of a decibel
_FLAT_SAMPLES = 4
_QUIET_PEAK = 32_768 * 10 ** (QUIET_DBFS / 20)


@dataclass(frozen=True, slots=True)
class Caution:
    """Something about the sound that the user should know; the session goes on.

    Attributes:
        message: One sentence.
        hint: What to do next.
    """

    message: str
    hint: str


class Listener:
    """Listens to one microphone for what is wrong with it.

    Args:
        form: The format of its blocks.
        system: `sys.platform`.
    """

    def __init__(self, form: AudioFormat, system: str) -> None:
        self._form = form
        self._system = system
        self.begin_anew()

    def begin_anew(self) -> None:
        """Another microphone gives the blocks now."""
        self._seconds = 0.0
        self._alive = self._loud = False
        self._clipped = 0.0

    def hear(self, block: bytes, name: str) -> Caution | None:
        """Take sound of the microphone; say what is certain by now, again and again.

        Args:
            block: Whole frames as the device gave them, 5 to 50 ms.
            name: What people call the microphone.
        """
        seconds = self._form.samples(block) / self._form.rate
        self._seconds += seconds
        samples = np.frombuffer(block, dtype="<i2")
        peak = max(int(samples.max()), -int(samples.min()))
        self._alive = self._alive or peak > 0
        # No sound is louder than its peak.
        self._loud = self._loud or (peak > _QUIET_PEAK and level_dbfs(block) > QUIET_DBFS)
        self._clipped = max(0.0, self._clipped - FORGIVEN * seconds)
        if peak >= _FULL_SCALE and _is_flat(samples):
            self._clipped += seconds
        if self._clipped >= CLIPPED_SECONDS:
            return clipped(name)
        if not self._alive and self._seconds >= ZEROS_SECONDS:
            return zeros(name, self._system)
        if self._alive and not self._loud and self._seconds >= QUIET_SECONDS:
            return quiet(name)
        return None


def _is_flat(samples: NDArray[np.int16]) -> bool:
    return int(np.count_nonzero((samples >= _FULL_SCALE) | (samples <= -_FULL_SCALE))) >= _FLAT_SAMPLES


def zeros(name: str, system: str) -> Caution:
    """The microphone gives only zeros."""
    where = (
        "Allow your terminal under System Settings > Privacy & Security > Microphone, and start it again."
        if system == "darwin"
        else "See whether it is muted, and whether it is the right one: `rtchat devices` lists them."
    )
    return Caution(f"The microphone {name!r} gives nothing but digital silence.", where)


def quiet(name: str) -> Caution:
    """The microphone may be turned down."""
    return Caution(
        f"The microphone {name!r} has heard nothing above {QUIET_DBFS:g} dBFS in its first minute.",
        "If you have spoken, raise its level in the system's sound settings, or choose another: `rtchat devices`.",
    )


def clipped(name: str) -> Caution:
    """The microphone is turned up too far."""
    return Caution(
        f"The microphone {name!r} is too loud: it clips again and again.",
        "Lower its level in the system's sound settings, or move away from it.",
    )


def telephony(name: str, others: tuple[str, ...]) -> Caution:
    """A Bluetooth headset has fallen to 8 or 16 kHz.

    Args:
        name: What people call it.
        others: Microphones that could serve in place of its own.
    """
    which = f"for example {others[0]!r}, " if others else "if there is one, "
    return Caution(
        f"The Bluetooth headset {name!r} is in telephone quality, as always while its own microphone is in use.",
        f"Choose another microphone, {which}in the system's sound settings, and music quality returns.",
    )


def stand_in(side: str, name: str) -> Caution:
    """The sound server has no such device and puts something else there."""
    return Caution(
        f"There is no {side}: the sound server puts {name!r} in its place.",
        "Plug one in; the session moves to it.",
    )
