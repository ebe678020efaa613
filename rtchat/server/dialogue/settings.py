"""The session object: what it starts as, and how an update changes it."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import TypeAdapter

from rtchat.protocol.config import AudioPcm, RealtimeSession, SemanticVad, ServerVad, TranscriptionSession
from rtchat.server.dialogue.refusals import Rejected, voice_is_fixed

Kind = Literal["realtime", "transcription"]

DEFAULT_INSTRUCTIONS = (
    "You are a helpful, witty, and friendly AI. Act like a human, but remember that you aren't a human and that "
    "you can't do human things in the real world. Your voice and personality should be warm and engaging, with a "
    "lively and playful tone. Talk quickly. You should always call a function if you can."
)
HIDDEN = "<redacted>"
"""Told back instead of a secret."""
PCM: dict[str, Any] = {"type": "audio/pcm", "rate": 24_000}

_NULLABLE = {
    "tracing",
    "prompt",
    "include",
    "transcription",
    "noise_reduction",
    "turn_detection",
}
NO_TURNS = ("gpt-realtime-whisper",)
"""Transcription models whose sessions detect no turns: the client commits (reported from the live service)."""
_READ_ONLY = {"model", "type"}
_ANSWERING = {"idle_timeout_ms", "create_response", "interrupt_response"}
"""Members of a turn detection that a transcription session does not have."""
_SERVER_VAD: dict[str, Any] = {
    "type": "server_vad",
    "threshold": 0.5,
    "prefix_padding_ms": 300,
    "silence_duration_ms": 500,
    "idle_timeout_ms": None,
    "create_response": True,
    "interrupt_response": True,
}
_SEMANTIC_VAD: dict[str, Any] = {
    "type": "semantic_vad",
    "eagerness": "auto",
    "create_response": True,
    "interrupt_response": True,
}
_TRANSCRIPTION: dict[str, Any] = {"model": None, "language": None, "prompt": None}
_SESSION: TypeAdapter[RealtimeSession | TranscriptionSession] = TypeAdapter(RealtimeSession | TranscriptionSession)


class Settings:
    """The session's configuration, with every default spelt out.

    Args:
        kind: Of the session.
        model: Its model.
        session_id: Its id.
        expires_at: When it ends, in Unix seconds.
    """

    def __init__(self, *, kind: Kind, model: str, session_id: str, expires_at: int) -> None:
        self.kind = kind
        make = _realtime if kind == "realtime" else _transcription
        self._values = make(model, session_id, expires_at)
        self._server_vad = {**_SERVER_VAD, **self._values["audio"]["input"]["turn_detection"]}
        self._parse()

    def update(self, session: RealtimeSession | TranscriptionSession, *, voice_fixed: bool) -> None:
        """Take an update, whole or not at all.

        Args:
            session: What the client asked for.
            voice_fixed: The assistant has spoken.

        Raises:
            Rejected: The session cannot be changed like that.
        """
        if session.type != self.kind:
            kinds = f"a {session.type} session update event to a {self.kind} session"
            message = f"Passing {kinds} is not allowed."
            raise Rejected("invalid_parameter", message, "session.type")
        changes = session.model_dump(exclude_unset=True, mode="json")
        if self.kind == "realtime" and changes.get("model") not in (None, self._values["model"]):
            raise Rejected("invalid_value", "The model of a session cannot be changed.", "session.model")
        wanted = _merged(self._values, {k: v for k, v in changes.items() if k not in _READ_ONLY}, self._server_vad)
        if voice_fixed and wanted["audio"]["output"]["voice"] != self._values["audio"]["output"]["voice"]:
            raise voice_is_fixed()
        if self.kind == "transcription":
            _only_transcribing(wanted["audio"]["input"], changes)
        self._values = wanted
        self._parse()

    def _parse(self) -> None:
        self.session = _SESSION.validate_python(self._values)

    @property
    def realtime(self) -> RealtimeSession:
        """The conversation's session."""
        assert isinstance(self.session, RealtimeSession)
        return self.session

    @property
    def voice(self) -> Any:
        """The assistant's; None in a transcription session."""
        if self.kind == "transcription":
            return None
        assert self.realtime.audio is not None and self.realtime.audio.output is not None
        return self.realtime.audio.output.voice

    @property
    def turn_detection(self) -> ServerVad | SemanticVad | None:
        """Who ends a turn; None for the client."""
        assert self.session.audio is not None and self.session.audio.input is not None
        return self.session.audio.input.turn_detection

    @property
    def transcribes(self) -> bool:
        """The client wants to read what the user said."""
        return bool(self._values["audio"]["input"]["transcription"]) or self.kind == "transcription"

    @property
    def transcription_model(self) -> str:
        """The model that the client named for reading."""
        return str((self._values["audio"]["input"]["transcription"] or {}).get("model") or "")

    @property
    def input_language(self) -> str | None:
        """The language that the user speaks, where the client said it."""
        value = (self._values["audio"]["input"]["transcription"] or {}).get("language")
        return str(value) if value else None

    @property
    def input_format(self) -> str:
        """`audio/pcm`, `audio/pcmu` or `audio/pcma`."""
        return str(self._values["audio"]["input"]["format"]["type"])

    @property
    def output_format(self) -> str:
        """The same, of the assistant's sound; a transcription session has none."""
        speaking = self._values["audio"].get("output")
        return str(speaking["format"]["type"]) if speaking else "audio/pcm"


def _realtime(model: str, session_id: str, expires_at: int) -> dict[str, Any]:
    # Recorded: the first generation answers after 200 ms with voice alloy, today's after 500 ms with marin.
    old = model.startswith(("gpt-realtime-mini", "gpt-realtime-2025", "gpt-4o")) or model == "gpt-realtime"
    detection = {**_SERVER_VAD, "silence_duration_ms": 200 if old else 500}
    return {
        "type": "realtime",
        "object": "realtime.session",
        "id": session_id,
        "model": model,
        "output_modalities": ["audio"],
        "instructions": DEFAULT_INSTRUCTIONS,
        "tools": [],
        "tool_choice": "auto",
        "max_output_tokens": "inf",
        "tracing": None,
        "truncation": "auto",
        "prompt": None,
        "expires_at": expires_at,
        "audio": {
            "input": {
                "format": PCM,
                "transcription": None,
                "noise_reduction": None,
                "turn_detection": detection,
            },
            "output": {"format": PCM, "voice": "alloy" if old else "marin", "speed": 1.0},
        },
        "include": None,
    }


def _transcription(_model: str, session_id: str, expires_at: int) -> dict[str, Any]:
    vad = {"type": "server_vad", "threshold": 0.5, "prefix_padding_ms": 300, "silence_duration_ms": 200}
    listening = {"format": PCM, "transcription": None, "noise_reduction": None, "turn_detection": vad}
    return {
        "type": "transcription",
        "object": "realtime.transcription_session",
        "id": session_id,
        "expires_at": expires_at,
        "audio": {"input": listening},
        "include": None,
    }


def _only_transcribing(listening: dict[str, Any], changes: dict[str, Any]) -> None:
    """Take out what a transcription session does not have, or refuse it."""
    if (listening["transcription"] or {}).get("model") in NO_TURNS:
        if _given(changes, "audio", "input", "turn_detection") is not None:
            message = "Turn detection is not supported for this transcription model."
            raise Rejected("invalid_value", message, "session.audio.input.turn_detection")
        listening["turn_detection"] = None
    if detection := listening["turn_detection"]:
        kept = {name: value for name, value in detection.items() if name not in _ANSWERING}
        listening["turn_detection"] = kept


def _given(changes: Any, *path: str) -> Any:
    for name in path:
        changes = changes.get(name) if isinstance(changes, dict) else None
    return changes


def _merged(values: dict[str, Any], changes: dict[str, Any], server_vad: dict[str, Any]) -> dict[str, Any]:
    """`values` with `changes`: objects that are configurations merge, everything else is replaced.

    A detection that is named starts from its defaults, which for `server_vad` are the model's (recorded).
    """
    result = dict(values)
    for name, change in changes.items():
        if change is None:
            if name in _NULLABLE:
                result[name] = None
        elif name in ("audio", "input", "output") and isinstance(change, dict):
            result[name] = _merged(values.get(name, {}), change, server_vad)
        elif name == "turn_detection":
            base = _SEMANTIC_VAD if change["type"] == "semantic_vad" else server_vad
            result[name] = {**base, **change}
        elif name == "transcription":
            result[name] = {**_TRANSCRIPTION, **change}
        elif name == "format" and change["type"] == "audio/pcm":
            result[name] = {**PCM, **AudioPcm(**change).model_dump(exclude_none=True)}
        elif name == "tools":
            result[name] = [_tool(tool) for tool in change]
        else:
            result[name] = change
    return result


def _tool(tool: dict[str, Any]) -> dict[str, Any]:
    """A tool as the session shows it: with its nulls, without the secrets for its MCP server."""
    if tool["type"] == "function":
        return {"description": None, "parameters": None, **tool}
    shown = dict(tool)
    if shown.get("authorization") is not None:
        shown["authorization"] = HIDDEN
    if shown.get("headers") is not None:
        shown["headers"] = dict.fromkeys(shown["headers"], HIDDEN)
    return shown
