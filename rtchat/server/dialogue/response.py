"""One response under way: its items, and the order of its events (docs/protocol.md, order of server events)."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import inf
from typing import Any, Literal

from rtchat.chunk import WIRE
from rtchat.protocol import server_events as ev
from rtchat.protocol.base import Event
from rtchat.protocol.config import ResponseAudio, ResponseAudioOutput
from rtchat.protocol.items import ContentPart, FunctionCallItem, McpCallItem, MessageItem
from rtchat.server.dialogue.heard import CHARACTERS_PER_SECOND, Said
from rtchat.server.dialogue.items import Entry, Store
from rtchat.server.dialogue.pieces import pieces, words
from rtchat.server.dialogue.plan import Plan
from rtchat.server.dialogue.sentences import Sentences
from rtchat.server.dialogue.sound import Encoder
from rtchat.server.dialogue.usage import ASSISTANT_MS_PER_TOKEN, CHARACTERS_PER_TOKEN, NOTHING, text_tokens, usage
from rtchat.server.engines.base import ToolCall, WordMark

Status = Literal["completed", "cancelled", "incomplete", "failed"]
NewId = Callable[[str], str]


@dataclass(slots=True)
class _Message:
    """The message being made: `text` is what its events have said, the first of `to_say` is being spoken."""

    entry: Entry
    output_index: int
    text: list[str] = field(default_factory=list)
    to_say: deque[Said] = field(default_factory=deque)


class Answer:
    """A response under way. Every method gives the events that follow from it.

    Args:
        plan: What it is to be.
        store: The conversation, where its items go unless it is out of band.
        new_id: Makes ids.
        conversation_id: Of the conversation.
    """

    def __init__(self, plan: Plan, store: Store, new_id: NewId, conversation_id: str) -> None:
        self.id = new_id("resp")
        self.plan = plan
        self.waits_for: set[str] = set()
        self.given = NOTHING
        self.cached = NOTHING  # of what it was given
        self.thought_over = False
        self.cut_short: str | None = None  # why no more is taken of it
        self.sentences = Sentences()
        self._store = store
        self._new_id = new_id
        self._conversation_id = conversation_id if plan.in_conversation else None
        self._message: _Message | None = None
        self._entries: list[Entry] = []
        self._text_tokens = 0
        self._audio_ms = 0.0
        self._encoder = Encoder(str(plan.format.type))

    @property
    def finished_work(self) -> bool:
        """Nothing is left to think or to say."""
        return self.thought_over and not (self._message and self._message.to_say)

    @property
    def calls(self) -> list[str]:
        """The calls that it has made of the client's functions: their `call_id`s."""
        return [str(one.item.call_id) for one in self._entries if isinstance(one.item, FunctionCallItem)]

    @property
    def has_called(self) -> bool:
        """It has called a function, or a tool of an MCP server."""
        return any(isinstance(entry.item, FunctionCallItem | McpCallItem) for entry in self._entries)

    @property
    def entries(self) -> Sequence[Entry]:
        """Its items so far."""
        return self._entries

    @property
    def audio_ms(self) -> float:
        """Sound made so far."""
        return self._audio_ms

    def created(self) -> list[Event]:
        """It begins."""
        return [ev.ResponseCreated(event_id=self._new_id("event"), response=self._response("in_progress"))]

    def fitting(self, text: str) -> str:
        """The words of this text for which `max_output_tokens` leaves room, with their sound."""
        limit = self.plan.max_output_tokens
        if limit == "inf":
            return text
        each = 1 / CHARACTERS_PER_TOKEN
        if self.plan.modality == "audio":
            each += 1000 / CHARACTERS_PER_SECOND / ASSISTANT_MS_PER_TOKEN
        room = int(limit / each) - self._text_tokens * CHARACTERS_PER_TOKEN
        if len(text) <= room:
            return text
        return "".join(word for word in words(text[: max(room, 0)] + "…") if "…" not in word)

    @property
    def full(self) -> bool:
        """Its sound has taken all the room that `max_output_tokens` gives."""
        return self._room_ms() <= 0

    def add_text(self, text: str) -> list[Event]:
        """Text, of a spoken answer a sentence: its deltas, at once or when its turn to be spoken comes."""
        text = text if self._message else text.lstrip()
        if not text:
            return []
        events: list[Event] = [] if self._message else self._open_message()
        message = self._message
        assert message is not None
        self._text_tokens += text_tokens(text)
        if self.plan.modality == "text":
            message.text.append(text)
            return [*events, *(self._part(ev.OutputTextDelta, delta=word) for word in words(text))]
        message.to_say.append(Said(text))
        return [*events, *self._begin_piece()] if len(message.to_say) == 1 else events

    def add_sound(self, pcm: bytes) -> list[Event]:
        """Sound of the piece being spoken: 24 kHz PCM16."""
        message = self._message
        if message is None or not message.to_say or not pcm:
            return []
        if WIRE.ms(pcm) > (room := self._room_ms()):
            pcm = pcm[: WIRE.bytes_in(max(room, 0))]
        message.to_say[0].bytes += len(pcm)
        if not message.entry.cut:
            message.entry.sound += pcm
            message.entry.sound_ms += WIRE.ms(pcm)
        self._audio_ms += WIRE.ms(pcm)
        encoded = self._encoder.feed(pcm)
        return [self._part(ev.OutputAudioDelta, delta=encoded)] if encoded else []

    def mark(self, mark: WordMark) -> None:
        """When a word of the piece being spoken ends."""
        if self._message and self._message.to_say:
            self._message.to_say[0].marks.append(mark)

    def sound_done(self) -> list[Event]:
        """The piece has been spoken; the words of the next one lead its sound."""
        message = self._message
        if message is None or not message.to_say:
            return []
        message.to_say.popleft().whole = True
        return self._begin_piece() if message.to_say else []

    def add_call(self, call: ToolCall) -> list[Event]:
        """A function call, whole; a message before it stays open until it has been said."""
        output_index = len(self._entries)
        item = FunctionCallItem(
            id=self._new_id("item"),
            status="in_progress",
            name=call.name,
            call_id=self._new_id("call"),
            arguments="",
        )
        entry = Entry(item)
        events = self.begin_item(entry)
        self._text_tokens += text_tokens(call.arguments)
        where: dict[str, Any] = {"response_id": self.id, "output_index": output_index, "item_id": entry.id}
        where["call_id"] = item.call_id
        events += [self._event(ev.FunctionArgumentsDelta, **where, delta=piece) for piece in pieces(call.arguments)]
        events.append(self._event(ev.FunctionArgumentsDone, **where, name=call.name, arguments=call.arguments))
        entry.item = item.model_copy(update={"status": "completed", "arguments": call.arguments})
        return events + self.end_item(entry, output_index)

    def add_mcp_call(self, item: McpCallItem, arguments: str) -> tuple[Entry, int, list[Event]]:
        """A call to an MCP server, which may outlive the response: its entry, its index, the events so far."""
        entry, output_index = Entry(item), len(self._entries)
        events = self.begin_item(entry)
        self._text_tokens += text_tokens(arguments)
        where: dict[str, Any] = {"response_id": self.id, "output_index": output_index, "item_id": entry.id}
        events += [self._event(ev.McpArgumentsDelta, **where, delta=piece) for piece in pieces(arguments)]
        events.append(self._event(ev.McpArgumentsDone, **where, arguments=arguments))
        entry.item = item.model_copy(update={"arguments": arguments})
        return entry, output_index, events

    def add_item(self, entry: Entry) -> list[Event]:
        """An item that is whole at once."""
        output_index = len(self._entries)
        return self.begin_item(entry) + self.end_item(entry, output_index)

    def begin_item(self, entry: Entry) -> list[Event]:
        """Another item of its output, in the conversation too unless this is out of band."""
        where = {"response_id": self.id, "output_index": len(self._entries)}
        self._entries.append(entry)
        events = [self._event(ev.OutputItemAdded, **where, item=entry.item)]
        if self.plan.in_conversation:
            previous = self._store.add(entry)
            events.append(self._event(ev.ItemAdded, previous_item_id=previous, item=entry.item))
        return events

    def end_item(self, entry: Entry, output_index: int) -> list[Event]:
        """That item is as it will stay."""
        events: list[Event] = []
        if self.plan.in_conversation:
            previous = self._store.previous_id(entry.id)
            if previous is not None and self._store.begins_with_user(previous):
                previous = None  # recorded, in every session, of the first generated item after a single message
            events.append(self._event(ev.ItemDone, previous_item_id=previous, item=entry.item))
        done = self._event(ev.OutputItemDone, response_id=self.id, output_index=output_index, item=entry.item)
        return [*events, done]

    def finish(self, status: Status, reason: str | ev.StatusError | None = None) -> list[Event]:
        """It is over.

        Args:
            status: How.
            reason: `turn_detected`, `client_cancelled`, `max_output_tokens`; of an engine's failure, its sentence;
                of another failure, all of it.
        """
        if status == "cancelled" and not self._entries:
            # Recorded: an answer that was cancelled before its first output cost nothing.
            self.given = self.cached = NOTHING
        events = self._close_message(status) if self._message else []
        return [*events, self._event(ev.ResponseDone, response=self._response(status, reason))]

    def tokens(self) -> int:
        """All tokens that it took."""
        return self.given.total + self._text_tokens + int(self._audio_ms) // ASSISTANT_MS_PER_TOKEN

    # --- inside -------------------------------------------------------------------------------------------

    def _room_ms(self) -> float:
        limit = self.plan.max_output_tokens
        return inf if limit == "inf" else (limit - self._text_tokens) * ASSISTANT_MS_PER_TOKEN - self._audio_ms

    def _begin_piece(self) -> list[Event]:
        message = self._message
        assert message is not None
        piece = message.to_say[0]
        message.text.append(piece.text)
        if not message.entry.cut:
            message.entry.said.append(piece)
        return [self._part(ev.OutputTranscriptDelta, delta=word) for word in words(piece.text)]

    def _open_message(self) -> list[Event]:
        item = MessageItem(id=self._new_id("item"), status="in_progress", role="assistant", content=[])
        entry = Entry(item)
        self._message = _Message(entry, len(self._entries))
        events = self.begin_item(entry)
        part = (
            ContentPart(type="audio", transcript="")
            if self.plan.modality == "audio"
            else ContentPart(type="text", text="")
        )
        # From here on the item has its part, so that it can be truncated while it is made.
        entry.item = item.model_copy(update={"content": [self._content("")]})
        return [*events, self._part(ev.ContentPartAdded, part=part)]

    def _close_message(self, status: Status) -> list[Event]:
        message = self._message
        assert message is not None
        text = "".join(message.text)
        if self.plan.modality == "audio":
            part = ContentPart(type="audio", transcript=text)
            tail = self._encoder.finish() if status in ("completed", "incomplete") else b""
            events = [
                *([self._part(ev.OutputAudioDelta, delta=tail)] if tail else []),
                self._part(ev.OutputAudioDone),
                self._part(ev.OutputTranscriptDone, transcript=text),
            ]
        else:
            part = ContentPart(type="text", text=text)
            events = [self._part(ev.OutputTextDone, text=text)]
        events.append(self._part(ev.ContentPartDone, part=part))
        changes: dict[str, Any] = {"status": "completed" if status == "completed" else "incomplete"}
        if not message.entry.cut:
            changes["content"] = [self._content(text)]
        message.entry.item = message.entry.item.model_copy(update=changes)
        self._message = None
        return events + self.end_item(message.entry, message.output_index)

    def _content(self, text: str) -> ContentPart:
        if self.plan.modality == "audio":
            return ContentPart(type="output_audio", transcript=text)
        return ContentPart(type="output_text", text=text)

    def _part(self, event: type[ev.PartEvent], **fields: Any) -> Event:
        assert self._message is not None
        return event(
            event_id=self._new_id("event"),
            response_id=self.id,
            item_id=self._message.entry.id,
            output_index=self._message.output_index,
            content_index=0,
            **fields,
        )

    def _event(self, event: type[Event], **fields: Any) -> Event:
        return event(event_id=self._new_id("event"), **fields)

    def _response(self, status: str, reason: str | ev.StatusError | None = None) -> ev.Response:
        plan, over = self.plan, status != "in_progress"
        return ev.Response(
            object="realtime.response",
            id=self.id,
            status=status,
            status_details=_details(status, reason),
            output=[entry.item for entry in self._entries] if over else [],
            conversation_id=self._conversation_id,
            output_modalities=[plan.modality],
            max_output_tokens=plan.max_output_tokens,
            audio=ResponseAudio(output=ResponseAudioOutput(format=plan.format, voice=plan.shown_voice)),
            usage=usage(self.given, self._text_tokens, self._audio_ms, self.cached) if over else None,
            metadata=plan.metadata,
        )


def _details(status: str, reason: str | ev.StatusError | None) -> ev.StatusDetails | None:
    if isinstance(reason, ev.StatusError):
        return ev.StatusDetails(type=status, error=reason)
    if status == "failed":
        error = ev.StatusError(type="server_error", code="engine_error", message=reason)
        return ev.StatusDetails(type="failed", error=error)
    return ev.StatusDetails(type=status, reason=reason) if reason else None
