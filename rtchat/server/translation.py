"""The server's side of a translation session, as a function of its inputs; no I/O, no clock.

What the user says between two pauses is a stretch. Stretches are recognised side by side, then translated and
spoken one after the other. There are no responses and no items; `Speak` and the like carry the stretch's key.
"""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from rtchat import catalog
from rtchat.chunk import WIRE
from rtchat.protocol import translation as tr
from rtchat.protocol import wire
from rtchat.protocol.config import ServerVad
from rtchat.protocol.server_events import ErrorEvent
from rtchat.server.dialogue import signals as sig
from rtchat.server.dialogue.checks import check_sound, check_unknown, from_validation, load
from rtchat.server.dialogue.refusals import Rejected, binary_frame, event_id_of, expired, unknown_parameter
from rtchat.server.dialogue.sound import Decoder
from rtchat.server.dialogue.turns import KEPT_MS, InputBuffer, Segmenter, Started, Stopped

if TYPE_CHECKING:
    from collections.abc import Callable

CLIENT_TYPES = ("session.update", "session.input_audio_buffer.append", "session.close")
DETECTION = ServerVad(threshold=0.5, prefix_padding_ms=300, silence_duration_ms=400)
"""A shorter pause than in a conversation: an interpreter does not wait for the end of the speech."""
LONGEST_MS = 15_000
"""Speech without a pause is cut here."""
PROBE = "probe"
"""Key of the translation that tells whether a pair of languages is there at all."""


def read_event(text: str) -> tr.TranslationClientEvent:
    """A frame of a client as an event that is right in every field.

    Raises:
        Rejected: It is not.
    """
    raw: dict[str, Any] = {}
    try:
        raw = load(text, CLIENT_TYPES)
        event = wire.decode_translation_client_event(text)
        check_unknown(raw, event.model_dump(exclude_unset=True))
        return event
    except ValidationError as error:
        rejected = from_validation(error, raw)
    except Rejected as error:
        rejected = error
    rejected.event_id = rejected.event_id or event_id_of(raw)
    raise rejected


@dataclass(slots=True)
class _Stretch:
    """What was said between two pauses. `words` is None until it is recognised."""

    key: str
    end_ms: int
    words: str | None = None
    sent_bytes: int = 0


class Translation:
    """One session.

    Args:
        model: `gpt-realtime-translate`, or `apertium:xx-yy`, which says what is spoken (else it is English).
        new_id: Makes an id with a prefix.
        expires_at: When the session ends, in Unix seconds.
        preset: What the session starts with, as the update that would have made it so.

    Raises:
        Rejected: The preset names no language.
    """

    def __init__(
        self,
        *,
        model: str,
        new_id: Callable[[str], str],
        expires_at: int,
        preset: tr.TranslationUpdate | None = None,
    ) -> None:
        self._new_id = new_id
        pair = model.removeprefix("apertium:").split("-") if model.startswith("apertium:") else []
        self._source = pair[0] if pair else "en"
        self._target = pair[1] if len(pair) > 1 else None
        self._session: dict[str, Any] = {
            "id": new_id("sess"),
            "type": "translation",
            "model": model,
            "expires_at": expires_at,
            "audio": {
                "input": {"transcription": None, "noise_reduction": None},
                "output": {"language": self._target},
            },
        }
        self._buffer = InputBuffer()
        self._decoder = Decoder("audio/pcm")
        self._segmenter = Segmenter(DETECTION)
        self._started_ms = 0
        self._stretches: deque[_Stretch] = deque()
        self._speaking = False  # the first stretch is being translated or spoken
        self._wanted: tuple[tr.TranslationUpdate, str] | None = None  # an update whose language is being tried
        self._closing = False
        self._deaf = False  # there is no detector
        if preset is not None:
            self._wanted = (preset, self._language(preset) or self._target or "")
            self._updated()

    @property
    def heard_ms(self) -> float:
        """Sound of the client so far."""
        return self._buffer.total_ms

    def start(self) -> list[Any]:
        """The first event."""
        return [self._emit(tr.TranslationCreated, session=self._session)]

    def receive(self, told: sig.Input) -> list[Any]:
        """What follows from an input."""
        match told:
            case sig.Frame():
                return self._frame(told.text)
            case sig.Detected():
                return [effect for probability in told.probabilities for effect in self._window(probability)]
            case sig.Recognised():
                return self._heard(told.key, told.text)
            case sig.NotRecognised():
                return [self._failed(told.reason), *self._heard(told.key, "")]
            case sig.Translated():
                return [*self._updated(), *self._next()] if told.key == PROBE else self._translated(told)
            case sig.NotTranslated() if told.key == PROBE:
                return [*self._refused(told.reason), *self._next()]
            case sig.NotTranslated():
                return self._skip(told.reason)
            case sig.Spoke():
                return self._sound(told.pcm)
            case sig.SpeechEnded():
                return self._skip(told.error)
            case sig.Deaf():
                self._deaf = True
                return [self._failed(told.reason)]
            case sig.BinaryFrame():
                return [self._error(binary_frame())]
            case sig.Expired():
                return [self._error(expired(told.sentence)), sig.Close(1001, "session_expired")]
            case _:
                return []

    # --- the client ---------------------------------------------------------------------------------------

    def _frame(self, text: str) -> list[Any]:
        event: tr.TranslationClientEvent | None = None
        try:
            event = read_event(text)
            return self._event(event)
        except Rejected as rejected:
            if event is not None:
                rejected.event_id = event.event_id
            return [self._error(rejected)]

    def _event(self, event: tr.TranslationClientEvent) -> list[Any]:
        if isinstance(event, tr.TranslationAppend):
            if self._closing:
                return []
            check_sound(event.audio)
            sound = self._decoder.feed(event.audio)
            prepare = [sig.Prepare(None)] if self._buffer.total_ms == 0 else []
            self._buffer.append(sound)
            return prepare if self._deaf else [*prepare, sig.Detect(sound)]
        if isinstance(event, tr.TranslationUpdate):
            for name in sorted(event.session.model_fields_set - {"audio"}):  # reported
                raise unknown_parameter(f"session.{name}")
            return self._update(event)
        self._closing = True
        return [*self._stop(), *self._next()]

    def _update(self, event: tr.TranslationUpdate) -> list[Any]:
        code = self._language(event)
        if code is None:
            self._wanted = (event, self._target or "")
            return self._updated()
        self._wanted = (event, code)
        return [sig.Translate(PROBE, "Hello.", self._source, code)]

    def _language(self, event: tr.TranslationUpdate) -> str | None:
        """The code of the language that an update asks for; None where it asks for none."""
        audio = event.session.audio
        language = audio.output.language if audio and audio.output else None
        if language is None:
            return None
        code = catalog.language_code(language)
        if code is None:
            message = f"Invalid value: '{language}'. Give an ISO 639-1 code, for example 'es'."
            param = "session.audio.output.language"
            raise Rejected("invalid_value", message, param, event_id=event.event_id)
        return code

    def _updated(self) -> list[Any]:
        if self._wanted is None:
            return []
        (event, code), self._wanted = self._wanted, None
        audio = event.session.model_dump(exclude_unset=True, mode="json").get("audio") or {}
        listening = {**self._session["audio"]["input"], **(audio.get("input") or {})}
        self._target = code or None
        speaking = {"language": self._target}
        self._session = {**self._session, "audio": {"input": listening, "output": speaking}}
        return [self._emit(tr.TranslationUpdated, session=self._session)]

    def _refused(self, why: str) -> list[Any]:
        if self._wanted is None:
            return []
        (event, _), self._wanted = self._wanted, None
        param = "session.audio.output.language"
        return [self._error(Rejected("invalid_value", why, param, event_id=event.event_id))]

    # --- what is said -------------------------------------------------------------------------------------

    def _window(self, probability: float) -> list[Any]:
        found = self._segmenter.feed(probability)
        if isinstance(found, Started):
            self._started_ms = found.at_ms
            return []
        if isinstance(found, Stopped):
            return self._stretch(found.at_ms)
        now = self._segmenter.position_ms
        if not self._segmenter.speaking:
            self._buffer.forget_before(self._buffer.total_ms - KEPT_MS)
        elif now - self._started_ms >= LONGEST_MS:
            started = self._stretch(now)
            self._started_ms = now
            return started
        return []

    def _stop(self) -> list[Any]:
        """The end of the session ends what is being said."""
        if not self._segmenter.speaking:
            return []
        self._segmenter.rest()
        return self._stretch(int(self._buffer.total_ms))

    def _stretch(self, end_ms: int) -> list[Any]:
        stretch = _Stretch(self._new_id("item"), end_ms)
        self._stretches.append(stretch)
        sound = self._buffer.take(self._started_ms, end_ms)
        return [sig.Transcribe(stretch.key, sound, self._source, None)]

    def _heard(self, key: str, words: str) -> list[Any]:
        for stretch in self._stretches:
            if stretch.key == key:
                stretch.words = words
        return self._next()

    # --- what is answered ---------------------------------------------------------------------------------

    def _next(self) -> list[Any]:
        """Go on with the first stretch, as soon as it may."""
        while self._stretches and not self._speaking and self._stretches[0].words is not None:
            first = self._stretches[0]
            words = first.words or ""
            if not words:
                self._stretches.popleft()
                continue
            self._speaking = True
            delta = self._emit(tr.TranslationInputTranscriptDelta, delta=f"{words} ", elapsed_ms=first.end_ms)
            target = self._target
            if target is None:
                why = "There is no language to translate into yet: set session.audio.output.language."
                return [delta, *self._skip(why)]
            return [delta, sig.Translate(first.key, words, self._source, target)]
        if self._closing and not self._stretches and self._wanted is None:
            return [self._emit(tr.TranslationClosed), sig.Close(1000, "")]
        return []

    def _translated(self, told: sig.Translated) -> list[Any]:
        if not self._stretches or self._stretches[0].key != told.key or self._target is None:
            return []
        elapsed = self._stretches[0].end_ms
        deltas = [
            self._emit(tr.TranslationOutputTranscriptDelta, delta=word, elapsed_ms=elapsed)
            for word in re.findall(r"\S+\s*", f"{told.text} ")
        ]
        speak = sig.Speak(told.key, told.text, catalog.DEFAULT_VOICE, 1.0, self._target)
        return [*deltas, speak]

    def _sound(self, pcm: bytes) -> list[Any]:
        if not self._stretches or not pcm:
            return []
        first = self._stretches[0]
        elapsed = first.end_ms + int(WIRE.ms(first.sent_bytes))
        first.sent_bytes += len(pcm)
        return [
            self._emit(
                tr.TranslationOutputAudioDelta,
                delta=pcm,
                elapsed_ms=elapsed,
                sample_rate=WIRE.rate,
                channels=WIRE.channels,
                format="pcm16",
            )
        ]

    def _skip(self, failure: str | None = None) -> list[Any]:
        """Done with the first stretch."""
        first = self._stretches.popleft()
        self._speaking = False
        told = [self._failed(failure)] if failure else []
        return [sig.Abort(first.key), *told, *self._next()]

    # --- words for it -------------------------------------------------------------------------------------

    def _emit(self, event: type[Any], **fields: Any) -> sig.Emit:
        return sig.Emit(event(event_id=self._new_id("event"), **fields))

    def _failed(self, why: str) -> sig.Emit:
        return self._error(Rejected("engine_error", why, kind="server_error"))

    def _error(self, rejected: Rejected) -> sig.Emit:
        return self._emit(ErrorEvent, error=rejected.detail())
