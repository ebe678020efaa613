import asyncio
import contextlib
import os
import signal

import pytest

from rtchat.errors import EngineError
from rtchat.server.engines.base import WordMark
from rtchat.server.engines.espeak_process import EspeakProcess, NoVoiceError

pytestmark = pytest.mark.needs("espeak-ng")
MANNER = {"voice": "en-us+m4", "wpm": 175, "pitch": 45, "gap": 0}
LONG = "And so it goes on. " * 2000


@pytest.fixture
def process():
    with contextlib.closing(EspeakProcess()) as process:
        yield process


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children") as file:
        return [int(child) for child in file.read().split()]


async def said(process, text):
    return [piece async for piece in process.speak(text, **MANNER)]


async def test_the_first_sound_does_not_wait_for_the_last(process):
    async with contextlib.aclosing(process.speak(LONG, **MANNER)) as sound:
        first = await anext(sound)
        assert isinstance(first, bytes) and len(first) < 9600


async def test_short_texts_do_not_wait_for_long_ones(process):
    """Many long texts are begun and not read on; a short one is said all the same."""
    async with contextlib.AsyncExitStack() as stack:
        for _ in range(10):
            long = await stack.enter_async_context(contextlib.aclosing(process.speak(LONG, **MANNER)))
            await anext(long)
        assert isinstance((await said(process, "hi"))[-1], WordMark)


async def test_a_text_that_nobody_hears_any_more_is_stopped(process):
    sound = process.speak(LONG, **MANNER)
    await anext(sound)
    (child,) = children(process._pid)
    ended, watch = asyncio.Event(), os.pidfd_open(child)
    asyncio.get_running_loop().add_reader(watch, ended.set)
    await sound.aclose()
    await asyncio.wait_for(ended.wait(), 60)
    asyncio.get_running_loop().remove_reader(watch)
    os.close(watch)


async def test_a_process_that_has_died_is_started_again(process):
    await said(process, "hi")
    os.kill(process._pid, signal.SIGKILL)
    assert isinstance((await said(process, "hi"))[-1], WordMark)


async def test_a_text_cut_off_in_its_middle_is_an_error(process):
    sound = process.speak(LONG, **MANNER)
    await anext(sound)
    for child in children(process._pid):
        os.kill(child, signal.SIGKILL)
    with pytest.raises(EngineError, match="ended unexpectedly"):
        [_ async for _ in sound]


async def test_no_such_voice(process):
    with pytest.raises(NoVoiceError):
        [_ async for _ in process.speak("hi", **{**MANNER, "voice": "xx"})]


async def test_closing_ends_the_process(process):
    await said(process, "hi")
    pid = process._pid
    process.close()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
