"""The user's side: appended sound becomes turns, turns become items."""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING, Literal

from rtchat.chunk import WIRE
from rtchat.protocol import server_events as ev
from rtchat.protocol.config import SemanticVad, ServerVad
from rtchat.protocol.items import ContentPart, MessageItem
from rtchat.server.dialogue.checks import Rejected
from rtchat.server.dialogue.hearing import Hearing
from rtchat.server.dialogue.items import Entry
from rtchat.server.dialogue.pause import Pause
from rtchat.server.dialogue.signals import (
    Abandon,
    Detect,
    Effect,
    Judge,
    Judged,
    NotRecognised,
    Prepare,
    Recognised,
    ResetDetector,
    SoFar,
    Transcribe,
)
from rtchat.server.dialogue.sound import Decoder
from rtchat.server.dialogue.turns import (
    KEPT_MS,
    LONGEST_MS,
    PAUSE_WINDOWS,
    WINDOW_MS,
    InputBuffer,
    Paused,
    Resumed,
    Segmenter,
    Started,
    Stopped,
)

if TYPE_CHECKING:
    from rtchat.server.dialogue.context import Context

Happening = Literal["", "started", "stopped", "idle"]
MIN_COMMIT_MS = 100
IDLE_TEXT = (
    "No user speech was detected for a while. Please review the recorded audio: If the user was speaking, respond "
    "naturally. If not, follow up on their last message to keep the conversation going or ask if "
    "they're still there."
)


class Listening:
    """The input audio buffer of a session.

    Attributes:
        hearing: Finds the words.
        item_id: Of the turn to come, once the client may know it; else empty.
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self.hearing = Hearing(context)
        self._buffer = InputBuffer()
        self._decoder = Decoder("audio/pcm")
        self._detection: ServerVad | SemanticVad | None = None
        self._segmenter: Segmenter | None = None
        self._pause: Pause | None = None  # under semantic_vad
        self.item_id = ""
        self._started_ms = 0
        self._listened_ms = 0.0  # as far as the recogniser was given it
        self._idle_from: int | None = None  # position from which silence is counted
        self.configure()

    def configure(self) -> list[Effect]:
        """The session's turn detection may have changed."""
        detection = self._context.settings.turn_detection
        if detection == self._detection:
            return []
        self._detection = detection
        if detection is None:
            self._segmenter = None
            return self.hearing.give_up()  # the turn stays, with the id that was told; the client ends it
        if self._segmenter is None:
            return [*self.hearing.give_up(), *self._start_detecting(detection)]
        self._segmenter = self._segmenter.changed(detection)
        return []

    def _start_detecting(self, detection: ServerVad | SemanticVad) -> list[Effect]:
        at = ceil(self._buffer.total_ms / WINDOW_MS) * WINDOW_MS
        self._segmenter = Segmenter(detection, at_ms=at)
        return [ResetDetector()]

    @property
    def position_ms(self) -> float:
        """Where the microphone is."""
        return self._buffer.total_ms

    def append(self, data: bytes) -> list[Effect]:
        """More sound, in the session's format."""
        if self._decoder.kind != self._context.settings.input_format:
            self._decoder = Decoder(self._context.settings.input_format)
        pcm = self._decoder.feed(data)
        first = self._buffer.total_ms == 0
        # Nobody but the client ends this turn, and what it appends must not be lost without a word.
        if self._segmenter is None and self._buffer.pending_ms + WIRE.ms(pcm) > LONGEST_MS:
            message = (
                f"The input audio buffer is full: it holds {LONGEST_MS // 60_000} minutes. Commit or clear it."
            )
            raise Rejected("input_audio_buffer_full", message, "audio")
        self._buffer.append(pcm)
        effects: list[Effect] = [Prepare(self.hearing.situation())] if first else []
        return [*effects, *([Detect(pcm)] if self._segmenter else self._listen_to_all(pcm))]

    def _listen_to_all(self, pcm: bytes) -> list[Effect]:
        """Nobody but the client ends this turn, and it is all that is pending."""
        if not self._context.listens or self.hearing.listened:
            return self.hearing.listen(self.item_id, pcm)
        return self.hearing.listen(self._coming(), self._buffer.pending())

    def _listen(self, until_ms: float) -> list[Effect]:
        """The turn that the detector heard begin, as far as it has come."""
        if not self._context.listens:
            return []
        sound = self._buffer.peek(self._listened_ms, until_ms)
        self._listened_ms = until_ms
        return self.hearing.listen(self.item_id, sound)

    def clear(self) -> list[Effect]:
        """Forget what was appended."""
        self._buffer.clear()
        self._decoder = Decoder(self._decoder.kind)  # half a sample is forgotten, too
        cleared: list[Effect] = [self._context.emit(ev.InputAudioCleared)]
        cleared += [*self._go_on(), *self.hearing.forget(self._taken())]
        if self._segmenter and self._detection:
            return cleared + self._start_detecting(self._detection)
        return cleared

    def commit(self) -> list[Effect]:
        """The client ends the turn.

        Raises:
            Rejected: There is less than 100 ms, or the recogniser has too much to do.
        """
        pending = self._buffer.pending_ms
        if pending < MIN_COMMIT_MS:
            raise Rejected(
                "input_audio_buffer_commit_empty",
                "Error committing input audio buffer: buffer too small. Expected at least 100ms of audio, but "
                f"buffer only has {pending:.2f}ms of audio.",
            )
        self.hearing.check_room(WIRE.bytes_in(pending))
        went_on = self._go_on()
        if self._segmenter:
            self._segmenter.rest()
            went_on += self.hearing.give_up()  # all that is pending is more than the detector heard
        return [*went_on, *self._turn(self._taken(), self._buffer.take_pending())]

    def detected(self, probability: float) -> tuple[Happening, list[Effect]]:
        """One window: what happened to the turn, and what follows from it."""
        if self._segmenter is None:  # detection was switched off meanwhile
            return "", []
        found = self._segmenter.feed(probability)
        if isinstance(found, Started):
            self._started_ms = self._listened_ms = found.at_ms
            self._idle_from = None
            started = self._context.emit(ev.SpeechStarted, audio_start_ms=found.at_ms, item_id=self._coming())
            return "started", [started, *self._listen(self._segmenter.position_ms)]
        listened = self._listen(self._segmenter.position_ms) if self.hearing.listened else []
        happened, effects = self._followed(found)
        return happened, [*listened, *effects]

    def _followed(self, found: Paused | Resumed | Stopped | None) -> tuple[Happening, list[Effect]]:
        assert self._segmenter is not None
        if isinstance(found, Paused):
            return "", self._paused(found.at_ms)
        if isinstance(found, Resumed):
            return "", self._go_on()
        if found is not None:
            stopped = self._context.emit(ev.SpeechStopped, audio_end_ms=found.at_ms, item_id=self.item_id)
            sound = self._buffer.take(self._started_ms, found.at_ms)
            self._pause = self._idle_from = None
            return "stopped", [stopped, *self._turn(self._taken(), sound)]
        if not self._segmenter.speaking:
            self._buffer.forget_before(self._buffer.total_ms - KEPT_MS)
            return self._idle()
        return "", []

    def told(self, result: Recognised | NotRecognised | SoFar | Judged) -> list[Effect]:
        """An answer to what was asked about the user's speech."""
        if self._pause and self._segmenter and result.key in (self._pause.key, self.hearing.listened):
            self._pause.told(result)
            if self._pause.over is not None:
                self._segmenter.expect(self._pause.over)
        if isinstance(result, SoFar):
            return self.hearing.so_far(result)
        return [] if isinstance(result, Judged) else self.hearing.told(result)

    def deaf(self) -> None:
        """There is no detector: only the client ends turns."""
        self._segmenter = None

    def answered(self, *, audio_ms: float, began_ms: float) -> None:
        """A response is over; its sound, begun at that position, is still being played."""
        self._idle_from = ceil(max(self.position_ms, began_ms + audio_ms) / WINDOW_MS) * WINDOW_MS

    def answering(self) -> None:
        """A response is under way: nobody is silent."""
        self._idle_from = None

    def _coming(self) -> str:
        """The id of the turn to come: once it was told, that turn keeps it, whoever ends it."""
        self.item_id = self.item_id or self._context.new_id("item")
        return self.item_id

    def _taken(self) -> str:
        """The same, for the turn that is there now; the next one has another."""
        item_id, self.item_id = self._coming(), ""
        return item_id

    def _paused(self, at_ms: int) -> list[Effect]:
        sound = self._buffer.peek(self._started_ms, at_ms)
        key = self._context.new_id("ahead")
        effects = [*self._go_on(), *self.hearing.ahead(key, sound)]
        if isinstance(self._detection, SemanticVad) and self._segmenter:
            asked = any(isinstance(asked, Transcribe) for asked in effects)
            spoken_ms = at_ms - PAUSE_WINDOWS * WINDOW_MS - self._started_ms
            self._pause = Pause(key, recognised=asked or self.hearing.listened is not None, spoken_ms=spoken_ms)
            if self.hearing.latest and self.hearing.listened:
                self._pause.told(self.hearing.latest)
            if self._pause.over is not None:
                self._segmenter.expect(self._pause.over)
            effects.append(Judge(key, sound))
        return effects

    def _go_on(self) -> list[Effect]:
        """The turn was not over after all, or is over without it."""
        pause, self._pause = self._pause, None
        abandoned = self.hearing.abandon()
        return abandoned or ([Abandon(pause.key)] if pause else [])

    def _turn(self, item_id: str, sound: bytes, *, silent: bool = False) -> list[Effect]:
        context = self._context
        previous = context.store.last_id()
        entry = Entry(
            MessageItem(
                id=item_id,
                status="completed",
                role="user",
                content=[ContentPart(type="input_audio", transcript=None)],
            ),
            sound=bytearray(sound),
            sound_ms=WIRE.ms(sound),
            silent=silent,
        )
        context.store.add(entry)
        return [
            context.emit(ev.InputAudioCommitted, previous_item_id=previous, item_id=item_id),
            context.emit(ev.ItemAdded, previous_item_id=previous, item=entry.item),
            context.emit(ev.ItemDone, previous_item_id=previous, item=entry.item),
            *self.hearing.turn(entry),
        ]

    def _idle(self) -> tuple[Happening, list[Effect]]:
        detection, segmenter = self._detection, self._segmenter
        if not isinstance(detection, ServerVad) or detection.idle_timeout_ms is None or segmenter is None:
            return "", []
        since, now = self._idle_from, segmenter.position_ms
        if since is None or now - since < detection.idle_timeout_ms:
            return "", []
        self._idle_from = None
        context = self._context
        item_id = self._taken()
        timeout = context.emit(ev.InputAudioTimeout, audio_start_ms=since, audio_end_ms=now, item_id=item_id)
        note = MessageItem(
            id=context.new_id("item"),
            status="completed",
            role="system",
            content=[ContentPart(type="input_text", text=IDLE_TEXT)],
        )
        previous = context.store.add(Entry(note))
        shown = [context.emit(event, previous_item_id=previous, item=note) for event in (ev.ItemAdded, ev.ItemDone)]
        return "idle", [timeout, *shown, *self._turn(item_id, self._buffer.take(since, now), silent=True)]
