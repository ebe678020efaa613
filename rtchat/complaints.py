"""What is wrong with a value, in words for the person who gave it.

pydantic says what is wrong to a programmer ("Input should be a valid integer, unable to parse…"); settings,
profiles and tools show it to people, so the usual cases are said here in plain English, once.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_KINDS = {
    "bool": "true or false",
    "int": "a whole number",
    "float": "a number",
    "string": "text",
    "list": "a list",
    "tuple": "a list",
    "dict": "a table",
    "model": "a table",
    "path": "a path",
}


def say(error: Mapping[str, Any], *, secret: bool = False) -> str:
    """The predicate of a sentence about a value.

    Args:
        error: One entry of pydantic's `ValidationError.errors()`.
        secret: Leave the value itself out.

    Returns:
        Without subject and final full stop, for example `must be server, semantic or off, not 'servr'`.
    """
    kind, context = str(error["type"]), error.get("ctx", {})
    not_this = "" if secret else f", not {show(error.get('input'))}"
    match kind:
        case "literal_error" | "enum":
            return f"must be {_choices(str(context['expected']))}{not_this}"
        case "greater_than":
            return f"must be more than {context['gt']}{not_this}"
        case "greater_than_equal":
            return f"must be {context['ge']} or more{not_this}"
        case "less_than":
            return f"must be less than {context['lt']}{not_this}"
        case "less_than_equal":
            return f"must be {context['le']} or less{not_this}"
        case "finite_number":
            return f"must be a finite number{not_this}"
        case "value_error":
            return str(context.get("error", error["msg"]))
        case "missing":
            return "is missing"
        case "extra_forbidden":
            return "is not known"
    start, _, rest = kind.partition("_")
    if rest in ("parsing", "type", "from_float", "parsing_size", "attributes_type") and start in _KINDS:
        return f"must be {_KINDS[start]}{not_this}"
    return f"is wrong ({error['msg']})"


def show(value: object) -> str:
    """A value as the user may have written it, in quotes if it is text, and not too long."""
    if isinstance(value, bool):
        return str(value).lower()
    text = f"'{value}'" if isinstance(value, str) else str(value)
    return text if len(text) <= 60 else f"{text[:57]}…"


def _choices(expected: str) -> str:
    """Pydantic's "'a', 'b' or 'c'" without the quotes."""
    return expected.replace("'", "")


def unreadable(error: OSError | UnicodeDecodeError) -> str:
    """Why a text file cannot be read, in a few words."""
    if isinstance(error, UnicodeDecodeError):
        return "it is not UTF-8 text"
    return (error.strerror or str(error)).lower()
