"""How fast an interruption is obeyed: when the user began, when the assistant was turned down, and silent."""

from __future__ import annotations

from dataclasses import replace

from rtchat.conversation import signals as s
from rtchat.conversation.notices import Interruption
from rtchat.protocol.server_events import SpeechStarted


class Reaction:
    """Keeps the times of an interruption. All times are seconds on the session's clock.

    It begins with the first sample of the user's voice where this machine's own detector has found it; else where
    it was known: when the server told of speech, or when the key was pressed.
    """

    def __init__(self) -> None:
        self._voice: float | None = None
        self._onset = 0.0
        self._ducked: float | None = None
        self._silent = 0.0

    def received(self, t: float, signal: object) -> None:
        """The machine is about to be told this."""
        match signal:
            case s.VoiceSuspected(since_ms=since_ms):
                self._voice, self._ducked = t - since_ms / 1000, None
            case s.VoiceDismissed() | s.VoiceEnded():
                self._voice = self._ducked = None
            case s.VoiceConfirmed() | SpeechStarted():
                self._onset = t if self._voice is None else self._voice
            case s.InterruptPressed() | s.TalkPressed():
                self._onset, self._voice, self._ducked = t, None, None
            case _:
                pass

    def ducked(self, t: float) -> None:
        """The loudspeaker is, or will be, turned down at this time."""
        self._ducked = t

    def silenced(self, t: float) -> None:
        """The loudspeaker is, or will be, silent at this time."""
        self._silent = t

    def complete(self, notice: Interruption) -> Interruption:
        """The notice with its times."""
        ducked = None if self._ducked is None else self._ms(self._ducked)
        return replace(notice, onset_to_duck_ms=ducked, onset_to_silence_ms=self._ms(self._silent))

    def _ms(self, t: float) -> int:
        return max(0, round((t - self._onset) * 1000))
