"""Tokens, counted the way the API counts sound and estimated for text."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

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


def input_tokens(prompt: Prompt, entries: Sequence[Entry]) -> tuple[int, int]:
    """Text and audio tokens of what a model was given."""
    audio = sum(
        int(entry.sound_ms) // (ASSISTANT_MS_PER_TOKEN if entry.assistant_audio else USER_MS_PER_TOKEN)
        for entry in entries
    )
    text = text_tokens(prompt.instructions) + sum(text_tokens(message.text) for message in prompt.messages)
    if prompt.tools:
        text += text_tokens(json.dumps([dict(tool) for tool in prompt.tools]))
    return text, audio


def usage(given: tuple[int, int], text: int, audio_ms: float) -> Usage:
    """The `usage` of a response: what it was given, and the text and sound that it made."""
    audio = int(audio_ms) // ASSISTANT_MS_PER_TOKEN
    cached = {"text_tokens": 0, "audio_tokens": 0, "image_tokens": 0}
    return Usage(
        total_tokens=sum(given) + text + audio,
        input_tokens=sum(given),
        output_tokens=text + audio,
        input_token_details={
            "text_tokens": given[0],
            "audio_tokens": given[1],
            "image_tokens": 0,
            "cached_tokens": 0,
            "cached_tokens_details": cached,
        },
        output_token_details={"text_tokens": text, "audio_tokens": audio},
    )
