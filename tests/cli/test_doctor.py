"""The report: for people in lines, for programs one object; where nothing can be heard."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(
    any(Path("/proc/asound").glob("card*[0-9]")), reason="this machine has a sound card"
)
LOCAL = ("--server", "local")


@pytest.fixture(autouse=True)
def no_device(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PULSE_SERVER", f"unix:{tmp_path}/none")


def test_json_is_one_object(run):
    code, out, err = run("doctor", "--json", *LOCAL)
    assert (code, err, out.count("\n")) == (5, "", 1)
    told = json.loads(out)
    assert list(told) == ["version", "exit_code", "checks", "sound"]
    assert told["exit_code"] == 5 and told["sound"] is None
    assert all(list(found) == ["check", "mark", "text", "hint", "code"] for found in told["checks"])
    assert {found["mark"] for found in told["checks"]} <= {"ok", "note", "problem"}
    names = [found["check"] for found in told["checks"]]
    assert names[:3] == ["system", "settings", "terminal"] and names[-1] == "network"


def test_people_get_the_same_in_lines(run):
    told = json.loads(run("doctor", "--json", *LOCAL).out)["checks"]
    code, out, err = run("doctor", *LOCAL)
    assert (code, err) == (5, "")
    first = [line for line in out.splitlines()[:-1] if not line.startswith(" ")]
    assert [line.split()[:2] for line in first] == [[found["mark"], found["check"]] for found in told]
    assert out.splitlines()[-1] == "A conversation does not work here yet: see the problems above."
    assert "\x1b" not in out


def test_without_a_key_it_says_which_server_answers(run):
    code, out, _ = run("doctor", "--no-sound")
    assert code == 5 and "the embedded server answers" in out and "Set OPENAI_API_KEY" in out


def test_wrong_usage(run):
    code, out, err = run("doctor", "--loud")
    assert (code, out, err.count("\n")) == (2, "", 1) and "--loud" in err


def test_a_setting_that_is_wrong_is_found_and_the_rest_is_looked_at(run, write_config):
    path = write_config("echo = 'loud'\n")
    code, out, _ = run("doctor", "--no-sound")
    assert code == 2
    assert f"problem  settings     {path}:1: echo" in out and "\nok       embedded" in out
