import json
from collections.abc import Callable
from typing import Any

import pytest
from openai.types.realtime import RealtimeTranslationClientEvent, RealtimeTranslationServerEvent
from pydantic import TypeAdapter

from rtchat.errors import WireError
from rtchat.protocol import wire
from rtchat.protocol.config import NoiseReduction
from rtchat.protocol.server_events import ErrorEvent, UnknownEvent
from rtchat.protocol.translation import (
    TranslationAppend,
    TranslationAudio,
    TranslationAudioInput,
    TranslationAudioOutput,
    TranslationClose,
    TranslationCreated,
    TranslationOutputAudioDelta,
    TranslationSession,
    TranslationTranscription,
    TranslationUpdate,
)

Objects = Callable[[Any], list[dict[str, Any]]]


def update(**audio: Any) -> TranslationUpdate:
    return TranslationUpdate(session=TranslationSession(audio=TranslationAudio(**audio)))


SAID: list[tuple[Any, dict[str, Any]]] = [
    (
        update(output=TranslationAudioOutput(language="es")),
        {"type": "session.update", "session": {"audio": {"output": {"language": "es"}}}},
    ),
    (
        update(
            input=TranslationAudioInput(
                transcription=TranslationTranscription(model="gpt-realtime-whisper"),
                noise_reduction=NoiseReduction(type="near_field"),
            )
        ),
        {
            "type": "session.update",
            "session": {
                "audio": {
                    "input": {
                        "transcription": {"model": "gpt-realtime-whisper"},
                        "noise_reduction": {"type": "near_field"},
                    }
                }
            },
        },
    ),
    (
        update(input=TranslationAudioInput(transcription=None)),
        {"type": "session.update", "session": {"audio": {"input": {"transcription": None}}}},
    ),
    (TranslationAppend(audio=b"\xfb\xff"), {"type": "session.input_audio_buffer.append", "audio": "+/8="}),
    (TranslationClose(), {"type": "session.close"}),
]


@pytest.mark.parametrize(("event", "said"), SAID)
def test_what_is_said_is_what_was_meant_and_the_openai_package_takes_it(event: Any, said: dict[str, Any]):
    frame = wire.encode(event)
    assert json.loads(frame) == said
    assert wire.decode_translation_client_event(frame) == event
    theirs: TypeAdapter[Any] = TypeAdapter(RealtimeTranslationClientEvent)
    assert theirs.validate_json(frame).model_dump(mode="json", exclude_unset=True) == said


def test_everything_that_the_openai_package_knows_is_read_and_kept(
    sdk_objects: Objects, lost_in: Callable[[Any, Any], set[str]]
):
    for raw in sdk_objects(RealtimeTranslationServerEvent):
        event = wire.decode_translation_server_event(json.dumps(raw))
        assert not isinstance(event, UnknownEvent)
        assert not isinstance(getattr(event, "session", None), dict)
        assert lost_in(raw, json.loads(wire.encode(event))) == set()
    for raw in sdk_objects(RealtimeTranslationClientEvent):
        assert json.loads(wire.encode(wire.decode_translation_client_event(json.dumps(raw)))) == raw


def test_sound_is_bytes():
    frame = (
        '{"type":"session.output_audio.delta","event_id":"e","delta":"AAEC","sample_rate":24000,"elapsed_ms":200}'
    )
    event = wire.decode_translation_server_event(frame)
    assert isinstance(event, TranslationOutputAudioDelta)
    assert (event.delta, event.sample_rate, event.elapsed_ms) == (b"\x00\x01\x02", 24_000, 200)


def test_errors_are_the_same_as_elsewhere():
    event = wire.decode_translation_server_event('{"type":"error","error":{"message":"No.","code":"x"}}')
    assert isinstance(event, ErrorEvent)
    assert event.error.code == "x"


def test_a_session_of_another_shape_stays_what_it_is():
    event = wire.decode_translation_server_event('{"type":"session.created","session":{"audio":5}}')
    assert isinstance(event, TranslationCreated)
    assert event.session == {"audio": 5}


def test_the_unheard_of_and_the_malformed():
    unknown = wire.decode_translation_server_event('{"type":"session.mood","event_id":"e","mood":"fine"}')
    assert isinstance(unknown, UnknownEvent)
    assert unknown.raw["mood"] == "fine"
    with pytest.raises(WireError):
        wire.decode_translation_server_event("[]")
