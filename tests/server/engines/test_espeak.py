import asyncio
import os
from pathlib import Path

import numpy as np
import pytest

from rtchat.chunk import WIRE, level_dbfs
from rtchat.errors import EngineError
from rtchat.server.engines.espeak import VOICES, EspeakTextToSpeech, arguments, plain_text

pytestmark = pytest.mark.needs("espeak-ng")


async def said(text: str, **how: object) -> bytes:
    speaker = EspeakTextToSpeech()
    return b"".join([chunk async for chunk in speaker.speak(text, **{"voice": "alloy", **how})])  # type: ignore[arg-type]


async def test_a_sentence_is_speech_of_a_sensible_length():
    pcm = await said("Hello there, this is an ordinary sentence.")
    assert len(pcm) % 2 == 0
    assert 1500 < WIRE.ms(pcm) < 4000
    assert level_dbfs(pcm) > -30


async def test_resampling_keeps_the_pitch():
    """The length at 24 kHz is that of espeak-ng's own WAV at 22.05 kHz."""
    process = await asyncio.create_subprocess_exec(
        "espeak-ng",
        *arguments(voice="alloy", speed=1.0, language="en"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    wav, _ = await process.communicate(b"one two three\n")
    assert WIRE.ms(await said("one two three")) == pytest.approx((len(wav) - 44) / 2 / 22.05, abs=1)


async def test_each_voice_sounds_different():
    spoken = [await said("good morning", voice=voice) for voice in VOICES]
    assert len(set(spoken)) == len(VOICES) == 10


@pytest.mark.parametrize("language", ["en", "es", "ca", "fr", "de", "it", "pt", "zh", "en-GB", "pt_BR"])
async def test_languages_by_code(language: str):
    assert WIRE.ms(await said("hola", language=language)) > 150


@pytest.mark.parametrize(
    ("speed", "low", "high"), [(0.25, 3.2, 4.8), (0.5, 1.7, 2.3), (1.5, 0.55, 0.75), (9, 0.55, 0.75)]
)
async def test_speed_is_kept_over_the_whole_range(speed: float, low: float, high: float):
    text = "Hello there, this is one rather ordinary sentence of about ten words."
    assert low < len(await said(text, speed=speed)) / len(await said(text)) < high


@pytest.mark.parametrize("text", ["", "   ", "\x00\n"])
async def test_nothing_to_say_is_no_sound(text: str):
    assert await said(text) == b""


async def test_text_is_never_a_command():
    assert plain_text("a\x00b [[h@'loU]]\n") == "a b [h@'loU]]"
    assert WIRE.ms(await said("--version")) > 300
    assert WIRE.ms(await said("$(touch /tmp/x); `id` 'quoted\"")) > 300


async def test_no_such_voice_lists_the_voices():
    with pytest.raises(EngineError, match="alloy, ash, ballad") as caught:
        await said("hello", voice="bob")
    assert "bob" in caught.value.message


async def test_no_such_language_is_one_sentence():
    with pytest.raises(EngineError, match="'xx'"):
        await said("hello", language="xx")


async def test_missing_program_names_the_package():
    with pytest.raises(EngineError, match="apt install espeak-ng"):
        await anext(aiter(EspeakTextToSpeech("no-such-espeak").speak("hello", voice="alloy")))


async def test_a_program_that_cannot_run_says_so(tmp_path: Path):
    with pytest.raises(EngineError, match="did not start"):
        await anext(aiter(EspeakTextToSpeech(str(tmp_path)).speak("hello", voice="alloy")))


async def test_closing_the_voice_ends_its_process(tmp_path: Path):
    """A stand-in that would speak for ever writes its process id, then is closed early."""
    script = tmp_path / "espeak"
    pid_file = tmp_path / "pid"
    script.write_text(
        f"#!/bin/sh\necho $$ > {pid_file}\nprintf 'hello there, this is espeak' | espeak-ng --stdout\n"
        "exec cat /dev/zero\n"
    )
    script.chmod(0o755)
    voice = EspeakTextToSpeech(str(script)).speak("hello", voice="alloy")
    assert np.frombuffer(await anext(voice), dtype="<i2").size > 0
    await voice.aclose()
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid_file.read_text()), 0)
