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
