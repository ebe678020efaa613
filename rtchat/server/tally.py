"""What happened in a session, in numbers."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any


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
    """

    session_id: str = ""
    events_in: int = 0
    events_out: int = 0
    audio_in_s: float = 0.0
    audio_out_s: float = 0.0
    responses: Counter[str] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)

    def sent(self, event: Any) -> None:
        """An event for the client."""
        self.events_out += 1
        kind = event.type
        if kind == "response.done":
            self.responses[_of(event.response, "status") or "unknown"] += 1
        elif kind == "error":
            self.errors[_of(event.error, "code") or "none"] += 1
        elif kind in ("session.created", "transcription_session.created"):
            self.session_id = str(_of(event.session, "id"))

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
    return thing[name] if isinstance(thing, dict) else getattr(thing, name)
