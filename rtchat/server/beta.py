"""A dialogue for clients of the withdrawn beta: it hears and speaks their words, and thinks in those of today."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from pydantic import ConfigDict

from rtchat.protocol import wire
from rtchat.protocol.base import Event
from rtchat.protocol.server_events import ErrorEvent
from rtchat.server import dialect
from rtchat.server.dialogue import signals as sig
from rtchat.server.dialogue.answers import TOKEN_LIMIT
from rtchat.server.dialogue.refusals import Rejected, event_id_of

if TYPE_CHECKING:
    from rtchat.server.dialogue.signals import Effect, Input
    from rtchat.server.live import Machine

REQUEST_LIMIT = 10_000
"""What `rate_limits.updated` says of requests; nothing is limited here."""


class BetaEvent(Event):
    """An event in the beta's words, whatever its fields."""

    model_config = ConfigDict(extra="allow")

    type: str


class Beta:
    """`live.Machine` in the beta's words.

    Args:
        dialogue: In today's.
        new_id: As the dialogue's.
        conversation_id: Of its conversation.
    """

    def __init__(self, dialogue: Machine, new_id: Callable[[str], str], conversation_id: str) -> None:
        self._dialogue = dialogue
        self._new_id = new_id
        self._conversation_id = conversation_id
        self._temperature = dialect.DEFAULT_TEMPERATURE
        self._asked: float | None = None  # by the event being handled
        self._temperatures: dict[str, float] = {}  # response -> its own
        self._beside: set[str] = set()  # responses out of band
        self._requests = 0
        self._tokens_left = TOKEN_LIMIT

    @property
    def heard_ms(self) -> float:
        """Sound of the client so far."""
        return self._dialogue.heard_ms

    def start(self) -> list[Effect]:
        """The first effects."""
        return self._translated(self._dialogue.start())

    def receive(self, told: Input) -> list[Effect]:
        """What follows from an input."""
        self._asked = None
        if isinstance(told, sig.Frame):
            try:
                told = self._frame(told)
            except Rejected as rejected:
                error = ErrorEvent(event_id=self._new_id("event"), error=rejected.detail())
                return [sig.Emit(error)]
        return self._translated(self._dialogue.receive(told))

    def _frame(self, frame: sig.Frame) -> sig.Frame:
        """In today's words; what cannot be read stays as it is, for the dialogue to refuse."""
        if '"input_audio_buffer.append"' in frame.text[:200]:
            return frame  # the same in both, and large
        try:
            raw = json.loads(frame.text)
        except (ValueError, RecursionError):
            return frame
        if not isinstance(raw, dict):
            return frame
        try:
            self._asked = dialect.temperature(raw)
            return sig.Frame(json.dumps(dialect.from_client(raw)))
        except RecursionError:
            return frame
        except Rejected as rejected:
            rejected.event_id = event_id_of(raw)
            raise

    def _translated(self, effects: list[Effect]) -> list[Effect]:
        return [other for effect in effects for other in self._one(effect)]

    def _one(self, effect: Effect) -> list[Effect]:
        if not isinstance(effect, sig.Emit):
            return [effect]
        event = json.loads(wire.encode(effect.event))
        kind = event["type"]
        if kind == "rate_limits.updated":
            self._tokens_left = event["rate_limits"][0]["remaining"]
        if kind == "rate_limits.updated" or kind in dialect.UNKNOWN_THEN:
            return []
        told = dialect.to_client(event)
        if kind in ("session.created", "session.updated"):
            if self._asked is not None:
                self._temperature = self._asked
            if event["session"]["type"] == "realtime":
                told["session"]["temperature"] = self._temperature
        elif kind in ("response.created", "response.done"):
            told["response"]["temperature"] = self._of_response(event)
        effects: list[Effect] = [sig.Emit(BetaEvent(**told))]
        if told["type"] == "session.created":
            about = {"id": self._conversation_id, "object": "realtime.conversation"}
            effects.append(self._emit("conversation.created", conversation=about))
        elif kind == "response.created":
            effects.append(self._limits())
        elif kind == "response.output_item.added" and event["response_id"] in self._beside:
            # Recorded: in the beta this came for responses out of band too.
            effects.append(self._emit("conversation.item.created", previous_item_id=None, item=told["item"]))
        return effects

    def _of_response(self, event: dict[str, Any]) -> float:
        """Its temperature; remembers what must be known until it is done."""
        response_id = event["response"]["id"]
        if event["type"] == "response.done":
            self._beside.discard(response_id)
            return self._temperatures.pop(response_id, self._temperature)
        if event["response"]["conversation_id"] is None:
            self._beside.add(response_id)
        self._temperatures[response_id] = self._temperature if self._asked is None else self._asked
        return self._temperatures[response_id]

    def _limits(self) -> sig.Emit:
        """Recorded: the beta told these when a response began."""
        self._requests += 1
        limits = (
            ("requests", REQUEST_LIMIT, REQUEST_LIMIT - self._requests),
            ("tokens", TOKEN_LIMIT, self._tokens_left),
        )
        rates = [
            {"name": name, "limit": limit, "remaining": max(left, 0), "reset_seconds": 0.0}
            for name, limit, left in limits
        ]
        return self._emit("rate_limits.updated", rate_limits=rates)

    def _emit(self, kind: str, **fields: Any) -> sig.Emit:
        return sig.Emit(BetaEvent(type=kind, event_id=self._new_id("event"), **fields))
