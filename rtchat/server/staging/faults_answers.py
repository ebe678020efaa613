"""Faults of answers and transcripts."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from rtchat.protocol import server_events as ev
from rtchat.server.dialogue.signals import After, Emit, Frame, Think, ThoughtEnded
from rtchat.server.staging.around import Due
from rtchat.server.staging.fault import Fault, Parameter, Surroundings

if TYPE_CHECKING:
    from rtchat.server.live import Machine

TRANSCRIPTS = (ev.TranscriptionDelta, ev.TranscriptionCompleted, ev.TranscriptionFailed)


class LateTranscripts(Fault):
    """Words that come when the answer is long under way."""

    name = "late-transcript"
    summary = "sends transcripts of the user late"
    parameters: ClassVar[Mapping[str, Parameter]] = {"by": Parameter(2, "seconds")}

    def effect(self, effect: Any) -> list[Any]:
        """Later."""
        return [After(self.values["by"], Due(self, effect))] if _is_transcript(effect) else [effect]

    def due(self, what: Any) -> list[Any]:
        """Now."""
        return [what]


class NoTranscripts(Fault):
    """Words that never come."""

    name = "no-transcript"
    summary = "sends no transcripts of the user"

    def effect(self, effect: Any) -> list[Any]:
        """Never."""
        return [] if _is_transcript(effect) else [effect]


class FailedTranscripts(Fault):
    """Words that could not be found."""

    name = "failed-transcript"
    summary = "sends that the transcription failed, instead of transcripts"

    def effect(self, effect: Any) -> list[Any]:
        """A failure."""
        if not _is_transcript(effect):
            return [effect]
        event = effect.event
        if not isinstance(event, ev.TranscriptionCompleted):
            return []
        message = f"Input transcription failed for item '{event.item_id}'."
        error = ev.ErrorDetail(type="server_error", code="transcription_failed", message=message, param=None)
        failed = ev.TranscriptionFailed(
            event_id=event.event_id, item_id=event.item_id, content_index=event.content_index, error=error
        )
        return [Emit(failed)]


class Race(Fault):
    """The server's answer and the client's request for one, at once."""

    name = "race"
    summary = "starts a response just before the client's response.create, which is then refused"
    parameters: ClassVar[Mapping[str, Parameter]] = {"times": Parameter(1, "how often")}

    def __init__(self, machine: Machine, values: Mapping[str, float], session: Surroundings) -> None:
        super().__init__(machine, values, session)
        self._left = values["times"]

    def told(self, told: Any) -> list[Any]:
        """Be quicker than the client."""
        if self._left < 1 or not isinstance(told, Frame) or _kind(told.text) != "response.create":
            return self.inside(told)
        self._left -= 1
        return [*self.inside(Frame('{"type":"response.create"}')), *self.inside(told)]


class NeverEnds(Fault):
    """An answer without an end."""

    name = "never-ends"
    summary = "leaves a response without its end, until it is cancelled or interrupted"
    parameters: ClassVar[Mapping[str, Parameter]] = {"response": Parameter(1, "which, counted from 1")}
    inner = True

    def __init__(self, machine: Machine, values: Mapping[str, float], session: Surroundings) -> None:
        super().__init__(machine, values, session)
        self._thought = 0
        self._endless = ""

    def effect(self, effect: Any) -> list[Any]:
        """Which one it is."""
        if isinstance(effect, Think):
            self._thought += 1
            if self._thought == self.values["response"]:
                self._endless = effect.response_id
        return [effect]

    def told(self, told: Any) -> list[Any]:
        """Its end is not heard of."""
        if isinstance(told, ThoughtEnded) and told.response_id == self._endless:
            return []
        return self.inside(told)


class RateLimit(Fault):
    """No answer for want of tokens."""

    name = "rate-limit"
    summary = "fails responses with rate_limit_exceeded, and says that no tokens remain"
    parameters: ClassVar[Mapping[str, Parameter]] = {
        "responses": Parameter(1, "how many, from the first"),
        "reset": Parameter(20, "seconds until tokens come back"),
    }
    inner = True

    def __init__(self, machine: Machine, values: Mapping[str, float], session: Surroundings) -> None:
        super().__init__(machine, values, session)
        self._left = values["responses"]
        self._failing: set[str] = set()
        self._limited = False

    def effect(self, effect: Any) -> list[Any]:
        """No thinking; and how the end is told."""
        if isinstance(effect, Think) and self._left >= 1:
            self._left -= 1
            self._failing.add(effect.response_id)
            return [After(0, Due(self, effect.response_id))]
        if not isinstance(effect, Emit):
            return [effect]
        event = effect.event
        if isinstance(event, ev.ResponseDone) and event.response.id in self._failing:
            self._failing.discard(event.response.id)
            return [self._failed(event)]
        if isinstance(event, ev.RateLimitsUpdated) and self._limited:
            self._limited = False
            limits = [
                limit.model_copy(update={"remaining": 0, "reset_seconds": self.values["reset"]})
                for limit in event.rate_limits
            ]
            return [Emit(event.model_copy(update={"rate_limits": limits}))]
        return [effect]

    def due(self, what: Any) -> list[Any]:
        """The answer is refused."""
        return self.inside(
            ThoughtEnded(what, f"Rate limit reached. Please try again in {self.values['reset']:g}s.")
        )

    def _failed(self, event: ev.ResponseDone) -> Emit:
        details = event.response.status_details
        if event.response.status != "failed" or details is None or details.error is None:
            return Emit(event)  # it was cancelled before
        self._limited = True
        error = details.error.model_copy(update={"type": "tokens", "code": "rate_limit_exceeded"})
        changed = details.model_copy(update={"error": error})
        response = event.response.model_copy(update={"status_details": changed})
        return Emit(event.model_copy(update={"response": response}))


def _is_transcript(effect: Any) -> bool:
    return isinstance(effect, Emit) and isinstance(effect.event, TRANSCRIPTS)


def _kind(text: str) -> Any:
    try:
        event = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return event.get("type") if isinstance(event, dict) else None
