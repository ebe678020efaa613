"""The conversation: one function of its inputs, `receive(input) -> list[Effect]`. No clock, no I/O."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from rtchat.conversation import signals as s
from rtchat.conversation.calls import Calls
from rtchat.conversation.items import Entry, Items
from rtchat.conversation.microphone_gate import MicrophoneGate
from rtchat.conversation.notices import (
    AssistantSaid,
    AssistantStatus,
    ErrorTold,
    Interruption,
    SessionStarted,
    StateChanged,
    ToolCalled,
    TurnEnded,
    UserSaid,
)
from rtchat.conversation.playback import Playback
from rtchat.conversation.responses import Responses, Want
from rtchat.conversation.state import State, Trigger, after
from rtchat.conversation.usage import add_usage
from rtchat.protocol import client_events as ask
from rtchat.protocol import server_events as told
from rtchat.protocol.config import RealtimeSession, ResponseParams
from rtchat.protocol.items import ContentPart, FunctionCallItem, FunctionCallOutputItem, MessageItem, user_text

HARMLESS = frozenset({"input_audio_buffer_commit_empty", "response_cancel_not_active"})
"""Errors that only say that the server was faster."""
PERMANENT = frozenset(
    {"insufficient_quota", "credit_balance_exhausted", "invalid_api_key", "account_deactivated", "session_expired"}
)
"""Errors after which nothing more can be said."""

_UPDATE_ID = "event_rtchat_session"


@dataclass(frozen=True, slots=True)
class Rules:
    """What does not change while the conversation runs.

    Attributes:
        session: What is asked of the server at the start.
        server: Its name for the user.
        mode: The mode's name.
        echo: What keeps the assistant from hearing itself.
        push_to_talk: Turns are the user's key, not the server's voice activity detector.
        speech_interrupts: `speech_started` stops the assistant (the session's `interrupt_response`).
        server_answers: The server begins an answer when a turn ends (the session's `create_response`).
        greeting: Instructions for an answer that opens the conversation; empty for none.
    """

    session: RealtimeSession = field(default_factory=RealtimeSession)
    server: str = ""
    mode: str = "interactive"
    echo: Literal["aec", "half-duplex", "off", "none"] = "none"
    push_to_talk: bool = False
    speech_interrupts: bool = True
    server_answers: bool = True
    greeting: str = ""


class Conversation:
    """A conversation with the model, seen from the client.

    Attributes:
        state: What it does now, mute aside.
        items: What was said, in order.
    """

    def __init__(self, rules: Rules | None = None) -> None:
        self.rules = rules or Rules()
        self.state = State.CONNECTING
        self.items = Items()
        self._playback = Playback(self.items)
        self._responses = Responses()
        self._calls = Calls()
        self._gate = MicrophoneGate(
            half_duplex=self.rules.echo == "half-duplex", push_to_talk=self.rules.push_to_talk
        )
        self._typed = 0
        self._usage: dict[str, Any] = {}
        self._turn_open = False
        self._cancel_next = False
        self._input_over = False
        self._shown: StateChanged | None = None
        self._handlers: dict[type, Callable[[Any], list[s.Effect]]] = {
            told.SessionCreated: self._session_created,
            told.SessionUpdated: self._session_updated,
            told.ErrorEvent: self._error,
            told.ItemAdded: self._item_added,
            told.ItemDone: self._item_done,
            told.ItemDeleted: self._item_deleted,
            told.TranscriptionDelta: self._transcription_delta,
            told.TranscriptionCompleted: self._transcription_completed,
            told.TranscriptionFailed: self._transcription_failed,
            told.SpeechStarted: self._speech_started,
            told.SpeechStopped: self._speech_stopped,
            told.InputAudioCommitted: self._committed,
            told.InputAudioCleared: self._cleared,
            told.ResponseCreated: self._response_created,
            told.ResponseDone: self._response_done,
            told.OutputItemDone: self._output_item_done,
            told.OutputTextDelta: self._text_delta,
            told.OutputTextDone: self._text_done,
            told.OutputTranscriptDelta: self._text_delta,
            told.OutputTranscriptDone: self._text_done,
            told.OutputAudioDelta: self._audio_delta,
            told.OutputAudioDone: self._audio_done,
            s.Heard: self._heard,
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

    def receive(self, signal: object) -> list[s.Effect]:
        """Take one input, ask for effects, in the order in which they are to be done.

        Inputs that mean nothing here (events of WebRTC, rate limits, unknown ones) ask for nothing.
        """
        handler = self._handlers.get(type(signal))
        if handler is None or self.state is State.CLOSED:
            return []
        return handler(signal)

    def close(self) -> list[s.Effect]:
        """The session is over: every item gets its last word."""
        effects: list[s.Effect] = []
        for entry in self.items.ordered():
            if entry.role == "assistant" and not entry.closed and entry.text:
                effects += self._close_entry(entry, "interrupted" if entry.spoken else "cancelled")
            elif entry.role == "user" and not entry.closed:
                entry.closed = True
                effects.append(s.Show(UserSaid(entry.item_id, entry.text, final=True)))
        return [*effects, *self._go(Trigger.ENDED)]

    # --- session ------------------------------------------------------------------------------------------

    def _session_created(self, event: told.SessionCreated) -> list[s.Effect]:
        return [s.Send(ask.SessionUpdate(event_id=_UPDATE_ID, session=self.rules.session))]

    def _session_updated(self, event: told.SessionUpdated) -> list[s.Effect]:
        if self.state is not State.CONNECTING:
            return []
        session = event.session if isinstance(event.session, RealtimeSession) else self.rules.session
        output = session.audio.output if session.audio else None
        started = SessionStarted(
            server=self.rules.server,
            model=session.model or "",
            voice=str(getattr(output.voice, "id", output.voice) or "") if output else "",
            session_id=session.id or "",
            echo=self.rules.echo,
            mode=self.rules.mode,
        )
        effects: list[s.Effect] = [s.Show(started), *self._go(Trigger.READY)]
        if self.rules.greeting:
            effects += self._want(Want(params=ResponseParams(instructions=self.rules.greeting)))
        return [*effects, *self._settle()]

    def _error(self, event: told.ErrorEvent) -> list[s.Effect]:
        error = event.error
        if error.code in HARMLESS:
            return []
        if error.event_id and self._responses.failed(error.event_id, error.code):
            return []  # the server was faster: asked again after response.done
        if error.event_id == _UPDATE_ID or error.code in PERMANENT:
            return [s.Refuse(error.code, error.message)]
        told_ = ErrorTold(error.code, error.message, "", fatal=False)
        return [s.Show(told_), *self._settle()]

    # --- items and the user's words -----------------------------------------------------------------------

    def _item_added(self, event: told.ItemAdded) -> list[s.Effect]:
        item = event.item
        if item.id is None:
            return []
        entry = self.items.place(item.id, event.previous_item_id, getattr(item, "role", ""))
        if entry.role != "user" or entry.closed:
            return []
        text = _text_of(item)
        if text is not None:
            entry.text, entry.closed = text, True
        return [s.Show(UserSaid(entry.item_id, entry.text, final=entry.closed))]

    def _item_done(self, event: told.ItemDone) -> list[s.Effect]:
        if event.item.id is None:
            return []
        entry = self.items.get(event.item.id)
        if entry is None or not entry.placed:
            return self._item_added(told.ItemAdded(previous_item_id=event.previous_item_id, item=event.item))
        return []

    def _item_deleted(self, event: told.ItemDeleted) -> list[s.Effect]:
        self.items.remove(event.item_id)
        return []

    def _transcription_delta(self, event: told.TranscriptionDelta) -> list[s.Effect]:
        entry = self.items[event.item_id]
        if entry.closed or not event.delta:
            return []
        entry.role = "user"
        entry.text += event.delta
        return [s.Show(UserSaid(entry.item_id, entry.text, final=False))]

    def _transcription_completed(self, event: told.TranscriptionCompleted) -> list[s.Effect]:
        entry = self.items[event.item_id]
        entry.role, entry.text, entry.closed = "user", event.transcript, True
        return [s.Show(UserSaid(entry.item_id, entry.text, final=True)), *self._settle()]

    def _transcription_failed(self, event: told.TranscriptionFailed) -> list[s.Effect]:
        entry = self.items[event.item_id]
        entry.role, entry.closed = "user", True
        message = event.error.message or "Your words could not be written down."
        return [
            s.Show(UserSaid(entry.item_id, entry.text, final=True)),
            s.Show(ErrorTold(event.error.code, message, "The answer comes all the same.", fatal=False)),
            *self._settle(),
        ]

    # --- the user's turn ----------------------------------------------------------------------------------

    def _speech_started(self, event: told.SpeechStarted) -> list[s.Effect]:
        entry = self.items[event.item_id]
        entry.role = "user"
        self._responses.hold = self.rules.server_answers
        effects: list[s.Effect] = []
        if self.rules.speech_interrupts:
            # The server has cancelled its response by itself; the sound here is ours to stop.
            effects += self._cut()
        return [
            *effects,
            *self._go(Trigger.SPEECH),
            s.Show(UserSaid(entry.item_id, entry.text, final=False)),
        ]

    def _speech_stopped(self, event: told.SpeechStopped) -> list[s.Effect]:
        return self._go(Trigger.ASKED) if self.rules.server_answers else []

    def _committed(self, event: told.InputAudioCommitted) -> list[s.Effect]:
        if self.rules.server_answers or self._responses.busy:
            return []
        return self._go(Trigger.QUIET)

    def _cleared(self, _: told.InputAudioCleared) -> list[s.Effect]:
        if self.rules.push_to_talk or not self._responses.hold:
            return []
        self._responses.hold = False
        return [*self._go(Trigger.QUIET), *self._settle()]

    def _captured(self, chunk: s.Captured) -> list[s.Effect]:
        if self.state is State.CONNECTING:
            return []
        pcm = self._gate.pass_through(chunk.pcm, sounding=self._playback.sounding)
        return [s.Send(ask.InputAudioAppend(audio=pcm))] if pcm else []

    def _typed_line(self, line: s.Typed) -> list[s.Effect]:
        self._typed += 1
        item_id = f"item_typed_{self._typed}"
        entry = self.items[item_id]
        entry.role, entry.text, entry.closed = "user", line.text, True
        self._responses.hold = False
        return [
            s.Show(UserSaid(item_id, line.text, final=True)),
            *self._want(Want(item=user_text(line.text, item_id=item_id))),
        ]

    def _announced(self, news: s.Announced) -> list[s.Effect]:
        item = MessageItem(role="system", content=[ContentPart(type="input_text", text=news.text)])
        return self._want(Want(item=item))

    def _talk_pressed(self, _: s.TalkPressed) -> list[s.Effect]:
        # Push to talk: on press cancel, truncate and clear; on release commit and respond.
        effects = self._interrupt()
        self._gate.talk()
        return [*effects, s.Send(ask.InputAudioClear()), *self._go(Trigger.SPEECH)]

    def _talk_released(self, _: s.TalkReleased) -> list[s.Effect]:
        ms = self._gate.release()
        if ms is None:
            return []
        if ms < 100:  # the API commits no less
            return [s.Send(ask.InputAudioClear()), *self._go(Trigger.QUIET)]
        return [s.Send(ask.InputAudioCommit()), *self._want(Want())]

    def _mute_toggled(self, _: s.MuteToggled) -> list[s.Effect]:
        self._gate.muted = not self._gate.muted
        return self._show_state()

    def _input_ended(self, _: s.InputEnded) -> list[s.Effect]:
        self._input_over = True
        return self._settle()

    # --- the answer ---------------------------------------------------------------------------------------

    def _response_created(self, event: told.ResponseCreated) -> list[s.Effect]:
        self._responses.created(event.response.id)
        self._turn_open = True
        if self._cancel_next:
            self._cancel_next = False
            return self._interrupt()
        return self._go(Trigger.ASKED)

    def _text_delta(self, event: told.OutputTextDelta | told.OutputTranscriptDelta) -> list[s.Effect]:
        if self._playback.is_cut(event.response_id, event.item_id):
            return []
        entry = self.items[event.item_id]
        entry.role = "assistant"
        entry.text += event.delta
        entry.spoken = entry.spoken or isinstance(event, told.OutputTranscriptDelta)
        return [*self._go(Trigger.ANSWER), self._show_assistant(entry)]

    def _text_done(self, event: told.OutputTextDone | told.OutputTranscriptDone) -> list[s.Effect]:
        if self._playback.is_cut(event.response_id, event.item_id):
            return []
        entry = self.items[event.item_id]
        whole = event.transcript if isinstance(event, told.OutputTranscriptDone) else event.text
        if entry.closed or whole == entry.text or len(entry.parts) > 1:
            return []
        entry.role, entry.text = "assistant", whole
        entry.spoken = entry.spoken or isinstance(event, told.OutputTranscriptDone)
        return [self._show_assistant(entry)]

    def _audio_delta(self, event: told.OutputAudioDelta) -> list[s.Effect]:
        part = self._playback.received(event.response_id, event.item_id, event.content_index, event.delta)
        if part is None:
            truncate = self._playback.late(event.item_id, event.content_index)
            return [s.Send(truncate)] if truncate is not None else []
        entry = self.items[event.item_id]
        entry.role, entry.spoken = "assistant", True
        return [s.Play(event.item_id, event.content_index, event.delta), *self._go(Trigger.ANSWER)]

    def _audio_done(self, event: told.OutputAudioDone) -> list[s.Effect]:
        self._playback.complete(event.item_id, event.content_index)
        return [] if self._playback.is_cut(event.response_id, event.item_id) else [s.Drain(event.item_id)]

    def _output_item_done(self, event: told.OutputItemDone) -> list[s.Effect]:
        if isinstance(event.item, FunctionCallItem):
            self._calls.made(event.response_id, event.item)
        return []

    def _response_done(self, event: told.ResponseDone) -> list[s.Effect]:
        response = event.response
        self._responses.done(response.id)
        if response.usage is not None:
            self._usage = add_usage(self._usage, response.usage.model_dump(exclude_unset=True))
        effects = self._tell_status(response)
        effects += self._close_written(response)
        calls = [item for item in response.output or [] if isinstance(item, FunctionCallItem)]
        for call in self._calls.due(response.id, calls, cancelled=response.status == "cancelled"):
            running = ToolCalled(call.call_id or "", call.name, call.arguments, "", "running", 0)
            effects.append(s.Show(running))
            effects.append(s.CallTool(call.call_id or "", call.name, call.arguments))
        if self._calls.pending:
            effects += self._go(Trigger.ASKED)
        return [*effects, *self._settle()]

    def _tell_status(self, response: told.Response) -> list[s.Effect]:
        details = response.status_details
        if response.status == "failed":
            error = details.error if details and details.error else told.StatusError()
            message = error.message or "The server could not answer."
            if error.code in PERMANENT:
                return [s.Refuse(error.code, message)]
            return [s.Show(ErrorTold(error.code, message, "Try again.", fatal=False))]
        if response.status == "incomplete":
            reason = details.reason if details and details.reason else "incomplete"
            return [s.Show(ErrorTold(reason, f"The answer was cut short ({reason}).", "", fatal=False))]
        return []

    def _close_written(self, response: told.Response) -> list[s.Effect]:
        """Items without sound are over with their response; those with sound when they were heard."""
        status: AssistantStatus = "completed"
        if response.status in ("cancelled", "failed"):
            status = "cancelled" if response.status == "cancelled" else "failed"
        effects: list[s.Effect] = []
        for item in response.output or []:
            entry = self.items.get(item.id) if item.id else None
            if entry is None or entry.role != "assistant":
                continue
            for part in entry.parts.values():
                part.complete = True
            if not entry.closed and not (entry.parts and self._playback.sounding):
                effects += self._close_entry(entry, status)
        return effects

    def _tool_done(self, done: s.ToolDone) -> list[s.Effect]:
        call = self._calls.answered(done.call_id)
        if call is None:
            return []
        effects: list[s.Effect] = [
            s.Show(ToolCalled(done.call_id, call.name, call.arguments, done.output, done.status, done.ms)),
            s.Send(ask.ItemCreate(item=FunctionCallOutputItem(call_id=done.call_id, output=done.output))),
        ]
        # Several calls of one response: all outputs, then ONE response.create.
        return effects if self._calls.pending else [*effects, *self._want(Want())]

    # --- playback -----------------------------------------------------------------------------------------

    def _heard(self, heard: s.Heard) -> list[s.Effect]:
        entry = self._playback.heard(heard)
        return [] if entry is None else [self._show_assistant(entry)]

    def _drained(self, _: s.Drained) -> list[s.Effect]:
        effects: list[s.Effect] = []
        for entry in self._playback.drained():
            if entry.closed:
                continue
            if self._responses.active is not None and not all(p.complete for p in entry.parts.values()):
                effects.append(self._show_assistant(entry))
            else:
                effects += self._close_entry(entry, "completed")
        return [*effects, *self._settle()]

    def _interrupt_pressed(self, _: s.InterruptPressed) -> list[s.Effect]:
        return [*self._interrupt(), *self._settle()]

    def _interrupt(self) -> list[s.Effect]:
        """Stop the answer by the user's key: the server does not know yet."""
        effects: list[s.Effect] = []
        active = self._responses.active
        if active is not None:
            effects.append(s.Send(ask.ResponseCancel(response_id=active)))
        elif self._responses.asked:
            self._cancel_next = True
        return [*self._cut(), *effects]

    def _cut(self) -> list[s.Effect]:
        """Barge-in: silence first, then tell the server what was heard."""
        effects: list[s.Effect] = [s.Flush()] if self._playback.sounding else []
        verdicts = self._playback.cut(self._responses.active)
        effects += [s.Send(event) for _, _, event in verdicts if event is not None]
        cut = [entry for entry, was_cut, _ in verdicts if was_cut]
        if cut:
            effects.append(s.Show(Interruption(cut[0].item_id, cut[0].heard_ms, None, None)))
        for entry, was_cut, _ in verdicts:
            effects += self._close_entry(entry, "interrupted" if was_cut else "completed")
        return effects

    # --- common -------------------------------------------------------------------------------------------

    def _want(self, want: Want) -> list[s.Effect]:
        self._turn_open = True
        effects: list[s.Effect] = [s.Send(event) for event in self._responses.want(want)]
        return [*effects, *self._go(Trigger.ASKED)]

    def _settle(self) -> list[s.Effect]:
        """Send what has waited for its turn; when nothing is left to wait for, the turn is over."""
        effects: list[s.Effect] = [s.Send(event) for event in self._responses.next()]
        if effects:
            return [*effects, *self._go(Trigger.ASKED)]
        if self._responses.hold or self.state in (State.CONNECTING, State.HEARING) or self._playback.sounding:
            return []
        if self._responses.busy or self._calls.pending:
            return self._go(Trigger.ASKED)
        effects = self._go(Trigger.QUIET)
        if self._turn_open:
            self._turn_open = False
            usage, self._usage = self._usage, {}
            effects.append(s.Show(TurnEnded({}, usage, 0.0)))
        if self._input_over and not self._awaits_words():
            effects.append(s.End("done"))
        return effects

    def _awaits_words(self) -> bool:
        return any(entry.role == "user" and not entry.closed for entry in self.items.ordered())

    def _close_entry(self, entry: Entry, status: AssistantStatus) -> list[s.Effect]:
        entry.closed = True
        return [self._show_assistant(entry, status)]

    def _show_assistant(self, entry: Entry, status: AssistantStatus = "in_progress") -> s.Show:
        notice = AssistantSaid(
            item_id=entry.item_id,
            text=entry.text,
            heard_text=entry.heard_text,
            heard_ms=entry.heard_ms,
            generated_ms=entry.received_ms,
            status=status,
            final=entry.closed,
        )
        return s.Show(notice)

    def _go(self, trigger: Trigger) -> list[s.Effect]:
        still_sounding = trigger is Trigger.ASKED and self.state is State.SPEAKING and self._playback.sounding
        self.state = self.state if still_sounding else after(self.state, trigger)
        return self._show_state()

    def _show_state(self) -> list[s.Effect]:
        shown = self.state
        if self._gate.muted and shown in (State.LISTENING, State.HEARING):
            shown = State.MUTED
        notice = StateChanged(str(shown))
        if notice == self._shown:
            return []
        self._shown = notice
        return [s.Show(notice)]


def _text_of(item: Any) -> str | None:
    """The words of a message, where the item itself carries them."""
    if not isinstance(item, MessageItem):
        return None
    words = [part.text or part.transcript for part in item.content if part.text or part.transcript]
    return " ".join(word for word in words if word) if words else None
