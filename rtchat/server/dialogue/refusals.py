"""A refusal, and the sentences in which the API refuses."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rtchat.protocol.server_events import ErrorDetail

LONGEST_ECHO = 200
"""Characters of a wrong value that are told back."""
MISTAKE = ErrorDetail(
    type="server_error",
    code=None,
    message="The server had an error while processing your request.",
    param=None,
    event_id=None,
)
"""What is told of a mistake of the server's own."""

_TYPES = {
    bool: "a boolean",
    int: "an integer",
    float: "a decimal",
    str: "a string",
    list: "an array",
    dict: "an object",
}


class Rejected(Exception):
    """An event that the API refuses.

    Args:
        code: `error.code`.
        message: `error.message`.
        param: The field that it is about.
        event_id: The client's name for the event.
        kind: `error.type`.
    """

    def __init__(
        self,
        code: str | None,
        message: str,
        param: str | None = None,
        *,
        event_id: str | None = None,
        kind: str = "invalid_request_error",
    ) -> None:
        super().__init__(message)
        self.code, self.message, self.param, self.event_id, self.kind = code, message, param, event_id, kind

    def detail(self) -> ErrorDetail:
        """It as the API tells it."""
        return ErrorDetail(
            type=self.kind,
            code=self.code,
            message=_sendable(self.message),
            param=None if self.param is None else _sendable(self.param),
            event_id=None if self.event_id is None else _sendable(self.event_id),
        )


def binary_frame() -> Rejected:
    """The refusal of a frame that is not text (measured)."""
    return Rejected("invalid_event", "Expected a text WebSocket message; binary frames are not supported.")


def expired(sentence: str) -> Rejected:
    """The end of a session's time."""
    return Rejected("session_expired", sentence)


def unknown_parameter(path: str) -> Rejected:
    """The refusal of a field that is none."""
    return Rejected("unknown_parameter", f"Unknown parameter: '{path}'.", path)


def voice_is_fixed() -> Rejected:
    """The refusal of another voice once the assistant has spoken (captured)."""
    return Rejected("cannot_update_voice", "Cannot update a conversation's voice if assistant audio is present.")


def event_id_of(raw: dict[str, Any]) -> str | None:
    """The client's name for its event, where it gave one."""
    given = raw.get("event_id")
    return given if isinstance(given, str) else None


def invalid_value(value: Any, allowed: Iterable[str]) -> str:
    """What to say of a value that is not one of the allowed ones."""
    names = [f"'{name}'" for name in allowed]
    listed = " and ".join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else names[0]
    shown = str(value)[:LONGEST_ECHO]
    return f"Invalid value: '{shown}'. Supported values are: {listed}."


def wrong_type(path: str, expected: str, value: Any) -> Rejected:
    """The refusal of a value that is not, for example, `a string`."""
    got = "null" if value is None else next(name for kind, name in _TYPES.items() if isinstance(value, kind))
    return Rejected("invalid_type", f"Invalid type for '{path}': expected {expected}, but got {got} instead.", path)


def out_of_range(path: str, value: Any, least: float | None, greatest: float | None) -> Rejected:
    """The refusal of a number outside its range; with floats for its ends it is one of decimals."""
    kind = "integer" if isinstance(value, int) and not isinstance(least, float) else "decimal"
    if least is not None and (not isinstance(value, int | float) or value < least):
        return Rejected(
            f"{kind}_below_min_value",
            f"Invalid '{path}': {kind} below minimum value. Expected a value >= {least:g}, but got {value} "
            "instead.",
            path,
        )
    return Rejected(
        f"{kind}_above_max_value",
        f"Invalid '{path}': {kind} above maximum value. Expected a value <= {greatest:g}, but got {value} instead.",
        path,
    )


def _sendable(text: str) -> str:
    """JSON can spell half a surrogate pair, which cannot be sent back."""
    return text.encode("utf-8", "replace").decode()
