"""The server's side of a conversation: told inputs, asks for effects."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rtchat.protocol import client_events as ask
from rtchat.protocol import server_events as ev
from rtchat.protocol.config import RealtimeSession
from rtchat.protocol.items import McpApprovalResponseItem
from rtchat.server.dialogue.answers import Answers
from rtchat.server.dialogue.checks import Rejected, read
from rtchat.server.dialogue.context import Context
from rtchat.server.dialogue.items import entry_of, id_is_taken
from rtchat.server.dialogue.listening import Listening
from rtchat.server.dialogue.refusals import binary_frame, expired
from rtchat.server.dialogue.settings import Kind, Settings
from rtchat.server.dialogue.signals import (
    BinaryFrame,
    Close,
    Deaf,
    Detected,
    Effect,
    Emit,
    Expired,
    Frame,
    Input,
    Judged,
    NotRecognised,
    Recognised,
    SoFar,
    Spoke,
    ToolCalled,
    ToolFailed,
    ToolsListed,
    ToolsNotListed,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from rtchat.protocol.client_events import ClientEvent


class Dialogue:
    """One session.

    Args:
        model: The session's model.
        new_id: Makes an id with a prefix: `event` gives `event_` and 21 random characters.
        expires_at: When the session ends, in Unix seconds.
        kind: Conversation or transcription.
        preset: What the session starts with, as the update that would have made it so.
        no_mcp: Why MCP servers are not called, as a sentence; None when they are.
        listens: The recogniser hears turns while they are spoken (`Listen`).
    """

    def __init__(
        self,
        *,
        model: str,
        new_id: Callable[[str], str],
        expires_at: int,
        kind: Kind = "realtime",
        preset: ask.SessionUpdate | None = None,
        no_mcp: str | None = None,
        listens: bool = False,
    ) -> None:
        settings = Settings(kind=kind, model=model, session_id=new_id("sess"), expires_at=expires_at)
        self._context = Context(settings, model, new_id, new_id("conv"), listens, no_mcp=no_mcp)
        self._listening = Listening(self._context)
        self._answers = Answers(self._context, self._listening.hearing)
        self._sounding: float | None = None  # position at which the active response's sound began
        self._preset = preset

    @property
    def heard_ms(self) -> float:
        """Sound of the client so far."""
        return self._listening.position_ms

    @property
    def conversation_id(self) -> str:
        """Of the conversation."""
        return self._context.conversation_id

    def start(self) -> list[Effect]:
        """The first event, and what follows from the preset.

        Raises:
            Rejected: The session cannot start like that.
        """
        follows = self._update(self._preset) if self._preset else []
        created = self._context.emit(ev.SessionCreated, session=self._context.settings.session)
        return [created, *(effect for effect in follows if not _is_updated(effect))]

    def receive(self, told: Input) -> list[Effect]:
        """What follows from an input."""
        before = self._answers.active
        if isinstance(told, Spoke) and before is not None and told.response_id == before.id:
            self._sounding = self._listening.position_ms if self._sounding is None else self._sounding
        effects = self._receive(told)
        after = self._answers.active
        if before is not None and after is not before:
            began, self._sounding = self._sounding, None
            position = self._listening.position_ms
            self._listening.answered(audio_ms=before.audio_ms, began_ms=position if began is None else began)
        if after is not None:
            self._listening.answering()
        return effects

    def _receive(self, told: Input) -> list[Effect]:
        if isinstance(told, Frame):
            return self._frame(told.text)
        if isinstance(told, Detected):
            return [effect for probability in told.probabilities for effect in self._window(probability)]
        if isinstance(told, Judged | SoFar):
            return self._listening.told(told)
        if isinstance(told, Recognised | NotRecognised):
            failure = told.reason if isinstance(told, NotRecognised) else None
            item_id = self._listening.hearing.item_of(told.key)
            return [*self._listening.told(told), *self._answers.understood(item_id, failure)]
        if isinstance(told, ToolsListed | ToolsNotListed):
            return [*self._context.mcp.told(told), *self._answers.understood(told.key)]
        if isinstance(told, ToolCalled | ToolFailed):
            return self._answers.calls.told(told)
        if isinstance(told, Deaf):
            self._listening.deaf()
            return [self._context.error(Rejected("engine_error", told.reason, kind="server_error"))]
        if isinstance(told, BinaryFrame):
            return [self._context.error(binary_frame())]
        if isinstance(told, Expired):
            return [self._context.error(expired(told.sentence)), Close(1001, "session_expired")]
        return self._answers.receive(told)  # type: ignore[arg-type]

    def _frame(self, text: str) -> list[Effect]:
        event: ClientEvent | None = None
        try:
            event = read(text)
            return self._event(event, len(text))
        except Rejected as rejected:
            if event is not None:
                rejected.event_id = event.event_id
            return [self._context.error(rejected)]

    def _event(self, event: ClientEvent, size: int) -> list[Effect]:
        match event:
            case ask.InputAudioAppend():
                return self._listening.append(event.audio)
            case ask.InputAudioCommit():
                return self._listening.commit()
            case ask.InputAudioClear():
                return self._listening.clear()
            case ask.SessionUpdate():
                return self._update(event)
            case ask.ResponseCreate():
                return self._answers.create(event.response, size)
            case ask.ResponseCancel():
                return self._answers.cancel(event.response_id, "client_cancelled")
            case _:
                return self._item(event)

    def _item(self, event: ClientEvent) -> list[Effect]:
        context = self._context
        match event:
            case ask.ItemCreate():
                return self._create(event)
            case ask.ItemRetrieve():
                hears, speaks = context.settings.input_format, context.settings.output_format
                item = context.store.retrieve(event.item_id, input_format=hears, output_format=speaks)
                return [context.emit(ev.ItemRetrieved, item=item)]
            case ask.ItemDelete():
                deleted = context.store.delete(event.item_id)
                told: list[Effect] = [context.emit(ev.ItemDeleted, item_id=event.item_id)]
                told += self._listening.hearing.drop(deleted)
                return told + self._answers.understood(event.item_id)
            case ask.ItemTruncate():
                where = event.model_dump(include={"item_id", "content_index", "audio_end_ms"})
                context.store.truncate(**where)
                return [context.emit(ev.ItemTruncated, **where)]
            case _:
                raise Rejected("invalid_value", f"'{event.type}' is for WebRTC and SIP only.", "type")

    def _update(self, event: ask.SessionUpdate) -> list[Effect]:
        context = self._context
        tools = event.session.tools if isinstance(event.session, RealtimeSession) else None
        context.mcp.check(tools, "session.tools")
        context.settings.update(event.session, voice_fixed=context.fixed_voice is not None)
        before, after = context.mcp.configure(tools) if tools is not None else ([], [])
        updated = context.emit(ev.SessionUpdated, session=context.settings.session)
        return [*self._listening.configure(), *before, updated, *after]

    def _create(self, event: ask.ItemCreate) -> list[Effect]:
        context = self._context
        decision = event.item if isinstance(event.item, McpApprovalResponseItem) else None
        if decision:
            self._answers.calls.check(decision)
        entry = entry_of(event.item, context.new_id, context.settings.input_format)
        if entry.id == self._listening.item_id:
            raise id_is_taken(entry.id)
        context.store.check_room(entry)
        if entry.awaits_words:
            self._listening.hearing.check_room(len(entry.sound))
        previous = context.store.add(entry, after=event.previous_item_id)
        effects: list[Effect] = [
            context.emit(shown, previous_item_id=previous, item=entry.item) for shown in (ev.ItemAdded, ev.ItemDone)
        ]
        if decision:
            effects += self._answers.calls.decide(decision)
        return [*effects, *self._listening.hearing.begin(entry)] if entry.awaits_words else effects

    def _window(self, probability: float) -> list[Effect]:
        happened, effects = self._listening.detected(probability)
        detection = self._context.settings.turn_detection
        if happened == "started" and detection and detection.interrupt_response is not False:
            if self._answers.active:
                effects += self._answers.cancel(None, "turn_detected")
        elif happened in ("stopped", "idle") and detection and self._answers_turns(detection.create_response):
            try:
                effects += self._answers.create(None)
            except Rejected as rejected:  # docs: "this may fail … if the model is already responding"
                effects.append(self._context.error(rejected))
        return effects

    def _answers_turns(self, create_response: bool | None) -> bool:
        return self._context.settings.kind == "realtime" and create_response is not False


def _is_updated(effect: Effect) -> bool:
    return isinstance(effect, Emit) and isinstance(effect.event, ev.SessionUpdated)
