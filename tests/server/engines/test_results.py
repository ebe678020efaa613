import json
from datetime import UTC, datetime
from typing import Any

import pytest

from rtchat.server.engines.results import duration, say_result, time_of_day

WEATHER = {
    "place": "Paris, France",
    "region": "Ile-de-France",
    "conditions": "light rain",
    "temperature_c": 12.3,
    "feels_like_c": 9.0,
    "humidity_percent": 80,
    "wind_kmh": 20.4,
    "days": [{"date": "2026-11-20", "conditions": "rain", "high_c": 13.0}],
}


@pytest.mark.parametrize(
    ("name", "asked", "result", "said"),
    [
        (
            "get_weather",
            {"city": "paris"},
            WEATHER,
            "In Paris, France it is 12 degrees, light rain. It feels like 9. The wind is 20 kilometres an hour.",
        ),
        ("get_weather", {"city": "Oslo"}, {"temperature_f": 50}, "In Oslo it is 50 degrees Fahrenheit."),
        ("weather", {}, {"current": {"temp": 3, "description": "Snow"}}, "It is 3 degrees and snow."),
        ("get_weather", {}, {"error": "no such city"}, "Sorry, that did not work: no such city."),
        ("get_weather", {}, {"error": {"message": "Offline."}}, "Sorry, that did not work: Offline."),
        ("get_weather", {}, "sunny", "Sunny."),
        ("get_time", {}, {"time": "15:04", "timezone": "UTC"}, "It is 3:04 PM."),
        (
            "get_time",
            {"timezone": "Asia/Tokyo"},
            {"timezone": "Asia/Tokyo", "time": "00:04"},
            "It is 12:04 AM in Tokyo.",
        ),
        ("clock", {}, "2026-11-20T09:30:00+01:00", "It is 9:30 AM."),
        ("get_time", {}, {"time": "soon"}, "It is soon."),
        ("get_time", {}, {"epoch": 5}, "The epoch is 5."),
        ("calculate", {"expression": "17 * 23"}, {"expression": "17 * 23", "result": 391}, "17 times 23 is 391."),
        ("calculate", {"expression": "2 ** 3"}, 8, "2 to the power of 3 is 8."),
        (
            "set_timer",
            {"seconds": 4200, "label": "tea"},
            {"label": "tea"},
            "The tea timer is set for 1 hour and 10 minutes.",
        ),
        ("set_timer", {"minutes": 1}, {"ok": True}, "The timer is set for 1 minute."),
        ("set_timer", {}, {"status": "set"}, "Set."),
        (
            "lookup",
            {},
            {"order_id": 7, "status": "sent", "paid": True},
            "The order id is 7, the status is sent and it is paid.",
        ),
        ("lookup", {}, {"weight_km": 2.5, "x": None}, "The weight is 2.5 kilometres and the x is unknown."),
        ("lookup", {}, {"message": "It is on its way"}, "It is on its way."),
        ("lookup", {}, {"result": {"result": "ok"}}, "Done."),
        ("lookup", {}, ["a", "b", "c"], "I got 3 results: a, b and c."),
        ("lookup", {}, [{"name": "Ann", "age": 3}], "I got 1 result: name Ann, age 3."),
        ("lookup", {}, list(range(9)), "I got 9 results: 0, 1, 2, 3, 4 and 5 and 3 more."),
        ("lookup", {}, {"tags": [], "in": {"a": 1}}, "There are no tags and the in is a 1."),
        ("lookup", {}, None, "Done."),
        ("lookup", {}, {}, "Done."),
        ("lookup", {}, False, "The answer is no."),
        ("lookup", {}, 3.14159, "It is 3.14."),
    ],
)
def test_results_as_sentences(name: str, asked: Any, result: Any, said: str):
    assert say_result(name, json.dumps(asked), json.dumps(result)) == said


def test_what_is_not_json_is_said_as_it_is():
    assert say_result("shout", "not json", "hello  there\nyou") == "Hello there you."


def test_times_and_lengths():
    assert time_of_day(datetime(2026, 1, 1, 12, 5, tzinfo=UTC)) == "12:05 PM"
    assert duration(3725) == "1 hour, 2 minutes and 5 seconds"
    assert duration(1.5) == "1.5 seconds"
    assert duration(0) == "0 seconds"
