"""Tokens, counted the way the API counts sound and estimated for text."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from rtchat.protocol.items import MessageItem
from rtchat.protocol.server_events import Usage

if TYPE_CHECKING:
    from rtchat.server.dialogue.items import Entry
    from rtchat.server.engines.base import Prompt

CHARACTERS_PER_TOKEN = 4
USER_MS_PER_TOKEN = 100
ASSISTANT_MS_PER_TOKEN = 50


def text_tokens(text: str) -> int:
    """An estimate."""
    return -(-len(text) // CHARACTERS_PER_TOKEN)


class Given(NamedTuple):
    """Input tokens by their kind."""

    text: int = 0
    audio: int = 0
    image: int = 0

    @property
    def total(self) -> int:
        """All of them."""
        return self.text + self.audio + self.image


def entry_tokens(entry: Entry) -> Given:
    """Of one item. Sound counts as sound, and its words not again as text."""
    item = entry.item
    if not isinstance(item, MessageItem):
        return Given(sum(text_tokens(getattr(item, name, None) or "") for name in ("arguments", "output")))
    audio = int(entry.sound_ms) // (ASSISTANT_MS_PER_TOKEN if entry.assistant_audio else USER_MS_PER_TOKEN)
    written = [part.text or ("" if audio else part.transcript) or "" for part in item.content]
    details = [part.detail for part in item.content if part.type == "input_image"]
    seen = sum(image.tokens(detail) for image, detail in zip(entry.images, details, strict=True))
    return Given(sum(text_tokens(text) for text in written), audio, seen)


def fixed_tokens(prompt: Prompt) -> int:
    """Text tokens of instructions and tools."""
    tools = text_tokens(json.dumps([dict(tool) for tool in prompt.tools])) if prompt.tools else 0
    return text_tokens(prompt.instructions) + tools


def input_tokens(prompt: Prompt, entries: Sequence[Entry]) -> Given:
    """What a model was given."""
    each = [Given(fixed_tokens(prompt)), *(entry_tokens(entry) for entry in entries)]
    return Given(*(sum(kind) for kind in zip(*each, strict=True)))


def usage(given: Given, text: int, audio_ms: float) -> Usage:
    """The `usage` of a response: what it was given, and the text and sound that it made."""
    audio = int(audio_ms) // ASSISTANT_MS_PER_TOKEN
    cached = {"text_tokens": 0, "audio_tokens": 0, "image_tokens": 0}
    return Usage(
        total_tokens=given.total + text + audio,
        input_tokens=given.total,
        output_tokens=text + audio,
        input_token_details={
            "text_tokens": given.text,
            "audio_tokens": given.audio,
            "image_tokens": given.image,
            "cached_tokens": 0,
            "cached_tokens_details": cached,
        },
        output_token_details={"text_tokens": text, "audio_tokens": audio},
    )
