"""Which event is meant: a type, and values that stand in it; and how it is told that there was none."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

_MISSING = object()
_SHOWN = 160
_APPEND = "input_audio_buffer.append"


def mismatch(event: Mapping[str, Any], wanted: Mapping[str, Any]) -> str | None:
    """Why an event is not the one; None when it is.

    Args:
        event: As it was on the wire.
        wanted: Path in it (`session__audio__input__turn_detection`, `item__content__0__text`) -> what must stand
            there: a value, a pattern that must be found in it, or a function that must say yes to it.
    """
    for path, value in wanted.items():
        found = _at(event, path.split("__"))
        if not _is(found, value):
            name = path.replace("__", ".")
            shown = "is missing" if found is _MISSING else f"is {found!r}"
            return f"{name} {shown}, not {_told(value)}"
    return None


def described(kind: str, wanted: Mapping[str, Any]) -> str:
    """What was wanted, in words."""
    values = " and ".join(f"{path.replace('__', '.')} = {_told(value)}" for path, value in wanted.items())
    return f"{kind} with {values}" if values else kind


def listed(events: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Events a line each; a run of appended sound is one."""
    number = 0
    while number < len(events):
        event, first = events[number], number
        while (
            event.get("type") == _APPEND and number + 1 < len(events) and events[number + 1].get("type") == _APPEND
        ):
            number += 1
        number += 1
        if number - first > 1:
            yield f"{first + 1:4}. {_APPEND}, {number - first} times"
        else:
            yield f"{first + 1:4}. {_line(event)}"


def _line(event: Mapping[str, Any]) -> str:
    rest = {name: value for name, value in event.items() if name not in ("type", "event_id", "audio")}
    text = json.dumps(rest, ensure_ascii=False) if rest else ""
    kind = str(event.get("type", "a frame that is no event:"))
    return f"{kind} {text if len(text) <= _SHOWN else text[:_SHOWN] + '…'}".rstrip()


def _at(value: Any, path: Sequence[str]) -> Any:
    for key in path:
        if isinstance(value, Mapping) and key in value:
            value = value[key]
        elif isinstance(value, list) and key.lstrip("-").isdigit() and -len(value) <= int(key) < len(value):
            value = value[int(key)]
        else:
            return _MISSING
    return value


def _is(found: Any, wanted: Any) -> bool:
    if isinstance(wanted, re.Pattern):
        return isinstance(found, str) and wanted.search(found) is not None
    if isinstance(wanted, Callable):  # type: ignore[arg-type]
        return found is not _MISSING and bool(wanted(found))
    return bool(found == wanted)


def _told(value: Any) -> str:
    if isinstance(value, re.Pattern):
        return f"a text like {value.pattern!r}"
    return f"what {getattr(value, '__name__', 'a function')} takes" if callable(value) else repr(value)
