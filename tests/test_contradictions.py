"""Flags that contradict each other, the mode or the server."""

from __future__ import annotations

from datetime import date

import pytest

from rtchat.errors import UsageError
from rtchat.modes import Mode, Output
from rtchat.plan import make_plan
from rtchat.settings import Settings

pytestmark = pytest.mark.usefixtures("nothing_set")


def plan(mode=Mode.INTERACTIVE, **flags):
    return make_plan(mode, Settings.load(flags), today=date(2026, 11, 20))


@pytest.mark.parametrize("flag", ["llm", "llm_model"])
@pytest.mark.parametrize(
    ("elsewhere", "to"),
    [
        ({"server": "openai"}, "OpenAI"),
        ({"server": "azure"}, "Azure"),
        ({"server": "ws://127.0.0.1:9/v1"}, "another server"),
        ({"url": "ws://127.0.0.1:9/v1"}, "another server"),
    ],
)
def test_an_engine_for_a_server_that_has_its_own_is_wrong_usage(monkeypatch, flag, elsewhere, to):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-1")
    monkeypatch.setenv("AZURE_OPENAI_API_KEY", "key")
    monkeypatch.setenv("AZURE_OPENAI_ENDPOINT", "https://here.example")
    with pytest.raises(UsageError) as caught:
        plan(**elsewhere, **{flag: "ollama"})
    name = f"--{flag.replace('_', '-')}"
    assert caught.value.message == f"{name} is about the embedded server, and this session goes to {to}."
    assert caught.value.hint == "Leave it out, or use --server local."


def test_an_engine_in_the_environment_waits_for_a_session_that_uses_it(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-1")
    monkeypatch.setenv("RTCHAT_LLM", "ollama")
    assert plan(server="openai").where == "openai"
    assert plan().where == plan(llm_model="llama3.2").where == "local"


def test_a_model_without_the_engine_that_has_it_is_wrong_usage():
    with pytest.raises(UsageError, match="Say which: --llm ollama"):
        plan(server="local", llm_model="llama3.2")


@pytest.mark.parametrize(
    ("mode", "flag", "sentence", "hint"),
    [
        (Mode.TEXT, "input_wav", "--input-wav is about the microphone, and rtchat text has none.",
         "Leave it out, or use rtchat interactive."),
        (Mode.TEXT, "output_wav", "--output-wav is about the loudspeaker, and rtchat text has none.",
         "Add --speak, or leave it out."),
        (Mode.TEXT, "output_device", "--output-device is about the loudspeaker, and rtchat text has none.",
         "Add --speak, or leave it out."),
        (Mode.TRANSCRIBE, "output_wav", "--output-wav is about the loudspeaker, and rtchat transcribe has none.",
         "Leave it out, or use rtchat interactive."),
    ],
)  # fmt: skip
def test_a_flag_about_a_device_that_a_mode_has_not_is_wrong_usage(mode, flag, sentence, hint):
    with pytest.raises(UsageError) as caught:
        plan(mode, **{flag: "a.wav"})
    assert (caught.value.message, caught.value.hint) == (sentence, hint)


TALKING = "Leave it out, or use rtchat interactive."
TURNS = "Add --turns, or leave it out."


@pytest.mark.parametrize(
    ("mode", "flags", "sentence", "hint"),
    [
        (Mode.TEXT, {"vad": "off"}, "--vad is about the microphone", TALKING),
        (Mode.TEXT, {"voice": "cedar"}, "--voice is about the loudspeaker", "Add --speak, or leave it out."),
        (Mode.TEXT, {"echo": "off"}, "--echo is about a microphone beside a loudspeaker", TALKING),
        (Mode.TEXT, {"sensitivity": "low"}, "--sensitivity is about an assistant to interrupt", TALKING),
        (Mode.TRANSCRIBE, {"voice": "cedar"}, "--voice is about the loudspeaker", TALKING),
        (Mode.TRANSCRIBE, {"profile": "tutor"}, "--profile is about a conversation", TALKING),
        (Mode.TRANSCRIBE, {"tools": ["time"]}, "--tools is about a model that uses tools", TALKING),
        (Mode.TRANSCRIBE, {"llm": "ollama"}, "--llm is about a model that answers", TALKING),
        (Mode.TRANSLATOR, {"instructions": "Hi."}, "--instructions is about a conversation", TURNS),
        (Mode.TRANSLATOR, {"voice": "cedar"}, "--voice is about a conversation", TURNS),
        (Mode.TRANSLATOR, {"vad": "semantic"}, "--vad is about a conversation", TURNS),
        (Mode.TRANSLATOR, {"max_turns": "2"}, "--max-turns is about a conversation", TURNS),
        (Mode.TRANSLATOR, {"turns": True, "tools": ["time"]}, "--tools is about a model that uses tools", TALKING),
    ],
)  # fmt: skip
def test_a_flag_about_what_a_mode_has_not_is_wrong_usage(mode, flags, sentence, hint):
    to = {"to": "es"} if mode is Mode.TRANSLATOR else {}
    with pytest.raises(UsageError) as caught:
        plan(mode, server="local", **to, **flags)
    assert (caught.value.message, caught.value.hint) == (f"{sentence}, and rtchat {mode} has none.", hint)


@pytest.mark.parametrize(
    ("mode", "flags"),
    [
        (Mode.TEXT, {"speak": True, "voice": "cedar"}),
        (Mode.TRANSLATOR, {"turns": True, "voice": "cedar", "vad": "off", "profile": "translator"}),
        (Mode.TRANSLATOR, {"echo": "off", "llm": "ollama"}),
        (Mode.TRANSCRIBE, {"vad": "semantic", "eagerness": "low"}),
        (Mode.INTERACTIVE, {"sensitivity": "low", "vad": "semantic", "eagerness": "low", "llm": "ollama"}),
    ],
)
def test_a_flag_that_counts_is_taken(mode, flags):
    to = {"to": "es"} if mode is Mode.TRANSLATOR else {}
    assert plan(mode, server="local", **to, **flags).mode is mode


@pytest.mark.parametrize(("vad", "ends"), [(None, "silence ends them"), ("off", "you end them")])
def test_eagerness_is_of_semantic_turns(vad, ends):
    with pytest.raises(UsageError) as caught:
        plan(eagerness="low", **({"vad": vad} if vad else {}))
    assert caught.value.message == f"--eagerness is about turns that end with what was said, and here {ends}."
    assert caught.value.hint == "Add --vad semantic, or leave it out."


def test_eagerness_goes_with_a_profile_whose_turns_are_semantic(tmp_path):
    profile = tmp_path / "mine.toml"
    profile.write_text('name = "mine"\ninstructions = "Hi."\n[turn_taking]\nvad = "semantic"\n')
    assert plan(eagerness="low", profile=str(profile)).parts.microphone


def test_a_device_in_the_environment_waits_for_a_mode_that_has_it(monkeypatch):
    monkeypatch.setenv("RTCHAT_INPUT_DEVICE", "USB")
    monkeypatch.setenv("RTCHAT_OUTPUT_DEVICE", "USB")
    assert plan(Mode.TEXT).parts.output is Output.TEXT
    assert plan(Mode.TEXT, speak=True, output_wav="a.wav").parts.output is Output.AUDIO


def test_a_file_that_is_heard_is_not_written_over(tmp_path):
    heard = tmp_path / "q.wav"
    heard.write_bytes(b"RIFF")
    (tmp_path / "again.wav").symlink_to(heard)
    for written in ("q.wav", "again.wav", str(heard)):
        with pytest.raises(UsageError, match="would be written over"):
            plan(input_wav="q.wav", output_wav=written)
    assert plan(input_wav="q.wav", output_wav="a.wav").sound().output_wav.name == "a.wav"
    assert plan(input_wav="-", output_wav="-").sound().capture
