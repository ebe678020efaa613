"""Events that a client sends in conversation and transcription sessions.

`event_id` may be set on any of them; the server's `error` names it.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from rtchat.protocol.base import Audio, Event
from rtchat.protocol.config import ResponseParams, Session
from rtchat.protocol.items import Item


class SessionUpdate(Event):
    """Change the session. A rejected update changes nothing at all."""

    type: Literal["session.update"] = "session.update"
    session: Session


class InputAudioAppend(Event):
    """More sound of the microphone, in the session's input format; at most 15 MiB."""

    type: Literal["input_audio_buffer.append"] = "input_audio_buffer.append"
    audio: Audio


class InputAudioCommit(Event):
    """Make an item of what was appended; at least 100 ms."""

    type: Literal["input_audio_buffer.commit"] = "input_audio_buffer.commit"


class InputAudioClear(Event):
    """Forget what was appended."""

    type: Literal["input_audio_buffer.clear"] = "input_audio_buffer.clear"


class OutputAudioClear(Event):
    """Stop the server's playback (WebRTC and SIP only)."""

    type: Literal["output_audio_buffer.clear"] = "output_audio_buffer.clear"


class ItemCreate(Event):
    """Insert an item: at the end, after `previous_item_id`, or first (`"root"`)."""

    type: Literal["conversation.item.create"] = "conversation.item.create"
    previous_item_id: str | None = None
    item: Item


class ItemRetrieve(Event):
    """Ask for an item, with its sound."""

    type: Literal["conversation.item.retrieve"] = "conversation.item.retrieve"
    item_id: str


class ItemTruncate(Event):
    """Cut an assistant's audio at what was heard (milliseconds of that part)."""

    type: Literal["conversation.item.truncate"] = "conversation.item.truncate"
    item_id: str
    content_index: int
    audio_end_ms: int


class ItemDelete(Event):
    """Remove an item."""

    type: Literal["conversation.item.delete"] = "conversation.item.delete"
    item_id: str


class ResponseCreate(Event):
    """Ask for an answer."""

    type: Literal["response.create"] = "response.create"
    response: ResponseParams | None = None


class ResponseCancel(Event):
    """Stop an answer: the one named, or the active one."""

    type: Literal["response.cancel"] = "response.cancel"
    response_id: str | None = None


ClientEvent = Annotated[
    SessionUpdate
    | InputAudioAppend
    | InputAudioCommit
    | InputAudioClear
    | OutputAudioClear
    | ItemCreate
    | ItemRetrieve
    | ItemTruncate
    | ItemDelete
    | ResponseCreate
    | ResponseCancel,
    Field(discriminator="type"),
]
