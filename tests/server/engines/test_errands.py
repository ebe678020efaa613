import json
from datetime import UTC, datetime
from typing import Any

import pytest

from rtchat.server.engines import errands
from rtchat.server.engines.base import ToolCall
from rtchat.server.engines.turn import Turn, normalise

NOW = datetime(2026, 12, 31, 15, 4, tzinfo=UTC)


def tool(tool_name: str, required: str = "", **types: str) -> dict[str, Any]:
    properties = {key: {"type": kind} for key, kind in types.items()}
    return {"name": tool_name, "parameters": {"properties": properties, "required": required.split()}}


TOOLS = (
    tool("get_weather", "city", city="string", units="string"),
    tool("get_time", timezone="string"),
    tool("calculate", "expression", expression="string"),
    tool("set_timer", "seconds", seconds="number", label="string"),
)


def turn(said: str, tools: tuple[dict[str, Any], ...] = TOOLS) -> Turn:
    return Turn(normalise(said), said, (), tools, NOW)


def calls(answer: Any) -> list[tuple[str, Any]]:
    assert all(isinstance(part, ToolCall) for part in answer), answer
    return [(part.name, json.loads(part.arguments)) for part in answer]


@pytest.mark.parametrize(
    ("said", "arguments"),
    [
        ("what time is it", [{}]),
        ("what's the time in Tokyo", [{"timezone": "Tokyo"}]),
        ("what time is it in paris and tokyo", [{"timezone": "Paris"}, {"timezone": "Tokyo"}]),
        ("what time is it now in bad homburg", [{"timezone": "Bad Homburg"}]),
    ],
)
def test_time_by_the_tool(said: str, arguments: list[dict[str, str]]):
    assert calls(errands.time(turn(said))) == [("get_time", one) for one in arguments]


def test_time_by_the_clock():
    assert errands.time(turn("What time is it?", ())) == ["It is 3:04 PM."]
    answer = errands.time(turn("what time is it in tokyo", ()))
    assert answer == ["It is 3:04 PM here.", "I do not know the time elsewhere."]
    assert errands.time(turn("set a timer", ())) is None


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        ("what's the date today", "Today is Thursday, December 31, 2026."),
        ("what day is tomorrow", "Tomorrow is Friday, January 1, 2027."),
        ("what day was yesterday", "Yesterday was Wednesday, December 30, 2026."),
        ("what year is it", "It is 2026."),
    ],
)
def test_dates(said: str, answer: str):
    assert errands.date(turn(said)) == [answer]


def test_no_date():
    assert errands.date(turn("today I am tired")) is None


@pytest.mark.parametrize(
    ("said", "cities"),
    [
        ("what's the weather in Paris?", ["Paris"]),
        ("weather in paris oslo and new york today", ["Paris", "Oslo", "New York"]),
        ("what is the weather like in ulm today", ["Ulm"]),
        ("is it cold in st. gallen", ["St Gallen"]),
        ("what is the weather for bad homburg right now", ["Bad Homburg"]),
    ],
)
def test_weather(said: str, cities: list[str]):
    assert calls(errands.weather(turn(said))) == [("get_weather", {"city": city}) for city in cities]


def test_weather_without_city_or_tool():
    assert errands.weather(turn("how is the weather")) == ["For which city?"]
    answer = errands.weather(turn("weather in oslo", ()))
    assert answer and "no tool" in str(answer[0])
    assert errands.weather(turn("hello")) is None


@pytest.mark.parametrize(
    ("said", "arguments"),
    [
        ("set a timer for five minutes", {"seconds": 300}),
        ("set a five minute tea timer", {"seconds": 300, "label": "tea"}),
        ("set a timer for an hour and ten minutes called bread", {"seconds": 4200, "label": "bread"}),
        ("timer half an hour", {"seconds": 1800}),
        ("set a timer for two and a half minutes", {"seconds": 150}),
        ("start a timer of 90 seconds for my eggs", {"seconds": 90, "label": "eggs"}),
    ],
)
def test_timers(said: str, arguments: dict[str, Any]):
    assert calls(errands.timer(turn(said))) == [("set_timer", arguments)]


def test_timer_without_length_or_tool():
    assert errands.timer(turn("set a timer")) == ["For how long?"]
    answer = errands.timer(turn("set a timer for a minute", ()))
    assert answer and "no timer" in str(answer[0])
    assert errands.timer(turn("hello")) is None


def test_arithmetic_by_the_tool_in_its_spelling():
    assert calls(errands.arithmetic(turn("what is seventeen times twenty three"))) == [
        ("calculate", {"expression": "17 * 23"})
    ]
    assert calls(errands.arithmetic(turn("square root of 2 to the power of 3"))) == [
        ("calculate", {"expression": "sqrt(2) ** 3"})
    ]


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        ("what is 17 times 23", "17 times 23 is 391."),
        ("twelve divided by five", "12 divided by 5 is 2.4."),
        ("what is 1 / 0", "Nothing can be divided by zero."),
    ],
)
def test_arithmetic_alone(said: str, answer: str):
    assert errands.arithmetic(turn(said, ())) == [answer]


def test_any_tool():
    light = tool("switch_light", "room", room="string")
    assert calls(errands.any_tool(turn("switch the light in the hall", (light,)))) == [
        ("switch_light", {"room": "hall"})
    ]
    assert errands.any_tool(turn("light", (tool("light", "level", level="integer"),))) == [
        "To light I need to know the level."
    ]
    assert errands.any_tool(turn("hello", (light,))) is None
