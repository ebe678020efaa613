"""The user's side of the turn: what the server hears, what this machine's detector hears, and the talk key."""

from __future__ import annotations

from rtchat.conversation import signals as s
from rtchat.conversation.notices import EchoTold
from rtchat.conversation.responses import Want
from rtchat.conversation.resumption import says_nothing
from rtchat.conversation.signals import Handlers
from rtchat.conversation.state import Trigger
from rtchat.conversation.turn import Turn
from rtchat.protocol import client_events as ask
from rtchat.protocol import server_events as told
from rtchat.protocol.config import TranscriptionSession

MIN_COMMIT_MS = 100
"""The API commits no less sound than this (docs/protocol.md, limits)."""


class Hearing:
    """The user speaks, or seems to.

    Args:
        turn: Who has the word.
    """

    def __init__(self, turn: Turn) -> None:
        self._turn = turn
        self.handlers: Handlers = {
            told.SpeechStarted: self._speech_started,
            told.SpeechStopped: self._speech_stopped,
            told.InputAudioCommitted: self._committed,
            told.InputAudioCleared: self._cleared,
            told.TranscriptionDelta: turn.transcripts.delta,
            told.TranscriptionCompleted: self._words_known,
            told.TranscriptionFailed: self._words_unknown,
            s.Captured: self._captured,
            s.VoiceSuspected: self._voice_suspected,
            s.VoiceConfirmed: self._voice_confirmed,
            s.VoiceDismissed: self._voice_dismissed,
            s.VoiceEnded: self._voice_ended,
            s.MuteToggled: self._mute_toggled,
            s.EchoChanged: self._echo_changed,
            s.TalkPressed: self._talk_pressed,
            s.TalkReleased: self._talk_released,
        }

    # --- what the server hears ----------------------------------------------------------------------------

    def _speech_started(self, event: told.SpeechStarted) -> list[s.Effect]:
        turn = self._turn
        turn.talking, turn.onset = True, False
        turn.responses.hold = turn.rules.server_answers
        effects: list[s.Effect] = []
        if turn.rules.speech_interrupts:
            # The server cancels its response by itself; the sound here is ours to stop.
            effects += turn.interrupt_by_voice(known=True)
        turn.resumption.doubt(event.item_id)
        effects += turn.status.go(Trigger.SPEECH)
        return [*effects, *turn.transcripts.started(event.item_id), *turn.settle()]

    def _speech_stopped(self, _: told.SpeechStopped) -> list[s.Effect]:
        self._turn.talking = False
        return self._turn.asked() if self._turn.rules.server_answers else self._turn.settle()

    def _committed(self, _: told.InputAudioCommitted) -> list[s.Effect]:
        turn = self._turn
        if turn.rules.push_to_talk:
            return []
        turn.talking = False
        if turn.responses.hold and not turn.rules.speech_interrupts and turn.responses.active is not None:
            # "If interrupt_response is false this may fail to create a response": ask for it when it can be had.
            turn.responses.hold = False
            turn.responses.want(Want(begins=True))
        return turn.settle()

    def _cleared(self, _: told.InputAudioCleared) -> list[s.Effect]:
        turn = self._turn
        if turn.rules.push_to_talk:
            return []
        turn.talking = turn.responses.hold = False
        turn.resumption.false_alarm()
        return turn.settle()

    def _words_known(self, event: told.TranscriptionCompleted) -> list[s.Effect]:
        turn = self._turn
        turn.words_due = max(0, turn.words_due - 1)
        told = turn.transcripts.completed(event)
        return [*told, *self._judge(event.item_id, event.transcript), *turn.settle()]

    def _words_unknown(self, event: told.TranscriptionFailed) -> list[s.Effect]:
        turn = self._turn
        turn.words_due = max(0, turn.words_due - 1)
        told = turn.transcripts.failed(event)
        return [*told, *self._judge(event.item_id, turn.items[event.item_id].text), *turn.settle()]

    def _judge(self, item_id: str, words: str) -> list[s.Effect]:
        """All is known of the words that interrupted: none, and the answer is resumed.

        The server may be answering that nothing by then. Where that is heard already, or has called a function, it
        stays; else it gives way, and the empty item goes.
        """
        turn = self._turn
        if item_id != turn.resumption.user_item or not turn.resumption.broken:
            return []
        if turn.calls.pending or not says_nothing(words):
            turn.resumption.forget()
            return []
        turn.resumption.false_alarm()
        stopped = [] if turn.responses.hold else turn.interrupt(by_user=False)
        return [*stopped, s.Send(ask.ItemDelete(item_id=item_id))]

    # --- what this machine hears --------------------------------------------------------------------------

    def _captured(self, chunk: s.Captured) -> list[s.Effect]:
        if not self._turn.ready:
            return []
        return self._turn.microphone.captured(chunk.pcm, sounding=self._turn.sounding)

    @property
    def _may_interrupt(self) -> bool:
        """There is something to interrupt, by a voice that the server may hear."""
        turn, gate = self._turn, self._turn.microphone.gate
        return turn.rules.barge_in and turn.sounding and not (gate.muted or gate.half_duplex)

    def _voice_suspected(self, _: s.VoiceSuspected) -> list[s.Effect]:
        return self._turn.microphone.suspected() if self._may_interrupt else []

    def _voice_dismissed(self, _: s.VoiceDismissed) -> list[s.Effect]:
        return self._turn.microphone.dismissed() if self._may_interrupt else []

    def _voice_confirmed(self, _: s.VoiceConfirmed) -> list[s.Effect]:
        turn = self._turn
        if not self._may_interrupt:
            return []
        effects = turn.interrupt_by_voice(known=False)
        if turn.ready:
            # The server's own speech_started follows; until then nothing else may be asked of it.
            turn.onset = True
            turn.responses.hold = turn.rules.server_answers
        return [*effects, *turn.status.go(Trigger.SPEECH), *turn.settle()]

    def _voice_ended(self, _: s.VoiceEnded) -> list[s.Effect]:
        if not self._turn.onset:
            return []
        self._turn.end_onset()
        self._turn.resumption.false_alarm()
        return self._turn.settle()

    def _mute_toggled(self, _: s.MuteToggled) -> list[s.Effect]:
        turn, gate = self._turn, self._turn.microphone.gate
        gate.muted = turn.status.muted = not gate.muted
        return [*(turn.microphone.dismissed() if gate.muted else []), *turn.status.show()]

    def _echo_changed(self, change: s.EchoChanged) -> list[s.Effect]:
        microphone = self._turn.microphone
        self._turn.echo = change.echo
        microphone.gate.half_duplex = change.echo == "half-duplex"
        shut = microphone.dismissed() if microphone.gate.half_duplex else []
        return [*shut, s.Show(EchoTold(change.echo, change.erle_db))]

    # --- the talk key -------------------------------------------------------------------------------------

    def _talk_pressed(self, _: s.TalkPressed) -> list[s.Effect]:
        turn = self._turn
        if not turn.rules.push_to_talk or turn.talking or not turn.ready:
            return []  # a key that is held down repeats itself
        turn.resumption.forget()
        # "On press: cancel, truncate and clear; on release: commit and respond."
        effects = [*turn.interrupt(), s.Send(ask.InputAudioClear())]
        turn.talking = turn.responses.hold = True
        effects += [s.Send(ask.InputAudioAppend(audio=pcm)) for pcm in turn.microphone.gate.talk()]
        return [*effects, *turn.status.go(Trigger.SPEECH), *turn.settle()]

    def _talk_released(self, _: s.TalkReleased) -> list[s.Effect]:
        turn = self._turn
        ms = turn.microphone.gate.let_go()
        if ms is None:
            return []
        turn.talking = turn.responses.hold = False
        if ms < MIN_COMMIT_MS:
            return [s.Send(ask.InputAudioClear()), *turn.settle()]
        if isinstance(turn.rules.session, TranscriptionSession):
            turn.words_due += 1
            return [s.Send(ask.InputAudioCommit()), *turn.status.go(Trigger.ASKED)]
        turn.responses.want(Want(begins=True))
        return [s.Send(ask.InputAudioCommit()), *turn.status.go(Trigger.ASKED), *turn.settle()]
