"""Adding up the API's usage objects, whatever fields they have."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def add_usage(a: Mapping[str, Any], b: Mapping[str, Any]) -> dict[str, Any]:
    """The sum of two usage objects: numbers are added, details too, at any depth."""
    total = dict(a)
    for name, value in b.items():
        if isinstance(value, Mapping):
            before = total.get(name)
            total[name] = add_usage(before if isinstance(before, Mapping) else {}, value)
        elif isinstance(value, int | float) and not isinstance(value, bool):
            total[name] = total.get(name, 0) + value
        else:
            total.setdefault(name, value)
    return total
