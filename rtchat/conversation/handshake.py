"""The session with the server: its beginning, its loss, and the next one, which knows nothing yet.

When the server is lost, what it had not finished has failed, and what was received is heard to its end. The next
server is given the conversation as it was heard (`restore`), and is then asked for what the last one still owed:

=========================================  ====================================================================
when it was lost                           what follows
=========================================  ====================================================================
the user was speaking, or was not          it is lost; the user is told
written down yet
an answer was due, nothing of it heard     it is asked for again
an answer was said in part                 the rest is asked for (`resumption`)
a tool was at work                         its output goes to the next server
=========================================  ====================================================================
"""

from __future__ import annotations

from rtchat.conversation import restore, troubles
from rtchat.conversation import signals as s
from rtchat.conversation.items import Entry
from rtchat.conversation.notices import ErrorTold
from rtchat.conversation.responses import Want
from rtchat.conversation.signals import Handlers
from rtchat.conversation.state import Trigger
from rtchat.conversation.turn import Turn
from rtchat.protocol import client_events as ask
from rtchat.protocol import server_events as told
from rtchat.protocol.config import RealtimeSession, ResponseParams, TranscriptionSession, VoiceId
from rtchat.protocol.items import MessageItem

LOST = ErrorTold("words_lost", "What you said last was lost with the connection.", "Say it again.", fatal=False)


class Handshake:
    """Begins a session with each server.

    Args:
        turn: Who has the word.
    """

    def __init__(self, turn: Turn) -> None:
        self._turn = turn
        self._begun = False
        self._owed: Want | None = None
        self._owed_to_speech = False
        self._unfinished: list[Entry] = []
        self._words_lost = False
        self.handlers: Handlers = {
            told.SessionCreated: self._created,
            told.SessionUpdated: self._updated,
            s.Disconnected: self._disconnected,
        }

    def _created(self, _: told.SessionCreated) -> list[s.Effect]:
        return [s.Send(ask.SessionUpdate(event_id=troubles.UPDATE_ID, session=self._turn.session))]

    def _updated(self, event: told.SessionUpdated) -> list[s.Effect]:
        turn = self._turn
        if turn.ready:
            return []
        session = turn.session if isinstance(event.session, dict) else event.session
        output = session.audio.output if session.audio else None
        voice = output.voice if output else None
        name = voice.id if isinstance(voice, VoiceId) else voice
        started = turn.rules.started(session.id, _model(session), name, turn.echo)
        turn.responses.hold = False
        before: list[s.Effect] = []
        if self._begun:
            before = self._restored()
        elif turn.rules.greeting:
            turn.responses.want(Want(params=ResponseParams(instructions=turn.rules.greeting)))
        self._begun = True
        return [s.Show(started), *before, *turn.status.go(Trigger.READY), *turn.settle()]

    def _disconnected(self, _: s.Disconnected) -> list[s.Effect]:
        turn = self._turn
        if not turn.ready:
            return turn.status.go(Trigger.LOST)
        speaking, self._owed_to_speech = turn.user_speaks, turn.server_owes_answer
        self._owed = turn.responses.lost()
        turn.talking = turn.onset = False
        turn.words_due = 0
        turn.calls.lost()
        turn.mcp.lost()
        turn.microphone.lost()
        turn.resumption.forget()
        words, unwritten = turn.transcripts.lost()
        self._words_lost = speaking or unwritten
        answer, self._unfinished = turn.answer.lost()
        turn.unknown += [entry for entry in turn.answer.playback.lost() if entry not in turn.unknown]
        return [*words, *answer, *turn.status.go(Trigger.LOST)]

    def _restored(self) -> list[s.Effect]:
        turn = self._turn
        if isinstance(turn.rules.session, TranscriptionSession):
            return self._tell_lost()
        turn.unknown = [entry for entry in turn.unknown if not entry.closed]
        items = restore.history(turn.items, turn.calls, without=turn.responses.unsent)
        turn.known = {item.id for item in items if item.id is not None}
        for item in items:
            if isinstance(item, MessageItem) and item.id is not None:
                turn.items.append(item.id, item.role)  # the last server may never have placed it
        self._ask_again(items[-1] if items else None)
        return [*(s.Send(ask.ItemCreate(item=item)) for item in items), *self._tell_lost()]

    def _ask_again(self, last: restore.Restored | None) -> None:
        turn, owed = self._turn, self._owed
        answered = bool(turn.unknown) or (isinstance(last, MessageItem) and last.role == "assistant")
        if self._unfinished and answered:
            turn.resumption.broke_off(self._unfinished)
            turn.resumption.false_alarm()
        elif owed is not None and not self._words_lost and (last is not None or owed.params is not None):
            turn.responses.want(owed)
        elif self._owed_to_speech:
            self._words_lost = self._words_lost or last is None or answered
            if not self._words_lost:
                turn.responses.want(Want())
        self._owed, self._unfinished = None, []

    def _tell_lost(self) -> list[s.Effect]:
        lost, self._words_lost = self._words_lost, False
        return [s.Show(LOST)] if lost else []


def _model(session: RealtimeSession | TranscriptionSession) -> str | None:
    if isinstance(session, RealtimeSession):
        return session.model
    written = session.audio.input.transcription if session.audio and session.audio.input else None
    return written.model if written else None
