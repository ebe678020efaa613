"""The microphone as a session wants it: without the loudspeaker in it, and with the user's voice told. Pure.

::

    chunk ─> Echo ─> muted? ─> BargeIn ─> VoiceSuspected | VoiceConfirmed | VoiceDismissed | VoiceEnded, Captured
              ^
    played ───┘

Muted comes behind the canceller, which goes on learning the room, and whose comfort noise is silenced too.
"""

from __future__ import annotations

from typing import Literal

from rtchat.audio.barge_in import BargeIn, Voice
from rtchat.audio.echo import Echo
from rtchat.conversation.signals import Captured, EchoChanged

NEWS_DB = 3.0
"""A change of the ERLE that is worth telling."""


class NearEnd:
    """One microphone's chunks in, signals out, in the order in which the conversation needs them.

    Attributes:
        echo: What takes the loudspeaker out of them; None where the microphone cannot hear one. It may be replaced.
        barge_in: What finds the user's voice in them while the assistant sounds; None where nobody asks.
        muted: Silence in place of all that is recorded, for the server, the meter and the recording alike.
    """

    def __init__(self, echo: Echo | None = None, barge_in: BargeIn | None = None) -> None:
        self.echo = echo
        self.barge_in = barge_in
        self.muted = False

    def played(self, begins: float, pcm: bytes) -> None:
        """Note what leaves the loudspeaker: see `Echo.played`."""
        if self.echo is not None:
            self.echo.played(begins, pcm)

    def feed(self, at: float, pcm: bytes) -> list[Voice | Captured]:
        """Take the next chunk of the microphone: 20 ms of 24 kHz mono PCM16.

        Args:
            at: Seconds at which its first sample was recorded, on the clock of `played`.
            pcm: The chunk.

        Returns:
            What the chunk tells of the user's voice, then `Captured` with the chunk as it may leave: what is told
            decides what becomes of it. Silence, where it is spurious: see `BargeIn.spurious`.

        Raises:
            DeviceError: The canceller failed.
        """
        given = pcm if self.echo is None else self.echo.feed(at, pcm)
        if self.muted:
            pcm = given = bytes(len(given))
        if self.echo is None or self.barge_in is None:
            return [Captured(given)]
        voices = self.barge_in.feed(
            at,
            given,
            raw=pcm,
            sounding=self.echo.active,
            far=self.echo.far,
            converged=self.echo.converged,
        )
        return [*voices, Captured(bytes(len(given)) if self.barge_in.spurious else given)]


class EchoNews:
    """What to tell of the echo, when it is worth it.

    Args:
        echo: What is cancelled.
        forced: The user has asked for the canceller, so it stays, however it works.
    """

    def __init__(self, echo: Echo, *, forced: bool) -> None:
        self._echo = echo
        self._forced = forced
        self._told: EchoChanged | None = None

    def look(self) -> EchoChanged | None:
        """What has changed since it was told last; None for nothing."""
        mode: Literal["aec", "half-duplex", "none"]
        match self._echo.verdict:
            case "measuring":
                return None
            case "failing":
                mode = "aec" if self._forced else "half-duplex"
            case "no echo":
                mode = "none"
            case "cancelling":
                mode = "aec"
        erle = round(self._echo.erle_db) if mode == "aec" and self._echo.erle_db is not None else None
        if not self._is_news(mode, erle):
            return None
        self._told = EchoChanged(mode, erle)
        return self._told

    def _is_news(self, mode: str, erle: int | None) -> bool:
        told = self._told
        if told is None or mode != told.echo or (erle is None) != (told.erle_db is None):
            return True
        return erle is not None and told.erle_db is not None and abs(erle - told.erle_db) >= NEWS_DB
