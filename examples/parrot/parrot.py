"""A language model and a voice for rtchat in 30 lines: it repeats, and whistles a note for each word.

rtchat serve --llm parrot:Parrot --tts parrot:Whistle     # from this folder
pip install . && rtchat serve --llm parrot --tts whistle  # from anywhere
"""

import math
import struct

from rtchat.server.engines.base import Prompt, TextPiece, WordMark


class Parrot:
    """`LanguageModel`: repeats."""

    name = "parrot"

    async def respond(self, prompt: Prompt):
        """Answer, in as many pieces as you like."""
        said = [message.text for message in prompt.messages if message.role == "user"]
        yield TextPiece(f"You said: {said[-1]}" if said else "Hello!")

    def grammar(self, prompt: Prompt):
        """Anything may be said."""


class Whistle:
    """`TextToSpeech`: a note for each word."""

    name = "whistle"
    rate = 24_000  # hertz; mono, 16 bits

    async def speak(self, text, *, voice, speed=1.0, language="en"):
        """Sound, and when each word has been said."""
        end = 0
        for n, word in enumerate(text.split(), start=1):
            hertz = 300 + 10 * sum(map(ord, word)) % 400
            tone = (9_000 * math.sin(2 * math.pi * hertz * t / self.rate) for t in range(self.rate // 5))
            yield b"".join(struct.pack("<h", int(sample)) for sample in tone)
            end = text.index(word, end) + len(word)
            yield WordMark(end, n * 200)  # text[:end] has been said after n * 200 ms
