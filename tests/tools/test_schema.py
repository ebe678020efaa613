from dataclasses import dataclass
from enum import Enum
from typing import Annotated, Literal

import pytest
from openai.types.realtime import RealtimeFunctionTool
from pydantic import BaseModel, Field

from rtchat.errors import ToolError, UsageError
from rtchat.tools import tool
from rtchat.tools.schema import describe


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class Address(BaseModel):
    """Where."""

    street: str
    title: str = ""


@dataclass
class Point:
    x: float
    y: float


class Tree(BaseModel):
    name: str
    children: list["Tree"] = []


@tool
def everything(
    name: str,
    many: list[int],
    address: Address,
    colour: Colour = Colour.RED,
    size: Literal["small", "large"] = "small",
    limit: int | None = None,
    prices: dict[str, float] | None = None,
    at: Point | None = None,
    title: Annotated[str, Field(description="What it is called")] = "",
    json: bool = False,
) -> str:
    """Do everything
    at once.

    Also this.

    Args:
        name: Whose.
        many: How many of them,
            and of which.
        size (str): How large: small or large.

    Returns:
        Nothing useful.
    """
    return name


def properties(function):
    return describe(function).parameters["properties"]


def test_a_definition_is_what_the_api_takes():
    definition = describe(everything).definition()
    assert list(definition) == ["type", "name", "description", "parameters"]
    assert (definition["type"], definition["name"]) == ("function", "everything")
    assert definition["description"] == "Do everything at once. Also this."
    assert definition["parameters"]["type"] == "object"
    assert definition["parameters"]["required"] == ["name", "many", "address"]
    assert definition["parameters"]["additionalProperties"] is False
    assert "$defs" not in str(definition) and "$ref" not in str(definition)


def test_the_openai_package_takes_a_definition():
    definition = describe(everything).definition()
    parsed = RealtimeFunctionTool.model_validate(definition)
    assert parsed.model_dump() == definition


def test_types_become_schema():
    found = properties(everything)
    assert found["name"] == {"type": "string", "description": "Whose."}
    assert found["many"] == {
        "type": "array",
        "items": {"type": "integer"},
        "description": "How many of them, and of which.",
    }
    assert found["colour"] == {"type": "string", "enum": ["red", "blue"], "default": "red"}
    assert found["size"] == {
        "type": "string",
        "enum": ["small", "large"],
        "default": "small",
        "description": "How large: small or large.",
    }
    assert found["limit"] == {"anyOf": [{"type": "integer"}, {"type": "null"}], "default": None}
    assert found["address"]["properties"] == {
        "street": {"type": "string"},
        "title": {"type": "string", "default": ""},
    }
    assert found["title"] == {"type": "string", "description": "What it is called", "default": ""}
    assert found["prices"]["anyOf"][0] == {"type": "object", "additionalProperties": {"type": "number"}}


def test_a_type_that_holds_itself_ends():
    def plant(tree: Tree) -> None:
        """Plant a tree."""

    assert properties(plant)["tree"]["properties"]["children"]["items"]["description"] == "another Tree, as above"


def test_no_parameters():
    def ping() -> str:
        """Ping."""
        return "pong"

    assert describe(ping).parameters == {"type": "object", "properties": {}, "additionalProperties": False}
    assert describe(ping).arguments("") == {}
    assert describe(ping).arguments("{}") == {}


def test_arguments_have_the_right_types():
    text = '{"name": "x", "many": [1, 2], "address": {"street": "s"}, "colour": "blue", "at": {"x": 1, "y": 2}}'
    given = describe(everything).arguments(text)
    assert given["address"] == Address(street="s")
    assert (given["colour"], given["at"], given["many"]) == (Colour.BLUE, Point(1, 2), [1, 2])
    assert (given["size"], given["limit"], given["json"]) == ("small", None, False)
    assert everything(**given) == "x"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "the arguments of add are not JSON: "),
        ("[1]", "the arguments of add must be a JSON object, not [1]"),
        ('{"a": 1}', "wrong arguments for add: b is missing"),
        ('{"a": 1, "b": 2, "c": 3}', "wrong arguments for add: c is not known"),
        ('{"a": "x", "b": "y"}', "a must be a whole number, not 'x'; b must be a whole number, not 'y'"),
        ("[" * 100_000, "the arguments of add are not JSON: "),
    ],
)
def test_wrong_arguments_say_what_is_wrong(text, message):
    def add(a: int, b: int) -> int:
        """Add."""
        return a + b

    with pytest.raises(ToolError) as caught:
        describe(add).arguments(text)
    assert message in caught.value.message


def test_the_decorator_changes_nothing_but_what_the_model_sees():
    @tool(name="other", description="Something else.", confirm=True)
    def one() -> int:
        return 1

    assert one() == 1
    found = describe(one)
    assert (found.name, found.description, found.confirm) == ("other", "Something else.", True)
    assert describe(everything).confirm is False


def test_a_method_has_no_self():
    class Shop:
        @tool
        def buy(self, what: str) -> str:
            """Buy."""
            return what

    assert list(properties(Shop().buy)) == ["what"]


def no_docstring(a: int) -> int:
    return a


def no_type(a) -> int:
    """A."""
    return a


def starred(*many: int) -> int:
    """A."""
    return 1


def unknown_type(a: "Nowhere") -> int:  # noqa: F821
    """A."""
    return 1


def no_json(a: object, b: pytest.MonkeyPatch) -> int:
    """A."""
    return 1


def no_schema(a: type) -> int:
    """A."""
    return 1


@tool(name="with space")
def bad_name() -> int:
    """A."""
    return 1


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (no_docstring, "the tool no_docstring has no docstring."),
        (no_type, "the parameter a of the tool no_type has no type."),
        (starred, "the parameter *many: int of the tool starred cannot be given by name."),
        (unknown_type, "the types of the tool unknown_type cannot be read: name 'Nowhere' is not defined."),
        (no_json, "the tool no_json has a type that is no JSON: "),
        (no_schema, "the tool no_schema has no JSON schema: "),
        (bad_name, "'with space' cannot be a tool's name."),
    ],
)
def test_what_cannot_be_a_tool_says_where_and_why(function, message):
    with pytest.raises(UsageError) as caught:
        describe(function)
    assert caught.value.message.startswith(f"{__file__}:{function.__code__.co_firstlineno}: {message}")
