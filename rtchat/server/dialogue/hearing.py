"""Words for the user's speech: when they are asked for, and how the client is told of them."""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING, Any

from rtchat.chunk import WIRE
from rtchat.protocol import server_events as ev
from rtchat.protocol.config import ResponseParams
from rtchat.server.dialogue.checks import Rejected
from rtchat.server.dialogue.items import sounding, with_sounding
from rtchat.server.dialogue.pieces import words as split
from rtchat.server.dialogue.plan import Plan
from rtchat.server.dialogue.signals import (
    Abandon,
    Effect,
    Listen,
    NotRecognised,
    Recognised,
    SoFar,
    Transcribe,
)

if TYPE_CHECKING:
    from rtchat.server.dialogue.context import Context
    from rtchat.server.dialogue.items import Entry
    from rtchat.server.engines.base import Prompt

AHEAD_MAX_MS = 8_000
"""Longer speech is not recognised ahead: it would be heard all over again at every breath."""
STREAMING = ("gpt-realtime-whisper", "gpt-live-transcribe")
"""Transcription models whose deltas come while the user speaks (measured); those of all others follow the turn."""
MAX_WAITING = 64 * 1024 * 1024
"""Bytes of sound (23 minutes) that may wait for their words."""
FULL = f"{MAX_WAITING // 2**20} MiB of speech wait for their words already. Go on when some have been transcribed."
_NO_PARAMS = ResponseParams()


class Hearing:
    """Recognition of one session's turns.

    The silence that ends a turn is time in which its words can be found already: at the first pause recognition
    starts ahead, and is abandoned when the user goes on. A recogniser that listens needs neither: it is given the
    turn while it is spoken, and only asked for the end.

    Attributes:
        listened: The turn that is listened to, as the id of its item to come.
        latest: What was last heard of it.
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self._ahead: str | None = None  # key of the recognition that runs ahead of its turn
        self._ahead_words: str | None = None  # what it found
        self._asked: dict[str, tuple[Entry, int]] = {}  # key of a recognition -> its item, bytes of its sound
        self.listened: str | None = None
        self.latest: SoFar | None = None
        self._told: dict[str, str] = {}  # item -> its words that the client was told before it was heard to the end

    def listen(self, key: str, pcm: bytes) -> list[Effect]:
        """The next sound of a turn that is being spoken, from its padding on."""
        if not self._context.listens or not pcm:
            return []
        first = key != self.listened
        if first:
            self.listened, self.latest = key, None
        situation = self.situation() if first else None
        return [Listen(key, pcm, self._context.settings.input_language, situation)]

    def give_up(self) -> list[Effect]:
        """What is listened to need not be listened to any more; if it becomes a turn, all of it is heard again."""
        key, self.listened = self.listened, None
        return [Abandon(key)] if key else []

    def forget(self, item_id: str) -> list[Effect]:
        """The turn that was to have that id will not be."""
        self._told.pop(item_id, None)
        return self.give_up()

    def so_far(self, result: SoFar) -> list[Effect]:
        """More of a turn was heard, which need not be over."""
        context, key = self._context, result.key
        if key == self.listened:
            self.latest = result
        elif context.store.find(key) is None:
            return []
        before, sure = self._told.get(key, ""), result.partial.text[: result.partial.sure]
        if context.settings.transcription_model not in STREAMING or not sure.startswith(before):
            return []
        self._told[key] = sure
        return self._deltas(key, sure[len(before) :])

    def ahead(self, key: str, sound: bytes) -> list[Effect]:
        """The turn may be over: what was said, if it is? Nothing is asked of very long speech, or who listens."""
        abandoned = self.abandon()
        if self.listened or WIRE.ms(sound) > AHEAD_MAX_MS:
            return abandoned
        self._ahead = key
        return [*abandoned, self._transcribe(key, sound, self.situation())]

    def abandon(self) -> list[Effect]:
        """It was not over."""
        key, self._ahead, self._ahead_words = self._ahead, None, None
        return [Abandon(key)] if key else []

    def turn(self, entry: Entry) -> list[Effect]:
        """A turn is over and became this item."""
        if self.listened == entry.id:
            self.listened = None
            return self.begin(entry)
        key, words = self._ahead, self._ahead_words
        self._ahead = self._ahead_words = None
        if key is None:
            return self.begin(entry)
        self._asked[key] = entry, 0  # it was short: AHEAD_MAX_MS
        return [] if words is None else self.told(Recognised(key, words))

    def begin(self, entry: Entry) -> list[Effect]:
        """Ask for the words of an item."""
        return self._ask(entry.id, entry, self.situation(entry))

    def aside(self, entry: Entry) -> list[Effect]:
        """Ask for the words of an item that is in no conversation; nobody is told them."""
        return self._ask(self._context.new_id("aside"), entry, None)

    def check_room(self, sound: int) -> None:
        """Whether a client may have the words of so many bytes more.

        Raises:
            Rejected: The recogniser has more to do than this server keeps for it.
        """
        if self._waiting + sound > MAX_WAITING:
            raise Rejected("input_audio_transcription_full", FULL)

    def drop(self, entry: Entry) -> list[Effect]:
        """The words of that item are not wanted any more."""
        self._told.pop(entry.id, None)
        keys = [key for key, (asked, _) in self._asked.items() if asked is entry]
        for key in keys:
            del self._asked[key]
        return [Abandon(key) for key in keys]

    def item_of(self, key: str) -> str:
        """The item that a recognition is for."""
        return self._asked[key][0].id if key in self._asked else key

    def told(self, result: Recognised | NotRecognised) -> list[Effect]:
        """The words of a turn, or none."""
        if result.key == self._ahead:
            if isinstance(result, Recognised):
                self._ahead_words = result.text
            else:
                self._ahead = None  # the turn itself will fail, and say so
            return []
        if result.key not in self._asked:
            return []
        entry, _ = self._asked.pop(result.key)
        entry.words = result.text if isinstance(result, Recognised) else ""
        if self._context.store.find(entry.id) is not entry:  # beside the conversation: nobody is told
            entry.sound = bytearray()
            return []
        before = self._told.pop(entry.id, "")
        if not self._context.settings.transcribes:
            return []
        return self._failed(entry, result) if isinstance(result, NotRecognised) else self._completed(entry, before)

    def situation(self, entry: Entry | None = None) -> Prompt | None:
        """What was said before that item, for the recogniser; None for open dictation."""
        context = self._context
        if context.settings.kind != "realtime":
            return None
        plan = Plan.of(context.settings.realtime, _NO_PARAMS)
        return context.prompt(plan, [other for other in context.store if other is not entry and not other.dropped])

    @property
    def _waiting(self) -> int:
        return sum(sound for _, sound in self._asked.values())

    def _ask(self, key: str, entry: Entry, situation: Prompt | None) -> list[Effect]:
        full = self._waiting + len(entry.sound) > MAX_WAITING
        self._asked[key] = entry, len(entry.sound)
        if full:  # turns of the detector, which cannot be refused
            return [Abandon(key), *self.told(NotRecognised(key, FULL))]
        return [self._transcribe(key, bytes(entry.sound), situation)]

    def _transcribe(self, key: str, sound: bytes, situation: Prompt | None) -> Transcribe:
        return Transcribe(key, sound, self._context.settings.input_language, situation)

    def _failed(self, entry: Entry, result: NotRecognised) -> list[Effect]:
        error = ev.ErrorDetail(
            type="server_error",
            code="engine_error",
            message=f"Input transcription failed for item '{entry.id}'. {result.reason}",
            param=None,
        )
        return [self._context.emit(ev.TranscriptionFailed, **self._where(entry.id), error=error)]

    def _completed(self, entry: Entry, before: str) -> list[Effect]:
        words = entry.words or ""
        entry.item = with_sounding(entry.item, transcript=words)
        rest = words[len(before) :] if words.startswith(before) else ""
        completed = self._context.emit(
            ev.TranscriptionCompleted,
            **self._where(entry.id),
            transcript=words,
            usage=self._usage(entry),
        )
        return [*self._deltas(entry.id, rest), completed]

    def _deltas(self, item_id: str, text: str) -> list[Effect]:
        # Docs: whisper-1 gives its deltas whole, the later models word by word.
        pieces = [text] if self._context.settings.transcription_model == "whisper-1" else split(text)
        where = self._where(item_id)
        return [self._context.emit(ev.TranscriptionDelta, **where, delta=piece) for piece in pieces if piece]

    def _where(self, item_id: str) -> dict[str, Any]:
        entry = self._context.store.find(item_id)  # of a turn that is being spoken there is none yet
        return {"item_id": item_id, "content_index": sounding(entry.item) if entry else 0}

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
