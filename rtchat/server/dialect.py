"""The API's withdrawn beta in terms of today's API, and back: names and shapes only, no state.

From docs/protocol.md (beta to GA), and the beta types of the `openai` package.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from rtchat.server.dialogue.refusals import Rejected, wrong_type

Json = dict[str, Any]

FORMATS: Final[Mapping[str, Json]] = {
    "pcm16": {"type": "audio/pcm", "rate": 24_000},
    "g711_ulaw": {"type": "audio/pcmu"},
    "g711_alaw": {"type": "audio/pcma"},
}
TEMPERATURES: Final = (0.6, 1.2)
DEFAULT_TEMPERATURE: Final = 0.8
SECRET_SECONDS: Final = 60
"""How long the beta's ephemeral keys lived."""
_FORMAT_NAMES: Final = {shape["type"]: name for name, shape in FORMATS.items()}
_CONTENT: Final = {"output_text": "text", "output_audio": "audio"}
_OLD_CONTENT: Final = {old: new for new, old in _CONTENT.items()}
_EVENTS: Final = {
    "conversation.item.added": "conversation.item.created",
    "response.output_text.delta": "response.text.delta",
    "response.output_text.done": "response.text.done",
    "response.output_audio.delta": "response.audio.delta",
    "response.output_audio.done": "response.audio.done",
    "response.output_audio_transcript.delta": "response.audio_transcript.delta",
    "response.output_audio_transcript.done": "response.audio_transcript.done",
}
UNKNOWN_THEN: Final = frozenset({"conversation.item.done", "input_audio_buffer.timeout_triggered"})
"""Events that the beta did not have."""
# Flat name of the beta -> where it is in a session today.
_SESSION: Final[Mapping[str, tuple[str, ...]]] = {
    "input_audio_format": ("audio", "input", "format"),
    "input_audio_transcription": ("audio", "input", "transcription"),
    "input_audio_noise_reduction": ("audio", "input", "noise_reduction"),
    "turn_detection": ("audio", "input", "turn_detection"),
    "output_audio_format": ("audio", "output", "format"),
    "voice": ("audio", "output", "voice"),
    "speed": ("audio", "output", "speed"),
    "modalities": ("output_modalities",),
    "max_response_output_tokens": ("max_output_tokens",),
}
_RESPONSE: Final[Mapping[str, tuple[str, ...]]] = {
    name: _SESSION[name] for name in ("output_audio_format", "voice", "modalities", "max_response_output_tokens")
}
_SAME: Final = ("id", "object", "model", "expires_at", "instructions", "tools", "tool_choice", "tracing", "include")
_SAME_OF_RESPONSE: Final = (
    "object",
    "id",
    "status",
    "status_details",
    "conversation_id",
    "max_output_tokens",
    "usage",
    "metadata",
)
# What an error says of today's API -> the same in the beta's words.
_WORDS: Final = sorted(
    [
        *(
            (f"{root}.{'.'.join(path)}{suffix}", f"{root}.{old}")
            for root, names in (("session", _SESSION), ("response", _RESPONSE))
            for old, path in names.items()
            for suffix in ((".type", "") if path[-1] == "format" else ("",))
        ),
        *((f"'{new}'", f"'{old}'") for new, old in (*_FORMAT_NAMES.items(), *_CONTENT.items())),
        *((f"'{new}'", f"'{old}'") for new, old in _EVENTS.items()),
        ("['audio']", "['audio', 'text']"),
    ],
    key=lambda pair: -len(pair[0]),
)


# --- a client's events ------------------------------------------------------------------------------------


def from_client(raw: Json) -> Json:
    """An event of a beta client as one of today. Whatever is wrong stays wrong, for the checks to say.

    Raises:
        Rejected: It has a name that the beta did not have.
    """
    kind, event = raw.get("type"), dict(raw)
    if kind == "transcription_session.update":
        event["type"] = "session.update"
    if kind in ("session.update", "transcription_session.update") and "session" in raw:
        start = {"type": "realtime" if kind == "session.update" else "transcription"}
        event["session"] = session = _settings(raw["session"], _SESSION, "session", start)
        if kind != "session.update" and isinstance(session, dict):
            session.pop("output_modalities", None)  # the beta took them, but they mean nothing
    elif kind == "response.create" and "response" in raw:
        event["response"] = response = _settings(raw["response"], _RESPONSE, "response", {})
        if isinstance(response, dict) and isinstance(response.get("input"), list):
            response["input"] = [_item_from_client(item) for item in response["input"]]
    elif kind == "conversation.item.create" and "item" in raw:
        event["item"] = _item_from_client(raw["item"])
    return event


def secret_request(raw: Json, *, transcription: bool) -> Json:
    """What a beta client asks of `/v1/realtime/sessions`, as it is asked of `/v1/realtime/client_secrets` today.

    Args:
        raw: A flat session, perhaps with `client_secret.expires_after`.
        transcription: It is of `/v1/realtime/transcription_sessions`.

    Raises:
        Rejected: It has a name that the beta did not have.
    """
    kind = "transcription_session.update" if transcription else "session.update"
    given = raw.get("client_secret")
    after = given.get("expires_after") or given.get("expires_at") if isinstance(given, dict) else None
    if isinstance(after, dict):
        after = {"anchor": "created_at", **after}
    session = from_client({"type": kind, "session": raw})["session"]
    return {"expires_after": after or {"anchor": "created_at", "seconds": SECRET_SECONDS}, "session": session}


def temperature(raw: Json) -> float | None:
    """The temperature that an event asks for, which models of today do not have.

    Raises:
        Rejected: It is none.
    """
    root = "session" if raw.get("type") == "session.update" else "response"
    asked = raw.get(root)
    value = asked.get("temperature") if isinstance(asked, dict) else None
    path, (least, most) = f"{root}.temperature", TEMPERATURES
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise wrong_type(path, "a decimal", value)
    if not least <= value <= most:
        above = value > most
        message = (
            f"Invalid '{path}': decimal {'above maximum' if above else 'below minimum'} value. "
            f"Expected a value {'<=' if above else '>='} {most if above else least}, but got {value} instead."
        )
        raise Rejected(f"decimal_{'above_max' if above else 'below_min'}_value", message, path)
    return float(value)


def _settings(given: Any, names: Mapping[str, tuple[str, ...]], root: str, start: Json) -> Any:
    if not isinstance(given, dict):
        return given
    result: Json = dict(start)
    for name, value in given.items():
        if name in ("audio", "output_modalities", "truncation"):
            raise Rejected("unknown_parameter", f"Unknown parameter: '{root}.{name}'.", f"{root}.{name}")
        if name in ("temperature", "client_secret") or (name == "type" and value == "realtime"):
            continue
        if name in names:
            _put(result, names[name], _value(name, value))
        elif name == "tool_choice" and isinstance(value, dict) and isinstance(value.get("function"), dict):
            result[name] = {"type": value.get("type"), **value["function"]}
        else:
            result[name] = value
    return result


def _value(name: str, value: Any) -> Any:
    if name in ("input_audio_format", "output_audio_format") and isinstance(value, str):
        return FORMATS.get(value, {"type": value})
    if name == "modalities" and isinstance(value, list) and "audio" in value:
        return ["audio"] if sorted(map(str, value)) == ["audio", "text"] else value
    return value


def _put(result: Json, path: tuple[str, ...], value: Any) -> None:
    for name in path[:-1]:
        result = result.setdefault(name, {})
    result[path[-1]] = value


def _item_from_client(item: Any) -> Any:
    if not isinstance(item, dict) or item.get("role") != "assistant" or not isinstance(item.get("content"), list):
        return item
    return {**item, "content": [_renamed(part, _OLD_CONTENT) for part in item["content"]]}


# --- the server's events ----------------------------------------------------------------------------------


def to_client(event: Json) -> Json:
    """An event of today as a beta client knows it; for those that it does not know see `UNKNOWN_THEN`."""
    told = {**event, "type": _EVENTS.get(event["type"], event["type"])}
    if isinstance(event.get("item"), dict):
        told["item"] = item_to_client(event["item"])
    if event["type"] == "error":
        error = event["error"]
        told["error"] = {**error, **{name: _in_old_words(error.get(name)) for name in ("message", "param")}}
    elif event["type"] in ("session.created", "session.updated"):
        if event["session"]["type"] == "transcription":
            told["type"] = f"transcription_{event['type']}"
        told["session"] = session_to_client(event["session"])
    elif event["type"] in ("response.created", "response.done"):
        told["response"] = response_to_client(event["response"])
    elif event["type"] == "response.function_call_arguments.done":
        told.pop("name", None)
    return told


def item_to_client(item: Json) -> Json:
    """An item: with its `object`, and the old names of the assistant's content."""
    told = {**item, "object": "realtime.item"}
    if item.get("role") == "assistant":
        told["content"] = [_renamed(part, _CONTENT) for part in item["content"]]
    return told


def session_to_client(session: Json) -> Json:
    """A session, flat. Its temperature is not known here."""
    told: Json = {name: session[name] for name in _SAME if name in session}
    for old, path in _SESSION.items():
        at: Any = session
        for name in path:
            at = at.get(name, KeyError) if isinstance(at, dict) else KeyError
        if at is not KeyError:
            told[old] = _value_to_client(old, at)
    return {**told, "client_secret": None}


def response_to_client(response: Json) -> Json:
    """A response, flat. Its temperature is not known here."""
    told: Json = {name: response[name] for name in _SAME_OF_RESPONSE if name in response}
    output = (response.get("audio") or {}).get("output") or {}
    return {
        **told,
        "output": [item_to_client(item) for item in response.get("output") or []],
        "modalities": _modalities(response.get("output_modalities")),
        "voice": output.get("voice"),
        "output_audio_format": _value_to_client("output_audio_format", output.get("format")),
    }


def _value_to_client(name: str, value: Any) -> Any:
    if name in ("input_audio_format", "output_audio_format"):
        return _FORMAT_NAMES.get(value["type"], value["type"]) if value else None
    if name == "modalities":
        return _modalities(value)
    if name == "turn_detection" and value:
        return {name: setting for name, setting in value.items() if name != "idle_timeout_ms"}
    return value


def _modalities(modalities: Any) -> list[str]:
    return ["text"] if modalities == ["text"] else ["audio", "text"]


def _renamed(part: Any, names: Mapping[str, str]) -> Any:
    if not isinstance(part, dict) or not isinstance(part.get("type"), str):
        return part
    return {**part, "type": names.get(part["type"], part["type"])}


def in_old_words(rejected: Rejected) -> Rejected:
    """A refusal in the beta's words."""
    rejected.message = _in_old_words(rejected.message) or ""
    rejected.param = _in_old_words(rejected.param)
    return rejected


def _in_old_words(text: str | None) -> str | None:
    if text is not None:
        for new, old in _WORDS:
            text = text.replace(new, old)
    return text
