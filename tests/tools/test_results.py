import json
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum
from pathlib import Path

import pytest
from pydantic import BaseModel

from rtchat.tools.results import MAX_CHARACTERS, failure, to_json


@dataclass
class Point:
    x: int
    when: datetime


class Model(BaseModel):
    name: str


class Colour(Enum):
    RED = "red"


NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        ("é", "é"),
        ({"a": (1, 2)}, {"a": [1, 2]}),
        (NOON, "2026-11-20T12:00:00Z"),
        (Point(1, NOON), {"x": 1, "when": "2026-11-20T12:00:00Z"}),
        (Model(name="x"), {"name": "x"}),
        (Colour.RED, "red"),
        (Path("a/b"), str(Path("a/b"))),
        (Decimal("1.5"), "1.5"),
        ({1: "a"}, {"1": "a"}),
        ({3}, [3]),
        (b"text", "text"),
        (b"\xff\x00", "_wA="),
        (float("nan"), "NaN"),
        ([float("-inf")], ["-Infinity"]),
        ((n * n for n in range(3)), [0, 1, 4]),
    ],
)
def test_usual_values(value, expected):
    assert json.loads(to_json(value)) == expected


def circle():
    ring: list[object] = []
    ring.append(ring)
    return ring


@pytest.mark.parametrize("value", [object(), circle(), {"f": open}, {(1, 2): object()}])
def test_what_has_no_json_form(value):
    with pytest.raises(
        ValueError, match=f"the tool returned a {type(value).__name__} that cannot be written as JSON"
    ):
        to_json(value)


def test_what_is_too_long():
    assert len(to_json("x" * (MAX_CHARACTERS - 2))) == MAX_CHARACTERS
    with pytest.raises(ValueError, match="more than the 64000 that fit"):
        to_json("x" * MAX_CHARACTERS)


def test_failure():
    assert failure('é "x"') == '{"error": "é \\"x\\""}'
