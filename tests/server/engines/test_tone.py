from rtchat.chunk import WIRE
from rtchat.server.engines.base import WordMark
from rtchat.server.engines.tone import LETTER_MS, PAUSE_MS, ToneTextToSpeech


async def spoken(text, **options):
    return [piece async for piece in ToneTextToSpeech().speak(text, voice="marin", **options)]


async def test_words_take_as_long_as_they_have_letters_and_are_marked():
    pieces = await spoken("Hi there.")
    sound = b"".join(piece for piece in pieces if isinstance(piece, bytes))
    ends = [2 * LETTER_MS + PAUSE_MS, 8 * LETTER_MS + 2 * PAUSE_MS]
    assert [piece for piece in pieces if isinstance(piece, WordMark)] == [
        WordMark(2, ends[0]),
        WordMark(9, ends[1]),
    ]
    assert WIRE.ms(sound) == ends[1]
    assert max(sound) > 0


async def test_it_is_the_same_every_time_and_nothing_is_nothing():
    assert await spoken("again and again") == await spoken("again and again")
    assert await spoken("   ") == []


async def test_speed():
    quick = b"".join(piece for piece in await spoken("hello", speed=1.5) if isinstance(piece, bytes))
    slow = b"".join(piece for piece in await spoken("hello", speed=0.5) if isinstance(piece, bytes))
    assert WIRE.ms(slow) == 5 * LETTER_MS * 2 + PAUSE_MS * 2
    assert len(quick) < len(slow)
