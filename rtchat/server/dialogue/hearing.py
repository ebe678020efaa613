"""Words for the user's speech: when they are asked for, and how the client is told of them."""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING, Any

from rtchat.chunk import WIRE
from rtchat.protocol import server_events as ev
from rtchat.protocol.config import ResponseParams
from rtchat.protocol.items import MessageItem
from rtchat.server.dialogue.pieces import words as split
from rtchat.server.dialogue.response import Plan
from rtchat.server.dialogue.signals import Abandon, Effect, NotRecognised, Recognised, Transcribe

if TYPE_CHECKING:
    from rtchat.server.dialogue.context import Context
    from rtchat.server.dialogue.items import Entry
    from rtchat.server.engines.base import Prompt

AHEAD_MAX_MS = 8_000
"""Longer speech is not recognised ahead: it would be heard all over again at every breath."""
_NO_PARAMS = ResponseParams()


class Hearing:
    """Recognition of one session's turns.

    The silence that ends a turn is time in which its words can be found already: at the first pause recognition
    starts ahead, and is abandoned when the user goes on.
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self._ahead: str | None = None  # key of the recognition that runs ahead of its turn
        self._ahead_words: str | None = None  # what it found
        self._aside: dict[str, Entry] = {}
        self._items: dict[str, str] = {}  # key of a recognition that ran ahead -> the item that the turn became

    def ahead(self, key: str, sound: bytes) -> list[Effect]:
        """The turn may be over: what was said, if it is? Nothing is asked of very long speech."""
        abandoned = self.abandon()
        if WIRE.ms(sound) > AHEAD_MAX_MS:
            return abandoned
        self._ahead = key
        return [*abandoned, self._transcribe(key, sound, self.situation())]

    def abandon(self) -> list[Effect]:
        """It was not over."""
        key, self._ahead, self._ahead_words = self._ahead, None, None
        return [Abandon(key)] if key else []

    def turn(self, entry: Entry) -> list[Effect]:
        """A turn is over and became this item."""
        key, words = self._ahead, self._ahead_words
        self._ahead = self._ahead_words = None
        if key is None:
            return self.begin(entry)
        self._items[key] = entry.id
        return [] if words is None else self.told(Recognised(key, words))

    def begin(self, entry: Entry) -> list[Effect]:
        """Ask for the words of an item."""
        return [self._transcribe(entry.id, bytes(entry.sound), self.situation(entry))]

    def aside(self, entry: Entry) -> list[Effect]:
        """Ask for the words of an item that is in no conversation; nobody is told them."""
        key = self._context.new_id("aside")
        self._items[key], self._aside[key] = entry.id, entry
        return [self._transcribe(key, bytes(entry.sound), None)]

    def item_of(self, key: str) -> str:
        """The item that a recognition is for."""
        return self._items.get(key, key)

    def told(self, result: Recognised | NotRecognised) -> list[Effect]:
        """The words of a turn, or none."""
        if result.key == self._ahead:
            if isinstance(result, Recognised):
                self._ahead_words = result.text
            else:
                self._ahead = None  # the turn itself will fail, and say so
            return []
        aside = self._aside.pop(result.key, None)
        entry = aside or self._context.store.find(self.item_of(result.key))
        if entry is None:
            return []
        entry.words = result.text if isinstance(result, Recognised) else ""
        if aside or not self._context.settings.transcribes:
            return []
        return self._failed(entry, result) if isinstance(result, NotRecognised) else self._completed(entry)

    def situation(self, entry: Entry | None = None) -> Prompt | None:
        """What was said before that item, for the recogniser; None for open dictation."""
        context = self._context
        if context.settings.kind != "realtime":
            return None
        plan = Plan.of(context.settings.realtime, _NO_PARAMS)
        return context.prompt(plan, [other for other in context.store if other is not entry and not other.dropped])

    def _transcribe(self, key: str, sound: bytes, situation: Prompt | None) -> Transcribe:
        return Transcribe(key, sound, self._context.settings.input_language, situation)

    def _failed(self, entry: Entry, result: NotRecognised) -> list[Effect]:
        error = ev.ErrorDetail(
            type="server_error",
            code="engine_error",
            message=f"Input transcription failed for item '{entry.id}'. {result.reason}",
            param=None,
        )
        return [self._context.emit(ev.TranscriptionFailed, item_id=entry.id, content_index=0, error=error)]

    def _completed(self, entry: Entry) -> list[Effect]:
        emit, words = self._context.emit, entry.words or ""
        entry.item = _with_transcript(entry.item, words)
        where: dict[str, Any] = {"item_id": entry.id, "content_index": 0}
        # Docs: whisper-1 gives its deltas whole, the later models word by word.
        pieces = [words] if self._context.settings.transcription_model == "whisper-1" else split(words)
        deltas: list[Effect] = [emit(ev.TranscriptionDelta, **where, delta=piece) for piece in pieces if piece]
        return [*deltas, emit(ev.TranscriptionCompleted, **where, transcript=words, usage=self._usage(entry))]

    def _usage(self, entry: Entry) -> dict[str, Any]:
        # Recorded: whisper counts begun seconds and none of a silence, the gpt-4o transcribers ten tokens a second.
        if "gpt-4o" not in self._context.settings.transcription_model:
            return {"type": "duration", "seconds": 0 if entry.silent else ceil(entry.sound_ms / 1000)}
        heard, words = int(entry.sound_ms) // 100, -(-len(entry.words or "") // 4)
        return {
            "type": "tokens",
            "total_tokens": heard + words,
            "input_tokens": heard,
            "input_token_details": {"text_tokens": 0, "audio_tokens": heard},
            "output_tokens": words,
        }


def _with_transcript(item: MessageItem, words: str) -> MessageItem:
    content = [
        part.model_copy(update={"transcript": words}) if part.type == "input_audio" else part
        for part in item.content
    ]
    return item.model_copy(update={"content": content})
