import json
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from rtchat.protocol.config import RealtimeSession, ServerVad, Session, TranscriptionSession, VoiceId

SESSION: TypeAdapter[Session] = TypeAdapter(Session)


def session(**fields: Any) -> Session:
    return SESSION.validate_json(json.dumps({"type": "realtime", **fields}))


def test_the_type_says_which_session_it_is():
    assert isinstance(session(), RealtimeSession)
    assert isinstance(session(type="transcription"), TranscriptionSession)
    with pytest.raises(ValidationError):
        SESSION.validate_json("{}")


def test_push_to_talk_is_not_the_same_as_saying_nothing():
    for said in ({}, {"turn_detection": None}):
        found = session(audio={"input": said})
        assert json.loads(SESSION.dump_json(found, exclude_unset=True))["audio"] == {"input": said}


def test_zero_and_false_are_values():
    vad = {"type": "server_vad", "threshold": 0, "create_response": False}
    found = session(audio={"input": {"turn_detection": vad}})
    assert isinstance(found, RealtimeSession)
    assert found.audio is not None
    assert found.audio.input is not None
    assert found.audio.input.turn_detection == ServerVad(threshold=0, create_response=False)


def test_a_voice_is_a_name_or_an_id():
    for voice, meant in (("marin", "marin"), ({"id": "voice_1"}, VoiceId(id="voice_1"))):
        found = session(audio={"output": {"voice": voice}})
        assert isinstance(found, RealtimeSession)
        assert found.audio is not None
        assert found.audio.output is not None
        assert found.audio.output.voice == meant


@pytest.mark.parametrize(
    "wrong",
    [
        {"max_output_tokens": 4097},
        {"max_output_tokens": "many"},
        {"truncation": {"type": "retention_ratio"}},
        {"tracing": "off"},
        {"output_modalities": ["smell"]},
        {"audio": {"input": {"turn_detection": {"type": "magic_vad"}}}},
        {"audio": {"input": {"format": {"type": "audio/ogg"}}}},
        {"tools": [{"type": "hammer"}]},
    ],
)
def test_what_cannot_be_meant_is_refused(wrong: dict[str, Any]):
    with pytest.raises(ValidationError):
        session(**wrong)
