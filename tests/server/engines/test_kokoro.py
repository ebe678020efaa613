"""With the packages of the group `neural`: Kokoro itself, heard by Whisper."""

from importlib.util import find_spec

import pytest

from rtchat.errors import EngineError
from rtchat.server.engines.kokoro import KokoroTextToSpeech
from rtchat.server.engines.whisper import WhisperSpeechToText

installed = pytest.mark.skipif(find_spec("kokoro_onnx") is None, reason="kokoro-onnx is not installed")


async def test_what_it_says_can_be_understood(kokoro_model, whisper_model):
    tts, stt = KokoroTextToSpeech(), WhisperSpeechToText(whisper_model)
    chunks = [chunk async for chunk in tts.speak(" What is the time in Paris?", voice="marin")]
    heard = await stt.transcribe(b"".join(chunks), tts.rate)
    assert heard.text == "What is the time in Paris?"
    assert max(map(len, chunks)) <= 9600
    assert [chunk async for chunk in tts.speak("…", voice="marin")] == []
    with pytest.raises(EngineError, match=r"no voice 'nobody'. It has jf_alpha"):
        await anext(tts.speak("Hello", voice="nobody"))
    with pytest.raises(EngineError, match="Is 'klingon' a language"):
        await anext(tts.speak("Hello", voice="marin", language="klingon"))
    assert await tts.check() is None
    tts.close()
    stt.close()


@installed
async def test_a_missing_model_names_its_command(models):
    with pytest.raises(EngineError, match=r"`curl -L --create-dirs -o '.*kokoro-v1.0.int8.onnx' https://"):
        KokoroTextToSpeech()
    (models / "mine.onnx").write_bytes(b"nothing")
    with pytest.raises(EngineError, match=r"needs the model .*voices-v1.0.bin"):
        KokoroTextToSpeech(str(models / "mine.onnx"))
    (models / "voices-v1.0.bin").write_bytes(b"nothing")
    tts = KokoroTextToSpeech(str(models / "mine.onnx"))
    tts.warm_up()
    assert "does not load" in (await tts.check() or "")
    tts.close()
