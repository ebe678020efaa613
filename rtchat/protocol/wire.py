"""Frames to events and back; the only place that knows the beta names.

Nothing here is fatal: an unheard-of event becomes `UnknownEvent`, a malformed frame raises `WireError`, which the
session tells and survives.
"""

from __future__ import annotations

import json
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError

from rtchat.errors import WireError
from rtchat.protocol.client_events import ClientEvent
from rtchat.protocol.items import Item, MessageItem
from rtchat.protocol.server_events import (
    ItemRetrieved,
    KnownServerEvent,
    OutputItemAdded,
    OutputItemDone,
    ResponseCreated,
    ResponseDone,
    ServerEvent,
    SessionCreated,
    SessionUpdated,
    UnknownEvent,
)
from rtchat.protocol.translation import TranslationClientEvent, TranslationServerEvent

_SERVER: Final[TypeAdapter[KnownServerEvent]] = TypeAdapter(KnownServerEvent)
_CLIENT: Final[TypeAdapter[ClientEvent]] = TypeAdapter(ClientEvent)
_TRANSLATION_SERVER: Final[TypeAdapter[TranslationServerEvent]] = TypeAdapter(TranslationServerEvent)
_TRANSLATION_CLIENT: Final[TypeAdapter[TranslationClientEvent]] = TypeAdapter(TranslationClientEvent)

# Azure Voice Live and servers from before May 2026 still speak these (PROTOCOL: beta to GA).
_BETA_TYPES: Final = {
    "conversation.item.created": "conversation.item.added",
    "response.text.delta": "response.output_text.delta",
    "response.text.done": "response.output_text.done",
    "response.audio.delta": "response.output_audio.delta",
    "response.audio.done": "response.output_audio.done",
    "response.audio_transcript.delta": "response.output_audio_transcript.delta",
    "response.audio_transcript.done": "response.output_audio_transcript.done",
}
# Named as today, but what is in them may be of the beta.
_MAY_BE_BETA: Final = frozenset(
    {
        *_BETA_TYPES,
        "session.created",
        "session.updated",
        "conversation.item.retrieved",
        "response.output_item.added",
        "response.output_item.done",
        "response.created",
        "response.done",
    }
)
_BETA_CONTENT: Final = {"text": "output_text", "audio": "output_audio"}
_BETA_FORMATS: Final = {
    "pcm16": {"type": "audio/pcm", "rate": 24_000},
    "g711_ulaw": {"type": "audio/pcmu"},
    "g711_alaw": {"type": "audio/pcma"},
}


def encode(event: Any) -> str:
    """An event as a frame. Fields that were not set are left out; explicit None is written as null."""
    body: str = event.model_dump_json(exclude_unset=True)
    if "type" in event.model_fields_set:
        return body
    head = f'{{"type":"{event.type}"'
    return f"{head}}}" if body == "{}" else f"{head},{body[1:]}"


def decode_server_event(frame: str | bytes) -> ServerEvent:
    """A frame of the server as an event.

    Raises:
        WireError: Not JSON, not an object, or no `type`.
    """
    try:
        event = _SERVER.validate_json(frame)
    except ValidationError:
        return _second_look(frame)
    return _second_look(frame) if event.type in _MAY_BE_BETA and _is_beta(event) else event


def decode_client_event(frame: str | bytes) -> ClientEvent:
    """A frame of a client as an event; the ValidationError says what is wrong with which field."""
    return _CLIENT.validate_json(frame)


def decode_translation_server_event(frame: str | bytes) -> TranslationServerEvent | UnknownEvent:
    """Like `decode_server_event`, in a translation session."""
    try:
        return _TRANSLATION_SERVER.validate_json(frame)
    except ValidationError:
        raw = load_object(frame)
        return UnknownEvent(type=raw["type"], raw=raw)


def decode_translation_client_event(frame: str | bytes) -> TranslationClientEvent:
    """Like `decode_client_event`, in a translation session."""
    return _TRANSLATION_CLIENT.validate_json(frame)


def load_object(frame: str | bytes) -> dict[str, Any]:
    """A frame as a JSON object with a string `type`.

    Raises:
        WireError: It is not one.
    """
    start = repr(frame[:80])
    try:
        raw = json.loads(frame)
    except (ValueError, RecursionError) as error:
        raise WireError("The server sent a frame that is not JSON.", frame=start) from error
    if not isinstance(raw, dict) or not isinstance(raw.get("type"), str):
        raise WireError("The server sent a frame without an event type.", frame=start)
    return raw


def _second_look(frame: str | bytes) -> ServerEvent:
    """The slow way, for what the union does not take as it is: beta names, unknown types, wrong fields."""
    raw = load_object(frame)
    try:
        return _SERVER.validate_json(json.dumps(_from_beta(raw)))
    except ValidationError:
        return UnknownEvent(type=raw["type"], raw=raw)


def _is_beta(event: KnownServerEvent) -> bool:
    """Does it need `_from_beta`? Asked only of the types in `_MAY_BE_BETA`."""
    items: list[Item] = []
    match event:
        case SessionCreated() | SessionUpdated():
            return isinstance(event.session, dict)
        case ItemRetrieved() | OutputItemAdded() | OutputItemDone():
            items = [event.item]
        case ResponseCreated() | ResponseDone():
            items = event.response.output or []
        case _:
            return True
    said = [item for item in items if isinstance(item, MessageItem) and item.role == "assistant"]
    return any(part.type in _BETA_CONTENT for item in said for part in item.content)


def _from_beta(raw: dict[str, Any]) -> dict[str, Any]:
    """The GA form of a beta event."""
    event = dict(raw)
    event["type"] = _BETA_TYPES.get(raw["type"], raw["type"])
    if isinstance(raw.get("item"), dict):
        event["item"] = _item_from_beta(raw["item"])
    if isinstance(raw.get("session"), dict):
        event["session"] = _session_from_beta(raw["session"])
    if isinstance(raw.get("response"), dict):
        event["response"] = _response_from_beta(raw["response"])
    return event


def _item_from_beta(item: dict[str, Any]) -> dict[str, Any]:
    if item.get("role") != "assistant" or not isinstance(item.get("content"), list):
        return item
    # `in list(…)`: what stands there may be anything, and not everything has a hash.
    parts = [
        {**part, "type": _BETA_CONTENT[part["type"]]}
        if isinstance(part, dict) and part.get("type") in list(_BETA_CONTENT)
        else part
        for part in item["content"]
    ]
    return {**item, "content": parts}


def _response_from_beta(response: dict[str, Any]) -> dict[str, Any]:
    changed = dict(response)
    if isinstance(response.get("output"), list):
        changed["output"] = [
            _item_from_beta(item) if isinstance(item, dict) else item for item in response["output"]
        ]
    if "modalities" in response:
        changed["output_modalities"] = _modalities_from_beta(changed.pop("modalities"))
    return changed


def _modalities_from_beta(modalities: Any) -> list[str]:
    return ["audio"] if isinstance(modalities, list) and "audio" in modalities else ["text"]


def _session_from_beta(session: dict[str, Any]) -> dict[str, Any]:
    """The flat session of the beta in the nested form of today; what has no place there is left out."""
    if "audio" in session or "modalities" not in session:
        return session
    audio_in: dict[str, Any] = {}
    audio_out: dict[str, Any] = {}
    for old, side, new in (
        ("input_audio_transcription", audio_in, "transcription"),
        ("input_audio_noise_reduction", audio_in, "noise_reduction"),
        ("turn_detection", audio_in, "turn_detection"),
        ("voice", audio_out, "voice"),
        ("speed", audio_out, "speed"),
    ):
        if old in session:
            side[new] = session[old]
    if isinstance(audio_out.get("voice"), dict):  # Azure Voice Live: {"type": "openai", "name": "alloy"}
        audio_out["voice"] = audio_out["voice"].get("name")
    for old, side in (("input_audio_format", audio_in), ("output_audio_format", audio_out)):
        if session.get(old) in list(_BETA_FORMATS):
            side["format"] = _BETA_FORMATS[session[old]]
    kept = ("type", "id", "object", "expires_at", "model", "instructions", "tools", "tool_choice")
    changed: dict[str, Any] = {name: session[name] for name in kept if name in session}
    if "max_response_output_tokens" in session:
        changed["max_output_tokens"] = session["max_response_output_tokens"]
    return {
        "type": "realtime",
        **changed,
        "output_modalities": _modalities_from_beta(session["modalities"]),
        "audio": {"input": audio_in, "output": audio_out},
    }
