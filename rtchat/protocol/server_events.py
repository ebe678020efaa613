"""Events that the server sends in conversation and transcription sessions.

The recorded order of each kind of turn is in docs/protocol.md. Match by `item_id` and `response_id`, never by
arrival: transcripts come before their item, in the middle of the answer, or never.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, field_validator

from rtchat.protocol.base import Audio, Event, Model
from rtchat.protocol.config import ResponseAudio, Session
from rtchat.protocol.items import ContentPart, Item

# --- session ----------------------------------------------------------------------------------------------


class SessionCreated(Event):
    """The first event. A `session` of a shape that this version does not know stays a dict."""

    type: Literal["session.created"] = "session.created"
    session: Session | dict[str, Any]


class SessionUpdated(Event):
    """The whole session after an update."""

    type: Literal["session.updated"] = "session.updated"
    session: Session | dict[str, Any]


class ErrorDetail(Model):
    """What went wrong. `event_id` is the client event's that caused it."""

    type: str = "invalid_request_error"
    code: str | None = None
    message: str = ""
    param: str | None = None
    event_id: str | None = None

    @field_validator("type", "message", mode="before")
    @classmethod
    def _null_is_empty(cls, value: Any) -> Any:
        """A failed transcription may carry null here; the failure must not get lost for it."""
        return "" if value is None else value


class ErrorEvent(Event):
    """An error. The session goes on unless the socket closes with it."""

    type: Literal["error"] = "error"
    error: ErrorDetail


# --- conversation -----------------------------------------------------------------------------------------


class ConversationReference(Model):
    """`conversation.created`'s body."""

    id: str | None = None
    object: str | None = None


class ConversationCreated(Event):
    """Legacy; not sent by the service of today."""

    type: Literal["conversation.created"] = "conversation.created"
    conversation: ConversationReference


class ItemCreatedLegacy(Event):
    """Legacy name of `conversation.item.added`; `wire` turns it into that."""

    type: Literal["conversation.item.created"] = "conversation.item.created"
    previous_item_id: str | None = None
    item: Item


class ItemAdded(Event):
    """An item is in the conversation, after `previous_item_id` (None: first)."""

    type: Literal["conversation.item.added"] = "conversation.item.added"
    previous_item_id: str | None = None
    item: Item


class ItemDone(Event):
    """An item is complete, or cut short (`status` incomplete)."""

    type: Literal["conversation.item.done"] = "conversation.item.done"
    previous_item_id: str | None = None
    item: Item


class ItemDeleted(Event):
    """An item is gone."""

    type: Literal["conversation.item.deleted"] = "conversation.item.deleted"
    item_id: str


class ItemRetrieved(Event):
    """The answer to `conversation.item.retrieve`."""

    type: Literal["conversation.item.retrieved"] = "conversation.item.retrieved"
    item: Item


class ItemTruncated(Event):
    """An item's audio was cut; the server forgot the transcript of the rest."""

    type: Literal["conversation.item.truncated"] = "conversation.item.truncated"
    item_id: str
    content_index: int
    audio_end_ms: int


class LogProb(Model):
    """How sure the transcription is of a token."""

    token: str
    logprob: float
    bytes: list[int] | None = None


class TranscriptionDelta(Event):
    """More of the user's words."""

    type: Literal["conversation.item.input_audio_transcription.delta"] = (
        "conversation.item.input_audio_transcription.delta"
    )
    item_id: str
    content_index: int | None = None
    delta: str | None = None
    logprobs: list[LogProb] | None = None
    obfuscation: str | None = None


class TranscriptionCompleted(Event):
    """All of the user's words. `usage` has `type` `tokens` or `duration`."""

    type: Literal["conversation.item.input_audio_transcription.completed"] = (
        "conversation.item.input_audio_transcription.completed"
    )
    item_id: str
    content_index: int
    transcript: str
    usage: dict[str, Any] | None = None
    logprobs: list[LogProb] | None = None
    languages: list[Any] | None = None


class TranscriptionFailed(Event):
    """The user's words will stay unknown; the answer comes all the same."""

    type: Literal["conversation.item.input_audio_transcription.failed"] = (
        "conversation.item.input_audio_transcription.failed"
    )
    item_id: str
    content_index: int
    error: ErrorDetail


class TranscriptionSegment(Event):
    """A stretch of one speaker (diarization); `start` and `end` in seconds."""

    type: Literal["conversation.item.input_audio_transcription.segment"] = (
        "conversation.item.input_audio_transcription.segment"
    )
    item_id: str
    content_index: int
    id: str
    speaker: str
    text: str
    start: float
    end: float


# --- input audio ------------------------------------------------------------------------------------------


class SpeechStarted(Event):
    """The user speaks. `audio_start_ms`: position in all appended sound, padding subtracted."""

    type: Literal["input_audio_buffer.speech_started"] = "input_audio_buffer.speech_started"
    item_id: str
    audio_start_ms: int


class SpeechStopped(Event):
    """The user stopped, `silence_duration_ms` ago."""

    type: Literal["input_audio_buffer.speech_stopped"] = "input_audio_buffer.speech_stopped"
    item_id: str
    audio_end_ms: int


class InputAudioCommitted(Event):
    """What was appended becomes the item `item_id`."""

    type: Literal["input_audio_buffer.committed"] = "input_audio_buffer.committed"
    item_id: str
    previous_item_id: str | None = None


class InputAudioCleared(Event):
    """What was appended is forgotten."""

    type: Literal["input_audio_buffer.cleared"] = "input_audio_buffer.cleared"


class InputAudioTimeout(Event):
    """Nobody spoke for `idle_timeout_ms`."""

    type: Literal["input_audio_buffer.timeout_triggered"] = "input_audio_buffer.timeout_triggered"
    item_id: str
    audio_start_ms: int
    audio_end_ms: int


class DtmfReceived(Event):
    """A telephone key was pressed (SIP). Carries no `event_id`; `received_at` is in Unix seconds."""

    type: Literal["input_audio_buffer.dtmf_event_received"] = "input_audio_buffer.dtmf_event_received"
    event: str
    received_at: int


# --- output audio buffer (WebRTC and SIP: the server owns playback) ---------------------------------------


class OutputAudioStarted(Event):
    """The server began to play."""

    type: Literal["output_audio_buffer.started"] = "output_audio_buffer.started"
    response_id: str


class OutputAudioStopped(Event):
    """The server has played all of it."""

    type: Literal["output_audio_buffer.stopped"] = "output_audio_buffer.stopped"
    response_id: str


class OutputAudioCleared(Event):
    """The server stopped playing before the end."""

    type: Literal["output_audio_buffer.cleared"] = "output_audio_buffer.cleared"
    response_id: str


# --- responses --------------------------------------------------------------------------------------------


class Usage(Model):
    """Tokens of a response, as the API counts them; details are kept as they come."""

    model_config = ConfigDict(extra="allow")

    total_tokens: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    input_token_details: dict[str, Any] | None = None
    output_token_details: dict[str, Any] | None = None

    @field_validator("total_tokens", "input_tokens", "output_tokens", mode="before")
    @classmethod
    def _null_is_none_used(cls, value: Any) -> Any:
        return 0 if value is None else value


class StatusError(Model):
    """Why a response failed."""

    type: str | None = None
    code: str | None = None
    message: str | None = None


class StatusDetails(Model):
    """Why a response ended as it did.

    `reason`: turn_detected, client_cancelled, max_output_tokens or content_filter.
    """

    type: str | None = None
    reason: str | None = None
    error: StatusError | None = None


class Response(Model):
    """A response. `status`: in_progress, completed, cancelled, incomplete or failed.

    Read loosely: a `response.done` that is lost for a value of tomorrow would leave the conversation waiting.
    """

    id: str
    object: str | None = None
    status: str | None = None
    status_details: StatusDetails | None = None
    output: list[Item] | None = None
    conversation_id: str | None = None
    output_modalities: Sequence[str] | None = None
    max_output_tokens: int | Literal["inf"] | None = None
    audio: ResponseAudio | None = None
    usage: Usage | None = None
    metadata: dict[str, str] | None = None


class ResponseCreated(Event):
    """An answer begins."""

    type: Literal["response.created"] = "response.created"
    response: Response


class ResponseDone(Event):
    """The server has made all of it, which is not the end of playback."""

    type: Literal["response.done"] = "response.done"
    response: Response


class OutputItemAdded(Event):
    """An item of the answer begins."""

    type: Literal["response.output_item.added"] = "response.output_item.added"
    response_id: str
    output_index: int
    item: Item


class OutputItemDone(Event):
    """An item of the answer is made, or cut short."""

    type: Literal["response.output_item.done"] = "response.output_item.done"
    response_id: str
    output_index: int
    item: Item


class PartEvent(Event):
    """Fields that say which content part of which item of which response."""

    response_id: str
    item_id: str
    output_index: int
    content_index: int


class ContentPartAdded(PartEvent):
    """A part begins; its `type` is `text` or `audio`."""

    type: Literal["response.content_part.added"] = "response.content_part.added"
    part: ContentPart


class ContentPartDone(PartEvent):
    """A part is made."""

    type: Literal["response.content_part.done"] = "response.content_part.done"
    part: ContentPart


class OutputTextDelta(PartEvent):
    """More text."""

    type: Literal["response.output_text.delta"] = "response.output_text.delta"
    delta: str
    obfuscation: str | None = None


class OutputTextDone(PartEvent):
    """All of the text."""

    type: Literal["response.output_text.done"] = "response.output_text.done"
    text: str


class OutputAudioDelta(PartEvent):
    """More sound, in the session's output format; it comes faster than real time."""

    type: Literal["response.output_audio.delta"] = "response.output_audio.delta"
    delta: Audio


class OutputAudioDone(PartEvent):
    """No more sound of this part."""

    type: Literal["response.output_audio.done"] = "response.output_audio.done"


class OutputTranscriptDelta(PartEvent):
    """More of the words spoken; they lead the sound."""

    type: Literal["response.output_audio_transcript.delta"] = "response.output_audio_transcript.delta"
    delta: str
    obfuscation: str | None = None


class OutputTranscriptDone(PartEvent):
    """All of the words spoken."""

    type: Literal["response.output_audio_transcript.done"] = "response.output_audio_transcript.done"
    transcript: str


class FunctionArgumentsDelta(Event):
    """More of a function call's arguments."""

    type: Literal["response.function_call_arguments.delta"] = "response.function_call_arguments.delta"
    response_id: str
    item_id: str
    output_index: int
    call_id: str
    delta: str
    obfuscation: str | None = None


class FunctionArgumentsDone(Event):
    """All of a function call's arguments. Act on the finished response, not on this."""

    type: Literal["response.function_call_arguments.done"] = "response.function_call_arguments.done"
    response_id: str
    item_id: str
    output_index: int
    call_id: str
    name: str | None = None
    arguments: str


class RateLimit(Model):
    """One limit; `reset_seconds` until it is full again."""

    name: str | None = None
    limit: int | None = None
    remaining: int | None = None
    reset_seconds: float | None = None


class RateLimitsUpdated(Event):
    """Comes 30 to 45 ms after `response.done`."""

    type: Literal["rate_limits.updated"] = "rate_limits.updated"
    rate_limits: list[RateLimit]


# --- MCP --------------------------------------------------------------------------------------------------


class McpListToolsInProgress(Event):
    """The server is asking an MCP server for its tools."""

    type: Literal["mcp_list_tools.in_progress"] = "mcp_list_tools.in_progress"
    item_id: str


class McpListToolsCompleted(Event):
    """The tools can be relied on."""

    type: Literal["mcp_list_tools.completed"] = "mcp_list_tools.completed"
    item_id: str


class McpListToolsFailed(Event):
    """That MCP server did not answer."""

    type: Literal["mcp_list_tools.failed"] = "mcp_list_tools.failed"
    item_id: str


class McpArgumentsDelta(Event):
    """More of an MCP call's arguments."""

    type: Literal["response.mcp_call_arguments.delta"] = "response.mcp_call_arguments.delta"
    response_id: str
    item_id: str
    output_index: int
    delta: str
    obfuscation: str | None = None


class McpArgumentsDone(Event):
    """All of an MCP call's arguments."""

    type: Literal["response.mcp_call_arguments.done"] = "response.mcp_call_arguments.done"
    response_id: str
    item_id: str
    output_index: int
    arguments: str


class McpCallInProgress(Event):
    """An MCP call runs. These three carry no `response_id`."""

    type: Literal["response.mcp_call.in_progress"] = "response.mcp_call.in_progress"
    item_id: str
    output_index: int


class McpCallCompleted(Event):
    """It answered."""

    type: Literal["response.mcp_call.completed"] = "response.mcp_call.completed"
    item_id: str
    output_index: int


class McpCallFailed(Event):
    """It did not."""

    type: Literal["response.mcp_call.failed"] = "response.mcp_call.failed"
    item_id: str
    output_index: int


class UnknownEvent(Event):
    """An event of a type that this version does not know, or cannot read: kept, passed on, never fatal."""

    type: str
    raw: dict[str, Any]


KnownServerEvent = Annotated[
    SessionCreated
    | SessionUpdated
    | ErrorEvent
    | ConversationCreated
    | ItemCreatedLegacy
    | ItemAdded
    | ItemDone
    | ItemDeleted
    | ItemRetrieved
    | ItemTruncated
    | TranscriptionDelta
    | TranscriptionCompleted
    | TranscriptionFailed
    | TranscriptionSegment
    | SpeechStarted
    | SpeechStopped
    | InputAudioCommitted
    | InputAudioCleared
    | InputAudioTimeout
    | DtmfReceived
    | OutputAudioStarted
    | OutputAudioStopped
    | OutputAudioCleared
    | ResponseCreated
    | ResponseDone
    | OutputItemAdded
    | OutputItemDone
    | ContentPartAdded
    | ContentPartDone
    | OutputTextDelta
    | OutputTextDone
    | OutputAudioDelta
    | OutputAudioDone
    | OutputTranscriptDelta
    | OutputTranscriptDone
    | FunctionArgumentsDelta
    | FunctionArgumentsDone
    | RateLimitsUpdated
    | McpListToolsInProgress
    | McpListToolsCompleted
    | McpListToolsFailed
    | McpArgumentsDelta
    | McpArgumentsDone
    | McpCallInProgress
    | McpCallCompleted
    | McpCallFailed,
    Field(discriminator="type"),
]

ServerEvent = KnownServerEvent | UnknownEvent
