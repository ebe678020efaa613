"""From flags to exit code: which display, which lines, which recording."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def _logging_as_before():
    level = logging.getLogger().level
    yield
    logging.getLogger().setLevel(level)


def test_a_prompt_is_answered_on_standard_output_alone(run):
    code, out, err = run("text", "repeat after me: the sky is green", "--server", "local")
    assert (code, err) == (0, "")
    assert "the sky is green" in out.lower() and out.endswith("\n") and "\x1b" not in out


def test_without_a_key_one_line_says_who_answers(run):
    _, _, err = run("text", "hello")
    assert err.count("\n") == 1 and "embedded server" in err and "OPENAI_API_KEY" in err
    assert run("text", "hello", "--quiet").err == ""


def test_a_model_that_ends_is_told_with_its_date(run, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-x")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    code, _, err = run("text", "hello", "--model", "gpt-4o-realtime-preview")
    assert code == 3 and "gpt-4o-realtime-preview" in err and "20" in err.splitlines()[0]


def test_a_file_of_lines_is_several_turns(run):
    code, out, _ = run("text", stdin="repeat after me: one\n\n  \nrepeat after me: two")
    assert code == 0
    assert [line.split()[-1].strip(".").lower() for line in out.splitlines()] == ["one", "two"]


@pytest.mark.parametrize("arguments", [["text"], ["text", "  "]])
def test_nothing_to_say_is_no_mistake(run, arguments):
    assert run(*arguments, "--quiet") == (0, "", "")


def test_push_to_talk_without_keys_is_told_before_anybody_talks_in_vain(run):
    code, out, err = run("interactive", "--vad", "off", "--server", "local")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "needs the keys of a terminal" in err


def test_json_writes_objects_alone(run):
    code, out, _ = run("text", "hello", "--json")
    kinds = [json.loads(line)["type"] for line in out.splitlines()]
    assert code == 0 and kinds[0] == "state" and kinds[-1] == "end"


def test_an_error_is_in_the_objects_and_on_standard_error(run):
    code, out, err = run("text", "hello", "--json", "--server", "ws://127.0.0.1:9/v1")
    (error,) = [record for record in map(json.loads, out.splitlines()) if record["type"] == "error"]
    assert (code, error["fatal"]) == (3, True)
    assert err == f"rtchat: {error['message']} {error['hint']}\n"


def test_a_recording_is_kept_where_it_should_be(run, tmp_path):
    run("text", "hello", "--record", "--sessions-dir", str(tmp_path / "kept"))
    (folder,) = (tmp_path / "kept").iterdir()
    about = json.loads((folder / "session.json").read_text())
    assert about["settings"] == {"mode": "text", "server": "embedded", "model": "rtchat-assistant"}
    assert about["ended"] and about["totals"]["turns"] == 1


def test_a_recording_that_cannot_be_written_is_told_before_anything_else(run, tmp_path):
    (tmp_path / "file").write_text("")
    code, out, err = run("text", "hello", "--record", "--sessions-dir", str(tmp_path / "file"), "--quiet")
    assert (code, out, err.count("\n")) == (2, "", 1)


def test_no_recording_unless_asked(run):
    run("text", "hello")
    assert not list(Path.cwd().rglob("events.jsonl"))


def test_a_profile_s_tools_and_one_s_own_are_offered(run, tmp_path):
    (tmp_path / "mine.py").write_text(
        'from rtchat.tools import tool\n\n@tool\ndef feed_the_cat(name: str) -> str:\n'
        '    """Feed the cat.\n\n    Args:\n        name: Which cat.\n    """\n    return f"{name} is fed"\n'
    )  # fmt: skip
    kept = str(tmp_path / "kept")
    code, _, err = run("text", "hello", "--tools", "mine.py", "--record", "--sessions-dir", kept, "--quiet")
    assert (code, err) == (0, "")
    (folder,) = (tmp_path / "kept").iterdir()
    events = [json.loads(line)["event"] for line in (folder / "events.jsonl").read_text().splitlines()]
    (update,) = [event for event in events if event["type"] == "session.update"]
    offered = {tool["name"] for tool in update["session"]["tools"]}
    assert {"feed_the_cat", "get_time", "calculate", "set_timer"} <= offered


def test_debug_tells_why_a_session_failed(run, caplog):
    with caplog.at_level(logging.DEBUG):
        code = run("text", "hello", "--server", "ws://127.0.0.1:9/v1", "--log-level", "debug").code
    assert code == 3
    assert any(record.exc_info for record in caplog.records if record.name == "rtchat.cli.run")
