"""Choosing one of the session's function tools by its words, and filling its parameters from what was said.

Simple and honest: words are matched, nothing is understood. Only strings, numbers, booleans and enums are filled.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rtchat.server.engines.base import ToolCall
from rtchat.server.engines.cities import cities_in

Tool = Mapping[str, Any]
Hints = Mapping[str, Any]
"""What a skill already knows: any of `place`, `expression`, `seconds`, `label`."""

_GENERIC_WORDS = (
    "a an and the this that of in on at to for from with by is are was be it its i me my you your we our us "
    "get set do does did can could would will please tell show give find make what which who when where how "
    "much many use used call tool function current given return returns user name named value some any about "
    "if or not all one now want need know has have"
)
_GENERIC = frozenset(_GENERIC_WORDS.split())
_ON, _OFF = {"on", "yes", "true", "open", "enable", "start"}, {"off", "no", "false", "close", "disable", "stop"}
_PREPOSITIONS = "in|at|for|of|about|to|from|named|called|with|on|by|saying|that"
_PLACE = {"city", "location", "place", "town", "where", "address", "region", "timezone", "zone"}
_BEHIND = (
    ({"from", "source", "origin", "departure", "start", "sender"}, "from"),
    ({"to", "destination", "target", "recipient", "arrival", "end"}, "to|for"),
    (_PLACE, "in|at|for|of"),
    ({"name", "title", "label"}, "called|named|for"),
    ({"query", "topic", "subject", "question", "search"}, "about|for|of"),
    ({"message", "text", "body", "content", "note"}, "saying|that|with|about"),
)


@dataclass(frozen=True, slots=True)
class Missing:
    """A tool fits, but what was said leaves a parameter open."""

    tool: str
    parameter: str


def words_of(name: str) -> list[str]:
    """A name's words: "getOrder_status" -> ["get", "order", "status"]."""
    return re.findall(r"[a-z]+|\d+", re.sub(r"([a-z])([A-Z])", r"\1 \2", name).lower())


def fields_of(tool: Tool) -> dict[str, Mapping[str, Any]]:
    """A tool's parameters and their schemas. Clients send any JSON for a schema: what is none asks for nothing."""
    properties = _schema(tool).get("properties")
    properties = properties if isinstance(properties, Mapping) else {}
    return {key: kind if isinstance(kind, Mapping) else {"type": None} for key, kind in properties.items()}


def values_of(kind: Mapping[str, Any]) -> list[Any]:
    """What a parameter may be, where its schema lists that."""
    values = kind.get("enum")
    return values if isinstance(values, list) else []


def _schema(tool: Tool) -> Mapping[str, Any]:
    schema = tool.get("parameters")
    return schema if isinstance(schema, Mapping) else {}


def find(tools: Sequence[Tool], *names: str) -> Tool | None:
    """The first tool with one of these words in its name."""
    return next((tool for tool in tools if set(names) & set(words_of(str(tool.get("name", ""))))), None)


def choose(tools: Sequence[Tool], text: str) -> Tool | None:
    """The tool whose name, enum values and description fit `text` best; None when none fits well enough."""
    said = {_stem(word) for word in re.findall(r"[a-z]+", text)} - _GENERIC
    scored = [(_score(tool, said), -at, tool) for at, tool in enumerate(tools)]
    best = max(scored, key=lambda entry: entry[:2], default=None)
    return best[2] if best and best[0] >= 2 else None


def call(tool: Tool, text: str, hints: Hints | None = None) -> ToolCall | Missing:
    """A call of `tool` with its parameters taken from `hints` and from `text` (normalised, digits as digits)."""
    name = str(tool.get("name", ""))
    required = _schema(tool).get("required")
    required = required if isinstance(required, list) else []
    numbers = re.findall(r"(?<![\w.])-?\d+(?:\.\d+)?", text)
    arguments: dict[str, Any] = {}
    for key, kind in fields_of(tool).items():
        value = _value(key, kind, text, hints or {}, numbers)
        if value is None and key in required and len(required) == 1 and _is_string(kind):
            value = _rest(tool, text)
        if value is not None:
            arguments[key] = value
        elif key in required:
            return Missing(name, " ".join(words_of(key)))
    return ToolCall(name, json.dumps(arguments, ensure_ascii=False))


def _stem(word: str) -> str:
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    return word[:-1] if word.endswith("s") and not word.endswith("ss") and len(word) > 3 else word


def _score(tool: Tool, said: set[str]) -> int:
    enums = [str(value) for kind in fields_of(tool).values() for value in values_of(kind)]
    name = {_stem(word) for word in words_of(str(tool.get("name", "")))} - _GENERIC
    values = {_stem(word) for value in enums for word in words_of(value)} - _GENERIC
    about = {_stem(word) for word in words_of(str(tool.get("description", "")))} - _GENERIC
    return 3 * len(said & name) + 2 * len(said & values - name) + len(said & about - name - values)


def _is_string(kind: Mapping[str, Any]) -> bool:
    return kind.get("type", "string") == "string" and "enum" not in kind


def _value(key: str, kind: Mapping[str, Any], text: str, hints: Hints, numbers: list[str]) -> Any:
    names = set(words_of(key))
    if "seconds" in hints and names & {
        "seconds",
        "secs",
        "s",
        "minutes",
        "mins",
        "hours",
        "duration",
        "time",
        "in",
    }:
        return _duration(names, kind, float(hints["seconds"]))
    if "enum" in kind:
        return next((v for v in values_of(kind) if _said(str(v), text)), None)
    match kind.get("type", "string"):
        case "string":
            return _string(names, text, hints)
        case "integer" | "number" as number:
            if not numbers:
                return None
            value = float(numbers.pop(0))
            return int(value) if number == "integer" or value.is_integer() else value
        case "boolean":
            words = set(text.split())
            return True if words & _ON else False if words & _OFF else None
    return None


def _said(value: str, text: str) -> bool:
    return re.search(rf"\b{re.escape(' '.join(words_of(value)))}\b", text) is not None if words_of(value) else False


def _duration(names: set[str], kind: Mapping[str, Any], seconds: float) -> Any:
    if kind.get("type") == "string":
        return f"{seconds:g} seconds"
    value = seconds / (3600 if "hours" in names else 60 if names & {"minutes", "mins"} else 1)
    return int(value) if value.is_integer() else value


def _string(names: set[str], text: str, hints: Hints) -> str | None:
    if "place" in hints and names & _PLACE:
        return str(hints["place"])
    if "expression" in hints and names & {"expression", "formula", "calculation", "query", "input", "expr"}:
        return str(hints["expression"])
    if hints.get("label") and names & {"label", "name", "title", "message", "text"}:
        return str(hints["label"])
    if hints:
        return None  # a skill has said all that there is
    if names & _PLACE and (cities := cities_in(text)):
        return cities[0]
    for keys, behind in _BEHIND:
        if names & keys:
            return _behind(behind, text)
    return None


def _behind(prepositions: str, text: str) -> str | None:
    match = re.search(rf"\b(?:{prepositions}) (?:the |a |an |my )?(.+?)(?= (?:{_PREPOSITIONS})\b|[,.?!]|$)", text)
    return match[1].strip() if match else None


def _rest(tool: Tool, text: str) -> str | None:
    """For the one string that a tool must have: what follows a preposition, or else the tool's own words."""
    if behind := _behind(_PREPOSITIONS, text):
        return behind
    own = {_stem(word) for word in words_of(str(tool.get("name", "")))} | _GENERIC
    rest = [word for word in text.strip(" .?!").split() if _stem(word) not in own]
    return " ".join(rest) or None
