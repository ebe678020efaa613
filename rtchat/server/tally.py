"""What happened in a session, in numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


def _nobody(_event: str, _code: str | None) -> None:
    """Nobody wants to know."""


@dataclass(slots=True)
class Tally:
    """Counts of one session, or of many together.

    Attributes:
        session_id: As the client knows it; empty for many.
        events_in: Frames of the client.
        events_out: Events sent.
        audio_in_s: Sound of the client.
        audio_out_s: Sound spoken.
        responses: By status.
        errors: `error` events by code; `none` for those without.
        tell: Told of what a journal wants to know at once: the event, and its code, never its words.
    """

    session_id: str = ""
    events_in: int = 0
    events_out: int = 0
    audio_in_s: float = 0.0
    audio_out_s: float = 0.0
    responses: Counter[str] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)
    tell: Callable[[str, str | None], None] = _nobody

    def sent(self, event: Any) -> None:
        """An event for the client."""
        self.events_out += 1
        kind = event.type
        if kind == "response.done":
            status = _of(event.response, "status")
            self.responses[status or "unknown"] += 1
            if status == "failed":
                error = _of(_of(event.response, "status_details"), "error")
                self.tell("response_failed", _of(error, "code"))
        elif kind == "error":
            self.errors[_of(event.error, "code") or "none"] += 1
            self.tell("error_sent", _of(event.error, "code"))
        elif kind == "conversation.item.input_audio_transcription.failed":
            self.tell("transcription_failed", _of(event.error, "code"))
        elif kind in ("session.created", "transcription_session.created"):
            self.session_id = str(_of(event.session, "id"))
            self.tell("session_started", None)

    def add(self, other: Tally) -> None:
        """Count another's as well."""
        self.events_in += other.events_in
        self.events_out += other.events_out
        self.audio_in_s += other.audio_in_s
        self.audio_out_s += other.audio_out_s
        self.responses.update(other.responses)
        self.errors.update(other.errors)


def _of(thing: Any, name: str) -> Any:
    """A member, of an event in today's words or (plain JSON) in the beta's."""
    return thing.get(name) if isinstance(thing, dict) else getattr(thing, name, None)
