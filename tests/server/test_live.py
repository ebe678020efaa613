import asyncio
import math
from dataclasses import dataclass, field

import pytest
from starlette.websockets import WebSocketState

from rtchat.errors import EngineError
from rtchat.server.dialogue import Dialogue
from rtchat.server.engines.base import TextPiece, WordMark
from rtchat.server.engines.espeak import EspeakTextToSpeech
from rtchat.server.ids import new_id
from rtchat.server.limits import Limits
from rtchat.server.live import Live
from rtchat.server.run import ServerConfig, embedded
from rtchat.server.staging.scenario import made
from rtchat.server.staging.stage import Stage

KIND = "conversation.item.input_audio_transcription"


async def speak_a_turn(client, *, listen=True):
    await client.append(320)
    await client.append(640, silent=True)
    return await client.until("input_audio_buffer.committed") if listen else []


async def test_a_spoken_turn(engines, connect):
    engines.stt.says = "what time is it"
    async with embedded(engines=engines) as url, connect(url) as client:
        session = {"type": "realtime", "audio": {"input": {"transcription": {"model": "gpt-4o-mini-transcribe"}}}}
        await client.send("session.update", session=session)
        started, stopped, _ = (await speak_a_turn(client))[1:]
        assert started["audio_start_ms"] == 0
        assert stopped["audio_end_ms"] % 32 == 0
        events = await client.until("response.done")
    transcript = next(event for event in events if event["type"] == f"{KIND}.completed")
    assert transcript["transcript"] == "what time is it"
    assert events[-1]["response"]["output"][0]["content"][0]["transcript"] == "You said what time is it."
    assert engines.stt.grammars[:1] == ["#JSGF V1.0; grammar it; public <it> = hello;"]


async def test_speech_stops_the_voice_at_once(engines, connect):
    engines.tts.endless = True
    async with embedded(engines=engines) as url, connect(url) as client:
        await client.say("a story")
        await client.send("response.create")
        await client.until("response.output_audio.delta")
        await client.append(320)
        done = (await client.until("response.done"))[-1]
        assert done["response"]["status_details"]["reason"] == "turn_detected"
        assert engines.tts.stopped == 1
        await client.append(640, silent=True)
        engines.tts.endless = False
        engines.stt.says = "stop"
        done = (await client.until("response.done"))[-1]
        assert done["response"]["status"] == "completed"


async def test_the_model_remembers_the_words_that_were_heard(engines, connect):
    engines.tts.marks = True
    engines.llm.answers = [[TextPiece("Incomprehensibilities, I say."), TextPiece("And so on.")]]
    async with embedded(engines=engines) as url, connect(url) as client:
        await client.send("response.create")
        item = (await client.until("response.done"))[-1]["response"]["output"][0]["id"]
        await client.send("conversation.item.truncate", item_id=item, content_index=0, audio_end_ms=299)
        await client.say("go on")
        await client.send("response.create")
        await client.until("response.done")
    assert [message.text for message in engines.llm.prompts[1].messages] == ["Incomprehensibilities, I", "go on"]


async def test_a_real_voices_answer_is_cut_at_the_word_that_was_heard(engines, connect):
    """What the marks say of one sentence holds for the transcript, and for what the model remembers."""
    sentence = "Incomprehensibilities rarely amuse a small red fox."
    voice = EspeakTextToSpeech()
    try:
        spoken = [piece async for piece in voice.speak(sentence, voice="marin")]
        marks = [piece for piece in spoken if isinstance(piece, WordMark)]
        if not marks:
            pytest.skip("espeak-ng is here as a command only, which marks no words")
        engines.tts = voice
        engines.llm.answers = [[TextPiece(sentence), TextPiece(" And so on.")]]
        async with embedded(engines=engines) as url, connect(url) as client:
            await client.send("response.create")
            item = (await client.until("response.done"))[-1]["response"]["output"][0]["id"]
            for mark in reversed(marks):
                where = {"item_id": item, "content_index": 0, "audio_end_ms": math.ceil(mark.ms)}
                await client.send("conversation.item.truncate", **where)
                await client.send("conversation.item.retrieve", item_id=item)
                (part,) = (await client.until("conversation.item.retrieved"))[-1]["item"]["content"]
                assert part["transcript"] == sentence[: mark.end]
            await client.send("response.create")
            await client.until("response.done")
        assert [message.text for message in engines.llm.prompts[1].messages] == ["Incomprehensibilities"]
    finally:
        voice.close()


@dataclass
class Melody:
    """An end-of-turn engine that is sure."""

    name = "melody"
    rate = 16_000
    longest_ms = 200
    over: float | Exception = 1.0
    heard: list[bytes] = field(default_factory=list)

    async def probability(self, pcm: bytes) -> float:
        self.heard.append(pcm)
        if isinstance(self.over, Exception):
            raise self.over
        return self.over


@pytest.mark.parametrize("over", [1.0, RuntimeError("no ears")], ids=["works", "fails"])
async def test_an_end_of_turn_engine_is_asked_under_semantic_vad(engines, connect, over):
    engines.end_of_turn = Melody(over)
    engines.stt.says = "i live in berlin"
    detection = {"type": "semantic_vad", "create_response": False}
    async with embedded(engines=engines) as url, connect(url) as client:
        session = {"type": "realtime", "audio": {"input": {"turn_detection": detection}}}
        await client.send("session.update", session=session)
        await client.append(320)
        ends = None
        while ends is None:  # silence, until the engines have been asked and the turn has ended
            await client.append(32, silent=True)
            await client.send("conversation.item.retrieve", item_id="nothing")
            answer = [event["type"] for event in await client.until("error")]
            ends = True if "input_audio_buffer.speech_stopped" in answer else None
    (sound,) = engines.end_of_turn.heard
    assert len(sound) == 200 * 32


async def test_an_answer_waits_until_the_question_is_understood(engines, connect):
    engines.stt.may.clear()
    engines.stt.says = "now"
    async with embedded(engines=engines) as url, connect(url) as client:
        await speak_a_turn(client)
        await client.until("response.created")
        assert engines.llm.prompts == []
        engines.stt.may.set()
        await client.until("response.done")
    assert engines.llm.prompts[0].messages[-1].text == "now"


async def test_a_failing_engine_fails_its_response_and_the_session_goes_on(engines, connect):
    engines.stt.says = EngineError("The ears are closed.", hint="Open them.")
    engines.llm.answers = [[TextPiece("Well."), ZeroDivisionError("oops")]]
    async with embedded(engines=engines) as url, connect(url) as client:
        await speak_a_turn(client)
        failures = [(await client.until("response.done"))[-1]]
        engines.stt.says = "hello"
        await speak_a_turn(client)
        failures.append((await client.until("response.done"))[-1])
        engines.tts.broken = True
        await client.send("response.create")
        failures.append((await client.until("response.done"))[-1])
        details = [done["response"]["status_details"] for done in failures]
        assert [detail["type"] for detail in details] == ["failed"] * 3
        reasons = [detail["error"]["message"] for detail in details]
        assert reasons[0] == "The ears are closed. Open them."
        assert "ZeroDivisionError: oops" in reasons[1]
        assert reasons[2] == "The voice is hoarse. Give it tea."
        engines.tts.broken = False
        await client.send("response.create")
        assert (await client.until("response.done"))[-1]["response"]["status"] == "completed"


async def test_a_detector_that_does_not_load(engines, connect):
    def broken():
        raise EngineError("No detector.", hint="Install it.")

    engines.new_vad = broken
    async with embedded(engines=engines) as url, connect(url) as client:
        await client.append(100)
        assert (await client.event())["error"]["message"] == "No detector. Install it."
        await client.append(100)
        await client.say("typed")
        assert (await client.event())["type"] == "conversation.item.added"


async def test_garbage_is_told_and_survived(engines, connect):
    async with embedded(engines=engines) as url, connect(url) as client:
        for frame, code in (("{", "invalid_json"), (b"\0", "invalid_event"), ('{"type":"x"}', "invalid_value")):
            await client.socket.send(frame)
            assert (await client.event())["error"]["code"] == code


async def test_a_mistake_in_the_server_does_not_end_the_session(engines, connect, monkeypatch):
    def mistaken(*_):
        raise ZeroDivisionError

    async with embedded(engines=engines) as url, connect(url) as client:
        with monkeypatch.context() as patch:
            patch.setattr("rtchat.server.dialogue.machine.Dialogue._create", mistaken)
            await client.say("hello")
            error = (await client.event())["error"]
        message = "The server had an error while processing your request."
        told = {"type": "server_error", "code": None, "message": message, "param": None, "event_id": None}
        assert error == told
        await client.say("hello")
        assert (await client.event())["type"] == "conversation.item.added"


async def test_a_mistake_when_time_has_passed_is_told_too(engines, connect, monkeypatch, caplog):
    def mistaken(*_):
        raise ZeroDivisionError

    monkeypatch.setattr("rtchat.server.dialogue.answers.Answers.receive", mistaken)
    stage = Stage(scenario=made([{"say": "Hello.", "delay_ms": 10}]))
    async with embedded(ServerConfig(stage=stage), engines=engines) as url, connect(url) as client:
        await client.send("response.create")
        error = (await client.until("error"))[-1]["error"]
        assert error["message"] == "The server had an error while processing your request."
        await client.say("hello")
        await client.until("conversation.item.done")
    assert "ZeroDivisionError" in caplog.text


async def test_an_engine_that_cannot_be_warmed_up_costs_no_event(engines, connect, monkeypatch, caplog):
    engines.stt.warm_up = lambda grammar: 1 / 0
    engines.stt.says = "hello"
    async with embedded(engines=engines) as url, connect(url) as client:
        await speak_a_turn(client)
        done = (await client.until("response.done"))[-1]
    assert done["response"]["output"][0]["content"][0]["transcript"] == "You said hello."
    assert "ZeroDivisionError" in caplog.text


async def test_a_client_that_vanishes_stops_the_work(engines, connect):
    engines.tts.endless = True
    async with embedded(ServerConfig(limits=Limits(slow_s=600)), engines=engines) as url:
        async with connect(url) as client:
            await client.send("response.create")
            await client.until("response.output_audio.delta")
            client.socket.transport.abort()
        await asyncio.wait_for(engines.tts.quiet.wait(), 60)


async def test_a_slow_client_is_waited_for(engines, connect, monkeypatch):
    """An endless answer must not fill the memory: little more is made than the client takes."""
    monkeypatch.setattr("rtchat.server.pace.FASTER_THAN_REAL_TIME", 1e9)
    engines.tts.endless = True
    async with embedded(engines=engines) as url, connect(url, max_queue=1) as client:
        await client.send("response.create")
        await client.until("response.output_audio.delta")
        made = -1
        async with asyncio.timeout(60):
            while made != engines.tts.made:  # until the voice stands still
                made = engines.tts.made
                await asyncio.sleep(0.2)
        assert made < 5000
        client.socket.transport.abort()


async def test_text_that_is_not_utf8_closes_as_the_websocket_standard_says(engines, connect):
    async with embedded(engines=engines) as url, connect(url) as client:
        await client.socket.send(b"\xff\xfe", text=True)
        assert (await client.closed())[0] == 1007


async def test_a_flood_of_garbage_is_answered_frame_by_frame(engines, connect):
    async with embedded(engines=engines) as url, connect(url, max_queue=None) as client:
        for _ in range(500):
            await client.socket.send('{"type":')
        assert [(await client.event())["error"]["code"] for _ in range(500)] == ["invalid_json"] * 500


class Flood:
    """A socket on which all frames have come already."""

    application_state = WebSocketState.CONNECTED

    def __init__(self, frames):
        self.frames = list(frames)

    async def receive(self):
        if self.frames:
            return {"type": "websocket.receive", "text": self.frames.pop()}
        return {"type": "websocket.disconnect", "code": 1000}

    async def send_text(self, text):
        pass


async def test_a_flood_leaves_others_their_turn(engines):
    turns = 0

    async def other():
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(other())
    dialogue = Dialogue(model="gpt-realtime-2.1", new_id=new_id, expires_at=0)
    await Live(Flood(["garbage"] * 100), dialogue, engines).run()
    task.cancel()
    assert turns >= 100


async def test_an_engine_that_never_waits_leaves_others_their_turn(engines, connect):
    engines.llm.answers = [[TextPiece("word ")] * 2000]
    async with embedded(engines=engines) as url, connect(url) as client:
        await client.send("response.create", response={"output_modalities": ["text"]})
        await client.until("response.output_text.delta")
        await client.send("response.cancel")
        assert (await client.until("response.done"))[-1]["response"]["status"] == "cancelled"


async def test_half_samples_wait_for_their_other_half(engines, connect):
    async with embedded(engines=engines) as url, connect(url) as client:
        for _ in range(1602):  # 3 bytes each
            await client.send("input_audio_buffer.append", audio="AQAB")
        await client.send("input_audio_buffer.commit")
        assert (await client.until("input_audio_buffer.committed"))[-1]["item_id"]
