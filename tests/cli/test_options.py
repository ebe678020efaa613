"""The shared flags: each is a setting, and reaches it from every mode."""

from __future__ import annotations

import pytest

from rtchat.cli import modes, options
from rtchat.modes import Mode
from rtchat.settings import Settings

SAMPLES = {
    "server": "local",
    "url": "ws://127.0.0.1:1/v1",
    "model": "gpt-realtime-2.1",
    "voice": "cedar",
    "llm": "ollama",
    "llm_model": "llama3.2",
    "profile": "tutor",
    "var": "language=French",
    "instructions": "Be brief.",
    "vad": "semantic",
    "eagerness": "high",
    "tools": "calculate",
    "max_turns": "3",
    "budget": "0.5",
    "input_device": "2",
    "output_device": "desk",
    "input_wav": "in.wav",
    "output_wav": "out.wav",
    "echo": "off",
    "sensitivity": "high",
    "sessions_dir": "kept",
    "log_level": "error",
}
SWITCHES = ("record", "plain", "json", "quiet", "auto_gain", "resume_false_interruptions")


@pytest.fixture
def given(monkeypatch):
    """What reaches `run_mode`, instead of running it."""
    seen = []
    monkeypatch.setattr(modes, "_run", lambda mode, flags, prompt=None: seen.append((mode, dict(flags), prompt)))
    return seen


def settings_of(flags):
    return Settings.load({name: value for name, value in flags.items() if name != "config"})


def test_every_flag_is_a_setting_and_is_tried_here():
    known = {name.rstrip("_") for name in Settings.model_fields}
    names = {flag.setting for flag in options.FLAGS}
    assert names - known == {"config"}
    assert names == {*SAMPLES, *SWITCHES, "config"}


@pytest.mark.parametrize("setting", SAMPLES)
def test_a_flag_reaches_its_setting(run, given, setting):
    flag = next(flag for flag in options.FLAGS if flag.setting == setting)
    assert run("interactive", flag.names[0], SAMPLES[setting]).err == ""
    ((_, flags, _),) = given
    assert set(flags) == {setting}
    rows = {row.name: row for row in settings_of(flags).explain()}
    assert rows[setting].source == f"--{setting.replace('_', '-')}"
    assert rows[setting].value == SAMPLES[setting]


@pytest.mark.parametrize("setting", SWITCHES)
@pytest.mark.parametrize("wanted", [True, False])
def test_a_switch_can_be_set_and_unset(run, given, setting, wanted):
    flag = setting.replace("_", "-")
    assert run("interactive", f"--{flag}" if wanted else f"--no-{flag}").err == ""
    ((_, flags, _),) = given
    assert flags == {setting: wanted}
    rows = {row.name: row.value for row in settings_of(flags).explain()}
    assert rows[setting] == ("yes" if wanted else "no")


def test_what_is_not_given_is_left_to_the_other_sources(run, given):
    run("interactive")
    assert given == [(Mode.INTERACTIVE, {}, None)]


def test_some_flags_may_be_repeated(run, given):
    run("tools", "--tools", "a.py", "--tools", "b.py", "--var", "x=1", "--var", "y=2")
    _, flags, _ = given[0]
    assert (flags["tools"], flags["var"]) == (["a.py", "b.py"], ["x=1", "y=2"])


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--max-turns", "x"], "--max-turns must be a whole number, not 'x'."),
        (["--max-turns", "0"], "--max-turns must be 1 or more, not '0'."),
        (["--budget", "-1"], "--budget must be more than 0"),
        (["--vad", "maybe"], "--vad must be server, semantic or off, not 'maybe'."),
        (["--echo", "loud"], "--echo must be"),
        (["--server", "nowhere"], "--server must be auto, openai, azure, local or a ws:// or wss:// address"),
        (["--url", "http://x"], "--url must be a ws:// or wss:// address"),
        (["--var", "novalue"], "--var must be name=value, not 'novalue'."),
        (["--log-level", "loud"], "--log-level must be debug, info, warning or error"),
        (["--config", "nope.toml"], "There is no config file nope.toml."),
    ],
)
def test_a_wrong_value_is_one_sentence_that_names_the_flag(run, arguments, sentence):
    code, out, err = run("text", "hello", *arguments)
    assert (code, out) == (2, "")
    assert err.startswith("rtchat: ") and sentence in err and err.count("\n") == 1


@pytest.mark.parametrize("mode", ["interactive", "text", "tools", "translator"])
def test_every_mode_has_every_flag_and_says_what_it_does(run, mode):
    _, out, _ = run(mode, "--help")
    said = out.replace("\n", " ")
    for flag in options.FLAGS:
        assert flag.names[0].split("/")[0] in said
        assert len(flag.help) > 10
