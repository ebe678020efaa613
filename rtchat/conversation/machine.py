"""The conversation: one function of its inputs, `receive(input) -> list[Effect]`. No clock, no I/O.

Here is the turn: who has the word, what interrupts whom, what is asked of the server and when it is over. What the
user said is in `transcripts`, what the assistant says in `answer`, whose request is next in `responses`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from rtchat.conversation import signals as s
from rtchat.conversation import troubles
from rtchat.conversation.answer import Answer
from rtchat.conversation.calls import Calls
from rtchat.conversation.items import Items
from rtchat.conversation.microphone_gate import MicrophoneGate
from rtchat.conversation.notices import SessionStarted, ToolCalled, TurnEnded
from rtchat.conversation.responses import ALREADY_ACTIVE, Responses, Want
from rtchat.conversation.state import State, Trigger
from rtchat.conversation.status import Status
from rtchat.conversation.transcripts import Transcripts
from rtchat.conversation.usage import add_usage
from rtchat.protocol import client_events as ask
from rtchat.protocol import server_events as told
from rtchat.protocol.config import RealtimeSession, ResponseParams, TranscriptionSession, VoiceId
from rtchat.protocol.items import ContentPart, FunctionCallItem, FunctionCallOutputItem, MessageItem, user_text

MIN_COMMIT_MS = 100
"""The API commits no less sound than this (docs/protocol.md, limits)."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What does not change while the conversation runs.

    Attributes:
        session: What is asked of the server at the start. In a transcription session nobody answers.
        server: Its name for the user.
        mode: The mode's name.
        echo: What keeps the assistant from hearing itself.
        push_to_talk: Turns are the user's key, not the server's voice activity detector.
        speech_interrupts: `speech_started` stops the assistant (the session's `interrupt_response`).
        server_answers: The server begins an answer when a turn ends (the session's `create_response`).
        greeting: Instructions for an answer that opens the conversation; empty for none.
    """

    session: RealtimeSession | TranscriptionSession = field(default_factory=RealtimeSession)
    server: str = ""
    mode: str = "interactive"
    echo: Literal["aec", "half-duplex", "off", "none"] = "none"
    push_to_talk: bool = False
    speech_interrupts: bool = True
    server_answers: bool = True
    greeting: str = ""

    def started(self, session_id: str | None, model: str | None, voice: str | None) -> SessionStarted:
        """The notice that the server has taken the session; None is what the server did not say."""
        return SessionStarted(self.server, model or "", voice or "", session_id or "", self.echo, self.mode)


class Conversation:
    """A conversation with the model, seen from the client.

    Attributes:
        items: What was said, in order.
    """

    def __init__(self, rules: Rules | None = None) -> None:
        self.rules = rules or Rules()
        self.items = Items()
        self._status = Status()
        self._transcripts = Transcripts(self.items)
        self._answer = Answer(self.items)
        self._responses = Responses()
        self._responses.hold = True  # until the session is there
        self._calls = Calls()
        self._gate = MicrophoneGate(
            half_duplex=self.rules.echo == "half-duplex", push_to_talk=self.rules.push_to_talk
        )
        self._talking = False
        self._typed = 0
        self._turn_open = False
        self._usage: dict[str, Any] = {}
        self._words_due = 0  # commits of a transcription session that were not written down yet
        self._input_over = False
        self._ended = False
        self._handlers: dict[type, Callable[[Any], list[s.Effect]]] = {
            told.SessionCreated: self._session_created,
            told.SessionUpdated: self._session_updated,
            told.ErrorEvent: self._error,
            told.ItemAdded: self._item_added,
            told.ItemDone: self._item_added,
            told.ItemDeleted: self._transcripts.deleted,
            told.TranscriptionDelta: self._transcripts.delta,
            told.TranscriptionCompleted: self._words_known,
            told.TranscriptionFailed: self._words_unknown,
            told.SpeechStarted: self._speech_started,
            told.SpeechStopped: self._speech_stopped,
            told.InputAudioCommitted: self._committed,
            told.InputAudioCleared: self._cleared,
            told.ResponseCreated: self._response_created,
            told.ResponseDone: self._response_done,
            told.OutputItemAdded: self._answer.item_added,
            told.OutputItemDone: self._output_item_done,
            told.OutputTextDelta: self._words,
            told.OutputTextDone: self._answer.words_done,
            told.OutputTranscriptDelta: self._words,
            told.OutputTranscriptDone: self._answer.words_done,
            told.OutputAudioDelta: self._sound,
            told.OutputAudioDone: self._answer.sound_done,
            s.Heard: self._answer.heard,
            s.Drained: self._drained,
            s.Captured: self._captured,
            s.Typed: self._typed_line,
            s.Announced: self._announced,
            s.InterruptPressed: self._interrupt_pressed,
            s.TalkPressed: self._talk_pressed,
            s.TalkReleased: self._talk_released,
            s.MuteToggled: self._mute_toggled,
            s.ToolDone: self._tool_done,
            s.InputEnded: self._input_ended,
        }

    @property
    def state(self) -> State:
        """What it does now, mute aside."""
        return self._status.state

    def receive(self, signal: object) -> list[s.Effect]:
        """Take one input, ask for effects, in the order in which they are to be done.

        Inputs that mean nothing here (events of WebRTC, rate limits, unknown ones) ask for nothing.
        """
        handler = self._handlers.get(type(signal))
        if handler is None or self.state is State.CLOSED:
            return []
        return handler(signal)

    def close(self) -> list[s.Effect]:
        """The session is over: every item gets its last word, and what was used is told."""
        if self.state is State.CLOSED:
            return []
        effects = [*self._transcripts.close(), *self._answer.close()]
        if self._turn_open and self._usage:
            effects += self._end_turn()
        return [*effects, *self._status.go(Trigger.ENDED)]

    # --- session ------------------------------------------------------------------------------------------

    def _session_created(self, _: told.SessionCreated) -> list[s.Effect]:
        return [s.Send(ask.SessionUpdate(event_id=troubles.UPDATE_ID, session=self.rules.session))]

    def _session_updated(self, event: told.SessionUpdated) -> list[s.Effect]:
        if self.state is not State.CONNECTING:
            return []
        session = self.rules.session if isinstance(event.session, dict) else event.session
        output = session.audio.output if session.audio else None
        voice = output.voice if output else None
        name = voice.id if isinstance(voice, VoiceId) else voice
        started = self.rules.started(session.id, _model(session), name)
        self._responses.hold = False
        if self.rules.greeting:
            self._responses.want(Want(params=ResponseParams(instructions=self.rules.greeting)))
        return [s.Show(started), *self._status.go(Trigger.READY), *self._settle()]

    def _error(self, event: told.ErrorEvent) -> list[s.Effect]:
        error = event.error
        if troubles.harmless(error):
            if error.code == "response_cancel_not_active":
                self._responses.nothing_active()
            return self._settle()
        refusal = troubles.refusal(error, connecting=self.state is State.CONNECTING)
        if refusal:
            return refusal
        if self._responses.failed(error.event_id, error.code):
            return self._settle()  # the server was faster: asked again after response.done
        if error.event_id is None and self._server_owes_answer:
            # Nothing of ours caused it: the answer to the user's speech may not come by itself.
            self._responses.hold = False
            if error.code == ALREADY_ACTIVE:
                self._responses.want(Want(begins=True))
        if error.event_id is None and error.code == ALREADY_ACTIVE:
            return self._settle()  # the server's own request, which the user knows nothing of
        return [*troubles.told(error), *self._settle()]

    # --- the user's turn ----------------------------------------------------------------------------------

    @property
    def _server_owes_answer(self) -> bool:
        """The user has spoken, and the server will answer that by itself."""
        return self._responses.hold and not self._talking and self.state is not State.CONNECTING

    def _speech_started(self, event: told.SpeechStarted) -> list[s.Effect]:
        self._talking = True
        self._responses.hold = self.rules.server_answers
        effects: list[s.Effect] = []
        if self.rules.speech_interrupts:
            # The server cancels its response by itself; the sound here is ours to stop.
            self._responses.interrupted()
            effects += self._answer.cut(self._responses.active)
        effects += self._status.go(Trigger.SPEECH)
        return [*effects, *self._transcripts.started(event.item_id), *self._settle()]

    def _speech_stopped(self, _: told.SpeechStopped) -> list[s.Effect]:
        self._talking = False
        return self._asked() if self.rules.server_answers else self._settle()

    def _committed(self, _: told.InputAudioCommitted) -> list[s.Effect]:
        if self.rules.push_to_talk:
            return []
        self._talking = False
        if self._responses.hold and not self.rules.speech_interrupts and self._responses.active is not None:
            # "If interrupt_response is false this may fail to create a response": ask for it when it can be had.
            self._responses.hold = False
            self._responses.want(Want(begins=True))
        return self._settle()

    def _cleared(self, _: told.InputAudioCleared) -> list[s.Effect]:
        if self.rules.push_to_talk:
            return []
        self._talking = self._responses.hold = False
        return self._settle()

    def _item_added(self, event: told.ItemAdded | told.ItemDone) -> list[s.Effect]:
        if isinstance(event.item, FunctionCallOutputItem):
            self._calls.output_added(event.item.call_id)
        return self._transcripts.added(event)

    def _words_known(self, event: told.TranscriptionCompleted) -> list[s.Effect]:
        self._words_due = max(0, self._words_due - 1)
        return [*self._transcripts.completed(event), *self._settle()]

    def _words_unknown(self, event: told.TranscriptionFailed) -> list[s.Effect]:
        self._words_due = max(0, self._words_due - 1)
        return [*self._transcripts.failed(event), *self._settle()]

    def _captured(self, chunk: s.Captured) -> list[s.Effect]:
        if self.state is State.CONNECTING:
            return []
        pcm = self._gate.pass_through(chunk.pcm, sounding=self._answer.playback.sounding)
        return [s.Send(ask.InputAudioAppend(audio=pcm))] if pcm else []

    def _typed_line(self, line: s.Typed) -> list[s.Effect]:
        self._typed += 1
        item_id = f"item_typed_{self._typed}"
        self._responses.want(Want(item=user_text(line.text, item_id=item_id), begins=True))
        return [*self._transcripts.typed(item_id, line.text), *self._settle()]

    def _announced(self, news: s.Announced) -> list[s.Effect]:
        content = [ContentPart(type="input_text", text=news.text)]
        self._responses.want(Want(item=MessageItem(role="system", content=content), begins=True))
        return self._settle()

    def _talk_pressed(self, _: s.TalkPressed) -> list[s.Effect]:
        if not self.rules.push_to_talk or self._talking or self.state is State.CONNECTING:
            return []  # a key that is held down repeats itself
        # "On press: cancel, truncate and clear; on release: commit and respond."
        effects = [*self._interrupt(), s.Send(ask.InputAudioClear())]
        self._talking = self._responses.hold = True
        self._gate.talk()
        return [*effects, *self._status.go(Trigger.SPEECH), *self._settle()]

    def _talk_released(self, _: s.TalkReleased) -> list[s.Effect]:
        ms = self._gate.release()
        if ms is None:
            return []
        self._talking = self._responses.hold = False
        if ms < MIN_COMMIT_MS:
            return [s.Send(ask.InputAudioClear()), *self._settle()]
        if isinstance(self.rules.session, TranscriptionSession):
            self._words_due += 1
            return [s.Send(ask.InputAudioCommit()), *self._status.go(Trigger.ASKED)]
        self._responses.want(Want(begins=True))
        return [s.Send(ask.InputAudioCommit()), *self._status.go(Trigger.ASKED), *self._settle()]

    def _mute_toggled(self, _: s.MuteToggled) -> list[s.Effect]:
        self._gate.muted = self._status.muted = not self._gate.muted
        return self._status.show()

    def _interrupt_pressed(self, _: s.InterruptPressed) -> list[s.Effect]:
        return [*self._interrupt(), *self._settle()]

    def _interrupt(self) -> list[s.Effect]:
        """Stop the answer by the user's key: the server does not know yet."""
        cancel = self._responses.cancel()
        return self._answer.cut(self._responses.active, cancel)

    def _input_ended(self, _: s.InputEnded) -> list[s.Effect]:
        self._input_over = True
        return self._settle()

    # --- the answer ---------------------------------------------------------------------------------------

    def _response_created(self, event: told.ResponseCreated) -> list[s.Effect]:
        covers = self._server_owes_answer and self._calls.told
        wanted = self._responses.created(event.response.id, covers=covers)
        self._turn_open = True
        self._responses.hold = self._talking and self._responses.hold
        if not wanted or (self._talking and self.rules.speech_interrupts):
            return [*self._interrupt(), *self._settle()]  # the user has the word
        return self._asked()

    def _words(self, event: told.OutputTextDelta | told.OutputTranscriptDelta) -> list[s.Effect]:
        return self._answering(event.response_id, event.item_id, self._answer.words(event))

    def _sound(self, event: told.OutputAudioDelta) -> list[s.Effect]:
        return self._answering(event.response_id, event.item_id, self._answer.sound(event))

    def _answering(self, response_id: str, item_id: str, effects: list[s.Effect]) -> list[s.Effect]:
        late = self._answer.playback.is_cut(response_id, item_id)
        return effects if late or not effects else [*effects, *self._status.go(Trigger.ANSWER)]

    def _output_item_done(self, event: told.OutputItemDone) -> list[s.Effect]:
        if isinstance(event.item, FunctionCallItem):
            self._calls.made(event.response_id, event.item)
        return self._answer.item_made(event)

    def _response_done(self, event: told.ResponseDone) -> list[s.Effect]:
        response = event.response
        self._responses.done(response.id)
        if response.usage is not None:
            self._usage = add_usage(self._usage, response.usage.model_dump(exclude_unset=True))
        effects = [*troubles.failure(response), *self._answer.response_done(response)]
        calls = [item for item in response.output or [] if isinstance(item, FunctionCallItem)]
        cancelled = response.status == "cancelled" or self._answer.playback.is_cut(response.id)
        for call in self._calls.due(response.id, calls, cancelled=cancelled):
            running = ToolCalled(call.call_id or "", call.name, call.arguments, "", "running", 0)
            effects += [s.Show(running), s.CallTool(call.call_id or "", call.name, call.arguments)]
        return [*effects, *self._settle()]

    def _tool_done(self, done: s.ToolDone) -> list[s.Effect]:
        call = self._calls.answered(done.call_id)
        if call is None:
            return []
        if not self._calls.pending:
            # "Several calls of one response: send all outputs, then one response.create."
            self._responses.want(Want())
        return [
            s.Show(ToolCalled(done.call_id, call.name, call.arguments, done.output, done.status, done.ms)),
            s.Send(ask.ItemCreate(item=FunctionCallOutputItem(call_id=done.call_id, output=done.output))),
            *self._settle(),
        ]

    def _drained(self, _: s.Drained) -> list[s.Effect]:
        return [*self._answer.drained(), *self._settle()]

    # --- whose turn it is ---------------------------------------------------------------------------------

    def _settle(self) -> list[s.Effect]:
        """End the turn when it is over, send what has waited for that, and say what is left to wait for."""
        if self.state is State.CONNECTING:
            return []
        sounding = self._answer.playback.sounding
        over = not (self._responses.turn_goes_on or self._calls.pending or sounding)
        effects = self._end_turn() if over and self._turn_open else []
        requests = self._responses.next(sounding=sounding)
        if requests:
            self._turn_open = True
            return [*effects, *(s.Send(event) for event in requests), *self._asked()]
        if self._talking or self._responses.hold or (self._responses.answering and self.state is State.SPEAKING):
            return effects
        if self._responses.expected or self._calls.pending:
            return [*effects, *self._asked()]
        if sounding or self._words_due:
            return effects
        effects += self._status.go(Trigger.QUIET)
        if self._input_over and self._responses.idle and not self._ended and not self._awaits_words:
            self._ended = True
            effects.append(s.End("done"))
        return effects

    @property
    def _awaits_words(self) -> bool:
        """Nobody answers, so the words are the answer."""
        return not (self.rules.server_answers or self.rules.push_to_talk) and self._transcripts.waiting

    def _end_turn(self) -> list[s.Effect]:
        self._turn_open = False
        usage, self._usage = self._usage, {}
        return [s.Show(TurnEnded({}, usage, 0.0))]

    def _asked(self) -> list[s.Effect]:
        """An answer is due, which is not shown while the last one is still heard."""
        if self._talking or (self.state is State.SPEAKING and self._answer.playback.sounding):
            return []
        return self._status.go(Trigger.ASKED)


def _model(session: RealtimeSession | TranscriptionSession) -> str | None:
    if isinstance(session, RealtimeSession):
        return session.model
    written = session.audio.input.transcription if session.audio and session.audio.input else None
    return written.model if written else None
