"""Tokens, counted the way the API counts sound and estimated for text."""

from __future__ import annotations

import json
from collections.abc import Hashable, Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from rtchat.protocol.items import MessageItem
from rtchat.protocol.server_events import Usage

if TYPE_CHECKING:
    from rtchat.server.dialogue.items import Entry
    from rtchat.server.engines.base import Prompt

CHARACTERS_PER_TOKEN = 4
USER_MS_PER_TOKEN = 100
ASSISTANT_MS_PER_TOKEN = 50
CACHED_BLOCK = 64
"""Cached tokens come in multiples of this (recorded)."""


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


NOTHING = Given()


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


Parts = Sequence[tuple[Hashable, Given]]
"""What a model is given, part by part: what tells a part from others, and its tokens."""


def context_of(prompt: Prompt, entries: Sequence[Entry]) -> list[tuple[Hashable, Given]]:
    """Instructions and tools as one part, then each item as one."""
    fixed = ((prompt.instructions, _written(prompt)), Given(fixed_tokens(prompt)))
    return [fixed, *((entry.id, entry_tokens(entry)) for entry in entries)]


def fixed_tokens(prompt: Prompt) -> int:
    """Text tokens of instructions and tools."""
    return text_tokens(prompt.instructions) + text_tokens(_written(prompt))


def total(context: Parts) -> Given:
    """All its tokens."""
    return _sum(tokens for _, tokens in context)


def cached(context: Parts, before: Parts) -> Given:
    """The tokens at the beginning that were there before, too: in whole blocks, as recorded.

    Args:
        context: What the model is given.
        before: What it was given the last time, with what it answered.
    """
    same = []
    for now, then in zip(context, before, strict=False):
        if now != then:
            break
        same.append(now[1])
    room = _sum(same).total // CACHED_BLOCK * CACHED_BLOCK
    found = []
    for part in same:
        for kind, tokens in enumerate(part):
            taken = min(tokens, room)
            room -= taken
            found.append(Given(*(taken if other == kind else 0 for other in range(len(part)))))
    return _sum(found)


def usage(given: Given, text: int, audio_ms: float, cached: Given = NOTHING) -> Usage:
    """The `usage` of a response: what it was given, what of it was cached, and the text and sound that it made."""
    audio = int(audio_ms) // ASSISTANT_MS_PER_TOKEN
    return Usage(
        total_tokens=given.total + text + audio,
        input_tokens=given.total,
        output_tokens=text + audio,
        input_token_details={
            **_by_kind(given),
            "cached_tokens": cached.total,
            "cached_tokens_details": _by_kind(cached),
        },
        output_token_details={"text_tokens": text, "audio_tokens": audio},
    )


def _by_kind(tokens: Given) -> dict[str, int]:
    return {"text_tokens": tokens.text, "audio_tokens": tokens.audio, "image_tokens": tokens.image}


def _written(prompt: Prompt) -> str:
    return json.dumps([dict(tool) for tool in prompt.tools]) if prompt.tools else ""


def _sum(parts: Iterable[Given]) -> Given:
    each = list(parts)
    return Given(*(sum(kind) for kind in zip(*each, strict=True))) if each else NOTHING
