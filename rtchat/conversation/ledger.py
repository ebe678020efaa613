"""Latency, usage and cost: what the session adds to the machine's notices, with time as an input."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from rtchat.chunk import WIRE
from rtchat.conversation.notices import Notice, SessionEnded, SessionStarted, ToolCalled, TurnEnded
from rtchat.conversation.signals import Heard
from rtchat.conversation.usage import add_usage
from rtchat.protocol import client_events as ask
from rtchat.protocol import server_events as told
from rtchat.protocol.translation import TranslationAppend

Price = Callable[[str, Mapping[str, Any]], float]
"""Dollars of a usage object on a model: `(model, usage) -> USD`."""


class Ledger:
    """Keeps the times of a turn and the totals of a session. All times are seconds on the session's clock.

    The end of the user's speech is where the server told it (`speech_stopped`, so after its own silence), where
    the key was released (the commit), or where the line was sent (`response.create`). Only responses that began
    after that count: late deltas of an interrupted answer, and its sound, are none of this turn's.

    Args:
        price: Says what usage costs.
        transcription_model: What writes the user's words down; it is billed apart.

    Attributes:
        turns: Turns that ended.
        usage: Of all of them, as the API counts.
        failed: True when the last answer did, so that a script that asked for it can know.
    """

    def __init__(self, price: Price, transcription_model: str = "") -> None:
        self.turns = 0
        self.usage: dict[str, Any] = {}
        self.failed = False
        self._price = price
        self._transcription_model = transcription_model
        self._cost = 0.0
        self._untold = 0.0  # cost of transcripts, told with the next turn
        self._translated = 0.0  # seconds
        self._model = ""
        self._speech_end: float | None = None
        self._first_delta: float | None = None
        self._first_audible: float | None = None
        self._responses: set[str] = set()
        self._items: set[str] = set()
        self._calls: dict[str, float] = {}  # the server's own, by item: when they began
        self._took: dict[str, int] = {}

    def sent(self, t: float, event: object) -> None:
        """An event is on its way to the server."""
        if isinstance(event, TranslationAppend):
            self._translated += WIRE.ms(event.audio) / 1000
        commits = isinstance(event, ask.InputAudioCommit)
        if commits or (isinstance(event, ask.ResponseCreate) and self._speech_end is None):
            self._begin(t)

    def received(self, t: float, signal: object) -> None:
        """An event of the server, or a report of the loudspeaker, has come."""
        match signal:
            case told.SpeechStopped():
                self._begin(t)
            case told.TranscriptionCompleted(usage=usage) if usage:
                self._untold += self._price(self._transcription_model, usage)
            case told.McpCallInProgress(item_id=item_id):
                self._calls[item_id] = t
            case told.McpCallCompleted(item_id=item_id) | told.McpCallFailed(item_id=item_id):
                self._took[item_id] = round((t - self._calls.get(item_id, t)) * 1000)
            case told.ResponseCreated(response=response):
                self._responses.add(response.id)
            case told.ResponseDone(response=response):
                self.failed = response.status == "failed"
            case told.OutputTextDelta() | told.OutputTranscriptDelta() | told.OutputAudioDelta():
                self._delta(t, signal)
            case Heard(item_id=item_id, ms=ms) if ms > 0 and item_id in self._items:
                if self._first_audible is None:
                    self._first_audible = t - ms / 1000
            case _:
                pass

    @property
    def cost_usd(self) -> float:
        """Dollars so far. A translation session has no usage: its sound is paid by the minute."""
        minutes = self._price(self._model, {"seconds": self._translated}) if self._translated else 0.0
        return self._cost + self._untold + minutes

    def complete(self, notice: Notice) -> Notice:
        """A notice with what only the ledger knows."""
        match notice:
            case SessionStarted(model=model):
                self._model = model
            case ToolCalled(call_id=call_id) if call_id in self._took:
                return replace(notice, ms=self._took.pop(call_id))
            case TurnEnded(usage=usage):
                return self._turn(notice, usage)
            case _:
                pass
        return notice

    def end(self, reason: str, underruns: int) -> SessionEnded:
        """The session's last notice."""
        return SessionEnded(reason, self.turns, self.usage, round(self.cost_usd, 6), underruns)

    def _begin(self, t: float) -> None:
        self._speech_end = t
        self._first_delta = self._first_audible = None
        self._responses.clear()
        self._items.clear()

    def _delta(
        self, t: float, delta: told.OutputTextDelta | told.OutputTranscriptDelta | told.OutputAudioDelta
    ) -> None:
        if delta.response_id not in self._responses:
            return
        self._items.add(delta.item_id)
        if self._first_delta is None:
            self._first_delta = t

    def _since_end(self, t: float | None) -> int | None:
        if t is None or self._speech_end is None:
            return None
        return max(0, round((t - self._speech_end) * 1000))

    def _turn(self, notice: TurnEnded, usage: Mapping[str, Any]) -> TurnEnded:
        cost = self._price(self._model, usage) + self._untold
        self.turns += 1
        self.usage = add_usage(self.usage, usage)
        self._cost, self._untold = self._cost + cost, 0.0
        latency = {
            "speech_end_to_first_delta_ms": self._since_end(self._first_delta),
            "speech_end_to_first_audible_ms": self._since_end(self._first_audible),
        }
        self._speech_end = None
        return replace(notice, latency=latency, cost_usd=round(cost, 6))
