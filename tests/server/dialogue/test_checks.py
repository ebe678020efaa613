import json

import pytest

from rtchat.catalog import VOICES
from rtchat.protocol.client_events import InputAudioAppend, SessionUpdate
from rtchat.server.dialogue.checks import MAX_APPEND, Rejected, read


def session(**fields):
    return {"type": "session.update", "session": {"type": "realtime", **fields}}


def mcp(**fields):
    return {"type": "mcp", "server_label": "x", **fields}


def listening(**fields):
    return session(audio={"input": fields})


def message(*parts, role="user", **fields):
    item = {"type": "message", "role": role, "content": list(parts), **fields}
    return {"type": "conversation.item.create", "item": item}


@pytest.mark.parametrize(
    ("event", "code", "param"),
    [
        ({}, "invalid_event", None),
        ({"type": "nope"}, "invalid_value", "type"),
        ({"type": 7}, "invalid_type", "type"),
        ({"type": "session.update"}, "missing_required_parameter", "session"),
        ({"type": "session.update", "session": {}}, "missing_required_parameter", "session.type"),
        ({"type": "session.update", "session": {"type": "x"}}, "invalid_value", "session.type"),
        (session(bogus_field=1), "unknown_parameter", "session.bogus_field"),
        (session(id="sess_1"), "unknown_parameter", "session.id"),
        (session(type="transcription", expires_at=1), "unknown_parameter", "session.expires_at"),
        (
            listening(turn_detection={"type": "server_vad", "thresh": 1}),
            "unknown_parameter",
            "session.audio.input.turn_detection.thresh",
        ),
        ({"type": "input_audio_buffer.commit", "now": True}, "unknown_parameter", "now"),
        (session(output_modalities=["text", "audio"]), "invalid_value", "session.output_modalities"),
        (session(output_modalities=["smell"]), "invalid_value", "session.output_modalities[0]"),
        (session(instructions=5), "invalid_type", "session.instructions"),
        (session(max_output_tokens=0), "integer_below_min_value", "session.max_output_tokens"),
        (session(max_output_tokens=5000), "integer_above_max_value", "session.max_output_tokens"),
        (
            listening(format={"type": "audio/pcm", "rate": 16000}),
            "integer_below_min_value",
            "session.audio.input.format.rate",
        ),
        (listening(format={"type": "audio/mp3"}), "invalid_value", "session.audio.input.format.type"),
        (
            listening(turn_detection={"type": "server_vad", "threshold": 1.5}),
            "decimal_above_max_value",
            "session.audio.input.turn_detection.threshold",
        ),
        (
            listening(turn_detection={"type": "server_vad", "silence_duration_ms": -1}),
            "integer_below_min_value",
            "session.audio.input.turn_detection.silence_duration_ms",
        ),
        (
            listening(turn_detection={"type": "semantic_vad", "eagerness": "very"}),
            "invalid_value",
            "session.audio.input.turn_detection.eagerness",
        ),
        (session(audio={"output": {"speed": 2}}), "decimal_above_max_value", "session.audio.output.speed"),
        (session(audio={"output": {"voice": "bob"}}), "invalid_value", "session.audio.output.voice"),
        (session(audio={"output": {"voice": {"id": "v"}}}), "invalid_value", "session.audio.output.voice.id"),
        (session(audio={"output": {"voice": "voice_1"}}), "invalid_value", "session.audio.output.voice"),
        (session(audio={"output": {"voice": {"id": 5}}}), "invalid_type", "session.audio.output.voice.id"),
        (session(tool_choice={"type": "function"}), "missing_required_parameter", "session.tool_choice.name"),
        (session(tool_choice={"type": "gun"}), "invalid_value", "session.tool_choice.type"),
        (session(tool_choice="gun"), "invalid_value", "session.tool_choice"),
        (
            session(truncation={"type": "retention_ratio"}),
            "missing_required_parameter",
            "session.truncation.retention_ratio",
        ),
        (session(tracing={"workflow_name": 5}), "invalid_type", "session.tracing.workflow_name"),
        (
            session(type="transcription", audio={"output": {"voice": "ash"}}),
            "unknown_parameter",
            "session.audio.output",
        ),
        (session(tools=[{"type": "function"}]), "missing_required_parameter", "session.tools[0].name"),
        (session(tools=[mcp()]), "missing_required_parameter", "session.tools[0].server_url"),
        (session(tools=[mcp(server_url="file:///etc")]), "invalid_value", "session.tools[0].server_url"),
        (session(tools=[mcp(server_url="http://x:y/")]), "invalid_value", "session.tools[0].server_url"),
        (
            session(tools=[mcp(connector_id="connector_gmail")]),
            "invalid_value",
            "session.tools[0].connector_id",
        ),
        (
            session(tools=[{**mcp(server_url="http://x/"), "server_label": ""}]),
            "invalid_value",
            "session.tools[0].server_label",
        ),
        (session(tools=[{"name": "f"}]), "missing_required_parameter", "session.tools[0].type"),
        (session(tools=[{"type": "gun"}]), "invalid_value", "session.tools[0].type"),
        ({"type": "input_audio_buffer.append"}, "missing_required_parameter", "audio"),
        ({"type": "input_audio_buffer.append", "audio": "%%"}, "invalid_value", "audio"),
        ({"type": "input_audio_buffer.append", "audio": ""}, "invalid_value", "audio"),
        (message({"type": "input_audio", "audio": "%%"}), "invalid_value", "item.content[0].audio"),
        ({"type": "conversation.item.create", "item": {"type": "dance"}}, "invalid_value", "item.type"),
        (message({"type": "text", "text": "hi"}), "invalid_value", "item.content[0].type"),
        (message({"type": "input_text"}), "missing_required_parameter", "item.content[0].text"),
        (message({"type": "input_audio"}, role="system"), "invalid_value", "item.content[0].type"),
        (message(role="pope"), "invalid_value", "item.role"),
        (message(status="done"), "invalid_value", "item.status"),
        (
            {"type": "conversation.item.truncate", "item_id": "A", "content_index": 0, "audio_end_ms": -1},
            "integer_below_min_value",
            "audio_end_ms",
        ),
        ({"type": "conversation.item.delete"}, "missing_required_parameter", "item_id"),
        (
            {"type": "response.create", "response": {"conversation": "main"}},
            "invalid_value",
            "response.conversation",
        ),
        (
            {"type": "response.create", "response": {"metadata": {str(n): "" for n in range(17)}}},
            "invalid_value",
            "response.metadata",
        ),
        ({"type": "response.create", "response": {"temperature": 1}}, "unknown_parameter", "response.temperature"),
    ],
)
def test_what_the_api_refuses(event, code, param):
    with pytest.raises(Rejected) as caught:
        read(json.dumps({**event, "event_id": "mine"}))
    assert (caught.value.code, caught.value.param) == (code, param)
    assert caught.value.event_id == "mine"
    assert param is None or param in str(caught.value) or code == "invalid_value"


@pytest.mark.parametrize("frame", ["", "{", "[1]", "null", "[" * 100_000])
def test_frames_that_are_no_events(frame):
    with pytest.raises(Rejected) as caught:
        read(frame)
    assert caught.value.code == "invalid_json"


def test_the_sentences_of_the_api():
    for event, sentence in (
        (session(bogus_field=1), "Unknown parameter: 'session.bogus_field'."),
        ({"type": "session.update", "session": {}}, "Missing required parameter: 'session.type'."),
    ):
        with pytest.raises(Rejected, match=sentence):
            read(json.dumps(event))
    with pytest.raises(Rejected, match="Expected a value >= 24000, but got 16000"):
        read(json.dumps(listening(format={"type": "audio/pcm", "rate": 16000})))
    with pytest.raises(Rejected, match=r"'response\.create' and 'response\.cancel'"):
        read('{"type": "nope"}')


@pytest.mark.parametrize(
    ("event", "sentence"),
    [
        ({"type": None}, "Invalid type for 'type': expected a string, but got null instead."),
        ({"type": 5}, "Invalid type for 'type': expected a string, but got an integer instead."),
        ({"type": "input_audio_buffer.append", "audio": 5}, "'audio': expected a string, but got an integer"),
        (session(instructions=5), "'session.instructions': expected a string, but got an integer instead."),
        (session(tools={}), "'session.tools': expected an array, but got an object instead."),
        (listening(format="pcm16"), "'session.audio.input.format': expected an object, but got a string instead."),
        (
            listening(turn_detection={"type": "server_vad", "create_response": "maybe"}),
            "create_response': expected a boolean, but got a string instead.",
        ),
        (session(max_output_tokens="all"), "expected an integer, but got a string instead."),
    ],
)
def test_a_wrong_type_is_told_as_the_api_does(event, sentence):
    with pytest.raises(Rejected) as caught:
        read(json.dumps(event))
    assert sentence in caught.value.message
    assert caught.value.code == "invalid_type"


def test_a_voice_that_does_not_exist_lists_the_voices():
    with pytest.raises(Rejected) as caught:
        read(json.dumps(session(audio={"output": {"voice": "bob"}})))
    assert all(f"'{voice}'" in str(caught.value) for voice in VOICES)


def test_what_is_right_passes():
    event = read(json.dumps(listening(turn_detection=None, transcription={"model": "whisper-1"})))
    assert isinstance(event, SessionUpdate)
    event = read('{"type": "input_audio_buffer.append", "audio": "AAEC"}')
    assert isinstance(event, InputAudioAppend)
    assert event.audio == b"\0\1\2"
    tool = {"type": "function", "name": "f", "parameters": {"type": "object", "whatever": {"x": 1}}}
    read(json.dumps(session(tools=[tool], tool_choice={"type": "function", "name": "f"}, max_output_tokens="inf")))


def test_one_append_is_15_mib_at_most():
    frame = '{"type": "input_audio_buffer.append", "audio": "' + "A" * (MAX_APPEND // 3 * 4 + 8) + '"}'
    with pytest.raises(Rejected, match="15 MiB"):
        read(frame)
