"""What the session is at first was recorded (docs/protocol.md, session object)."""

from pathlib import Path

import pytest

TRACES = Path(__file__).parents[4] / "shared" / "traces"


def test_the_session_of_todays_model(talk):
    (created,) = talk.created
    session = created["session"]
    assert session["object"] == "realtime.session"
    assert session["expires_at"] == 1
    assert session["audio"]["output"] == {
        "format": {"type": "audio/pcm", "rate": 24000},
        "voice": "marin",
        "speed": 1.0,
    }
    assert session["audio"]["input"]["turn_detection"] == {
        "type": "server_vad",
        "threshold": 0.5,
        "prefix_padding_ms": 300,
        "silence_duration_ms": 500,
        "idle_timeout_ms": None,
        "create_response": True,
        "interrupt_response": True,
    }
    for name in ("tracing", "prompt", "include"):
        assert session[name] is None


def test_the_first_generation_answers_sooner(new_talk):
    session = new_talk(model="gpt-realtime").created[0]["session"]
    assert session["audio"]["input"]["turn_detection"]["silence_duration_ms"] == 200
    assert session["audio"]["output"]["voice"] == "alloy"


def test_an_update_keeps_what_it_does_not_name(talk):
    (updated,) = talk.update(audio={"input": {"transcription": {"model": "whisper-1"}}}, tools=[])
    session = updated["session"]
    assert session["audio"]["input"]["transcription"] == {"model": "whisper-1", "language": None, "prompt": None}
    assert session["audio"]["input"]["turn_detection"]["silence_duration_ms"] == 500
    assert session["audio"]["output"]["voice"] == "marin"
    (updated,) = talk.update(audio={"input": {"transcription": None, "turn_detection": None}})
    assert updated["session"]["audio"]["input"]["transcription"] is None
    assert updated["session"]["audio"]["input"]["turn_detection"] is None


def test_a_function_without_a_description(talk):
    (updated,) = talk.update(tools=[{"type": "function", "name": "f"}])
    assert updated["session"]["tools"][0]["description"] is None


def test_defaults_of_a_detection_that_is_named(talk):
    (updated,) = talk.update(audio={"input": {"turn_detection": {"type": "semantic_vad"}}})
    assert updated["session"]["audio"]["input"]["turn_detection"] == {
        "type": "semantic_vad",
        "eagerness": "auto",
        "create_response": True,
        "interrupt_response": True,
    }


@pytest.mark.parametrize(
    ("session", "code", "param"),
    [
        ({"type": "transcription"}, "invalid_parameter", "session.type"),
        ({"type": "realtime", "model": "other"}, "invalid_value", "session.model"),
    ],
)
def test_what_cannot_change(talk, session, code, param):
    (error,) = talk.send("session.update", session=session)
    assert (error["error"]["code"], error["error"]["param"]) == (code, param)


LISTENING = {"input": {"transcription": {"model": "whisper-1"}}}


@pytest.mark.parametrize(
    "wrong",
    [
        {"bogus": 1},
        {"max_output_tokens": 0},
        {"max_output_tokens": "many"},
        {"output_modalities": ["text", "audio"]},
        {"tool_choice": "sometimes"},
        {"tools": [{"type": "function", "name": "two words"}]},
        {"truncation": {"type": "retention_ratio"}},
        {"truncation": "never"},
        {"include": ["everything"]},
        {"model": "gpt-realtime"},
        {"tracing": "always"},
        {"reasoning": {"effort": "huge"}},
        {"prompt": {"version": "1"}},
        {"audio": {**LISTENING, "output": {"voice": "bob"}}},
        {"audio": {**LISTENING, "output": {"speed": 9}}},
        {"audio": {**LISTENING, "output": {"format": {"type": "audio/pcm", "rate": 8000}}}},
        {"audio": {"input": {**LISTENING["input"], "turn_detection": {"type": "server_vad", "threshold": 2}}}},
        {"audio": {"input": {**LISTENING["input"], "turn_detection": {"type": "none"}}}},
        {"audio": {"input": {**LISTENING["input"], "noise_reduction": {"type": "loud"}}}},
        {"audio": {"input": {**LISTENING["input"], "format": {"type": "audio/mp3"}}}},
        {"audio": {"input": {"transcription": {"model": "whisper-1", "delay": "never"}}}},
    ],
)
def test_one_wrong_field_and_nothing_changes(talk, wrong):
    (error,) = talk.update(**{"instructions": "Other.", "audio": LISTENING, **wrong})
    assert error["type"] == "error"
    assert error["error"]["type"] == "invalid_request_error"
    (updated,) = talk.update()
    assert updated["session"] == talk.created[0]["session"]


def test_everything_that_the_api_takes_is_taken_and_told_back(talk):
    session = {
        "instructions": "",
        "max_output_tokens": 4096,
        "parallel_tool_calls": False,
        "reasoning": {"effort": "low"},
        "tracing": {"workflow_name": "w", "group_id": "g", "metadata": {"a": "b"}},
        "prompt": {"id": "pmpt_1", "version": "2", "variables": {"name": "Ada"}},
        "truncation": {
            "type": "retention_ratio",
            "retention_ratio": 0.8,
            "token_limits": {"post_instructions": 99},
        },
        "include": ["item.input_audio_transcription.logprobs"],
        "tool_choice": "required",
    }
    listening = {
        "noise_reduction": {"type": "far_field"},
        "transcription": {"model": "gpt-4o-transcribe", "language": "en", "prompt": "Names: Ada."},
        "turn_detection": {"type": "semantic_vad", "eagerness": "low", "create_response": False},
    }
    (updated,) = talk.update(**session, audio={"input": listening, "output": {"speed": 1.5, "voice": "cedar"}})
    shown = updated["session"]
    assert {name: shown[name] for name in session} == session
    assert shown["audio"]["input"]["noise_reduction"] == {"type": "far_field"}
    assert shown["audio"]["input"]["turn_detection"]["interrupt_response"] is True
    assert (shown["audio"]["output"]["speed"], shown["audio"]["output"]["voice"]) == (1.5, "cedar")


def test_naming_the_same_model_is_fine(talk):
    assert talk.update(model="gpt-realtime-2.1")[0]["type"] == "session.updated"


def test_a_telephone_session_says_its_formats(talk):
    audio = {"input": {"format": {"type": "audio/pcmu"}}, "output": {"format": {"type": "audio/pcma"}}}
    (updated,) = talk.update(audio=audio)
    assert updated["session"]["audio"]["input"]["format"] == {"type": "audio/pcmu"}
    assert updated["session"]["audio"]["output"]["format"] == {"type": "audio/pcma"}


@pytest.mark.skipif(not TRACES.is_dir(), reason="the recordings are not here")
def test_the_recorded_session_has_the_same_fields(new_talk):
    yaml = pytest.importorskip("yaml")
    path = TRACES / "test_openai_ws__test_tool_call_round.yaml"
    recorded = yaml.safe_load(path.read_text())["interactions"][0]["data"]["session"]
    ours = new_talk(model=recorded["model"]).created[0]["session"]
    for name in ("id", "expires_at", "instructions"):
        assert type(ours.pop(name)) is type(recorded.pop(name))
    assert ours == recorded
