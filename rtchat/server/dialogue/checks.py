"""Frames of a client to events, or the API's own refusal: code, sentence, parameter (docs/protocol.md, errors)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

from pydantic import ValidationError

from rtchat.catalog import VOICES
from rtchat.protocol import wire
from rtchat.protocol.client_events import ClientEvent, InputAudioAppend
from rtchat.server.dialogue.limits import bad_audio, check_limits
from rtchat.server.dialogue.refusals import LONGEST_ECHO, event_id_of, unknown_parameter, wrong_type
from rtchat.server.dialogue.refusals import Rejected as Rejected
from rtchat.server.dialogue.refusals import invalid_value as _invalid_value
from rtchat.server.dialogue.refusals import out_of_range as _out_of_range

CUSTOM_VOICE = "voice_"
"""How the ids of custom voices begin."""
MAX_APPEND = 15 * 1024 * 1024
"""Bytes of sound in one append (docs: 15 MiB)."""

# Beginning of pydantic's name for a wrong type -> what the API calls the right one.
_EXPECTED = {
    "string": "a string",
    "bytes": "a string",
    "int": "an integer",
    "float": "a decimal",
    "bool": "a boolean",
    "list": "an array",
    "dict": "an object",
    "model": "an object",
}
_APPEND = "input_audio_buffer.append"

_TOLD = ("id", "object", "expires_at")
"""Members of a session that only the server sets."""
CLIENT_TYPES = (
    "session.update",
    "input_audio_buffer.append",
    "input_audio_buffer.commit",
    "input_audio_buffer.clear",
    "conversation.item.create",
    "conversation.item.truncate",
    "conversation.item.delete",
    "conversation.item.retrieve",
    "response.create",
    "response.cancel",
)
"""What a plain WebSocket session takes."""


def no_number(name: str) -> None:
    """Python's parser takes NaN and Infinity, which JSON does not have.

    Raises:
        ValueError: Always.
    """
    raise ValueError(f"{name} is no number of JSON.")


def load(frame: str, types: Iterable[str] = CLIENT_TYPES) -> dict[str, Any]:
    """A frame as an object of one of these types.

    Raises:
        Rejected: It is not one.
    """
    try:
        raw = json.loads(frame, parse_constant=no_number)
    except (ValueError, RecursionError) as error:
        raise Rejected("invalid_json", f"Invalid event: failed to parse JSON value. {error}") from None
    if not isinstance(raw, dict):
        raise Rejected("invalid_json", "Invalid event: expected a JSON object.")
    event_id = event_id_of(raw)
    if "type" not in raw:
        raise Rejected("invalid_event", "The 'type' field is missing.", event_id=event_id)
    if not isinstance(raw["type"], str):
        rejected = wrong_type("type", "a string", raw["type"])
        rejected.event_id = event_id
        raise rejected
    if raw["type"] not in types:
        raise Rejected("invalid_value", _invalid_value(raw["type"], types), "type", event_id=event_id)
    return raw


def read(frame: str) -> ClientEvent:
    """A frame of a conversation's client as an event that is right in every field.

    Raises:
        Rejected: It is not.
    """
    if _APPEND in frame[:100]:  # fifty a second in each session: not to be parsed twice
        with suppress(ValidationError, Rejected):  # what is wrong is told below
            event = wire.decode_client_event(frame)
            if isinstance(event, InputAudioAppend):
                check_sound(event.audio)
                return event
    raw = load(frame)
    event_id = event_id_of(raw)
    try:
        _check_session_type(raw)
        event = wire.decode_client_event(frame)
        if raw["type"] == "input_audio_buffer.append":
            check_sound(event.audio)  # type: ignore[union-attr]
        else:
            _check_items(raw)
            check_unknown(raw, event.model_dump(exclude_unset=True))
            _check_values(raw)
            check_limits(raw)
        return event
    except ValidationError as error:
        rejected = from_validation(error, raw)
        rejected.event_id = event_id
        raise rejected from None
    except Rejected as rejected:
        rejected.event_id = event_id
        raise


def check_sound(sound: bytes) -> None:
    """Some, but not too much in one event.

    Raises:
        Rejected: It is not.
    """
    if len(sound) > MAX_APPEND:
        raise Rejected("string_above_max_length", "Invalid 'audio': more than 15 MiB.", "audio")
    if not sound:
        raise bad_audio("audio", "empty bytes")


def from_validation(error: ValidationError, raw: dict[str, Any]) -> Rejected:
    """The first of pydantic's complaints, as the API says it."""
    errors = error.errors(include_url=False)
    first = next((one for one in errors if not _of_another_shape(one["type"], one["loc"], raw)), errors[0])
    kind, context = first["type"], first.get("ctx", {})
    path, value = _locate(first["loc"], raw)
    if kind in ("union_tag_not_found", "union_tag_invalid"):
        param = f"{path}.type" if path else "type"
        if kind == "union_tag_not_found" or not isinstance(value, dict):
            return Rejected("missing_required_parameter", f"Missing required parameter: '{param}'.", param)
        tags = str(context.get("expected_tags", "")).replace("'", "").split(", ")
        return Rejected("invalid_value", _invalid_value(value.get("type"), tags), param)
    if kind == "missing":
        param = f"{path}.{first['loc'][-1]}" if path else str(first["loc"][-1])
        return Rejected("missing_required_parameter", f"Missing required parameter: '{param}'.", param)
    if kind == "literal_error":
        allowed = str(context.get("expected", "")).replace("'", "").replace(" or ", ", ").split(", ")
        return Rejected("invalid_value", _invalid_value(value, allowed), path)
    if kind in ("greater_than_equal", "less_than_equal"):
        return _out_of_range(path, value, context.get("ge"), context.get("le"))
    if kind == "bytes_invalid_encoding" and path.rpartition(".")[2] == "audio":
        return bad_audio(path, "an invalid value")
    if expected := next((name for start, name in _EXPECTED.items() if kind.startswith(start)), None):
        return wrong_type(path, expected, value)
    return Rejected("invalid_type", f"Invalid type for '{path}': {first['msg'].lower()}.", path)


def _check_voice(voice: Any, path: str) -> None:
    """One of the API's voices by name, or a custom one by its id, whatever that is."""
    if isinstance(voice, dict):
        if not voice["id"].startswith(CUSTOM_VOICE):
            message = f"Invalid '{path}.id': '{voice['id'][:LONGEST_ECHO]}'. "
            message += f"Expected an ID that begins with '{CUSTOM_VOICE}'."
            raise Rejected("invalid_value", message, f"{path}.id")
    elif voice is not None and voice not in VOICES:
        raise Rejected("invalid_value", _invalid_value(voice, VOICES), path)


def _check_session_type(raw: dict[str, Any]) -> None:
    session = raw.get("session")
    if raw["type"] != "session.update" or not isinstance(session, dict):
        return
    if "type" not in session:
        raise Rejected("missing_required_parameter", "Missing required parameter: 'session.type'.", "session.type")
    audio = session.get("audio")
    if session["type"] == "transcription" and isinstance(audio, dict) and "output" in audio:
        raise unknown_parameter("session.audio.output")
    for name in _TOLD:
        if name in session:
            raise unknown_parameter(f"session.{name}")


def _of_another_shape(kind: str, loc: tuple[int | str, ...], raw: Any) -> bool:
    """It is of the word that could stand where an object does; what is wrong inside the object says more."""
    return kind in ("literal_error", "string_type", "list_type") and isinstance(_locate(loc, raw)[1], dict)


def _locate(loc: tuple[int | str, ...], raw: Any) -> tuple[str, Any]:
    """Pydantic's location, which names union members too, as the API's path, and what stands there."""
    path, at = "", raw
    for part in loc:
        if isinstance(at, dict) and part in at:
            path = f"{path}.{part}" if path else str(part)
            at = at[part]
        elif isinstance(at, list) and isinstance(part, int) and part < len(at):
            path, at = f"{path}[{part}]", at[part]
    return path, at


def check_unknown(raw: Any, known: Any, path: str = "") -> None:
    """Whatever the typed event did not keep is unknown.

    Raises:
        Rejected: Something was not kept.
    """
    if isinstance(raw, dict) and isinstance(known, dict):
        for name, value in raw.items():
            where = f"{path}.{name}" if path else name
            if name not in known:
                raise unknown_parameter(where)
            check_unknown(value, known[name], where)
    elif isinstance(raw, list) and isinstance(known, list):
        for index, (value, kept) in enumerate(zip(raw, known, strict=False)):
            check_unknown(value, kept, f"{path}[{index}]")


_STATUSES = ("in_progress", "completed", "incomplete")
_ITEM_TYPES = ("message", "function_call", "function_call_output", "mcp_approval_response")
# Role -> what its messages are made of, and the field that must be there.
_CONTENT: Mapping[str, Mapping[str, str]] = {
    "system": {"input_text": "text"},
    "user": {"input_text": "text", "input_audio": "audio", "input_image": "image_url"},
    "assistant": {"output_text": "text", "output_audio": ""},
}

# Path of a number -> least and greatest (docs: session object; the rate is measured).
_RANGES: Mapping[str, tuple[float | None, float | None]] = {
    "session.audio.input.format.rate": (24_000, 24_000),
    "session.audio.output.format.rate": (24_000, 24_000),
    "session.audio.input.turn_detection.threshold": (0.0, 1.0),
    "session.audio.input.turn_detection.prefix_padding_ms": (0, None),
    "session.audio.input.turn_detection.silence_duration_ms": (0, None),
    "session.audio.input.turn_detection.idle_timeout_ms": (5_000, 30_000),
    "session.audio.output.speed": (0.25, 1.5),
    "response.audio.output.format.rate": (24_000, 24_000),
    "content_index": (0, None),
    "audio_end_ms": (0, None),
}


def _check_items(raw: dict[str, Any]) -> None:
    """Items that a client may make: of `conversation.item.create`, or of a response's own input."""
    given = {"item": raw["item"]} if isinstance(raw.get("item"), dict) else {}
    types: tuple[str, ...] = _ITEM_TYPES
    for index, item in enumerate(_at(raw, "response.input") or ()):
        given[f"response.input[{index}]"] = item
        types = (*_ITEM_TYPES, "item_reference")
    for path, item in given.items():
        if item["type"] not in types:
            raise Rejected("invalid_value", _invalid_value(item["type"], types), f"{path}.type")
        if item.get("status") not in (None, *_STATUSES):
            raise Rejected("invalid_value", _invalid_value(item["status"], _STATUSES), f"{path}.status")
        if item["type"] != "message":
            continue
        known = _CONTENT[item["role"]]
        for index, part in enumerate(item["content"]):
            where = f"{path}.content[{index}]"
            if part["type"] not in known:
                raise Rejected("invalid_value", _invalid_value(part["type"], known), f"{where}.type")
            needed = known[part["type"]]
            if needed and part.get(needed) is None:
                message = f"Missing required parameter: '{where}.{needed}'."
                raise Rejected("missing_required_parameter", message, f"{where}.{needed}")


def _check_values(raw: dict[str, Any]) -> None:
    """What the types do not say: ranges, voices, modalities, tools."""
    for path, (least, greatest) in _RANGES.items():
        value = _at(raw, path)
        if isinstance(value, int | float) and (
            (least is not None and value < least) or (greatest is not None and value > greatest)
        ):
            raise _out_of_range(path, value, least, greatest)
    for root in ("session", "response"):
        modalities = _at(raw, f"{root}.output_modalities")
        if isinstance(modalities, list) and modalities not in (["text"], ["audio"]):
            raise Rejected(
                "invalid_value",
                f"Invalid modalities: {modalities}. Supported combinations are: ['text'] and ['audio'].",
                f"{root}.output_modalities",
            )
        _check_voice(_at(raw, f"{root}.audio.output.voice"), f"{root}.audio.output.voice")
        for index, tool in enumerate(_at(raw, f"{root}.tools") or ()):
            _check_tool(tool, f"{root}.tools[{index}]")
    conversation = _at(raw, "response.conversation")
    if conversation not in (None, "auto", "none"):
        message = _invalid_value(conversation, ("auto", "none"))
        raise Rejected("invalid_value", message, "response.conversation")
    metadata = _at(raw, "response.metadata")
    if isinstance(metadata, dict) and len(metadata) > 16:
        raise Rejected("invalid_value", "Invalid 'response.metadata': at most 16 keys.", "response.metadata")


def _check_tool(tool: dict[str, Any], path: str) -> None:
    if tool.get("type") == "mcp":
        _check_mcp(tool, path)
    elif not tool.get("name"):
        raise Rejected("missing_required_parameter", f"Missing required parameter: '{path}.name'.", f"{path}.name")


def _check_mcp(tool: dict[str, Any], path: str) -> None:
    """What can be said of an MCP server before anybody is asked; a response may name one of the session's."""
    for other in ("connector_id", "tunnel_id"):
        if tool.get(other) is not None:
            message = f"This server reaches MCP servers by 'server_url' only; it has no '{other}'."
            raise Rejected("invalid_value", message, f"{path}.{other}")
    url = tool.get("server_url")
    if url is None and path.startswith("session."):
        message = f"Missing required parameter: '{path}.server_url'."
        raise Rejected("missing_required_parameter", message, f"{path}.server_url")
    if not tool["server_label"]:
        raise Rejected("invalid_value", f"Invalid '{path}.server_label': empty.", f"{path}.server_label")
    if url is not None and not _is_http(url):
        message = f"Invalid '{path}.server_url': expected an address that begins with http:// or https://."
        raise Rejected("invalid_value", message, f"{path}.server_url")


def _is_http(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # no port is written like that
        return False


def _at(raw: Any, path: str) -> Any:
    for part in path.split("."):
        if not isinstance(raw, dict):
            return None
        raw = raw.get(part)
    return raw
