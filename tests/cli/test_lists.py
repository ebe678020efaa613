"""What can be listed: for people in columns, for programs one object a line, for pipes without colours."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rtchat.catalog import MODELS, VOICES

LISTS = {
    ("models",): ["model", "kind", "text", "audio", "ends"],
    ("voices",): ["voice", "sounds"],
    ("profiles", "list"): ["profile", "what it is", "file"],
    ("config", "show"): ["setting", "value", "from"],
}
OBJECTS = {**LISTS, ("models",): ["model", "kind", "text", "audio", "minute", "ends", "then"]}


@pytest.mark.parametrize("command", LISTS)
def test_json_is_one_object_a_line_with_the_columns_as_names(run, command):
    code, out, err = run(*command, "--json")
    assert (code, err) == (0, "")
    records = [json.loads(line) for line in out.splitlines()]
    assert records and all(list(record) == OBJECTS[command] for record in records)


@pytest.mark.parametrize("command", LISTS)
def test_a_pipe_gets_plain_columns(run, command, monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setenv("FORCE_COLOR", "1")  # which a CI sets for all programs
    code, out, err = run(*command)
    assert (code, err) == (0, "")
    assert "\x1b" not in out and "─" not in out
    lines = out.splitlines()
    assert all(column in lines[0] for column in LISTS[command])
    assert len(lines) >= len(run(*command, "--json").out.splitlines()) + 1  # not one record is wrapped or lost
    assert all(line == line.rstrip() and line for line in lines)


def test_every_model_and_every_voice_is_listed(run):
    assert [json.loads(line)["model"] for line in run("models", "--json").out.splitlines()] == list(MODELS)
    assert [json.loads(line)["voice"] for line in run("voices", "--json").out.splitlines()] == list(VOICES)


def test_the_profiles_that_come_along_are_listed_and_can_be_shown(run):
    names = [json.loads(line)["profile"] for line in run("profiles", "list", "--json").out.splitlines()]
    assert {"assistant", "translator", "tutor", "interviewer", "receptionist"} <= set(names)
    for name in names:
        code, out, err = run("profiles", "show", name, *(["--var", "to=Spanish"] if name == "translator" else []))
        assert (code, err, json.loads(out)["name"]) == (0, "", name)


def test_a_profile_s_variables_are_filled_in(run):
    _, out, _ = run("profiles", "show", "translator", "--var", "to=Basque")
    assert "Basque" in json.loads(out)["instructions"]


def test_a_profile_that_does_not_exist(run):
    code, out, err = run("profiles", "show", "tutr")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "there is no profile of this name" in err and "tutor" in err


def test_config_show_says_where_a_value_comes_from_and_hides_keys(run, write_config, monkeypatch):
    path = write_config('voice = "cedar"\n')
    monkeypatch.setenv("OPENAI_API_KEY", "sk-very-secret")
    monkeypatch.setenv("RTCHAT_MODEL", "gpt-realtime-2.1-mini")
    rows = {row["setting"]: row for row in map(json.loads, run("config", "show", "--json").out.splitlines())}
    assert rows["voice"]["from"] == f"{path}:1: voice"
    assert rows["model"]["from"] == "RTCHAT_MODEL"
    assert rows["openai_api_key"]["value"] == "set"
    plain = run("config", "show").out
    assert plain.endswith(f"Config file: {path}\n") and "secret" not in plain


def test_config_show_of_a_file(run, tmp_path):
    (tmp_path / "mine.toml").write_text('echo = "off"\n')
    assert "mine.toml:1: echo" in run("config", "show", "--config", "mine.toml").out


@pytest.mark.sound
def test_devices_are_listed_without_any_chatter(run, pulse):
    code, out, err = run("devices", "--json")
    assert (code, err) == (0, "")
    devices = [json.loads(line) for line in out.splitlines()]
    assert list(devices[0]) == ["number", "name", "system", "inputs", "outputs", "rate", "default"]
    assert {"input output"} == {device["default"] for device in devices if device["default"]}
    assert {"test_headset", "test_desk"} <= {device["name"] for device in devices}


@pytest.mark.sound
@pytest.mark.skipif(any(Path("/proc/asound").glob("card*[0-9]")), reason="this machine has a sound card")
@pytest.mark.parametrize("flags", [(), ("--json",)])
def test_no_device_at_all_is_one_sentence(run, monkeypatch, tmp_path, flags):
    pytest.importorskip("pyaudio")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PULSE_SERVER", f"unix:{tmp_path}/none")
    code, out, err = run("devices", *flags)
    assert (code, out, err.count("\n")) == (5, "", 1)
    assert "No sound device was found." in err and "rtchat text" in err
