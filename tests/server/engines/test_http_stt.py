import asyncio
import io
import wave

import pytest
from starlette.responses import JSONResponse, PlainTextResponse

from rtchat.errors import EngineError
from rtchat.server.engines.base import Transcript
from rtchat.server.engines.http_stt import HttpSpeechToText
from rtchat.server.engines.upstream import Upstream
from rtchat.server.run import ServerConfig, build, embedded


@pytest.fixture
async def stt(stack):
    engine = HttpSpeechToText(Upstream(stack.url, kind="stt", model="whisper-tiny"))
    yield engine
    await engine.close()


async def test_a_turn_goes_up_as_a_wav(stack, stt):
    stack.heard = {"text": " What time\nis it? ", "language": "english"}
    assert await stt.transcribe(b"\1\0" * 1600, 16_000, language="en-US") == Transcript(
        "What time is it?", "english"
    )
    (asked,) = stack.asked
    assert (asked["model"], asked["language"], asked["response_format"]) == ("whisper-tiny", "en", "json")
    with wave.open(io.BytesIO(asked["file"])) as sound:
        assert (sound.getframerate(), sound.getnchannels(), sound.getnframes()) == (16_000, 1, 1600)


async def test_no_sound_is_not_asked_about(stack, stt):
    assert await stt.transcribe(b"", 24_000) == Transcript("")
    assert stack.asked == []


@pytest.mark.parametrize(
    ("heard", "sentence"),
    [
        (PlainTextResponse("hello"), "not JSON"),
        ([], "sent no text"),
        ({"text": None}, "sent no text"),
        (JSONResponse({"error": "no such model"}, status_code=404), "answered 404: no such model. It has tiny."),
    ],
)
async def test_nonsense_and_refusals(stack, stt, heard, sentence):
    stack.heard = heard
    with pytest.raises(EngineError, match=sentence):
        await stt.transcribe(bytes(100), 24_000)


async def test_cancelling_cuts_the_connection(stack, stt):
    stack.heard = "stall"
    task = asyncio.create_task(stt.transcribe(bytes(100), 24_000))
    await stack.reached.wait()
    task.cancel()
    await asyncio.wait_for(stack.left.wait(), 60)


async def test_a_session_hears_by_it_and_survives_its_failure(stack, engines, connect):
    stack.heard = JSONResponse({"error": "out of memory"}, status_code=500)
    engines.stt = build(ServerConfig(stt=stack.url)).stt
    kind = "conversation.item.input_audio_transcription"
    session = {"type": "realtime", "audio": {"input": {"transcription": {"model": "whisper-1"}}}}
    async with embedded(engines=engines) as url, connect(url) as client:
        await client.send("session.update", session=session)
        for heard, event, status in (
            (stack.heard, "failed", "failed"),
            ({"text": "Good morning"}, "completed", "completed"),
        ):
            stack.heard = heard
            await client.append(320)
            await client.append(640, silent=True)
            events = await client.until("response.done")
            assert f"{kind}.{event}" in [event["type"] for event in events]
            assert events[-1]["response"]["status"] == status
    await engines.stt.close()
    assert engines.llm.prompts[-1].messages[-1].text == "Good morning"
