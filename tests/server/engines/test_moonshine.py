"""With the packages of the group `neural`: Moonshine itself."""

import asyncio
import threading
from importlib.util import find_spec
from types import SimpleNamespace

import pytest

from rtchat.errors import EngineError
from rtchat.server.engines.base import Transcript
from rtchat.server.engines.espeak import EspeakTextToSpeech
from rtchat.server.engines.moonshine import MoonshineSpeechToText

installed = pytest.mark.skipif(find_spec("moonshine_voice") is None, reason="moonshine-voice is not installed")


async def spoken(*sentences, silence_ms=700):
    """Sentences at 24 kHz, with the silence that comes before and after speech."""
    tts = EspeakTextToSpeech()
    try:
        silence = bytes(silence_ms * 48)
        pcm = silence
        for sentence in sentences:
            voice = tts.speak(sentence, voice="marin")
            pcm += b"".join([chunk async for chunk in voice if isinstance(chunk, bytes)]) + silence
        return pcm
    finally:
        tts.close()


def cut(pcm, ms=32):
    return [pcm[at : at + ms * 48] for at in range(0, len(pcm), ms * 48)]


@pytest.fixture
def stt(moonshine_model):
    engine = MoonshineSpeechToText(moonshine_model)
    yield engine
    engine.close()


@pytest.mark.needs("espeak-ng")
async def test_hears_while_the_sound_comes_and_leaves_the_event_loop_free(stt, monkeypatch):
    fast = SimpleNamespace(monotonic=lambda: 0)
    monkeypatch.setattr("rtchat.server.engines.moonshine.time", fast)  # it hears less often on a slow machine
    pcm = await spoken("Yes.", "Tell me a joke.")
    listener = stt.listen(24_000, language="en-GB")
    seen, looks, fed = [], 0, asyncio.Event()

    async def look():
        nonlocal looks
        while not fed.is_set():
            await asyncio.sleep(0.005)
            looks += 1

    looking = asyncio.create_task(look())
    for chunk in cut(pcm):
        seen.append(await listener.feed(chunk))
    heard = await listener.finish()
    listener.close()
    fed.set()
    await looking
    assert looks > 10  # it was free to look in between
    assert heard == Transcript("Yes. Tell me a joke.", "en")
    assert "Yes." in [partial.text for partial in seen]
    assert all(heard.text.startswith(partial.text[: partial.sure]) for partial in seen)
    assert seen[-1].sure >= len("Yes.")
    assert [partial.ms for partial in seen] == sorted(partial.ms for partial in seen)
    assert len(pcm) / 48 - 1000 < seen[-1].ms <= len(pcm) / 48


@pytest.mark.needs("espeak-ng")
async def test_hears_a_turn_that_comes_whole_and_two_at_once(stt):
    yes, joke = await spoken("Yes."), await spoken("Tell me a joke.")
    listeners = [stt.listen(24_000) for _ in range(2)]
    for pair in zip(cut(yes), cut(joke), strict=False):
        await asyncio.gather(*(one.feed(pcm) for one, pcm in zip(listeners, pair, strict=True)))
    rest = joke[len(yes) // 1536 * 1536 + 1536 :]
    await listeners[1].feed(rest)
    assert [(await one.finish()).text for one in listeners] == ["Yes.", "Tell me a joke."]
    assert await stt.transcribe(joke, 24_000) == Transcript("Tell me a joke.")
    assert await stt.transcribe(b"", 24_000) == Transcript("")
    assert await stt.transcribe(bytes(48_000), 24_000) == Transcript("")
    for one in listeners:
        one.close()


async def test_a_turn_that_is_given_up_is_not_worked_on(stt):
    listener = stt.listen(16_000)
    assert (await listener.feed(bytes(3200))).text == ""
    listener.close()
    assert (await listener.feed(bytes(320_000))).ms == 0
    assert await listener.finish() == Transcript("")
    assert await stt.check() is None
    with pytest.raises(EngineError, match=r"tiny-en does not hear 'de'. Choose a model whose name ends with -de"):
        stt.listen(16_000, language="de")
    late = stt.listen(16_000)
    stt.close()
    late.close()


@pytest.mark.needs("espeak-ng")
async def test_a_turn_that_is_over_comes_before_those_that_go_on(stt):
    pcm, may = await spoken("Tell me a joke."), threading.Event()
    going_on, over = stt.listen(24_000), stt.listen(24_000)
    await over.feed(pcm[:4800])
    busy = asyncio.create_task(stt.do(may.wait))
    feeding = asyncio.create_task(going_on.feed(pcm))
    await asyncio.sleep(0)
    finishing = asyncio.create_task(over.finish())
    await asyncio.sleep(0)
    may.set()
    await busy
    assert (await feeding).ms == 0
    await finishing
    assert (await going_on.feed(pcm[:4800])).text == "Tell me a joke."
    going_on.close()
    over.close()


async def test_what_the_library_does_not_do_is_told(stt):
    listener = stt.listen(16_000)
    await listener.feed(bytes(3200))
    await stt.do(lambda: stt._loaded().close())  # freed under it
    with pytest.raises(EngineError, match=r"moonshine tiny-en could not hear it: .* says more on standard error"):
        await listener.finish()
    listener.close()


@installed
def test_a_missing_model_names_its_command(models):
    with pytest.raises(
        EngineError, match=r"`curl .*moonshine-tiny-streaming-en/#1' '.*/quantized/\{adapter.ort,.*\}'`"
    ):
        MoonshineSpeechToText()
    with pytest.raises(EngineError, match=r"/base-es/quantized/base-es/\{encoder_model.ort,.*\}'`"):
        MoonshineSpeechToText("base-es")
    (models / "moonshine-odd").mkdir()
    with pytest.raises(EngineError, match="is not called as Moonshine's models are"):
        MoonshineSpeechToText("odd")


@installed
@pytest.mark.parametrize("name", ["tiny-en", "tiny-streaming-en", "medium-en"])
async def test_a_folder_that_is_no_model(models, name):
    (models / f"moonshine-{name}").mkdir()
    stt = MoonshineSpeechToText(name)
    assert "does not load" in (await stt.check() or "")
    listener = stt.listen(16_000)
    with pytest.raises(EngineError, match=r"says more on standard error. Download it again: `curl"):
        await listener.feed(bytes(3200))
    listener.close()
    stt.close()
