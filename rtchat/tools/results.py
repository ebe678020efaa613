"""What a tool gave, as the JSON text that the model gets."""

from __future__ import annotations

import json
from typing import Any

import pydantic_core
from pydantic_core import PydanticSerializationError

MAX_CHARACTERS = 64_000
"""A longer answer would push the conversation out of the model's context (a token is about four characters)."""


def to_json(value: Any) -> str:
    """A value as JSON: dates, paths, dataclasses, models, sets, enums and bytes in their usual forms.

    Raises:
        ValueError: It has no JSON form, or is too long; the sentence is for the model.
    """
    try:
        text = _json(value)
    except (PydanticSerializationError, TypeError, ValueError, RecursionError) as error:
        kind = type(value).__name__
        raise ValueError(f"the tool returned a {kind} that cannot be written as JSON ({error})") from None
    if len(text) > MAX_CHARACTERS:
        raise ValueError(f"the tool returned {len(text)} characters, more than the {MAX_CHARACTERS} that fit")
    return text


def _json(value: Any) -> str:
    """Bytes are text where they can be, else base64 of all of them; NaN and infinities are text."""
    try:
        return pydantic_core.to_json(value, inf_nan_mode="strings").decode()
    except PydanticSerializationError as error:
        if "utf-8" not in str(error):
            raise
        return pydantic_core.to_json(value, inf_nan_mode="strings", bytes_mode="base64").decode()


def failure(message: str) -> str:
    """A failure as the model gets it: `{"error": …}`."""
    return json.dumps({"error": message}, ensure_ascii=False)
