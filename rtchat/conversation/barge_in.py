"""The user's voice while the assistant sounds, as far as this machine can tell: turn down, hold back, then decide.

::

    suspected    Duck: the assistant turns down; the microphone is held back
    dismissed    Restore; silence goes out in place of what was held: a cough never reaches the server
    confirmed    the turn is interrupted (`hearing`), which stops the sound; then what was held goes out
    neither      the assistant was heard to its end meanwhile: what was held goes out; the user took the word
"""

from __future__ import annotations

from rtchat.conversation.microphone_gate import MicrophoneGate
from rtchat.conversation.signals import Duck, Effect, Restore, Send
from rtchat.protocol.client_events import InputAudioAppend


class BargeIn:
    """The microphone's sound on its way to the server, and how loud the assistant is.

    Args:
        gate: What of the microphone may leave.
    """

    def __init__(self, gate: MicrophoneGate) -> None:
        self.gate = gate
        self._ducked = False

    def captured(self, pcm: bytes, *, sounding: bool) -> list[Effect]:
        """A chunk of the microphone."""
        return _append(self.gate.pass_through(pcm, sounding=sounding))

    def suspected(self) -> list[Effect]:
        """It may be the user."""
        self.gate.hold()
        if self._ducked:
            return []
        self._ducked = True
        return [Duck()]

    def dismissed(self) -> list[Effect]:
        """It was not, or the microphone is not to be heard from here on: silence for what was held."""
        return [*self._restore(), *_append(self.gate.silence())]

    def stopped(self, *, flushed: bool) -> list[Effect]:
        """The assistant does not sound any more; `flushed`: because it was stopped, which ends ducking too."""
        if flushed:
            self._ducked = False
        return [*self._restore(), *_append(self.gate.release())]

    def lost(self) -> None:
        """There is no server: what has not left never will, and nothing of the talk key's turn has arrived."""
        self.gate.forget()

    def _restore(self) -> list[Effect]:
        if not self._ducked:
            return []
        self._ducked = False
        return [Restore()]


def _append(chunks: list[bytes]) -> list[Effect]:
    return [Send(InputAudioAppend(audio=pcm)) for pcm in chunks]
