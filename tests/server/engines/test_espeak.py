import contextlib

import numpy as np
import pytest

from rtchat.chunk import WIRE, level_dbfs
from rtchat.errors import EngineError
from rtchat.server.engines.base import WordMark
from rtchat.server.engines.espeak import VOICES, EspeakTextToSpeech, plain_text
from rtchat.server.engines.espeak_process import NoLibraryError

pytestmark = pytest.mark.needs("espeak-ng")


@pytest.fixture(scope="module")
def speaker():
    """One for all of them: its process forks for each text."""
    with contextlib.closing(EspeakTextToSpeech()) as speaker:
        yield speaker


@pytest.fixture
def said(speaker):
    async def said(text, *, by=speaker, **how):
        pieces = [piece async for piece in by.speak(text, **{"voice": "alloy", **how})]
        return b"".join(piece for piece in pieces if isinstance(piece, bytes))

    return said


@pytest.fixture
def marks(speaker):
    """Each word's end in the text, as the text up to it, with the milliseconds."""

    async def marks(text, **how):
        pieces = [piece async for piece in speaker.speak(text, **{"voice": "alloy", **how})]
        return [(text[: mark.end], mark.ms) for mark in pieces if isinstance(mark, WordMark)]

    return marks


async def test_a_sentence_is_speech_of_a_sensible_length(said):
    pcm = await said("Hello there, this is an ordinary sentence.")
    assert len(pcm) % 2 == 0
    assert 1500 < WIRE.ms(pcm) < 4000
    assert level_dbfs(pcm) > -30


@pytest.mark.parametrize("how", [{}, {"voice": "marin", "language": "es"}, {"speed": 0.3}])
async def test_the_library_says_what_the_command_says(said, how):
    text = "Good morning. To you all, bye."
    library, command = [
        np.frombuffer(sound, dtype="<i2").astype(int)
        for sound in (await said(text, **how), await said(text, by=EspeakTextToSpeech("espeak-ng"), **how))
    ]
    assert library.size == command.size
    assert abs(library - command).max() <= 4  # the resampler's dither


async def test_the_same_text_sounds_the_same(said):
    assert await said("once more") == await said("once more")


async def test_each_voice_sounds_different(said):
    spoken = [await said("good morning", voice=voice) for voice in VOICES]
    assert len(set(spoken)) == len(VOICES) == 10


@pytest.mark.parametrize("language", ["en", "es", "ca", "fr", "de", "it", "pt", "zh", "en-GB", "pt_BR"])
async def test_languages_by_code(said, language):
    assert WIRE.ms(await said("hola", language=language)) > 150


@pytest.mark.parametrize(
    ("speed", "low", "high"), [(0.25, 3.2, 4.8), (0.5, 1.7, 2.3), (1.5, 0.55, 0.75), (9, 0.55, 0.75)]
)
async def test_speed_is_kept_over_the_whole_range(said, speed, low, high):
    text = "Hello there, this is one rather ordinary sentence of about ten words."
    assert low < len(await said(text, speed=speed)) / len(await said(text)) < high


@pytest.mark.parametrize("text", ["", "   ", "\x00\n"])
async def test_nothing_to_say_is_no_sound(said, text):
    assert await said(text) == b""


async def test_text_is_never_a_command(said):
    assert plain_text("a\x00b [[h@'loU]]\n") == "a b [ h@'loU]] "
    assert WIRE.ms(await said("--version")) > 300
    assert WIRE.ms(await said("$(touch /tmp/x); `id` 'quoted\"")) > 300


async def test_no_such_voice_lists_the_voices(said):
    with pytest.raises(EngineError, match="alloy, ash, ballad") as caught:
        await said("hello", voice="bob")
    assert "bob" in caught.value.message


async def test_no_such_language_is_one_sentence(said):
    with pytest.raises(EngineError, match="'xx'"):
        await said("hello", language="xx")


async def test_words_are_marked_when_they_have_been_said(marks, said):
    text = "  Hello there, this is one-two \u201cquoted\u201d thing."
    told = await marks(text)
    assert [said for said, _ in told][:3] == ["  Hello", "  Hello there,", "  Hello there, this"]
    assert told[-1] == (text, pytest.approx(WIRE.ms(await said(text)), abs=1))
    assert [ms for _, ms in told] == sorted(ms for _, ms in told)


async def test_marks_agree_with_the_sound(marks, said):
    """The quiet after each sentence ends where the mark of its last word is."""
    text = "One. Two. Three. Four."
    told, sound = await marks(text), await said(text)
    assert [said for said, _ in told] == ["One.", "One. Two.", "One. Two. Three.", text]
    for _, ms in told[:-1]:
        at = WIRE.bytes_in(ms)
        assert level_dbfs(sound[at - 4800 : at]) < -45  # 100 ms
        assert level_dbfs(sound[at : at + 9600]) > -35


async def test_without_the_library_the_command_speaks(speaker, said, monkeypatch):
    async def none(*_):
        raise NoLibraryError
        yield

    monkeypatch.setattr("rtchat.server.engines.espeak_process.EspeakProcess._frames", none)
    fallen_back = EspeakTextToSpeech()
    assert WIRE.ms(await said("hello", by=fallen_back)) > 300
