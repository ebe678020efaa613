"""Speaking a tool's JSON result as sentences. Results of any shape are said; none is invented."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from rtchat.server.engines.arithmetic import in_words
from rtchat.server.engines.toolbox import words_of

_UNITS = {
    "kmh": "kilometres an hour",
    "kph": "kilometres an hour",
    "mph": "miles an hour",
    "ms": "milliseconds",
    "percent": "percent",
    "pct": "percent",
    "mm": "millimetres",
    "cm": "centimetres",
    "km": "kilometres",
    "c": "degrees",
    "f": "degrees Fahrenheit",
    "celsius": "degrees",
    "fahrenheit": "degrees Fahrenheit",
    "eur": "euros",
    "usd": "dollars",
    "seconds": "seconds",
    "minutes": "minutes",
}
_MOST = 6  # fields or entries said of one result; nobody listens to more


def say_result(name: str, arguments: str, output: str) -> str:
    """A sentence or two for the `output` of the function `name`, called with `arguments` (both JSON texts)."""
    asked = _parse(arguments)
    result = _parse(output)
    asked = asked if isinstance(asked, Mapping) else {}
    if isinstance(result, Mapping) and result.get("error"):
        return _sentence(f"Sorry, that did not work: {_error(result['error'])}")
    kind = set(words_of(name))
    said = None
    if kind & {"weather", "forecast"}:
        said = _weather(result, asked)
    elif kind & {"time", "clock"}:
        said = _time(result, asked)
    elif kind & {"calculate", "calculator", "compute"}:
        said = _calculation(result, asked)
    elif kind & {"timer", "alarm"}:
        said = _timer(result, asked)
    return _sentence(said or _anything(result))


def time_of_day(moment: datetime) -> str:
    """The time as it is spoken: "3:05 PM"."""
    return f"{moment.hour % 12 or 12}:{moment.minute:02d} {'AM' if moment.hour < 12 else 'PM'}"


def duration(seconds: float) -> str:
    """A length of time as it is spoken: "1 hour and 10 minutes"."""
    parts = []
    for size, unit in ((3600, "hour"), (60, "minute"), (1, "second")):
        count, seconds = (divmod(seconds, size)) if size > 1 else (seconds, 0)
        if count:
            parts.append(f"{count:g} {unit}{'' if count == 1 else 's'}")
    return _and(parts) or "0 seconds"


def _parse(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _sentence(text: str) -> str:
    text = " ".join(text.split())
    text = text[:1].upper() + text[1:]
    return text if not text or text[-1] in ".!?" else text + "."


def _and(parts: list[str]) -> str:
    return " and ".join([", ".join(parts[:-1]), parts[-1]]) if len(parts) > 1 else "".join(parts)


def _error(error: Any) -> str:
    return str(error.get("message") or _anything(error)) if isinstance(error, Mapping) else str(error)


def _pick(data: Any, *names: str) -> tuple[str, Any] | None:
    """The first field whose name starts with one of `names`, looked for in nested objects too."""
    if not isinstance(data, Mapping):
        return None
    for name in names:
        fitting = [key for key in data if str(key).lower().startswith(name) and data[key] not in (None, "")]
        if fitting:
            key = min(fitting, key=len)  # "time" before "timezone"
            return str(key), data[key]
    for value in data.values():
        if found := _pick(value, *names):
            return found
    return None


def _number(value: Any) -> str:
    if isinstance(value, float):
        value = round(value, 2)
    return f"{value:g}" if isinstance(value, float) else str(value)


def _with_unit(key: str, value: Any) -> str:
    words = words_of(key)
    unit = _UNITS.get(words[-1], "") if words and isinstance(value, int | float) else ""
    return f"{_number(value)} {unit}".strip()


def _place(result: Any, asked: Mapping[str, Any]) -> str:
    """Where: as the tool says it, else as it was asked."""
    for source in (result, asked):
        found = _pick(source, "place", "city", "location", "name", "town", "timezone", "time_zone")
        if found:
            where = found[1].get("name", "") if isinstance(found[1], Mapping) else str(found[1])
            where = where.split("/")[-1].replace("_", " ")
            if where:
                return where[:1].upper() + where[1:]
    return ""


def _weather(result: Any, asked: Mapping[str, Any]) -> str | None:
    temperature = _pick(result, "temp")
    sky = _pick(result, "description", "condition", "summary", "weather", "sky")
    if not temperature or not isinstance(temperature[1], int | float):
        return None
    where = _place(result, asked)
    unit = "degrees" if "fahrenheit" not in json.dumps(result).lower() else "degrees Fahrenheit"
    degrees = f"{_number(round(float(temperature[1])))} {_UNITS.get(words_of(temperature[0])[-1], unit)}"
    said = f"{f'In {where} it' if where else 'It'} is {degrees}"
    if sky and isinstance(sky[1], str):
        said += f", {sky[1].lower()}" if " " in sky[1] else f" and {sky[1].lower()}"
    feels = _pick(result, "feels", "apparent")
    if feels and isinstance(feels[1], int | float) and abs(feels[1] - temperature[1]) >= 2:
        said += f". It feels like {round(float(feels[1]))}"
    wind = _pick(result, "wind")
    if wind and isinstance(wind[1], int | float):
        speed = _with_unit(wind[0], round(float(wind[1])))
        said += f". The wind is {speed if ' ' in speed else f'{speed} kilometres an hour'}"
    return said


def _time(result: Any, asked: Mapping[str, Any]) -> str | None:
    found = _pick(result, "time", "datetime", "iso", "now", "local", "current", "result")
    clock = found[1] if found else result
    if not isinstance(clock, str):
        return None
    try:
        clock = time_of_day(datetime.fromisoformat(clock))
    except ValueError:
        if match := re.fullmatch(r"(\d{1,2}):(\d{2})(?::\d{2})?", clock.strip()):
            clock = time_of_day(datetime(2000, 1, 1, int(match[1]) % 24, int(match[2])))  # noqa: DTZ001 only a clock
    where = _place({}, asked)
    return f"It is {clock}{f' in {where}' if where else ''}"


def _calculation(result: Any, asked: Mapping[str, Any]) -> str | None:
    found = _pick(result, "result", "value", "answer", "output")
    value = found[1] if found else result
    if isinstance(value, Mapping | list):
        return None
    expression = asked.get("expression")
    words = in_words(str(expression).replace("**", "^")) if expression else "That"
    return f"{words} is {_number(value)}"


def _timer(result: Any, asked: Mapping[str, Any]) -> str | None:
    found = _pick(asked, "seconds", "duration", "minutes", "hours") or _pick(
        result, "seconds", "duration", "minutes"
    )
    if not found or isinstance(found[1], bool) or not isinstance(found[1], int | float):
        return None
    size = 3600 if found[0].startswith("hour") or found[0].endswith("hours") else 60 if "minute" in found[0] else 1
    label = _pick(asked, "label", "name", "title", "message")
    what = f"{label[1]} timer" if label else "timer"
    return f"The {what} is set for {duration(float(found[1]) * size)}"


def _anything(result: Any) -> str:
    if result is None or result is True or result in ("", {}, []):
        return "Done"
    match result:
        case False:
            return "The answer is no"
        case str():
            return result
        case int() | float():
            return f"It is {_number(result)}"
        case list():
            entries = [_inside(entry) for entry in result[:_MOST]]
            more = f" and {len(result) - _MOST} more" if len(result) > _MOST else ""
            count = f"{len(result)} result{'' if len(result) == 1 else 's'}"
            return f"I got {count}: {'; '.join(entries) if any(',' in e for e in entries) else _and(entries)}{more}"
        case {"message": str(message)}:
            return message
        case dict() if len(result) == 1:
            key, value = next(iter(result.items()))
            if key in ("result", "output", "value", "answer", "text", "status", "ok", "success"):
                return "Done" if value in (True, "ok", "success", "done") else _anything(value)
    return _and([_field(key, value) for key, value in list(result.items())[:_MOST]])


def _field(key: str, value: Any) -> str:
    """A field of an object as a clause."""
    label = " ".join(_label(key))
    match value:
        case bool():
            return f"it is {label}" if value else f"it is not {label}"
        case []:
            return f"there are no {label}"
        case list():
            return f"the {label} are {_inside(value, key)}"
    return f"the {label} is {_inside(value, key)}"


def _label(key: str) -> list[str]:
    words = words_of(key)
    return words[:-1] if len(words) > 1 and words[-1] in _UNITS else words


def _inside(value: Any, key: str = "") -> str:
    """A value as part of a sentence."""
    match value:
        case None:
            return "unknown"
        case bool():
            return "yes" if value else "no"
        case int() | float():
            return _with_unit(key, value)
        case list():
            return _and([_inside(entry) for entry in value[:_MOST]]) or "empty"
        case dict():
            return ", ".join(f"{' '.join(_label(k))} {_inside(v, k)}" for k, v in list(value.items())[:_MOST])
    return str(value)
