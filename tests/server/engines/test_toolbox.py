import json
from typing import Any

import pytest

from rtchat.server.engines.base import ToolCall
from rtchat.server.engines.toolbox import Missing, call, choose, find, words_of


def tool(
    tool_name: str, about: str = "", required: tuple[str, ...] = (), **properties: dict[str, Any]
) -> dict[str, Any]:
    schema = {"type": "object", "properties": properties, "required": list(required)}
    return {"type": "function", "name": tool_name, "description": about, "parameters": schema}


LIGHT = tool(
    "set_light",
    "Switch a lamp on or off in a room",
    ("room", "on"),
    room={"type": "string", "enum": ["kitchen", "living_room"]},
    on={"type": "boolean"},
)
ORDER = tool("lookupOrder", "Find an order by its number", ("order_id",), order_id={"type": "integer"})
TRAIN = tool(
    "book_train", "Book a ticket", ("from", "to"), **{"from": {"type": "string"}, "to": {"type": "string"}}
)
NOTE = tool("add_note", "Write a note down", ("text",), text={"type": "string"})
VOLUME = tool("set_volume", "How loud the music is", ("level",), level={"type": "number"})
LIST = tool("save_list", "Save a list", ("items",), items={"type": "array"})
BARE = {"type": "function", "name": "ring_bell"}
TOOLS = [LIGHT, ORDER, TRAIN, NOTE, VOLUME, LIST, BARE]


@pytest.mark.parametrize(
    ("said", "name", "arguments"),
    [
        ("turn on the light in the kitchen", "set_light", {"room": "kitchen", "on": True}),
        ("lights off in the living room", "set_light", {"room": "living_room", "on": False}),
        ("where is my order 5512?", "lookupOrder", {"order_id": 5512}),
        ("book a train from oslo to bergen", "book_train", {"from": "oslo", "to": "bergen"}),
        ("add a note about the milk", "add_note", {"text": "milk"}),
        ("add a note buy milk", "add_note", {"text": "buy milk"}),
        ("set the volume to 7.5", "set_volume", {"level": 7.5}),
        ("set the volume to 7", "set_volume", {"level": 7}),
        ("ring the bell", "ring_bell", {}),
        ("how loud is the music now at 3", "set_volume", {"level": 3}),
    ],
)
def test_chosen_and_filled(said: str, name: str, arguments: dict[str, Any]):
    chosen = choose(TOOLS, said)
    assert chosen is not None
    made = call(chosen, said)
    assert isinstance(made, ToolCall)
    assert (made.name, json.loads(made.arguments)) == (name, arguments)


@pytest.mark.parametrize("said", ["hello there", "what is the meaning of life", "", "set it on"])
def test_nothing_fits(said: str):
    assert choose(TOOLS, said) is None


@pytest.mark.parametrize(
    ("one", "said", "parameter"),
    [(LIGHT, "turn on the light", "room"), (ORDER, "find my order", "order id"), (LIST, "save my list", "items")],
)
def test_what_is_missing_is_named(one: dict[str, Any], said: str, parameter: str):
    assert call(one, said) == Missing(one["name"], parameter)


def test_hints_go_where_they_belong():
    timer = tool(
        "set_timer", "", ("minutes",), minutes={"type": "number"}, label={"type": "string"}, note={"type": "string"}
    )
    made = call(timer, "set a timer", {"seconds": 90.0, "label": "tea"})
    assert made == ToolCall("set_timer", '{"minutes": 1.5, "label": "tea"}')
    weather = tool("weather", "", ("location",), location={"type": "string"}, units={"type": "string"})
    assert call(weather, "in x", {"place": "Oslo"}) == ToolCall("weather", '{"location": "Oslo"}')
    as_text = tool("timer", "", ("duration",), duration={"type": "string"})
    assert call(as_text, "", {"seconds": 60.0}) == ToolCall("timer", '{"duration": "60 seconds"}')


def test_strange_schemas_are_survived():
    assert call({"name": "x", "parameters": {"properties": {"a": True}}}, "x") == ToolCall("x", "{}")
    assert call({"name": "x", "parameters": None}, "x") == ToolCall("x", "{}")
    assert call(tool("x", "", (), a={"enum": [1, 2]}, b={"type": ["string", "null"]}), "x 2") == ToolCall(
        "x", '{"a": 2}'
    )


@pytest.mark.parametrize(
    "schema",
    [
        "x", 1, True, ["x"], {"properties": "x"}, {"properties": ["x"]}, {"properties": {"a": "x"}, "required": 7},
        {"properties": {"a": {"enum": 5}}, "required": "a"},
        {"properties": {"a": {"enum": "x"}}, "required": [["a"]]},
    ],
)  # fmt: skip
def test_what_is_no_schema_asks_for_nothing(schema: Any):
    strange = {"name": "open_door", "description": 5, "parameters": schema}
    assert choose([strange], "open the door") is strange
    assert call(strange, "open the door") == ToolCall("open_door", "{}")


def test_names_in_words():
    assert words_of("getOrder_status2") == ["get", "order", "status", "2"]
    assert find(TOOLS, "order") is ORDER
    assert find(TOOLS, "weather") is None
