"""The four modes: what belongs to one of them alone, and the way to the session."""

from __future__ import annotations

import pytest

from rtchat.cli import modes
from rtchat.modes import Mode
from rtchat.settings import Settings


@pytest.fixture
def given(monkeypatch):
    seen = []
    monkeypatch.setattr(modes, "_run", lambda mode, flags, prompt=None: seen.append((mode, dict(flags), prompt)))
    return seen


@pytest.mark.parametrize("mode", ["interactive", "text", "tools", "translator"])
def test_a_command_runs_the_mode_of_its_name(run, given, mode):
    assert run(mode).code == 0
    assert given[0][0] is Mode(mode)


def test_text_takes_a_prompt_and_may_speak(run, given):
    run("text", "what time is it", "--speak")
    _, flags, prompt = given[0]
    assert (prompt, Settings.load(flags).speak) == ("what time is it", True)


def test_tools_takes_a_timeout(run, given):
    run("tools", "--tool-timeout", "2.5")
    assert Settings.load(given[0][1]).tool_timeout == 2.5


def test_the_translator_takes_languages_and_turns(run, given):
    run("translator", "--to", "es", "--from", "en", "--turns")
    settings = Settings.load(given[0][1])
    assert (settings.to, settings.from_, settings.turns) == ("es", "en", True)


def test_transcribe_takes_a_file_and_a_language(run, given):
    run("transcribe", "--wav", "talk.wav", "--from", "de")
    settings = Settings.load(given[0][1])
    assert (str(settings.input_wav), settings.from_) == ("talk.wav", "de")


def test_switches_that_are_not_given_are_left_to_the_other_sources(run, given, monkeypatch):
    monkeypatch.setenv("RTCHAT_SPEAK", "1")
    run("text")
    assert Settings.load(given[0][1]).speak is True


def test_a_mode_leaves_with_the_exit_code_of_its_session(run, monkeypatch):
    monkeypatch.setattr("rtchat.cli.run.run_mode", lambda mode, flags, prompt: 3)
    assert run("text", "hello").code == 3
