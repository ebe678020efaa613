"""What users get wrong, through the real command: one clear sentence, the right exit code, nothing left broken."""

from __future__ import annotations

import io
import json
import re
import socket
import sys
import wave
from pathlib import Path

import pytest

from rtchat.recording import read_events

LOCAL = ("--server", "local")


def sentence(ran, code: int) -> str:
    """What the user is told: one line on standard error, with a hint, and never a traceback."""
    lines = [line for line in ran.err.splitlines() if not line.startswith("[")]
    assert ran.code == code, ran.err
    assert len(lines) == 1, ran.err
    assert re.match(r"(rtchat|error): [^.]", lines[0]) and re.search(r"[.?]( Name it: --to es)?$", lines[0])
    assert "Traceback" not in ran.err and "Error(" not in ran.err
    return lines[0]


# --- settings ---------------------------------------------------------------------------------------------


def test_no_key_for_openai(rtchat):
    said = sentence(rtchat("text", "hello", "--server", "openai"), 2)
    assert "There is no OpenAI key." in said and "OPENAI_API_KEY" in said and "--server local" in said


def test_a_wrong_key(rtchat, serving, recording, monkeypatch):
    url, _ = serving("--api-key", "right")
    monkeypatch.setenv("RTCHAT_API_KEY", "sk-wrong")
    ran = rtchat("text", "hello", "--server", url, "--record")
    assert "key" in sentence(ran, 4) and "sk-wrong" not in ran.err
    assert "sk-wrong" not in "".join(path.read_text() for path in recording().glob("*.json*"))
    monkeypatch.setenv("RTCHAT_API_KEY", "right")
    assert rtchat("text", "hello", "--server", url).code == 0


def test_a_model_that_does_not_exist(rtchat, recording):
    said = sentence(rtchat("text", "hello", *LOCAL, "--model", "gpt-nonsense", "--record"), 4)
    assert "gpt-nonsense" in said
    recording()


def test_a_voice_that_does_not_exist(rtchat):
    said = sentence(rtchat("text", "hello", *LOCAL, "--speak", "--voice", "nobody"), 2)
    assert "There is no voice 'nobody'." in said and "marin, cedar, alloy" in said


def test_a_language_that_nobody_serves(rtchat):
    assert "'klingon'" in sentence(rtchat("translator", "--to", "klingon"), 2)
    assert "--to es" in sentence(rtchat("translator"), 2)


def test_a_language_that_the_embedded_server_has_no_package_for(rtchat, world):
    (world / "q.wav").write_bytes(wav())
    files = ("--input-wav", "q.wav", "--output-wav", "a.wav")
    ran = rtchat("translator", "--to", "ja", *LOCAL, *files, "--plain", "--quiet")
    said = sentence(ran, ran.code)
    assert ran.code in (1, 4) and "ja" in said.lower()


def test_a_profile_with_a_wrong_key(rtchat, world):
    (world / "mine.toml").write_text('voice = "marin"\ninstrucions = "Be kind."\n')
    said = sentence(rtchat("text", "hello", *LOCAL, "--profile", "./mine.toml"), 2)
    assert "mine.toml:2: there is no key 'instrucions'." in said and "instructions" in said


# --- tools ------------------------------------------------------------------------------------------------


def test_a_tools_file_that_raises_on_import(rtchat, world):
    (world / "mine.py").write_text("import math\nmath.nonsense\n")
    said = sentence(rtchat("text", "hello", *LOCAL, "--tools", "mine.py"), 2)
    assert "mine.py:2: AttributeError" in said


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (None, "nonsense.py"),
        ("x = 1\n", "@tool"),
        ("def broken(:\n", "mine.py:1"),
        ("import sys\nsys.exit(3)\n", "mine.py:2"),
    ],
)
def test_a_tools_file_that_holds_none(rtchat, world, source, words):
    if source is not None:
        (world / "mine.py").write_text(source)
    said = sentence(rtchat("text", "hello", *LOCAL, "--tools", "mine.py" if source else "nonsense.py"), 2)
    assert words in said


TOOLS = '''
import sys, time
from rtchat.tools import tool

@tool
def raising(text: str) -> str:
    """Raises."""
    raise RuntimeError("the cat said no")

@tool
async def leaving() -> str:
    """Leaves."""
    sys.exit(7)

@tool
def hanging() -> str:
    """Never returns."""
    time.sleep(600)

@tool
def strange() -> object:
    """Returns something that is not JSON."""
    return object()

@tool
def printing() -> str:
    """Prints."""
    print("a word on standard output")
    return "done"

@tool
def counting(number: int) -> int:
    """Counts."""
    return number
'''

CALLS = [  # name, arguments, status, and words of the output
    ("raising", '{"text": "x"}', "error", "the cat said no"),
    ("leaving", "{}", "error", "end the program"),
    ("hanging", "{}", "timeout", "3 seconds"),
    ("strange", "{}", "error", "JSON"),
    ("counting", '{"number": "many"}', "error", "number"),
    ("counting", "{garbage", "error", "JSON"),
    ("nonsense", "{}", "error", "nonsense"),
    ("printing", "{}", "ok", "done"),
]


def calls_tools(peer):
    """A server whose model calls every tool at once, hears what came of it, and says so."""
    peer.greet()
    peer.socket.recv()
    peer.socket.recv()
    items = [
        {"type": "function_call", "id": f"item_{n}", "call_id": f"call_{n}", "name": name, "arguments": arguments,
         "status": "completed"}
        for n, (name, arguments, *_) in enumerate(CALLS)
    ]  # fmt: skip
    response = {"id": "resp_1", "status": "in_progress", "output": []}
    peer.say(type="response.created", response=response)
    for n, item in enumerate(items):
        peer.say(type="response.output_item.added", response_id="resp_1", output_index=n, item=item)
        peer.say(type="response.output_item.done", response_id="resp_1", output_index=n, item=item)
    peer.say(type="response.done", response={**response, "status": "completed", "output": items})
    while json.loads(peer.socket.recv())["type"] != "response.create":
        pass
    done = {"id": "resp_2", "status": "completed", "output": []}
    peer.say(type="response.created", response={**done, "status": "in_progress"})
    peer.say(type="response.done", response=done)
    peer.socket.recv()


def test_tools_that_misbehave_are_told_to_the_model_and_the_session_goes_on(rtchat, world, server_that, recording):
    (world / "mine.py").write_text(TOOLS)
    ran = rtchat("text", "hello", "--server", server_that(calls_tools), "--tools", "mine.py", "--json", "--record",
                 RTCHAT_TOOL_TIMEOUT="3")  # fmt: skip
    records = [json.loads(line) for line in ran.out.splitlines()]
    told = {r["call_id"]: r for r in records if r["type"] == "tool" and r["status"] != "running"}
    outputs = [told[f"call_{n}"] for n in range(len(CALLS))]
    for record, (_, _, status, words) in zip(outputs, CALLS, strict=True):
        assert record["status"] == status and words in record["output"], record
        assert status == "ok" or set(json.loads(record["output"])) == {"error"}
    assert ran.err == "a word on standard output\n"  # not among the objects
    assert (ran.code, records[-1]["type"], records[-1]["reason"]) == (0, "end", "done")
    assert "Traceback" not in ran.err
    events = [json.loads(line)["event"] for line in (recording() / "events.jsonl").read_text().splitlines()]
    sent = [event for event in events if event.get("item", {}).get("type") == "function_call_output"]
    assert {event["item"]["call_id"] for event in sent} == set(told)


# --- sound ------------------------------------------------------------------------------------------------


def wav(channels: int = 1, rate: int = 24_000, width: int = 2, seconds: float = 0.3) -> bytes:
    """Silence; what is in it does not matter here."""
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setparams((channels, width, rate, 0, "NONE", ""))
        silence = b"\x80" if width == 1 else bytes(width)
        out.writeframes(silence * channels * int(rate * seconds))
    return file.getvalue()


@pytest.mark.parametrize("shape", [{"channels": 2, "rate": 44_100}, {"width": 1}], ids=str)
def test_any_wav_is_taken_as_the_microphone(rtchat, world, shape):
    (world / "q.wav").write_bytes(wav(**shape))
    ran = rtchat("interactive", "--input-wav", "q.wav", "--output-wav", "a.wav", "--json", *LOCAL)
    assert (ran.code, ran.err) == (0, "")
    assert json.loads(ran.out.splitlines()[-1])["reason"] == "done"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (wav(seconds=0), "without sound"),
        (b"not a WAV file at all, but long enough to hold a header of one", "is not a WAV file"),
        (wav()[:20], "q.wav"),
        (None, "no such file"),
    ],
    ids=["empty", "no sound", "not a WAV", "cut in its header", "missing"],
)
def test_a_file_that_is_no_sound(rtchat, world, recording, content, words):
    if content is not None:
        (world / "q.wav").write_bytes(content)
    files = ("--input-wav", "q.wav", "--output-wav", "a.wav")
    said = sentence(rtchat("interactive", *files, "--plain", "--record", *LOCAL), 2)
    assert "q.wav" in said and words in said
    recording()


def test_a_loudspeaker_file_that_cannot_be_written(rtchat, world):
    (world / "q.wav").write_bytes(wav())
    files = ("--input-wav", "q.wav", "--output-wav", "no/such/folder/a.wav")
    assert "a.wav" in sentence(rtchat("interactive", *files, "--plain", *LOCAL), 2)


def test_no_sound_device_at_all(rtchat, world):
    said = sentence(rtchat("interactive", "--plain", *LOCAL, PULSE_SERVER=f"unix:{world}/none"), 5)
    assert "--input-wav" in said or "PyAudio" in said


@pytest.mark.needs("espeak-ng")
def test_a_recording_that_the_disk_has_no_room_for(rtchat, serving, tmp_path):
    """It is told, once; the conversation goes on, and what was written can be read."""
    small = ["bash", "-c", 'ulimit -f 100; exec "$0" -m rtchat "$@"', sys.executable]  # KiB of one file
    said = "repeat after me: one two three four five six"
    files = ("--speak", "--output-wav", "/dev/null", "--record")
    url, _ = serving()
    ran = rtchat("text", said, *files, "--server", url, command=small)
    assert (ran.code, ran.out.count("\n"), ran.err.count("\n")) == (0, 1, 1)
    assert ran.err.startswith("The recording stopped: ") and "kept" in ran.err
    (folder,) = (tmp_path / "kept").iterdir()
    audio = folder / "audio.wav"
    with wave.open(str(audio)) as kept:  # nothing, where the answer began too late for the file; a piece may be cut
        assert 0 <= audio.stat().st_size - 44 - 4 * kept.getnframes() < 4 * 12_000
    assert len(list(read_events(folder))) > 5
    assert json.loads((folder / "session.json").read_text())["totals"]["trouble"] in ran.err


# --- servers ----------------------------------------------------------------------------------------------


def test_a_port_in_use(rtchat):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        said = sentence(rtchat("serve", "--port", str(port)), 2)
    assert f"127.0.0.1:{port}" in said and "--port" in said


def test_a_server_that_is_not_there(rtchat, own_port, recording):
    said = sentence(rtchat("text", "hello", "--server", f"ws://127.0.0.1:{own_port}/v1", "--record"), 3)
    assert f"Nothing answers at 127.0.0.1:{own_port}." in said
    recording()


def test_a_host_that_is_not_there(rtchat):
    said = sentence(rtchat("text", "hello", "--server", "ws://no.such.host.invalid/v1"), 3)
    assert "no.such.host.invalid" in said


@pytest.mark.parametrize(
    ("answer", "code", "words"),
    [
        (b"", 3, "hung up before it answered"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", 3, "not a WebSocket server"),
        (b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", 4, "404"),
        (b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n", 3, "503"),
        (b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 2\r\n\r\nhi", 3, "200"),
        (b"\x00\xff" * 5000, 3, "not a WebSocket server"),
    ],
    ids=["hangs up", "ssh", "404", "503", "web page", "garbage"],
)
def test_a_port_that_is_no_realtime_server(rtchat, port_that, recording, answer, code, words):
    ran = rtchat("text", "hello", "--server", port_that(answer), "--record")
    assert words in sentence(ran, code)
    recording()


@pytest.mark.slow
def test_a_port_that_says_nothing(rtchat, port_that, recording):
    said = sentence(rtchat("text", "hello", "--server", port_that(None), "--record"), 3)
    assert "did not answer within 10 seconds" in said
    recording()


def closes_at_once(peer):
    peer.socket.close(1011, "no capacity")


def closes_after_the_greeting(peer):
    peer.greet()
    peer.socket.recv()
    peer.socket.close(1011, "going down")


def vanishes(peer):
    peer.greet()
    peer.socket.recv()
    peer.socket.socket.shutdown(socket.SHUT_RDWR)


def sends_garbage_alone(peer):
    for frame in ("{garbage", "[]", "null", b"\x00\x01", json.dumps({"type": 5}), json.dumps({"no": "type"})):
        peer.socket.send(frame)
    peer.socket.close(1000)


def breaks_the_protocol(peer):
    peer.socket.socket.sendall(b"\xff\xff\xff\xff not a frame")
    peer.socket.recv()


def test_a_server_that_goes_for_good(rtchat, server_that, recording):
    sentence(rtchat("text", "hello", "--server", server_that(breaks_the_protocol), "--record"), 3)
    recording()


@pytest.mark.parametrize(
    ("behave", "words"),
    [(closes_at_once, "(no capacity)"), (closes_after_the_greeting, "(going down)"), (vanishes, "broke")],
)
def test_a_server_that_goes_again_and_again(rtchat, server_that, recording, impatient, behave, words):
    """What went is dialled again: told each time, and at last it is lost for good."""
    ran = rtchat("text", "hello", "--server", server_that(behave), "--record", command=impatient)
    *losses, last = [line for line in ran.err.splitlines() if not line.startswith("[")]
    assert ran.code == 3 and "Traceback" not in ran.err
    assert losses and all(words in line and line.endswith(" Reconnecting.") for line in losses)
    assert last.startswith("error: The connection to 127.0.0.1:") and "did not help" in last
    recording()


def test_a_server_that_sends_garbage_and_goes(rtchat, server_that, recording):
    ran = rtchat("text", "hello", "--server", server_that(sends_garbage_alone), "--record")
    *skipped, last = ran.err.splitlines()
    assert ran.code == 3 and last.startswith("error: ") and "Traceback" not in ran.err
    assert len(skipped) >= 5 and all(line.endswith("It was skipped.") for line in skipped)
    recording()


def cannot_answer(peer):
    peer.greet()
    for n in range(2):
        while json.loads(peer.socket.recv())["type"] != "response.create":
            pass
        response = {"id": f"resp_{n}", "status": "in_progress", "output": []}
        error = {"type": "server_error", "code": "rate_limit_exceeded", "message": "Too many words a minute."}
        details = {"type": "failed", "error": error}
        peer.say(type="response.created", response=response)
        peer.say(type="response.done", response={**response, "status": "failed", "status_details": details})
    peer.socket.recv()


@pytest.mark.parametrize(("asked", "times"), [(["hello"], 1), ([], 2)], ids=["a prompt", "a pipe"])
def test_an_answer_that_fails_is_told_and_the_script_knows(rtchat, server_that, recording, asked, times):
    ran = rtchat("text", *asked, "--server", server_that(cannot_answer), "--record", stdin="one\ntwo\n")
    assert (ran.code, ran.out, ran.err.count("Too many words a minute.")) == (1, "", times)
    recording()


def stops_talking(peer):
    peer.greet()
    while True:
        peer.socket.recv()


def stops_in_the_middle(peer):
    peer.greet()
    peer.socket.recv()
    where = {"response_id": "resp_1", "item_id": "item_1", "output_index": 0, "content_index": 0}
    peer.say(type="response.created", response={"id": "resp_1", "status": "in_progress", "output": []})
    message = {"id": "item_1", "type": "message", "role": "assistant", "status": "in_progress", "content": []}
    peer.say(type="response.output_item.added", response_id="resp_1", output_index=0, item=message)
    peer.say(type="response.output_text.delta", **where, delta="Well, ")
    while True:
        peer.socket.recv()


@pytest.mark.parametrize("behave", [stops_talking, stops_in_the_middle])
def test_a_server_that_stops_talking(rtchat, server_that, recording, session_with, behave):
    command = session_with(stall_seconds=0.3)
    ran = rtchat("text", "hello", "--server", server_that(behave), "--record", "--quiet", command=command)
    assert "has said nothing for 0.3 seconds" in sentence(ran, 3)
    recording()


# --- the terminal -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["text", "--server", "ws://127.0.0.1:9/v1"], 3, "Nothing answers"),
        (["interactive", "--input-wav", "q.wav", "--output-wav", "a.wav", *LOCAL], 2, "q.wav"),
        (["interactive", "--input-wav", "ok.wav", "--output-wav", "a.wav", "--server", "ws://127.0.0.1:9/v1"], 3,
         "Nothing answers"),
        (["translator", "--to", "klingon"], 2, "klingon"),
    ],
)  # fmt: skip
def test_the_terminal_is_as_it_was(terminal, world, arguments, code, words):
    (world / "ok.wav").write_bytes(wav())
    program = terminal(*arguments)
    assert program.exit_code() == code
    program.assert_restored()
    assert sum(words in row for row in program.everything()) == 1  # said, and said once
    assert "Traceback" not in "\n".join(program.everything())


def test_nothing_is_left_behind(rtchat, world):
    """No wrong call makes a folder or a file where the user works."""
    rtchat("text", "hello", "--server", "openai")
    rtchat("text", "hello", *LOCAL, "--voice", "nobody", "--record")
    assert list(Path.cwd().iterdir()) == []
