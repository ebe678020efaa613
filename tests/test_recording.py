import asyncio
import base64
import json
import signal
import subprocess
import sys
import time
import wave
from pathlib import Path

import numpy as np
import pytest

from rtchat.errors import UsageError
from rtchat.recording import Recording, read_events


def tone(samples: int, value: int) -> bytes:
    return np.full(samples, value, dtype="<i2").tobytes()


def sides(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    with wave.open(str(folder / "audio.wav")) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (24_000, 2, 2)
        data = file.readframes(file.getnframes())
        assert len(data) == 4 * file.getnframes()
    both = np.frombuffer(data, dtype="<i2").reshape(-1, 2)
    return both[:, 0], both[:, 1]


def about(folder: Path) -> dict:
    return json.loads((folder / "session.json").read_text())


def test_both_sides_lie_on_one_clock(tmp_path: Path):
    recording = Recording.start(tmp_path, {})
    recording.tap("microphone", 0, tone(480, 7))
    recording.tap("loudspeaker", 240, tone(480, -9))
    recording.tap("microphone", 960, tone(480, 8))
    recording.tap("loudspeaker", 720, tone(100, 5))
    recording.close()
    left, right = sides(recording.folder)
    assert left.tolist() == [7] * 480 + [0] * 480 + [8] * 480
    assert right.tolist() == [0] * 240 + [-9] * 480 + [5] * 100 + [0] * 620


def test_sound_may_come_late_and_from_before_the_start(tmp_path: Path):
    recording = Recording.start(tmp_path, {})
    recording.tap("loudspeaker", 100, tone(10, 3))
    recording.tap("microphone", 50, tone(10, 4))
    recording.tap("loudspeaker", -5, tone(10, 6))
    recording.close()
    left, right = sides(recording.folder)
    assert len(left) == 110
    assert left[50:60].tolist() == [4] * 10
    assert right[:6].tolist() == [6] * 5 + [0]
    assert right[100:].tolist() == [3] * 10


def test_an_empty_recording_can_be_read(tmp_path: Path):
    recording = Recording.start(tmp_path, {})
    recording.close()
    recording.close()
    assert len(sides(recording.folder)[0]) == 0
    assert list(read_events(recording.folder)) == []


def test_sound_in_events_becomes_its_size(tmp_path: Path):
    sound = base64.b64encode(bytes(4801)).decode()
    item = {"type": "message", "content": [{"type": "input_audio", "audio": sound, "transcript": "hé\nllo"}]}
    sent = [
        {"type": "input_audio_buffer.append", "audio": sound},
        {"type": "session.input_audio_buffer.append", "audio": sound},
        {"type": "response.output_audio.delta", "delta": sound},
        {"type": "session.output_audio.delta", "delta": sound},
        {"type": "response.output_text.delta", "delta": "keep"},
        {"type": "conversation.item.retrieved", "item": item},
        {"type": "session.update", "session": {"audio": {"output": {"voice": "marin"}}, "expires_at": 1.5}},
    ]
    recording = Recording.start(tmp_path, {})
    for at, event in enumerate(sent):
        recording.event(at / 4, "sent", json.dumps(event))
    recording.close()
    lines = list(read_events(recording.folder))
    assert [line["t"] for line in lines] == [0, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5]
    assert {line["dir"] for line in lines} == {"sent"}
    size = {"bytes": 4801}
    events = [line["event"] for line in lines]
    assert [events[0]["audio"], events[1]["audio"], events[2]["delta"], events[3]["delta"]] == [size] * 4
    assert events[4] == sent[4]
    assert events[5]["item"]["content"] == [{"type": "input_audio", "audio": size, "transcript": "hé\nllo"}]
    assert events[6] == sent[6]


def test_a_frame_that_is_no_event_is_kept_as_text(tmp_path: Path):
    recording = Recording.start(tmp_path, {})
    for frame in (b"\xff{", "[1]", "nonsense", "[" * 100_000, '{"a":"\\ud800"}'):
        recording.event(0.0, "received", frame)
    recording.close()
    lines = list(read_events(recording.folder))
    assert [line.get("frame", "")[:8] for line in lines] == ["\ufffd{", "[1]", "nonsense", "[" * 8, ""]
    assert recording.trouble is None


def test_no_secret_is_written(tmp_path: Path):
    settings = {
        "model": "m",
        "openai_api_key": "hush",
        "azure": {"api-key": "hush", "none_key": None},
        "max_output_tokens": 5,
        "url": "wss://user:hush@host/v1?api-key=hush&model=m",
        "servers": [{"authorization": "hush"}],
    }
    tools = [{"type": "mcp", "server_label": "x", "authorization": "hush", "headers": {"X-Key": "hush"}}]
    recording = Recording.start(tmp_path, settings)
    recording.describe(devices={"token": "hush", "microphone": "USB"})
    recording.event(0, "sent", json.dumps({"type": "session.update", "session": {"tools": tools}}))
    recording.close()
    for path in recording.folder.iterdir():
        assert b"hush" not in path.read_bytes()
    written = about(recording.folder)
    assert written["settings"]["max_output_tokens"] == 5
    assert written["settings"]["url"] == "wss://user:…@host/v1?api-key=…&model=m"
    assert written["settings"]["azure"]["none_key"] is None
    assert written["devices"] == {"token": "…", "microphone": "USB"}


def test_session_json_is_there_from_the_start_and_says_how_it_ended(tmp_path: Path):
    recording = Recording.start(tmp_path / "new" / "place", {"voice": "marin"})
    first = about(recording.folder)
    assert (first["ended"], first["totals"], first["settings"]) == (None, None, {"voice": "marin"})
    recording.close({"turns": 2})
    last = about(recording.folder)
    assert last["began"] == first["began"] <= last["ended"]
    assert last["totals"] == {"turns": 2, "dropped": 0, "trouble": None}
    assert not list(recording.folder.glob("*.new"))


def test_two_recordings_of_the_same_second_have_two_folders(tmp_path: Path):
    both = [Recording.start(tmp_path, {}) for _ in range(2)]
    for recording in both:
        recording.close()
    assert both[0].folder != both[1].folder


def test_a_place_that_cannot_be_written_is_a_usage_error(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="No recording can be written") as caught:
        Recording.start(tmp_path / "file" / "below", {})
    assert "--sessions-dir" in caught.value.hint


def test_a_folder_that_is_no_recording_is_a_usage_error(tmp_path: Path):
    with pytest.raises(UsageError, match="is not a recording"):
        list(read_events(tmp_path))


def test_a_cut_last_line_is_passed_over(tmp_path: Path):
    recording = Recording.start(tmp_path, {})
    recording.event(0, "sent", '{"type":"a"}')
    recording.close()
    with (recording.folder / "events.jsonl").open("ab") as file:
        file.write(b'{"t":1,"dir":"se')
    assert [line["event"] for line in read_events(recording.folder)] == [{"type": "a"}]


KILLED = """
import sys, time
from pathlib import Path
from rtchat.recording import Recording
recording = Recording.start(Path(sys.argv[1]), {"voice": "marin"})
print(recording.folder, flush=True)
at = 0
frame = '{"type":"response.output_audio.delta","delta":"' + "A" * 6400 + '"}'
while True:
    recording.tap("microphone", at, b"\\x01\\x02" * 480)
    recording.tap("loudspeaker", at, b"\\x03\\x04" * 480)
    recording.event(at / 24000, "received", frame)
    at += 480
    time.sleep(0.0005)
"""


@pytest.mark.parametrize("events", [0, 30, 100])
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_killing_the_process_leaves_a_readable_recording(tmp_path: Path, events: int):
    process = subprocess.Popen([sys.executable, "-c", KILLED, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    folder = Path(process.stdout.readline().strip())
    grown = (folder / "audio.wav").stat().st_size
    while len(list(read_events(folder))) < events or len(sides(folder)[0]) < events * 480:
        assert process.poll() is None
        time.sleep(0.001)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    process.stdout.close()
    left, right = sides(folder)
    assert set(left.tolist()) <= {0x0201, 0}
    assert set(right.tolist()) <= {0x0403, 0}
    lines = list(read_events(folder))
    assert all(line["event"]["delta"] == {"bytes": 4800} for line in lines)
    assert about(folder)["settings"] == {"voice": "marin"}
    assert len(lines) >= events
    assert len(left) >= events * 480
    if events:
        assert (folder / "audio.wav").stat().st_size > grown


FULL = """
import asyncio, json, resource, signal, sys
from pathlib import Path
from rtchat.recording import Recording
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
told = []
recording = Recording.start(Path(sys.argv[1]), {}, on_trouble=told.append)
resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000))
while not told:
    recording.event(1.0, "sent", json.dumps({"type": "x", "text": "y" * 1000}))
for at in range(100):
    recording.tap("microphone", at, b"ab")
recording.close({"turns": 1})
print(len(told), told[0].message, told[0].hint)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs a limit on the size of files")
def test_a_full_disk_is_told_once_and_the_session_goes_on(tmp_path: Path):
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(tmp_path)], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stderr == ""
    assert done.stdout.startswith("1 The recording stopped: File too large. What there is of it is in ")
    folder = next(tmp_path.iterdir())
    assert len(list(read_events(folder))) > 10
    assert about(folder)["totals"]["turns"] == 1
    assert "File too large" in about(folder)["totals"]["trouble"]


FULL_AT_ONCE = """
import resource, signal, sys
from pathlib import Path
from rtchat import recording
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
recording._BEAT = 60.0
resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000))
begun = recording.Recording.start(Path(sys.argv[1]), {})
for at in range(0, 48_000, 480):
    begun.tap("loudspeaker", at, b"ab" * 480)
begun.close()
print(begun.trouble.message)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs a limit on the size of files")
def test_what_a_full_disk_still_took_of_many_pieces_can_be_read(tmp_path: Path):
    done = subprocess.run(
        [sys.executable, "-c", FULL_AT_ONCE, str(tmp_path)], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout == "The recording stopped: File too large.\n"
    _, right = sides(next(tmp_path.iterdir()))
    assert len(right) == 60_000 // (4 * 480) * 480 and right.all()


async def test_what_the_disk_cannot_keep_up_with_is_dropped_and_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("rtchat.recording._MOST_WAITING", 10)
    monkeypatch.setattr("rtchat.recording._BEAT", 60.0)
    recording = Recording.start(tmp_path, {})
    for at in range(15):
        recording.tap("microphone", at, b"ab")
    assert recording.dropped == 5
    await asyncio.to_thread(recording.close)
    assert about(recording.folder)["totals"]["dropped"] == 5
    assert len(sides(recording.folder)[0]) == 10
