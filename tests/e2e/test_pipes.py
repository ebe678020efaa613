"""Pipes in and out: text, objects and sound; and every way in which the other end may go."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import wave
from pathlib import Path

import pytest

LOCAL = ("--server", "local")
STORY = "tell me a long story"

FIELDS = {
    "session": ["t", "type", "server", "model", "voice", "session_id", "echo", "mode"],
    "state": ["t", "type", "state"],
    "user": ["t", "type", "item_id", "text", "final"],
    "assistant": ["t", "type", "item_id", "text", "heard_text", "heard_ms", "generated_ms", "status", "final"],
    "tool": ["t", "type", "call_id", "name", "arguments", "output", "status", "ms"],
    "turn": ["t", "type", "latency", "usage", "cost_usd"],
    "interruption": ["t", "type", "item_id", "heard_ms", "onset_to_duck_ms", "onset_to_silence_ms"],
    "device": ["t", "type", "side", "name"],
    "echo": ["t", "type", "echo", "erle_db"],
    "error": ["t", "type", "code", "message", "hint", "fatal"],
    "end": ["t", "type", "reason", "turns", "usage", "cost_usd", "underruns"],
}
"""The contract of `--json`: names and order."""

STATES = {"connecting", "listening", "hearing", "thinking", "speaking", "muted", "reconnecting", "closed"}


def check_records(out: str) -> list[dict]:
    """Every line is an object of the contract, and they come in the order of a session."""
    assert out.endswith("\n")
    records = [json.loads(line) for line in out.splitlines()]
    for record in records:
        assert list(record) == FIELDS[record["type"]]
    times = [record["t"] for record in records]
    assert times == sorted(times) and times[0] >= 0
    assert {record["state"] for record in records if record["type"] == "state"} <= STATES
    assert [record["type"] for record in records].count("end") == 1 and records[-1]["type"] == "end"
    assert [record["state"] for record in records if record["type"] == "state"][-1] == "closed"
    return records


# --- text -------------------------------------------------------------------------------------------------


def test_text_in_text_out(rtchat):
    ran = rtchat("text", *LOCAL, stdin="repeat after me: green\n\nwhat is 6 times 7\n  \nrepeat after me: blue")
    assert ran.code == 0
    first, second, third = ran.out.splitlines()  # the answers, one a line, and nothing else
    assert "green" in first.lower() and "42" in second and "blue" in third.lower()
    assert "\x1b" not in ran.out + ran.err


def test_a_line_is_answered_before_the_pipe_ends(start, lines):
    process = start("text", "--json", *LOCAL)
    records = lines(process)
    for word in ("green", "blue"):
        process.stdin.write(f"repeat after me: {word}\n".encode())
        process.stdin.flush()
        records.until(lambda r: r["type"] == "assistant" and r["final"] and word in r["text"].lower())  # noqa: B023
    process.stdin.close()
    assert records.until(lambda r: r["type"] == "end")["turns"] == 2
    assert process.wait(timeout=120) == 0


def test_what_is_no_utf_8_and_what_no_locale_can_print(start, finish):
    """Bytes of another encoding, in the locale of a bare machine: answered, not died of."""
    bare = {**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    ran = finish(start("text", *LOCAL, env=bare), "repeat after me: gr\u00fcn \u4f60".encode() + b" \xff\n")
    assert (ran.code, ran.out.count("\n")) == (0, 1) and "gr" in ran.out.lower() and "Traceback" not in ran.err


def test_a_very_long_line(rtchat):
    ran = rtchat("text", "--quiet", *LOCAL, stdin="word " * 20_000)
    assert ran.code == 0 and ran.out and ran.err == ""


def test_standard_input_that_is_closed(start, finish):
    process = start("text", "--quiet", *LOCAL, command=["sh", "-c", 'exec "$0" "$@" <&-', *_python()])
    assert finish(process) == (0, "", "")


def _python() -> list[str]:
    import sys

    return [sys.executable, "-m", "rtchat"]


# --- objects ----------------------------------------------------------------------------------------------


def test_objects_of_a_typed_conversation(rtchat):
    ran = rtchat("text", "--json", *LOCAL, stdin="what is 17 times 23\nrepeat after me: caf\u00e9 \u4f60\n")
    records = check_records(ran.out)
    assert (ran.code, ran.err) == (0, "")
    kinds = [record["type"] for record in records]
    assert kinds[:3] == ["state", "session", "state"]
    assert [r["status"] for r in records if r["type"] == "tool"] == ["running", "ok"]
    users = [r["text"] for r in records if r["type"] == "user" and r["final"]]
    assert users == ["what is 17 times 23", "repeat after me: caf\u00e9 \u4f60"]
    final = [r for r in records if r["type"] == "assistant" and r["final"]]
    assert "391" in final[0]["text"] and "af\u00e9 \u4f60" in final[1]["text"]
    assert all(r["status"] == "completed" and r["heard_text"] == r["text"] for r in final)
    assert kinds.count("turn") == records[-1]["turns"] == 2
    total = sum(r["usage"]["total_tokens"] for r in records if r["type"] == "turn")
    assert records[-1]["usage"]["total_tokens"] == total > 0


def test_objects_of_a_refusal(rtchat):
    ran = rtchat("text", "hello", "--json", "--model", "nonsense", *LOCAL)
    records = check_records(ran.out)
    (error,) = [record for record in records if record["type"] == "error"]
    assert (ran.code, error["fatal"], records[-1]["reason"]) == (4, True, "error")
    assert ran.err.count("\n") == 1


# --- sound ------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_sound_in_sound_out(rtchat, world, spoken, recording):
    """A spoken question from a file, a spoken answer in another: and what was heard is what the file holds."""
    with wave.open("q.wav", "wb") as out:
        out.setparams((1, 2, 24_000, 0, "NONE", ""))
        out.writeframes(spoken("what time is it", before=0.3))
    files = ("--input-wav", "q.wav", "--output-wav", "a.wav")
    ran = rtchat("interactive", *files, "--json", "--record", *LOCAL)
    records = check_records(ran.out)
    assert (ran.code, ran.err) == (0, "")
    (user,) = [r for r in records if r["type"] == "user" and r["final"]]
    (answer,) = [r for r in records if r["type"] == "assistant" and r["final"]]
    assert user["text"] == "what time is it" and answer["text"].startswith("It is ")
    assert answer["heard_ms"] == answer["generated_ms"] > 500
    states = [r["state"] for r in records if r["type"] == "state"]
    assert states == ["connecting", "listening", "hearing", "thinking", "speaking", "listening", "closed"]
    (turn,) = [r for r in records if r["type"] == "turn"]
    assert 0 < turn["latency"]["speech_end_to_first_delta_ms"] <= turn["latency"]["speech_end_to_first_audible_ms"]
    with wave.open("a.wav") as answered:
        assert answered.getparams()[:3] == (1, 2, 24_000)
        assert answered.getnframes() / 24 >= answer["heard_ms"]
    with wave.open(str(recording() / "audio.wav")) as both:
        assert both.getparams()[:3] == (2, 2, 24_000)


@pytest.mark.slow
def test_push_to_talk_with_a_file_is_one_turn(rtchat, world, spoken):
    """However long the pauses in it are: nobody listens for the end of speech."""
    with wave.open("q.wav", "wb") as out:
        out.setparams((1, 2, 24_000, 0, "NONE", ""))
        out.writeframes(spoken("what time is it", before=0.2, after=1.2))
    ran = rtchat("interactive", "--vad", "off", "--input-wav", "q.wav", "--output-wav", "a.wav", "--plain", *LOCAL)
    assert ran.code == 0
    assert ran.out.startswith("you: what time is it\nassistant: It is ") and ran.out.count("\n") == 2


def test_sound_and_objects_cannot_share_a_pipe(rtchat, world):
    ran = rtchat("text", "hello", "--speak", "--output-wav", "-", "--json", *LOCAL)
    assert (ran.code, ran.out, ran.err.count("\n")) == (2, "", 1)


@pytest.mark.slow
def test_sound_through_standard_input_and_output(start, finish, spoken):
    from io import BytesIO

    question = BytesIO()
    with wave.open(question, "wb") as out:
        out.setparams((1, 2, 24_000, 0, "NONE", ""))
        out.writeframes(spoken("hello", before=0.2))
    process = start("interactive", "--input-wav", "-", "--output-wav", "-", "--plain", *LOCAL)
    out, err = process.communicate(question.getvalue(), timeout=120)
    assert (process.returncode, out[:4]) == (0, b"RIFF"), err
    assert b"you: hello" in err and b"you: hello" not in out  # words among the samples would be noise


def sounds(path: Path, frames: int) -> bool:
    """Whether so much of a WAV file, after the silence it may begin with, has been written."""
    return path.exists() and len(path.read_bytes()[44:].lstrip(b"\0")) > 2 * frames


# --- the other end goes -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments", [["text", STORY], ["text", STORY, "--json"], ["models"], ["models", "--json"]]
)
def test_a_broken_pipe_is_silent(world, arguments):
    command = f'{" ".join(_python())} "$@" 2>err | head -c 10; echo ${{PIPESTATUS[0]}}'
    done = subprocess.run(["bash", "-c", command, "bash", *arguments, *(LOCAL if "text" in arguments else ())],
                          capture_output=True, text=True, timeout=120)  # fmt: skip
    assert done.stdout[10:].strip() in ("0", "1")
    assert (world / "err").read_text() == ""


@pytest.mark.parametrize("kind", [[], ["--json"]], ids=["words", "objects"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["SIGINT", "SIGTERM"])
@pytest.mark.needs("espeak-ng")
def test_a_signal_in_the_middle_of_an_answer(start, wait, world, recording, tmp_path, kind, number):
    process = start("text", STORY, "--speak", "--output-wav", "a.wav", "--record", *kind, *LOCAL)
    played = world / "a.wav"
    wait(lambda: sounds(played, 5_000), "the answer begins")
    process.send_signal(number)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 128 + number
    assert b"Traceback (most recent" not in err and b"Exception" not in err
    folder = recording()
    assert json.loads((folder / "session.json").read_text())["totals"]["turns"] == 0
    for path in (folder / "audio.wav", played):
        with wave.open(str(path)) as wav:
            assert wav.getnframes() > 5_000
    if kind:
        records = check_records(out.decode())
        assert records[-1]["reason"] == "interrupted"
        (answer,) = [r for r in records if r["type"] == "assistant" and r["final"]]
        assert answer["heard_ms"] < answer["generated_ms"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["SIGINT", "SIGTERM"])
def test_a_signal_while_nothing_comes_from_the_pipe(start, lines, number):
    process = start("text", "--json", *LOCAL)
    records = lines(process)
    records.until(lambda r: r["type"] == "state" and r["state"] == "listening")
    process.send_signal(number)
    assert process.wait(timeout=120) == 128 + number
    assert process.stderr.read() == b""
    records.finish()
    assert records.records[-1]["type"] == "end"


@pytest.mark.needs("espeak-ng")
def test_killed_at_once_it_leaves_a_recording_that_can_be_read(start, wait, world, tmp_path):
    process = start("text", STORY, "--speak", "--output-wav", "a.wav", "--record", *LOCAL)
    wait(lambda: sounds(world / "a.wav", 15_000), "the answer begins")
    process.kill()
    process.wait()
    (folder,) = (tmp_path / "kept").iterdir()
    assert json.loads((folder / "session.json").read_text())["ended"] is None
    lines = (folder / "events.jsonl").read_bytes().split(b"\n")
    assert len([json.loads(line) for line in lines[:-1]]) > 5
    with wave.open(str(folder / "audio.wav")) as wav:
        assert wav.getnframes() > 10_000


@pytest.mark.needs("espeak-ng")
def test_a_server_that_is_stopped_in_the_middle(start, finish, wait, serving, world, recording, impatient):
    url, server = serving("--drain-seconds", "1")
    said = ("text", STORY, "--speak", "--output-wav", "a.wav", "--record", "--json", "--server", url)
    process = start(*said, command=impatient)
    wait(lambda: sounds(world / "a.wav", 5_000), "the answer begins")
    server.send_signal(signal.SIGTERM)
    assert server.wait(timeout=120) == 0
    ran = finish(process)
    records = check_records(ran.out)
    assert (ran.code, records[-1]["reason"]) == (3, "error")
    recording()
