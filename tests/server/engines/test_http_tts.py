import asyncio
import struct

import numpy as np
import pytest
from openai.types.audio import SpeechCreateParams
from pydantic import TypeAdapter
from starlette.responses import JSONResponse

from rtchat.errors import EngineError
from rtchat.server.engine_timeouts import EngineTimeouts
from rtchat.server.engines.http_stt import in_wav
from rtchat.server.engines.http_tts import HttpTextToSpeech, Sound
from rtchat.server.engines.upstream import Upstream
from rtchat.server.run import ServerConfig, build, embedded

RAMP = np.arange(2400, dtype="<i2").tobytes()


async def spoken(stack, text="Hello.", *, speed=1.0, **options):
    tts = HttpTextToSpeech(Upstream(stack.url, kind="tts", model="kokoro"), **options)
    try:
        return b"".join([pcm async for pcm in tts.speak(text, voice="marin", speed=speed)])
    finally:
        await tts.close()


async def test_raw_sound_comes_as_it_is(stack):
    stack.sound = [RAMP[:1001], RAMP[1001:]]
    assert await spoken(stack) == RAMP
    assert stack.asked == [{"model": "kokoro", "input": "Hello.", "voice": "marin", "response_format": "pcm"}]


async def test_a_voice_of_its_own_and_speed(stack):
    await spoken(stack, speed=1.25, voice="af_sky", wanted="wav")
    TypeAdapter(SpeechCreateParams).validate_python(stack.asked[0])
    assert (stack.asked[0]["voice"], stack.asked[0]["speed"], stack.asked[0]["response_format"]) == (
        "af_sky",
        1.25,
        "wav",
    )


async def test_the_rate_and_the_voices_that_the_server_tells_of(stack):
    piper = {"id": "kokoro", "sample_rate": 12_000, "voices": [{"name": "amy"}, {"name": "joe"}]}
    stack.models, stack.sound = [piper], [RAMP]
    assert abs(len(await spoken(stack)) - 2 * len(RAMP)) <= 4
    stack.sound = [RAMP[:8]]
    assert abs(len(await spoken(stack, voice="own")) - 16) <= 4
    stack.models = [{**piper, "sample_rate": "fast", "voices": [{"name": "amy"}, {"name": "marin"}]}]
    assert await spoken(stack) == RAMP[:8]
    stack.models = [{**piper, "sample_rate": None, "voices": ["marin"]}]
    assert await spoken(stack) == RAMP[:8]
    assert [asked["voice"] for asked in stack.asked] == ["amy", "own", "marin", "marin"]


async def test_what_has_no_words_is_not_asked_for(stack):
    assert await spoken(stack, "…!") == b""
    assert stack.asked == []


@pytest.mark.parametrize(
    ("sound", "kind", "sentence"),
    [
        ([b"\0\0\0"], "audio/pcm", "ends in the middle of a sample"),
        ([bytes(101)], "audio/pcm", "ends in the middle of a sample"),
        ([], "audio/pcm", "sent no sound"),
        (["{}"], "application/json", "sent application/json in place of sound"),
        ([b"ID3" + bytes(100)], "audio/mpeg", "MP3, .* --tts-format wav"),
        ([b"RIFF....WAVE"], "audio/wav", "a WAV without samples"),
        ([b"RIFF....WAVE" + b"LIST" + struct.pack("<I", 5000) + bytes(6000)], "audio/wav", "a WAV without samples"),
        ([b"RIFF....WAVEfmt \x10\0\0\0" + struct.pack("<HHIIHH", 3, 1, 8000, 0, 4, 32) + bytes(9)], "", "32 bits"),
        (JSONResponse({"error": "voice"}, status_code=400), "", "answered 400: voice"),
    ],
)
async def test_what_is_not_sound(stack, sound, kind, sentence):
    stack.sound, stack.speech_type = sound, kind
    with pytest.raises(EngineError, match=sentence):
        await spoken(stack)


@pytest.mark.parametrize("size", [1, 7, 100_000])
def test_a_wav_in_any_portions(size):
    wav = in_wav(RAMP, 24_000) + b"LIST\4\0\0\0oops"
    sound = Sound(24_000)
    parts = [sound.feed(wav[at : at + size]) for at in range(0, len(wav), size)]
    assert b"".join(parts) + sound.end() == RAMP


def test_a_wav_of_another_rate_and_two_channels_without_a_size():
    wav = bytearray(in_wav(RAMP, 24_000))
    wav[22:24], wav[24:28] = struct.pack("<H", 2), struct.pack("<I", 12_000)
    wav[40:44] = b"\xff\xff\xff\xff"
    sound = Sound(24_000)
    assert len(sound.feed(bytes(wav)) + sound.end()) == len(RAMP)


async def test_an_interruption_cuts_the_connection(stack, engines, connect):
    stack.sound = [bytes(48_000), "stall"]
    engines.timeouts = EngineTimeouts(600)
    engines.tts = build(ServerConfig(tts=stack.url)).tts
    async with embedded(engines=engines) as url, connect(url) as client:
        await client.send("response.create")
        await client.until("response.output_audio.delta")
        assert not stack.left.is_set()
        await client.append(320)
        done = (await client.until("response.done"))[-1]
        assert done["response"]["status_details"]["reason"] == "turn_detected"
        await asyncio.wait_for(stack.left.wait(), 60)
        await client.send("response.cancel")
    await engines.tts.close()


async def test_a_voice_that_fails_ends_its_response(stack, engines, connect):
    stack.sound = [bytes(4801)]
    engines.tts = build(ServerConfig(tts=stack.url)).tts
    async with embedded(engines=engines) as url, connect(url) as client:
        await client.send("response.create")
        failed = (await client.until("response.done"))[-1]["response"]
        assert "middle of a sample" in failed["status_details"]["error"]["message"]
        stack.sound = [bytes(4800)]
        await client.send("response.create")
        assert (await client.until("response.done"))[-1]["response"]["status"] == "completed"
    await engines.tts.close()
