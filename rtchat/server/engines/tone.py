"""A voice that is made of tones: at once, alike on every machine, and with a mark for each word. For tests.

Each word is a tone as long as it has letters, its pitch by its first letter; spaces are silent. Nobody understands
it, no recogniser and no detector takes it for speech.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from functools import lru_cache

from rtchat.chunk import WIRE
from rtchat.server.engines.base import WordMark

LETTER_MS = 60
"""A letter's sound."""
PAUSE_MS = 40
"""Silence after each word."""
CHUNK_MS = 100
"""Sound of a chunk."""
_LEVEL = 6_000
_LOWEST_HZ, _STEP_HZ, _PITCHES = 300, 50, 12


class ToneTextToSpeech:
    """`TextToSpeech` of square tones, made of whole numbers only, so that no machine rounds differently."""

    name = "tone"
    rate = 24_000

    async def speak(
        self, text: str, *, voice: str, speed: float = 1.0, language: str = "en"
    ) -> AsyncIterator[bytes | WordMark]:
        """Say `text`, in chunks of 100 ms."""
        ready, ms = bytearray(), 0.0
        size = WIRE.bytes_in(CHUNK_MS)
        for word in re.finditer(r"\S+", text):
            ready += word_sound(word[0], speed)
            ms = ms + WIRE.ms(word_sound(word[0], speed))
            yield WordMark(word.end(), ms)
            while len(ready) >= size:
                yield bytes(ready[:size])
                del ready[:size]
        if ready:
            yield bytes(ready)


@lru_cache(maxsize=256)
def word_sound(word: str, speed: float) -> bytes:
    """A word: 24 kHz mono PCM16."""
    half = 24_000 // (2 * (_LOWEST_HZ + _STEP_HZ * (ord(word[0]) % _PITCHES)))
    wave = _LEVEL.to_bytes(2, "little", signed=True) * half + (-_LEVEL).to_bytes(2, "little", signed=True) * half
    length = WIRE.bytes_in(int(LETTER_MS * len(word) / speed))
    return (wave * (length // len(wave) + 1))[:length] + WIRE.silence(int(PAUSE_MS / speed))
