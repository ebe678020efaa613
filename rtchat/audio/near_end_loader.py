"""Makes the near end of a session: loads the echo canceller and the voice detector, or does without and says so."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from rtchat.audio.barge_in import BargeIn, Sensitivity
from rtchat.audio.canceller import load_canceller
from rtchat.audio.echo import Echo
from rtchat.audio.near_end import EchoNews, NearEnd
from rtchat.errors import RtchatError

CancelEcho = Literal["no", "while it works", "always"]


@dataclass(frozen=True, slots=True)
class Loaded:
    """A near end, ready.

    Attributes:
        near_end: It.
        news: What to tell of the echo; None where none is cancelled.
        trouble: What could not be loaded; without a canceller the microphone has to be shut in turns.
    """

    near_end: NearEnd
    news: EchoNews | None = None
    trouble: RtchatError | None = None


def load_near_end(
    cancel: CancelEcho, *, barge_in: bool, sensitivity: Sensitivity = "medium", auto_gain: bool = False
) -> Loaded:
    """Load what is needed; may take half a second, on any thread.

    Args:
        cancel: Whether the loudspeaker's echo is taken out of the microphone; `always`: however badly it works.
        barge_in: The user's voice is to be told while the assistant sounds.
        sensitivity: How easily it is.
        auto_gain: The microphone's level is to be evened out.
    """
    if cancel == "no" and not barge_in and not auto_gain:
        return Loaded(NearEnd())
    try:
        process = load_canceller(auto_gain=auto_gain).process if cancel != "no" or auto_gain else _as_it_is
        echo = Echo(process, bypass=not auto_gain)
        near_end = NearEnd(echo, BargeIn(sensitivity) if barge_in else None)
    except RtchatError as error:
        return Loaded(NearEnd(), trouble=error)
    return Loaded(near_end, EchoNews(echo, forced=cancel == "always") if cancel != "no" else None)


def _as_it_is(near: bytes, far: bytes) -> bytes:
    return near
