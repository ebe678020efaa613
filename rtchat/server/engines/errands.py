"""What the built-in assistant does with the session's tools, or with the clock and a little arithmetic.

One function a skill, from a turn to an answer or None.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from rtchat.server.engines import toolbox
from rtchat.server.engines.arithmetic import Impossible, evaluate, find_expression, in_words
from rtchat.server.engines.base import ToolCall
from rtchat.server.engines.cities import cities_in
from rtchat.server.engines.numbers import spoken
from rtchat.server.engines.results import time_of_day
from rtchat.server.engines.turn import Answer, Turn, has


def time(turn: Turn) -> Answer | None:
    """The time; by the session's tool where it has one, which may know other places."""
    if not has(
        turn.text, "what time", "the time", "time is it", "what is the time", "current time", r"^time"
    ) or has(turn.text, "timer", "time zone"):
        return None
    places: list[str | None] = [*_places(turn.text, r"in|at|for")]
    if tool := toolbox.find(turn.tools, "time", "clock"):
        return [
            _called(tool, turn.text, {"place": place} if place else {"here": True}) for place in places or [None]
        ]
    here = f"It is {time_of_day(turn.now)}{' here' if places else ''}."
    return [here, "I do not know the time elsewhere."] if places else [here]


_DATE = (
    "(?:what|which) (?:day|date|month|year)",
    "the date",
    "what is (?:today|tomorrow)",
    "(?:today|tomorrow)'s date",
    "what is the (?:day|month|year)",
    r"^(?:day|date)$",
)


def date(turn: Turn) -> Answer | None:
    """The date, today, tomorrow or yesterday."""
    if not has(turn.text, *_DATE):
        return None
    for word, days, verb in (("tomorrow", 1, "is"), ("yesterday", -1, "was")):
        if word in turn.text:
            return [f"{word.title()} {verb} {_date(turn.now + timedelta(days=days))}."]
    if has(turn.text, "year"):
        return [f"It is {turn.now.year}."]
    return [f"Today is {_date(turn.now)}."]


def _date(moment: datetime) -> str:
    return f"{moment:%A}, {moment:%B} {moment.day}, {moment.year}"


def weather(turn: Turn) -> Answer | None:
    """The weather in one or more cities, by the session's tool."""
    if not has(turn.text, "weather", "temperature", "forecast", "raining", "is it (?:cold|warm|hot|sunny)"):
        return None
    tool = toolbox.find(turn.tools, "weather", "forecast", "temperature")
    if tool is None:
        return ["I cannot see the weather: this session gives me no tool for it.", "Start me with rtchat tools."]
    places = _places(turn.text, r"in|at|for|of")
    if not places:
        return ["For which city?"]
    return [_called(tool, turn.text, {"place": place}) for place in places]


_LATER = r"(?: (?:now|today|tomorrow|right now|like|outside|at the moment))*"


def _places(text: str, prepositions: str) -> list[str]:
    if known := cities_in(text):
        return known
    named = re.search(rf"\b(?:{prepositions}) (?!the (?:weather|time)\b)([a-z][\w' -]*?){_LATER}(?:[,.?!]|$)", text)
    return [named[1].strip().title()] if named and named[1] not in ("here", "now", "the moment") else []


_UNITS = {"h": 3600, "m": 60, "s": 1}


_LABELS = (
    r"\b(?:called|named|label(?:l?ed)?) (\w+)",
    r"\bfor (?:my|the) (\w+)",
    r"\b(?!(?:an?|the|my|set|start|seconds?|minutes?|hours?)\b)([a-z]+) (?:timer|alarm)\b",
)


def timer(turn: Turn) -> Answer | None:
    """A timer, by the session's tool."""
    if not has(turn.text, "timer", "alarm", "remind me"):
        return None
    tool = toolbox.find(turn.tools, "timer", "alarm", "remind", "reminder")
    if tool is None:
        return ["I have no timer: this session gives me no tool for it.", "Start me with rtchat tools."]
    text = re.sub(r"\bhalf an hour\b", "30 minutes", turn.text)
    text = re.sub(r"\b(?:an?) (hour|minute|second)\b", r"1 \1", text)
    text = re.sub(r"(\d+) and a half (hour|minute|second)", r"\1.5 \2", text)
    lengths = re.findall(r"(\d+(?:\.\d+)?)[ -]*(h|m|s)(?:ours?|rs?|inutes?|ins?|econds?|ecs?)?\b", text)
    if not lengths:
        return ["For how long?"]
    seconds = sum(float(number) * _UNITS[unit] for number, unit in lengths)
    label = next((match[1] for pattern in _LABELS if (match := re.search(pattern, text))), "")
    return [_called(tool, text, {"seconds": seconds, "label": label})]


def arithmetic(turn: Turn) -> Answer | None:
    """What is 17 times 23; by the session's tool where it has one."""
    expression = find_expression(turn.text)
    if not expression:
        return None
    if tool := toolbox.find(turn.tools, "calculate", "calculator", "compute", "calc"):
        python = re.sub(r"sqrt (\d+(?:\.\d+)?)", r"sqrt(\1)", expression).replace("^", "**")
        return [_called(tool, turn.text, {"expression": python})]
    try:
        result = spoken(evaluate(expression))
    except Impossible as why:
        return [str(why)]
    words = in_words(expression)
    return [f"{words[:1].upper()}{words[1:]} is {result}."]


def any_tool(turn: Turn) -> Answer | None:
    """Whichever tool of the session has the words of this turn in its name or description."""
    tool = toolbox.choose(turn.tools, turn.text)
    return [_called(tool, turn.text)] if tool else None


def _called(tool: toolbox.Tool, text: str, hints: toolbox.Hints | None = None) -> str | ToolCall:
    call = toolbox.call(tool, text, hints)
    if isinstance(call, ToolCall):
        return call
    return f"To {' '.join(toolbox.words_of(call.tool))} I need to know the {call.parameter}."
