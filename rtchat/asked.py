"""What is asked of the server: settings and profile, in the API's words."""

from __future__ import annotations

from typing import Any

from rtchat.catalog import DEFAULT_TRANSCRIPTION_MODEL, DEFAULT_VOICE, check_target, language_code
from rtchat.errors import UsageError
from rtchat.modes import Output, Parts
from rtchat.profiles import Profile, TurnTaking
from rtchat.protocol import config as wire
from rtchat.protocol.translation import TranslationSession
from rtchat.settings import Settings

_PCM = {"type": "audio/pcm", "rate": 24_000}


def conversation(mode_parts: Parts, settings: Settings, profile: Profile, vad: str) -> wire.RealtimeSession:
    """A conversation.

    Args:
        mode_parts: What the mode wires.
        settings: All settings; each wins over the profile.
        profile: Who the assistant is.
        vad: Who ends a turn: `server`, `semantic` or `off`.
    """
    fields: dict[str, Any] = {
        "output_modalities": ["audio" if mode_parts.output is Output.AUDIO else "text"],
        "instructions": profile.instructions,
    }
    if isinstance(profile.max_output_tokens, int):
        fields["max_output_tokens"] = profile.max_output_tokens
    sound: dict[str, Any] = {}
    if mode_parts.microphone:
        sound["input"] = _audio_input(settings, profile, vad)
    if mode_parts.output is Output.AUDIO:
        sound["output"] = {
            "format": _PCM,
            "voice": _voice(settings.voice or profile.voice or DEFAULT_VOICE),
            "speed": profile.speed,
        }
    if sound:
        fields["audio"] = sound
    return wire.RealtimeSession.model_validate(fields)


def transcription(settings: Settings, model: str) -> wire.TranscriptionSession:
    """A transcription by `model`: nobody answers."""
    written = {"model": model, **({"language": source_language(settings)} if settings.from_ else {})}
    turns = None if settings.vad == "off" else {"type": "server_vad"}
    if settings.vad == "semantic":
        turns = _semantic(settings.eagerness)
    sound = {"format": _PCM, "transcription": written, "turn_detection": turns}
    return wire.TranscriptionSession.model_validate({"audio": {"input": sound}})


def translation(settings: Settings, *, of_openai: bool) -> TranslationSession:
    """A translation into `settings.to`.

    Raises:
        UsageError: It is not a language, or none that OpenAI translates into.
    """
    target = settings.to or ""
    into = check_target(target) if of_openai else language(target)
    audio_input: dict[str, Any] = {}
    if of_openai:
        audio_input["transcription"] = {"model": DEFAULT_TRANSCRIPTION_MODEL}
    audio = {"output": {"language": into}, **({"input": audio_input} if audio_input else {})}
    return TranslationSession.model_validate({"audio": audio})


def source_language(settings: Settings) -> str:
    """The code of the language that is spoken; English where nobody says.

    Raises:
        UsageError: It is not a language.
    """
    return language(settings.from_ or "en")


def language(name: str) -> str:
    """The code of a language.

    Raises:
        UsageError: It is not a language.
    """
    code = language_code(name)
    if code is None:
        raise UsageError(f"'{name}' is not a language.", hint="Use a code such as es, fr or pt.")
    return code


def _voice(voice: str) -> str | dict[str, str]:
    return {"id": voice} if voice.startswith("voice_") else voice


def _audio_input(settings: Settings, profile: Profile, vad: str) -> dict[str, Any]:
    sound: dict[str, Any] = {"format": _PCM}
    if profile.transcription.model:
        written = profile.transcription.model_dump(exclude_none=True)
        if settings.from_:
            written["language"] = source_language(settings)
        sound["transcription"] = written
    sound["turn_detection"] = _turn_detection(settings, profile.turn_taking, vad)
    return sound


def _turn_detection(settings: Settings, turns: TurnTaking, vad: str) -> dict[str, Any] | None:
    if vad == "off":
        return None
    common = {"create_response": turns.create_response, "interrupt_response": turns.interrupt_response}
    if vad == "semantic":
        return {**_semantic(settings.eagerness or turns.eagerness), **common}
    names = ("threshold", "prefix_padding_ms", "silence_duration_ms", "idle_timeout_ms")
    given = {name: getattr(turns, name) for name in names if getattr(turns, name) is not None}
    return {"type": "server_vad", **given, **common}


def _semantic(eagerness: str | None) -> dict[str, str]:
    return {"type": "semantic_vad", **({"eagerness": eagerness} if eagerness else {})}
