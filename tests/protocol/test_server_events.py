import json
from collections.abc import Callable
from typing import Any, get_args

import pytest
from openai.types.realtime import RealtimeServerEvent
from pydantic import BaseModel

from rtchat.protocol import wire
from rtchat.protocol.server_events import (
    ErrorDetail,
    KnownServerEvent,
    ResponseDone,
    TranscriptionFailed,
    UnknownEvent,
)

Objects = Callable[[Any], list[dict[str, Any]]]
CLASSES: list[type[BaseModel]] = list(get_args(get_args(KnownServerEvent)[0]))
COUNTS = ("input_tokens", "output_tokens", "total_tokens")


def test_there_is_a_class_for_each_of_the_46_events(sdk_objects: Objects):
    ours = {cls.model_fields["type"].default for cls in CLASSES}
    theirs = {raw["type"] for raw in sdk_objects(RealtimeServerEvent)}
    assert len(ours) == len(CLASSES) == 46
    assert ours == theirs


def test_everything_that_the_openai_package_knows_is_read_and_kept(
    sdk_objects: Objects, lost_in: Callable[[Any, Any], set[str]]
):
    tried, unread, lost = 0, [], set()
    for raw in sdk_objects(RealtimeServerEvent):
        if raw.get("response", {"id": ""}).get("id") is None:
            continue  # the package allows a response without an id; nothing could be matched to it
        event = wire.decode_server_event(json.dumps(raw))
        tried += 1
        if isinstance(event, UnknownEvent) or isinstance(getattr(event, "session", None), dict):
            unread.append(raw)
        else:
            lost |= {f"{raw['type']}{path}" for path in lost_in(raw, json.loads(wire.encode(event)))}
    assert tried > 1_000
    assert unread == []
    assert lost == {
        "conversation.item.created.type",  # legacy name; becomes conversation.item.added
        "conversation.item.input_audio_transcription.failed.error.message",  # null is the empty text
        *(f"response.{end}.response.usage.{name}" for end in ("created", "done") for name in COUNTS),  # null is 0
    }


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_every_event_goes_over_the_wire_and_back(cls: type[BaseModel], sdk_objects: Objects):
    kind = cls.model_fields["type"].default
    raws = [raw for raw in sdk_objects(RealtimeServerEvent) if raw["type"] == kind]
    event = cls.model_validate_json(json.dumps(raws[0]))
    again = cls.model_validate_json(wire.encode(event))
    assert again == event
    assert json.loads(wire.encode(again)) == json.loads(wire.encode(event))


def test_values_of_tomorrow_do_not_cost_an_answer():
    raw = {
        "type": "response.done",
        "event_id": "e",
        "response": {
            "id": "resp_1",
            "status": "paused",
            "output_modalities": ["audio", "smell"],
            "max_output_tokens": 32_000,
            "output": [
                {"type": "message", "role": "assistant", "status": "paused", "content": [{"type": "output_smell"}]},
                {"type": "hologram", "id": "item_1", "depth": 3},
            ],
            "usage": {"total_tokens": None, "smell_tokens": 4},
            "mood": "fine",
        },
    }
    event = wire.decode_server_event(json.dumps(raw))
    assert isinstance(event, ResponseDone)
    assert event.response.output is not None
    assert [item.type for item in event.response.output] == ["message", "hologram"]
    assert event.response.usage is not None
    assert (event.response.usage.total_tokens, event.response.usage.model_extra) == (0, {"smell_tokens": 4})


def test_a_failure_is_not_lost_for_a_null():
    raw = {"type": "conversation.item.input_audio_transcription.failed", "item_id": "i", "content_index": 0}
    event = wire.decode_server_event(json.dumps({**raw, "error": {"type": None, "code": None, "message": None}}))
    assert isinstance(event, TranscriptionFailed)
    assert event.error == ErrorDetail(type="", message="")


def test_events_are_values():
    one, two = (wire.decode_server_event('{"type":"input_audio_buffer.cleared","event_id":"e"}') for _ in range(2))
    assert one == two
    with pytest.raises(ValueError, match="frozen"):
        one.event_id = "other"
