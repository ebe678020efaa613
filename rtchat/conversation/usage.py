"""Adding up the API's usage objects, whatever fields they have."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def add_usage(a: Mapping[str, Any], b: Mapping[str, Any]) -> dict[str, Any]:
    """The sum of two usage objects: numbers are added, details too, at any depth; of the rest, the first stays."""
    total = dict(a)
    for name, value in b.items():
        before = total.get(name)
        if isinstance(value, Mapping):
            total[name] = add_usage(before if isinstance(before, Mapping) else {}, value)
        elif _number(value) and _number(before):
            total[name] = before + value
        elif before is None:
            total[name] = value
    return total


def _number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
