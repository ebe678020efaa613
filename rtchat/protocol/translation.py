"""Events of translation sessions (`/v1/realtime/translations`): a stream in, a stream out, no responses."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from rtchat.protocol.base import Audio, Event, Model
from rtchat.protocol.config import NoiseReduction
from rtchat.protocol.server_events import ErrorEvent


class TranslationTranscription(Model):
    """Which model writes down the source language."""

    model: str


class TranslationAudioInput(Model):
    """`session.audio.input`."""

    transcription: TranslationTranscription | None = None
    noise_reduction: NoiseReduction | None = None


class TranslationAudioOutput(Model):
    """`session.audio.output`. `language` is an ISO 639-1 code."""

    language: str | None = None


class TranslationAudio(Model):
    """`session.audio`."""

    input: TranslationAudioInput | None = None
    output: TranslationAudioOutput | None = None


class TranslationSession(Model):
    """The session object. The server sets `id`, `type` (`translation`), `model` and `expires_at`."""

    id: str | None = None
    type: str | None = None
    model: str | None = None
    expires_at: int | None = None
    audio: TranslationAudio | None = None


class TranslationUpdate(Event):
    """Change the session."""

    type: Literal["session.update"] = "session.update"
    session: TranslationSession


class TranslationAppend(Event):
    """More sound to translate, 24 kHz PCM16; keep sending silence."""

    type: Literal["session.input_audio_buffer.append"] = "session.input_audio_buffer.append"
    audio: Audio


class TranslationClose(Event):
    """End; then read until `session.closed`."""

    type: Literal["session.close"] = "session.close"


TranslationClientEvent = Annotated[
    TranslationUpdate | TranslationAppend | TranslationClose, Field(discriminator="type")
]


class TranslationCreated(Event):
    """The session is there."""

    type: Literal["session.created"] = "session.created"
    session: TranslationSession | dict[str, Any]


class TranslationUpdated(Event):
    """The update was taken."""

    type: Literal["session.updated"] = "session.updated"
    session: TranslationSession | dict[str, Any]


class TranslationClosed(Event):
    """Nothing more will come."""

    type: Literal["session.closed"] = "session.closed"


class TranslationInputTranscriptDelta(Event):
    """More of what was said. `elapsed_ms` is the position in the session's sound."""

    type: Literal["session.input_transcript.delta"] = "session.input_transcript.delta"
    delta: str
    elapsed_ms: int | None = None


class TranslationOutputTranscriptDelta(Event):
    """More of its translation."""

    type: Literal["session.output_transcript.delta"] = "session.output_transcript.delta"
    delta: str
    elapsed_ms: int | None = None


class TranslationOutputAudioDelta(Event):
    """More of its sound: PCM16, `sample_rate` hertz (24 000), `channels` (1)."""

    type: Literal["session.output_audio.delta"] = "session.output_audio.delta"
    delta: Audio
    elapsed_ms: int | None = None
    sample_rate: int | None = None
    channels: int | None = None
    format: str | None = None


TranslationServerEvent = Annotated[
    ErrorEvent
    | TranslationCreated
    | TranslationUpdated
    | TranslationClosed
    | TranslationInputTranscriptDelta
    | TranslationOutputTranscriptDelta
    | TranslationOutputAudioDelta,
    Field(discriminator="type"),
]
