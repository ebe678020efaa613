from typing import Literal

import pytest
from pydantic import BaseModel, Field, ValidationError, field_validator

from rtchat.complaints import say, show, unreadable


class Sample(BaseModel, extra="forbid"):
    vad: Literal["server", "semantic", "off"] = "off"
    count: int = Field(1, ge=1, lt=9)
    share: float = Field(0.5, gt=0, le=1, allow_inf_nan=False)
    plain: bool = False
    name: str = ""
    words: list[str] = []

    @field_validator("name")
    @classmethod
    def no_spaces(cls, value: str) -> str:
        if " " in value:
            raise ValueError("must have no spaces")
        return value


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"vad": "servr"}, "must be server, semantic or off, not 'servr'"),
        ({"count": "many"}, "must be a whole number, not 'many'"),
        ({"count": 1.5}, "must be a whole number, not 1.5"),
        ({"count": 0}, "must be 1 or more, not 0"),
        ({"count": 9}, "must be less than 9, not 9"),
        ({"share": 0}, "must be more than 0.0, not 0"),
        ({"share": 2}, "must be 1.0 or less, not 2"),
        ({"share": "x"}, "must be a number, not 'x'"),
        ({"share": float("inf")}, "must be a finite number, not inf"),
        ({"plain": "perhaps"}, "must be true or false, not 'perhaps'"),
        ({"name": 3}, "must be text, not 3"),
        ({"name": "a b"}, "must have no spaces"),
        ({"words": "a"}, "must be a list, not 'a'"),
        ({"what": 1}, "is not known"),
    ],
)
def test_say(given, sentence):
    with pytest.raises(ValidationError) as caught:
        Sample.model_validate(given)
    assert say(caught.value.errors()[0]) == sentence


def test_a_secret_is_left_out():
    with pytest.raises(ValidationError) as caught:
        Sample.model_validate({"count": "sk-secret"})
    assert say(caught.value.errors()[0], secret=True) == "must be a whole number"


def test_an_unforeseen_kind_keeps_pydantics_words():
    assert (
        say({"type": "url_scheme", "msg": "URL scheme should be https"}) == "is wrong (URL scheme should be https)"
    )


def test_show_is_short():
    assert show(True) == "true"
    assert show("x" * 100) == f"'{'x' * 56}…"


def test_why_a_file_cannot_be_read(tmp_path):
    (tmp_path / "latin").write_bytes(b"caf\xe9")
    for path, reason in ((tmp_path, "is a directory"), (tmp_path / "latin", "it is not UTF-8 text")):
        with pytest.raises((OSError, UnicodeDecodeError)) as failed:
            path.read_text(encoding="utf-8")
        assert unreadable(failed.value) == reason
