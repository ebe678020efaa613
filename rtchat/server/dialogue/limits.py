"""Lengths, patterns and contents that the types of an event do not say, each refused in the API's words."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from rtchat.server.dialogue import images
from rtchat.server.dialogue.refusals import Rejected, invalid_value, out_of_range, wrong_type

ID_LENGTH = 32
"""Characters of an item's id, and of a call's (reported from the live service)."""
METADATA_KEY, METADATA_VALUE = 64, 512
TOOL_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
INCLUDES = ("item.input_audio_transcription.logprobs",)


def check_limits(raw: dict[str, Any]) -> None:
    """Refuse what is too long, or is not what it should be. `raw` has the right types.

    Raises:
        Rejected: Something is.
    """
    for path, item in _items(raw):
        _check_item(path, item)
    for root in ("session", "response"):
        given = raw.get(root)
        if isinstance(given, dict):
            _check_tools(f"{root}.tools", given.get("tools"))
            _check_truncation(f"{root}.truncation", given.get("truncation"))
            _check_include(f"{root}.include", given.get("include"))
            _check_metadata(f"{root}.metadata", given.get("metadata"))


def bad_audio(param: str, got: str) -> Rejected:
    """The refusal of sound that is none (reported from the live service)."""
    expected = "Expected base64-encoded audio bytes (mono PCM16 at 24kHz)"
    return Rejected("invalid_value", f"Invalid '{param}'. {expected} but got {got}.", param)


def _items(raw: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    if isinstance(raw.get("item"), dict):
        yield "item", raw["item"]
    given = raw.get("response")
    for index, item in enumerate((given.get("input") or ()) if isinstance(given, dict) else ()):
        yield f"response.input[{index}]", item


def _check_item(path: str, item: dict[str, Any]) -> None:
    for name in ("id", "call_id"):
        _check_length(f"{path}.{name}", item.get(name), ID_LENGTH)
    for index, part in enumerate(item.get("content") or ()):
        where = f"{path}.content[{index}]"
        if part.get("type") == "input_audio" and part.get("audio") == "":
            raise bad_audio(f"{where}.audio", "empty bytes")
        if part.get("type") == "input_image":
            _check_image(f"{where}.image_url", part["image_url"])


def _check_image(path: str, url: str) -> None:
    try:
        images.parse(url)
    except ValueError as error:
        example = "e.g. 'data:image/png;base64,aW1nIGJ5dGVzIGhlcmU='"
        expected = f"Expected a base64-encoded data URL with an image MIME type ({example})"
        message = f"Invalid '{path}'. {expected}, {error}."
        raise Rejected("invalid_value", message, path) from None


def _check_length(path: str, value: Any, longest: int) -> None:
    if isinstance(value, str) and len(value) > longest:
        message = (
            f"Invalid '{path}': string too long. Expected a string with maximum length {longest}, but got a string "
            f"with length {len(value)} instead."
        )
        raise Rejected("string_above_max_length", message, path)


def _check_tools(path: str, tools: list[dict[str, Any]] | None) -> None:
    names: set[str] = set()
    for index, tool in enumerate(tools or ()):
        name = tool.get("name")
        if tool.get("type") != "function" or not name:
            continue
        where = f"{path}[{index}].name"
        if name in names:  # a call would not say which of them it is for
            message = f"Duplicate function name '{name}': each function needs a name of its own."
            raise Rejected("invalid_value", message, where)
        names.add(name)
        if not TOOL_NAME.fullmatch(name):
            _check_length(where, name, 64)
            message = (
                f"Invalid '{where}': string does not match pattern. Expected a string that matches the pattern "
                "'^[a-zA-Z0-9_-]+$'."
            )
            raise Rejected("invalid_value", message, where)


def _check_truncation(path: str, truncation: Any) -> None:
    if not isinstance(truncation, dict):
        return
    ratio = _number(f"{path}.retention_ratio", truncation["retention_ratio"])
    if not 0 <= ratio <= 1:
        raise out_of_range(f"{path}.retention_ratio", ratio, 0.0, 1.0)
    limit = (truncation.get("token_limits") or {}).get("post_instructions")
    if limit is not None and _number(f"{path}.token_limits.post_instructions", limit) < 0:
        raise out_of_range(f"{path}.token_limits.post_instructions", limit, 0, None)


def _number(path: str, value: Any) -> float:
    """A number, which the types take from a string too."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise wrong_type(path, "a decimal", value)
    return value


def _check_include(path: str, include: list[str] | None) -> None:
    for index, name in enumerate(include or ()):
        if name not in INCLUDES:
            raise Rejected("invalid_value", invalid_value(name, INCLUDES), f"{path}[{index}]")


def _check_metadata(path: str, metadata: dict[str, str] | None) -> None:
    for key, value in (metadata or {}).items():
        if len(key) > METADATA_KEY:
            message = f"Invalid '{path}': the key '{key[:METADATA_KEY]}…' is longer than {METADATA_KEY} characters."
            raise Rejected("string_above_max_length", message, path)
        _check_length(f"{path}.{key}", value, METADATA_VALUE)
