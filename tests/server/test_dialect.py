import pytest

from rtchat.server.dialect import from_client, item_to_client, session_to_client, temperature, to_client
from rtchat.server.dialogue.checks import Rejected

PCM = {"type": "audio/pcm", "rate": 24_000}


def test_a_flat_session_becomes_a_nested_one():
    flat = {
        "modalities": ["text", "audio"],
        "instructions": "Be brief.",
        "voice": "alloy",
        "speed": 1.2,
        "input_audio_format": "g711_ulaw",
        "output_audio_format": "pcm16",
        "input_audio_transcription": {"model": "whisper-1"},
        "input_audio_noise_reduction": None,
        "turn_detection": None,
        "max_response_output_tokens": 99,
        "temperature": 0.7,
        "tool_choice": {"type": "function", "function": {"name": "look"}},
    }
    assert from_client({"type": "session.update", "event_id": "e", "session": flat}) == {
        "type": "session.update",
        "event_id": "e",
        "session": {
            "type": "realtime",
            "output_modalities": ["audio"],
            "instructions": "Be brief.",
            "max_output_tokens": 99,
            "tool_choice": {"type": "function", "name": "look"},
            "audio": {
                "input": {
                    "format": {"type": "audio/pcmu"},
                    "transcription": {"model": "whisper-1"},
                    "noise_reduction": None,
                    "turn_detection": None,
                },
                "output": {"voice": "alloy", "speed": 1.2, "format": PCM},
            },
        },
    }


def test_a_nested_session_becomes_a_flat_one():
    detection = {"type": "server_vad", "threshold": 0.5, "idle_timeout_ms": None}
    nested = {
        "type": "realtime",
        "id": "sess_1",
        "output_modalities": ["text"],
        "max_output_tokens": "inf",
        "truncation": "auto",
        "audio": {
            "input": {"format": {"type": "audio/pcma"}, "transcription": None, "turn_detection": detection},
            "output": {"format": PCM, "voice": "alloy", "speed": 1.0},
        },
    }
    assert session_to_client(nested) == {
        "id": "sess_1",
        "modalities": ["text"],
        "max_response_output_tokens": "inf",
        "input_audio_format": "g711_alaw",
        "input_audio_transcription": None,
        "turn_detection": {"type": "server_vad", "threshold": 0.5},
        "output_audio_format": "pcm16",
        "voice": "alloy",
        "speed": 1.0,
        "client_secret": None,
    }


def test_a_transcription_session_s_update():
    asked = {
        "type": "transcription_session.update",
        "session": {"modalities": ["text"], "input_audio_format": "pcm16"},
    }
    session = {"type": "transcription", "audio": {"input": {"format": PCM}}}
    assert from_client(asked) == {"type": "session.update", "session": session}


def test_items_and_responses_of_a_client():
    said = {"type": "message", "role": "assistant", "content": [{"type": "text", "text": "Yes."}, "odd"]}
    meant = {**said, "content": [{"type": "output_text", "text": "Yes."}, "odd"]}
    assert from_client({"type": "conversation.item.create", "item": said})["item"] == meant
    asked = {
        "modalities": ["text"],
        "input": [said],
        "max_response_output_tokens": 5,
        "output_audio_format": "pcm16",
    }
    assert from_client({"type": "response.create", "response": asked})["response"] == {
        "output_modalities": ["text"],
        "input": [meant],
        "max_output_tokens": 5,
        "audio": {"output": {"format": PCM}},
    }


@pytest.mark.parametrize(
    "event",
    [
        {"type": ["odd"]},
        {"type": "session.update"},
        {"type": "session.update", "session": "odd"},
        {"type": "response.create", "response": None},
        {"type": "response.create", "response": {"input": 7}},
        {"type": "conversation.item.create", "item": None},
        {"type": "conversation.item.create", "item": {"role": "assistant", "content": [{"type": {}}]}},
        {"type": "input_audio_buffer.commit"},
    ],
)
def test_what_is_wrong_stays_wrong(event):
    assert from_client(event) == event


def test_names_that_the_beta_did_not_have_are_unknown():
    with pytest.raises(Rejected) as caught:
        from_client({"type": "session.update", "session": {"audio": {}}})
    assert (caught.value.code, caught.value.param) == ("unknown_parameter", "session.audio")


@pytest.mark.parametrize(
    ("value", "code"),
    [(0.5, "decimal_below_min_value"), (1.3, "decimal_above_max_value"), ("hot", "invalid_type")],
)
def test_temperatures(value, code):
    assert temperature({"type": "response.create", "response": {"temperature": 1}}) == 1.0
    assert temperature({"type": "response.create"}) is None
    with pytest.raises(Rejected) as caught:
        temperature({"type": "session.update", "session": {"temperature": value}})
    assert (caught.value.code, caught.value.param) == (code, "session.temperature")


def test_items_of_the_server():
    item = {"type": "message", "role": "assistant", "content": [{"type": "output_audio", "transcript": "Yes."}]}
    content = [{"type": "audio", "transcript": "Yes."}]
    assert item_to_client(item) == {**item, "object": "realtime.item", "content": content}
    assert to_client({"type": "conversation.item.added", "item": item})["type"] == "conversation.item.created"


def test_errors_are_about_the_names_that_the_client_knows():
    error = {
        "type": "invalid_request_error",
        "message": "Invalid value: 'mp3'. Supported values are: 'audio/pcm' and 'audio/pcmu'.",
        "param": "session.audio.input.format.type",
    }
    told = to_client({"type": "error", "error": error})["error"]
    assert told["message"] == "Invalid value: 'mp3'. Supported values are: 'pcm16' and 'g711_ulaw'."
    assert told["param"] == "session.input_audio_format"
    assert to_client({"type": "error", "error": {"message": "Oh.", "param": None}})["error"]["param"] is None
