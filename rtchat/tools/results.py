"""What a tool gave, as the JSON text that the model gets."""

from __future__ import annotations

import json
from typing import Any

from pydantic_core import PydanticSerializationError, to_jsonable_python

MAX_CHARACTERS = 64_000
"""A longer answer would push the conversation out of the model's context (a token is about four characters)."""


def to_json(value: Any) -> str:
    """A value as JSON: dates, paths, dataclasses, models, sets, enums and bytes in their usual forms.

    Raises:
        ValueError: It has no JSON form, or is too long; the sentence is for the model.
    """
    try:
        text = json.dumps(_jsonable(value), ensure_ascii=False, allow_nan=False)
    except (PydanticSerializationError, TypeError, ValueError, RecursionError) as error:
        kind = type(value).__name__
        raise ValueError(f"the tool returned a {kind} that cannot be written as JSON ({error})") from None
    if len(text) > MAX_CHARACTERS:
        raise ValueError(f"the tool returned {len(text)} characters, more than the {MAX_CHARACTERS} that fit")
    return text


def _jsonable(value: Any) -> Any:
    """Bytes are text where they can be, else base64 of all of them; NaN and infinities are text."""
    try:
        return to_jsonable_python(value, inf_nan_mode="strings")
    except (PydanticSerializationError, UnicodeDecodeError):
        return to_jsonable_python(value, inf_nan_mode="strings", bytes_mode="base64")


def failure(message: str) -> str:
    """A failure as the model gets it: `{"error": …}`."""
    return json.dumps({"error": message}, ensure_ascii=False)
