"""The session object, the parameters of a response, and what they are made of."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from rtchat.protocol.base import Model, Tagged
from rtchat.protocol.items import Item


class AudioPcm(Tagged):
    """Linear PCM16, mono, little-endian; only 24 000 Hz is served."""

    type: Literal["audio/pcm"] = "audio/pcm"
    rate: int | None = None


class AudioPcmu(Tagged):
    """G.711 mu-law, 8 kHz."""

    type: Literal["audio/pcmu"] = "audio/pcmu"


class AudioPcma(Tagged):
    """G.711 A-law, 8 kHz."""

    type: Literal["audio/pcma"] = "audio/pcma"


WireFormat = Annotated[AudioPcm | AudioPcmu | AudioPcma, Field(discriminator="type")]


class NoiseReduction(Tagged):
    """Noise reduction at the server. `near_field`: headset; `far_field`: a laptop's microphone."""

    type: Literal["near_field", "far_field"]
    strength: float | None = None


class Transcription(Model):
    """How the user's speech is written down (by another model, which may differ from what was understood)."""

    model: str | None = None
    language: str | None = None
    languages: list[str] | None = None
    prompt: str | None = None
    keywords: list[str] | None = None
    delay: Literal["minimal", "low", "medium", "high", "xhigh"] | None = None


class ServerVad(Tagged):
    """Turns by silence.

    Attributes:
        threshold: Probability of speech, 0 to 1, above which it counts.
        prefix_padding_ms: Sound kept from before the speech.
        silence_duration_ms: Silence that ends the turn.
        idle_timeout_ms: After this long without speech the assistant speaks up; None for never.
        create_response: Answer when a turn ends.
        interrupt_response: Speech cancels the answer under way.
    """

    type: Literal["server_vad"] = "server_vad"
    threshold: float | None = None
    prefix_padding_ms: int | None = None
    silence_duration_ms: int | None = None
    idle_timeout_ms: int | None = None
    create_response: bool | None = None
    interrupt_response: bool | None = None


class SemanticVad(Tagged):
    """Turns by what was said. The longest waits of low, medium and high eagerness are 8, 4 and 2 s."""

    type: Literal["semantic_vad"] = "semantic_vad"
    eagerness: Literal["low", "medium", "high", "auto"] | None = None
    create_response: bool | None = None
    interrupt_response: bool | None = None


TurnDetection = Annotated[ServerVad | SemanticVad, Field(discriminator="type")]


class AudioInput(Model):
    """`session.audio.input`. `turn_detection` explicitly None means push to talk."""

    format: WireFormat | None = None
    noise_reduction: NoiseReduction | None = None
    transcription: Transcription | None = None
    turn_detection: TurnDetection | None = None


class VoiceId(Model):
    """A custom voice."""

    id: str


class AudioOutput(Model):
    """`session.audio.output`. `speed` is 0.25 to 1.5."""

    format: WireFormat | None = None
    voice: str | VoiceId | None = None
    speed: float | None = None


class AudioConfig(Model):
    """`session.audio`."""

    input: AudioInput | None = None
    output: AudioOutput | None = None


class FunctionTool(Tagged):
    """A function that the client will run. `parameters` is a JSON schema."""

    type: Literal["function"] = "function"
    name: str | None = None
    description: str | None = None
    parameters: Any = None


class McpToolFilter(Model):
    """Some of an MCP server's tools."""

    tool_names: list[str] | None = None
    read_only: bool | None = None


class McpApprovalFilter(Model):
    """Which tools need approval, and which do not."""

    always: McpToolFilter | None = None
    never: McpToolFilter | None = None


class McpTool(Tagged):
    """Tools that the server itself calls over MCP."""

    type: Literal["mcp"] = "mcp"
    server_label: str
    server_url: str | None = None
    connector_id: str | None = None
    authorization: str | None = None
    headers: dict[str, str] | None = None
    server_description: str | None = None
    allowed_tools: list[str] | McpToolFilter | None = None
    allowed_callers: list[Literal["direct", "programmatic"]] | None = None
    require_approval: Literal["always", "never"] | McpApprovalFilter | None = None
    defer_loading: bool | None = None
    tunnel_id: str | None = None


Tool = Annotated[FunctionTool | McpTool, Field(discriminator="type")]


class ToolChoiceFunction(Tagged):
    """This function must be called."""

    type: Literal["function"] = "function"
    name: str


class ToolChoiceMcp(Tagged):
    """This MCP server (or this tool of it) must be called."""

    type: Literal["mcp"] = "mcp"
    server_label: str
    name: str | None = None


ToolChoice = (
    Literal["none", "auto", "required"] | Annotated[ToolChoiceFunction | ToolChoiceMcp, Field(discriminator="type")]
)


class TokenLimits(Model):
    """Limits of `RetentionRatio`."""

    post_instructions: int | None = None


class RetentionRatio(Tagged):
    """When the conversation outgrows the model, keep this share of it (0 to 1)."""

    type: Literal["retention_ratio"] = "retention_ratio"
    retention_ratio: float
    token_limits: TokenLimits | None = None


Truncation = Literal["auto", "disabled"] | RetentionRatio


class TracingConfiguration(Model):
    """Names for the traces dashboard."""

    workflow_name: str | None = None
    group_id: str | None = None
    metadata: Any = None


Tracing = Literal["auto"] | TracingConfiguration


class PromptReference(Model):
    """A stored prompt (the service shuts these down on 2026-11-30)."""

    id: str
    version: str | None = None
    variables: dict[str, Any] | None = None


class Reasoning(Model):
    """How hard to think, on models that reason."""

    effort: Literal["minimal", "low", "medium", "high", "xhigh"] | None = None


MaxTokens = Annotated[int, Field(ge=1, le=4096)] | Literal["inf"]
Modality = Literal["text", "audio"]


class RealtimeSession(Tagged):
    """The session of a conversation. `id`, `object` and `expires_at` (Unix seconds) are set by the server."""

    type: Literal["realtime"] = "realtime"
    id: str | None = None
    object: str | None = None
    expires_at: int | None = None
    model: str | None = None
    output_modalities: list[Modality] | None = None
    instructions: str | None = None
    audio: AudioConfig | None = None
    tools: list[Tool] | None = None
    tool_choice: ToolChoice | None = None
    parallel_tool_calls: bool | None = None
    max_output_tokens: MaxTokens | None = None
    reasoning: Reasoning | None = None
    truncation: Truncation | None = None
    tracing: Tracing | None = None
    prompt: PromptReference | None = None
    include: list[str] | None = None


class TranscriptionSession(Tagged):
    """The session of a transcription: only `audio.input` means anything."""

    type: Literal["transcription"] = "transcription"
    id: str | None = None
    object: str | None = None
    expires_at: int | None = None
    audio: AudioConfig | None = None
    include: list[str] | None = None


Session = Annotated[RealtimeSession | TranscriptionSession, Field(discriminator="type")]


class ResponseAudioOutput(Model):
    """`response.audio.output`."""

    format: WireFormat | None = None
    voice: str | VoiceId | None = None


class ResponseAudio(Model):
    """`response.audio`."""

    output: ResponseAudioOutput | None = None


class ResponseParams(Model):
    """`response.create`'s `response`: overrides for this response only.

    `conversation="none"` keeps it out of the conversation; `input` replaces the conversation as its context;
    `metadata` (16 keys at most) comes back on its events.
    """

    conversation: str | None = None
    input: list[Item] | None = None
    instructions: str | None = None
    output_modalities: list[Modality] | None = None
    audio: ResponseAudio | None = None
    tools: list[Tool] | None = None
    tool_choice: ToolChoice | None = None
    parallel_tool_calls: bool | None = None
    max_output_tokens: MaxTokens | None = None
    reasoning: Reasoning | None = None
    metadata: dict[str, str] | None = None
    prompt: PromptReference | None = None
