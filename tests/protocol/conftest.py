"""The `openai` package's types as the oracle: what they can express, as JSON values."""

import types
from collections.abc import Callable
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import pytest
from pydantic import BaseModel

NONE = type(None)


def members(annotation: Any) -> list[Any]:
    """The members of a (nested, annotated) union."""
    if get_origin(annotation) is Annotated:
        return members(get_args(annotation)[0])
    if get_origin(annotation) in (Union, types.UnionType):
        return [member for part in get_args(annotation) for member in members(part)]
    return [annotation]


def variations(annotation: Any) -> list[Any]:
    """JSON values of a type, the plainest first: every literal, every member of every union, null, empty lists."""
    parts = members(annotation)
    if len(parts) > 1:
        plain = [part for part in parts if part is not NONE]
        return [value for part in plain for value in variations(part)] + [None] * (NONE in parts)
    part = parts[0]
    origin, arguments = get_origin(part), get_args(part)
    if origin is Literal:
        return list(arguments)
    if origin is list:
        return [[value] for value in variations(arguments[0])] + [[]]
    if origin is dict:
        return [{"key": value} for value in variations(arguments[1])]
    if isinstance(part, type) and issubclass(part, BaseModel):
        return objects(part)
    simple = {str: ["QUJD"], int: [7], float: [0.5, 3], bool: [True, False]}
    return simple.get(part, [{"any": [1, "x", None]}])


def objects(model: type[BaseModel]) -> list[dict[str, Any]]:
    """JSON objects of a model: everything set, only what is required, and each variation of each field.

    The package leaves even some tags (`type`) optional; nothing can be told apart without, so they are always set.
    """
    fields = {(field.alias or name): field for name, field in model.model_fields.items()}
    values = {name: variations(field.annotation) for name, field in fields.items()}
    full = {name: found[0] for name, found in values.items()}
    required = {name: full[name] for name, field in fields.items() if field.is_required() or name == "type"}
    others = [
        {**full, name: value}
        for name, found in values.items()
        for value in found[1:]
        if value is not None or name != "type"
    ]
    return [full, required, *others]


@pytest.fixture(scope="session")
def sdk_objects() -> Callable[[Any], list[dict[str, Any]]]:
    """All JSON objects that a model, or a union of models, of the `openai` package can express."""

    def build(union: Any) -> list[dict[str, Any]]:
        return [value for model in members(union) for value in objects(model)]

    return build


def lost(raw: Any, kept: Any, path: str = "") -> set[str]:
    """Where `kept` says less than `raw`; a value that differs is lost too."""
    if isinstance(raw, dict) and isinstance(kept, dict):
        return {
            where for name, value in raw.items() for where in lost(value, kept.get(name, ...), f"{path}.{name}")
        }
    if isinstance(raw, list) and isinstance(kept, list) and len(raw) == len(kept):
        return {where for pair in zip(raw, kept, strict=True) for where in lost(*pair, f"{path}[]")}
    return set() if (raw == kept and type(kept) is not bool) or raw is kept else {path}


@pytest.fixture(scope="session")
def lost_in() -> Callable[[Any, Any], set[str]]:
    """The paths of a JSON value that another one lacks or has differently."""
    return lost
