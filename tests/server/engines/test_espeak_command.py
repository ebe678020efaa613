import os

import numpy as np
import pytest

from rtchat.errors import EngineError
from rtchat.server.engines.espeak import EspeakTextToSpeech

pytestmark = pytest.mark.needs("espeak-ng")


async def test_missing_program_names_the_package():
    with pytest.raises(EngineError, match="apt install espeak-ng"):
        await anext(aiter(EspeakTextToSpeech("no-such-espeak").speak("hello", voice="alloy")))


async def test_a_program_that_cannot_run_says_so(tmp_path):
    with pytest.raises(EngineError, match="did not start"):
        await anext(aiter(EspeakTextToSpeech(str(tmp_path)).speak("hello", voice="alloy")))


async def test_closing_the_voice_ends_its_process(tmp_path):
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


async def test_no_such_language_is_one_sentence():
    with pytest.raises(EngineError, match="'xx'"):
        await anext(aiter(EspeakTextToSpeech("espeak-ng").speak("hello", voice="cedar", language="xx")))
