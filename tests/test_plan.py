"""What a session will be, from settings, profile and mode."""

from __future__ import annotations

import json
import sys
from datetime import date

import pytest

from rtchat.errors import UsageError
from rtchat.modes import Mode
from rtchat.plan import LOCAL_MODEL, make_plan
from rtchat.protocol import wire
from rtchat.protocol.client_events import SessionUpdate
from rtchat.settings import Settings

pytestmark = pytest.mark.usefixtures("nothing_set")

TODAY = date(2026, 11, 20)


def plan(mode=Mode.INTERACTIVE, **flags):
    return make_plan(mode, Settings.load(flags), today=TODAY)


def sent_session(a_plan):
    """The session as it crosses the wire."""
    return json.loads(wire.encode(SessionUpdate(session=a_plan.rules.session)))["session"]


def test_without_a_key_the_embedded_server_answers_and_the_user_is_told():
    made = plan()
    assert (made.where, made.model) == ("local", LOCAL_MODEL)
    assert len(made.news) == 1 and "OPENAI_API_KEY" in made.news[0]


def test_asking_for_the_embedded_server_is_no_news():
    assert plan(server="local").news == ()


def test_the_embedded_server_costs_nothing_whatever_its_model_is_called(monkeypatch):
    used = {"seconds": 60}
    assert plan(Mode.TRANSLATOR, to="es", server="local").price("gpt-realtime-translate", used) == 0
    monkeypatch.setenv("OPENAI_API_KEY", "sk-1")
    assert plan(Mode.TRANSLATOR, to="es").price("gpt-realtime-translate", used) > 0


def test_with_a_key_openai_answers_with_its_newest_model_and_marin(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    made = plan()
    assert (made.where, made.model, made.news) == ("openai", "gpt-realtime-2.1", ())
    assert made.endpoint().url == "wss://api.openai.com/v1/realtime?model=gpt-realtime-2.1"
    assert made.endpoint().headers["Authorization"] == "Bearer sk-test"
    assert sent_session(made)["audio"]["output"]["voice"] == "marin"


def test_openai_without_a_key_says_what_to_set():
    with pytest.raises(UsageError, match="OPENAI_API_KEY"):
        plan(server="openai")


def test_azure_is_dialled_with_its_own_key(monkeypatch):
    monkeypatch.setenv("AZURE_OPENAI_ENDPOINT", "https://res.openai.azure.com")
    monkeypatch.setenv("AZURE_OPENAI_API_KEY", "secret")
    endpoint = plan(model="my-deployment").endpoint()
    assert endpoint.url == "wss://res.openai.azure.com/openai/v1/realtime?model=my-deployment"
    assert endpoint.headers["api-key"] == "secret"


def test_any_address_is_dialled_as_it_is():
    assert plan(server="ws://127.0.0.1:9/v1").endpoint().url.startswith("ws://127.0.0.1:9/v1/realtime")


def test_another_server_gets_its_own_key_and_never_openai_s(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    assert "Authorization" not in plan(server="ws://127.0.0.1:9/v1").endpoint().headers
    monkeypatch.setenv("RTCHAT_API_KEY", "its-own")
    assert plan(server="ws://127.0.0.1:9/v1").endpoint().headers["Authorization"] == "Bearer its-own"


def test_a_deprecated_model_warns_with_its_date(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    (news,) = plan(model="gpt-realtime").news
    assert "2027-01-20" in news


def test_text_mode_asks_for_text_and_touches_no_sound():
    made = plan(Mode.TEXT)
    session = sent_session(made)
    assert session["output_modalities"] == ["text"]
    assert "audio" not in session
    assert not made.parts.microphone and not made.parts.loudspeaker


def test_spoken_text_mode_asks_for_sound_but_no_microphone():
    session = sent_session(plan(Mode.TEXT, speak=True))
    assert session["output_modalities"] == ["audio"]
    assert list(session["audio"]) == ["output"]


def test_push_to_talk_is_an_explicit_null():
    made = plan(vad="off")
    turn_detection = sent_session(made)["audio"]["input"]
    assert "turn_detection" in turn_detection and turn_detection["turn_detection"] is None
    assert made.rules.push_to_talk and not made.rules.server_answers


def test_the_profile_s_greeting_opens_the_conversation_unless_the_user_does(tmp_path):
    (tmp_path / "me.toml").write_text('greeting = "Say hello."')
    settings = Settings.load({"profile": str(tmp_path / "me.toml")})
    assert make_plan(Mode.TEXT, settings, today=TODAY).rules.greeting == "Say hello."
    assert make_plan(Mode.TEXT, settings, today=TODAY, greets=False).rules.greeting == ""


def test_tools_are_offered_in_the_api_s_form():
    definition = {"type": "function", "name": "f", "description": "d", "parameters": {"type": "object"}}
    session = sent_session(plan().with_tools([definition]))
    assert session["tools"] == [definition]
    assert session["tool_choice"] == "auto"


def test_no_tools_leave_the_session_alone():
    assert "tools" not in sent_session(plan().with_tools([]))


def test_the_translator_needs_a_language():
    with pytest.raises(UsageError, match="--to"):
        plan(Mode.TRANSLATOR)


def test_translation_is_a_session_of_its_own_on_openai(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    made = plan(Mode.TRANSLATOR, to="es")
    assert made.endpoint().url == "wss://api.openai.com/v1/realtime/translations?model=gpt-realtime-translate"
    assert made.translation.audio.output.language == "es"


def test_translating_by_turns_is_a_conversation_with_the_translator_profile(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    made = plan(Mode.TRANSLATOR, to="fr", turns=True)
    assert made.translation is None
    assert "French" in made.rules.session.instructions


def test_translating_by_turns_on_the_embedded_server_names_the_pair():
    assert plan(Mode.TRANSLATOR, to="es", turns=True).model == "apertium:en-es"


def test_what_is_not_a_language_is_said():
    with pytest.raises(UsageError, match="not a language"):
        plan(Mode.TRANSLATOR, to="klingon!", server="local")


# --- sound ------------------------------------------------------------------------------------------------


def test_echo_is_cancelled_where_that_can_be_and_nobody_says_otherwise():
    made = plan()
    assert (made.rules.echo, made.sound().echo, made.echo_on("Built-in Audio")) == ("aec", "while it works", "aec")
    forced = plan(echo="aec", input_wav="q.wav", output_wav="a.wav")
    assert (forced.rules.echo, forced.sound().echo) == ("aec", "always")


@pytest.mark.parametrize("echo", ["half-duplex", "off"])
def test_what_is_asked_for_against_echo_is_done_also_with_headphones(echo):
    made = plan(echo=echo)
    assert (made.rules.echo, made.sound().echo, made.echo_on("Headphones")) == (echo, "no", echo)


@pytest.mark.parametrize("echo", ["auto", "aec"])
def test_without_a_canceller_it_is_half_duplex(monkeypatch, echo):
    monkeypatch.setitem(sys.modules, "livekit.rtc", None)  # what Python makes of a module that is not there
    made = plan(echo=echo)
    assert (made.rules.echo, made.sound().echo, made.echo_on("Built-in Audio")) == (
        "half-duplex",
        "no",
        "half-duplex",
    )


@pytest.mark.parametrize(
    ("flags", "listened_for"),
    [
        ({}, True),
        ({"echo": "off"}, True),
        ({"echo": "half-duplex"}, False),
        ({"vad": "off"}, False),
        ({"output_wav": "a.wav"}, False),
    ],
)
def test_a_voice_is_listened_for_where_it_may_interrupt(flags, listened_for):
    assert plan(**flags).sound().barge_in is listened_for


def test_headphones_and_files_have_no_echo():
    assert plan().echo_on("USB Headset") == "none"
    assert plan(echo="aec").echo_on("USB Headset") == "aec"
    assert plan(input_wav="q.wav").rules.echo == plan(output_wav="a.wav").rules.echo == "none"
    assert plan(Mode.TEXT, speak=True).rules.echo == "none"


def test_answers_go_on_after_a_false_alarm_where_that_is_asked_for():
    assert plan(resume_false_interruptions=True).rules.resume_false_interruptions
    assert not plan().rules.resume_false_interruptions


@pytest.mark.parametrize(
    ("flags", "found", "echo"),
    [
        ({}, "half-duplex", "half-duplex"),
        ({}, "none", "none"),
        ({}, "aec", "aec"),
        ({"echo": "aec"}, "half-duplex", "aec"),
        ({"echo": "off"}, "half-duplex", "off"),
        ({"output_wav": "a.wav"}, "half-duplex", "none"),
    ],
)
def test_a_sound_check_decides_where_nobody_else_does(flags, found, echo):
    assert plan(**flags).echo_on("Built-in Audio", found) == echo


def test_a_sound_check_needs_a_canceller_for_what_it_found_with_one(monkeypatch):
    monkeypatch.setattr("rtchat.plan.find_spec", lambda _: None)
    assert plan().echo_on("Built-in Audio", "aec") == "half-duplex"
    assert plan().echo_on("Built-in Audio", "none") == "none"


def test_sensitivity_and_gain_reach_the_sound():
    asked = plan(sensitivity="high", auto_gain=True).sound()
    assert (asked.sensitivity, asked.auto_gain) == ("high", True)


def test_without_a_loudspeaker_the_answers_are_written():
    made = plan().with_tools([{"type": "function", "name": "f", "parameters": {}}]).without("loudspeaker")
    session = sent_session(made)
    assert session["output_modalities"] == ["text"] and "output" not in session["audio"]
    assert session["audio"]["input"]["turn_detection"]["type"] == "server_vad"
    assert [tool["name"] for tool in session["tools"]] == ["f"]
    assert (made.sound().capture, made.sound().playback, made.rules.echo) == (True, False, "none")


def test_without_a_microphone_words_are_typed_and_nobody_presses_a_key_to_talk():
    made = plan(vad="off").without("microphone")
    session = sent_session(made)
    assert session["output_modalities"] == ["audio"] and "input" not in session["audio"]
    assert (made.sound().capture, made.sound().playback, made.rules.push_to_talk) == (False, True, False)


def test_without_either_it_is_all_text():
    made = plan().without("microphone").without("loudspeaker")
    assert sent_session(made)["output_modalities"] == ["text"] and "audio" not in sent_session(made)


def test_the_profile_s_tools_and_the_flags_are_joined(tmp_path):
    (tmp_path / "me.toml").write_text('tools = ["get_time"]\n')
    assert plan(profile=str(tmp_path / "me.toml"), tools=["calculate", "get_time"]).tools == (
        "get_time",
        "calculate",
    )


def test_transcription_is_a_session_of_its_own(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    made = plan(Mode.TRANSCRIBE, model="gpt-realtime-whisper", vad="off", **{"from": "de"})
    assert made.endpoint().url == "wss://api.openai.com/v1/realtime?intent=transcription"
    audio = {"transcription": {"model": "gpt-realtime-whisper", "language": "de"}, "turn_detection": None}
    wanted = {
        "type": "transcription",
        "audio": {"input": {"format": {"type": "audio/pcm", "rate": 24000}, **audio}},
    }
    assert sent_session(made) == wanted
    assert (made.tools, made.transcription_model) == ((), "gpt-realtime-whisper")


def test_the_default_models_are_no_news(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    assert [plan(mode).news for mode in (Mode.INTERACTIVE, Mode.TEXT, Mode.TOOLS, Mode.TRANSCRIBE)] == [()] * 4
