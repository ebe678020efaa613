"""With the packages of the group `neural`: Whisper itself."""

import asyncio
from importlib.util import find_spec

import pytest

from rtchat.errors import EngineError
from rtchat.server.engines.base import Transcript
from rtchat.server.engines.espeak import EspeakTextToSpeech
from rtchat.server.engines.whisper import WhisperSpeechToText

installed = pytest.mark.skipif(find_spec("faster_whisper") is None, reason="faster-whisper is not installed")


@pytest.mark.needs("espeak-ng")
async def test_hears_a_sentence_and_leaves_the_event_loop_free(whisper_model):
    stt = WhisperSpeechToText(whisper_model)
    voice = EspeakTextToSpeech().speak("What is the time in Paris?", voice="marin")
    pcm = b"".join([chunk async for chunk in voice if isinstance(chunk, bytes)])
    hearing = asyncio.create_task(stt.transcribe(pcm, 24_000, language="en"))
    looks = 0
    while not hearing.done():
        await asyncio.sleep(0.01)
        looks += 1
    assert await hearing == Transcript("What is the time in Paris?", "en")
    assert looks > 3  # it was free to look in between
    with pytest.raises(EngineError, match="does not hear 'de-DE'"):
        await stt.transcribe(pcm, 24_000, language="de-DE")
    assert await stt.transcribe(b"", 24_000) == Transcript("")
    abandoned = asyncio.create_task(stt.transcribe(pcm, 24_000))
    await asyncio.sleep(0)
    abandoned.cancel()
    assert await stt.check() is None
    stt.close()


@installed
def test_a_missing_model_names_its_command(models):
    with pytest.raises(EngineError, match=r"`hf download Systran/faster-whisper-base.en --local-dir '.*base.en'`"):
        WhisperSpeechToText()
    with pytest.raises(EngineError, match="needs the model a/path"):
        WhisperSpeechToText("a/path")


@installed
async def test_a_folder_that_is_no_model(models):
    (models / "whisper-odd").mkdir()
    stt = WhisperSpeechToText("odd")
    stt.warm_up()
    assert "does not load" in (await stt.check() or "")
    with pytest.raises(EngineError, match=r"with model.bin"):
        await stt.transcribe(bytes(3200), 16_000)
    stt.close()
