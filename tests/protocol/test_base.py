import json
from typing import Literal

import pytest
from pydantic import ValidationError

from rtchat.protocol import wire
from rtchat.protocol.base import Audio, Event, Model, Tagged


class Inner(Tagged):
    type: Literal["inner"] = "inner"
    size: int | None = None


class Sample(Event):
    type: Literal["sample"] = "sample"
    text: str | None = None
    inner: Inner | None = None
    sound: Audio | None = None


def test_left_out_and_null_are_different():
    assert json.loads(wire.encode(Sample())) == {"type": "sample"}
    assert json.loads(wire.encode(Sample(text=None))) == {"type": "sample", "text": None}
    assert json.loads(wire.encode(Sample.model_validate({"text": None}))) == {"type": "sample", "text": None}


def test_a_tag_is_always_written():
    assert json.loads(wire.encode(Sample(inner=Inner()))) == {"type": "sample", "inner": {"type": "inner"}}
    assert json.loads(wire.encode(Sample(inner=Inner(size=0))))["inner"] == {"type": "inner", "size": 0}


def test_a_changed_copy_keeps_what_was_left_out_left_out():
    changed = Sample(text="a").model_copy(update={"event_id": "e"})
    assert json.loads(wire.encode(changed)) == {"type": "sample", "event_id": "e", "text": "a"}


@pytest.mark.parametrize("sound", [b"", b"\x00", b"\xfb\xff\xfe\x3f", bytes(range(256))])
def test_sound_is_standard_base64_on_the_wire_and_bytes_here(sound: bytes):
    frame = wire.encode(Sample(sound=sound))
    assert "-" not in frame
    assert "_" not in frame
    assert Sample.model_validate_json(frame).sound == sound


@pytest.mark.parametrize("text", ["?", "QUJ", "QUJD QUJD", "é"])
def test_what_is_not_base64_is_not_sound(text: str):
    with pytest.raises(ValidationError):
        Sample.model_validate_json(json.dumps({"sound": text}))


def test_values_are_frozen_and_unknown_fields_are_ignored():
    value = Model.model_validate({"brand_new": 1})
    assert value == Model()
    with pytest.raises(ValidationError, match="frozen"):
        Sample().text = "x"
