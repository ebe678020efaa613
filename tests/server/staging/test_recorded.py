"""A recording made of a session with the embedded server, and what becomes of it as a scenario."""

import json

import pytest

from rtchat.errors import UsageError
from rtchat.recording import Recording
from rtchat.server.run import ServerConfig, embedded
from rtchat.server.staging.recorded import read_recording
from rtchat.server.staging.scenario import load, made
from rtchat.server.staging.stage import Stage
from rtchat.testing.babbling import babble

HOTEL = [
    {"hear": "a room please", "say": ["For how many nights?", "We have many."]},
    {"say": "One moment.", "call": [{"name": "look", "arguments": {"n": 2}}, {"name": "book"}]},
    {"say": "And so on", "hold": True},
    {"fail": "The model is tired."},
]
TRANSCRIBES = {"type": "realtime", "audio": {"input": {"transcription": {"model": "whisper-1"}}}}


@pytest.fixture
async def recorded(tmp_path, connect):
    """A session of four responses, on disk."""
    recording = Recording.start(tmp_path / "kept", {})
    stage = Stage(scenario=made(HOTEL), virtual=True)
    async with embedded(ServerConfig(tts="tone", stage=stage)) as url, connect(url) as client:
        recorder = _Recorder(client, recording)
        await client.send("session.update", session=TRANSCRIBES)
        await client.sound(babble())
        for _ in range(2):
            await recorder.until("response.done")
            await client.send("response.create")
        await recorder.until("response.output_audio.delta")
        await client.send("response.cancel")
        await recorder.until("response.done")
        await client.send("response.create")
        await recorder.until("response.done")
    recording.close()
    return recording.folder


class _Recorder:
    """Notes every event a quarter of a second after the one before."""

    def __init__(self, client, recording):
        self.client, self.recording, self.now = client, recording, 0.0
        recording.event(0.0, "sent", '{"type":"session.update"}')

    async def until(self, kind):
        event = {"type": ""}
        while event["type"] != kind:
            event = await self.client.event()
            self.now += 0.25
            self.recording.event(self.now, "received", json.dumps(event))


async def test_a_recording_tells_its_turns(recorded):
    scenario = load(recorded)
    first, second, third, fourth = scenario.turn
    assert first.hear == ("a room please",)
    assert [sentence.text for sentence in first.say] == ["For how many nights? We have many."]
    assert first.say[0].after_ms > 0
    assert [sentence.text for sentence in second.say] == ["One moment."]
    assert [(call.name, call.arguments) for call in second.call] == [("look", '{"n": 2}'), ("book", "{}")]
    assert (third.hold, third.say[0].text) == (True, "And so on")
    assert (fourth.fail, fourth.say, fourth.hear) == ("The model is tired.", (), ())
    assert scenario.where(1) == f"{recorded}: turn 2"


async def test_it_is_played(recorded, connect):
    stage = Stage(scenario=load(recorded), virtual=True)
    async with embedded(ServerConfig(tts="tone", stage=stage)) as url, connect(url) as client:
        await client.send("session.update", session=TRANSCRIBES)
        await client.sound(babble())
        events = await client.until("response.done")
    heard = [event["transcript"] for event in events if event["type"].endswith("transcription.completed")]
    assert heard == ["a room please"]
    (said,) = events[-1]["response"]["output"]
    assert said["content"][0]["transcript"] == "For how many nights? We have many."


def test_transcripts_that_come_after_the_answer_began(tmp_path):
    lines = [
        {"type": "input_audio_buffer.committed", "event_id": "e", "item_id": "u1"},
        {"type": "input_audio_buffer.committed", "event_id": "e", "item_id": "u2"},
        {"type": "response.created", "event_id": "e", "response": {"id": "r"}},
        {
            "type": "conversation.item.input_audio_transcription.completed",
            "event_id": "e", "item_id": "u2", "content_index": 0, "transcript": "late",
        },
        {"type": "response.done", "event_id": "e", "response": {"id": "r", "status": "completed", "output": []}},
        {"type": "response.created", "event_id": "e", "response": {"id": "never ended"}},
    ]  # fmt: skip
    written(tmp_path, *(json.dumps({"t": n, "dir": "received", "event": line}) for n, line in enumerate(lines)))
    (turn,) = read_recording(tmp_path).turn
    assert turn.hear == ("", "late")


def written(folder, *lines):
    (folder / "events.jsonl").write_text("".join(f"{line}\n" for line in lines) + '{"t": 1, "di', encoding="utf-8")


@pytest.mark.parametrize(
    ("lines", "complaint"),
    [
        (['{"t": 1, "dir": "received", "event": {"type": "rate_limits.updated"}}'], "has no finished response"),
        (['{"t": 0, "dir": "sent", "event": {}}', "what?"], r"events\.jsonl:2: this is not a line of a recording"),
        (['{"dir": "received", "event": {"type": "x"}}'], r"events\.jsonl:1: this is not a line of a recording"),
    ],
)
def test_what_is_no_recording(tmp_path, lines, complaint):
    written(tmp_path, *lines)
    with pytest.raises(UsageError, match=complaint):
        read_recording(tmp_path)


def test_a_folder_without_events(tmp_path):
    with pytest.raises(UsageError, match="is not a recorded session: No such file"):
        load(tmp_path)
