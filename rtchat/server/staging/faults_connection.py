"""Faults of the connection: it closes, breaks, stands still, expires."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from rtchat.protocol import wire
from rtchat.server.dialogue.signals import After, Close, Cut, Emit, Expired
from rtchat.server.staging.around import Due
from rtchat.server.staging.fault import EVENT, OUTGOING, Fault, Gate, Parameter, Striking, Surroundings

if TYPE_CHECKING:
    from rtchat.server.live import Machine

_CODES = "one that a close frame carries (1000 to 1003, 1007 to 1014, 3000 to 4999; 1006 is cut)"


def _is_sent(code: float) -> bool:
    return code in range(1000, 1004) or code in range(1007, 1015) or code in range(3000, 5000)


_SOON = Parameter(3, "seconds into the session")


class Closing(Striking):
    """A close that nobody asked for."""

    name = "close"
    summary = "closes the connection; close-1011 is short for code=1011"
    parameters: ClassVar[Mapping[str, Parameter]] = {
        "after": _SOON,
        "event": EVENT,
        "code": Parameter(1001, "the close code", _CODES, _is_sent),
    }

    def strike(self) -> list[Any]:
        """Close."""
        code = int(self.values["code"])
        return [Close(code, "going away" if code == 1001 else "chaos")]


class Cutting(Striking):
    """A connection that breaks."""

    name = "cut"
    summary = "breaks the connection in the middle of a frame, without a close"
    parameters: ClassVar[Mapping[str, Parameter]] = {"after": _SOON, "event": EVENT}

    def strike(self) -> list[Any]:
        """Between two events there is none to cut."""
        return [Cut('{"type":"response.output_audio.delta","event_id":"event_cut","delta":"' + "A" * 3200 + '"}')]

    def strike_at(self, effect: Any) -> list[Any]:
        """Half of this event."""
        return [Cut(wire.encode(effect.event))] if isinstance(effect, Emit) else [*self.strike(), effect]


class Stalling(Striking):
    """A server that says nothing for a while."""

    name = "stall"
    summary = "sends nothing for some seconds, then all of it at once"
    parameters: ClassVar[Mapping[str, Parameter]] = {
        "after": _SOON,
        "event": EVENT,
        "for": Parameter(10, "seconds of silence"),
    }

    def __init__(self, machine: Machine, values: Mapping[str, float], session: Surroundings) -> None:
        super().__init__(machine, values, session)
        self._held: list[Any] | None = None

    def strike(self) -> list[Any]:
        """Hold from now on."""
        self._held = []
        return [After(self.values["for"], Due(self, "over"))]

    def strike_at(self, effect: Any) -> list[Any]:
        """This event is the first to be held."""
        effects = self.strike()
        return [*effects, *self.effect(effect)]

    def due(self, what: Any) -> list[Any]:
        """It begins, or it is over."""
        if what != "over":
            return self.strike()
        held, self._held = self._held or [], None
        return held

    def effect(self, effect: Any) -> list[Any]:
        """Hold what would be sent."""
        if self._held is not None and isinstance(effect, OUTGOING):
            self._held.append(effect)
            return []
        return super().effect(effect)


class Expiring(Striking):
    """A session that ends before its time."""

    name = "expire"
    summary = "ends the session as the API does after an hour: session_expired, then a close"
    parameters: ClassVar[Mapping[str, Parameter]] = {"after": _SOON, "event": EVENT}

    def strike(self) -> list[Any]:
        """As if an hour were over."""
        return self._machine.receive(Expired())

    def strike_at(self, effect: Any) -> list[Any]:
        """The event, then the end."""
        return [effect, *self.strike()]


class Jitter(Fault):
    """A network that is uneven."""

    name = "jitter"
    summary = "lets each piece of audio wait by chance after the one before it"
    parameters: ClassVar[Mapping[str, Parameter]] = {"most": Parameter(400, "milliseconds at most")}

    def __init__(self, machine: Machine, values: Mapping[str, float], session: Surroundings) -> None:
        super().__init__(machine, values, session)
        self._gate = Gate(self)

    def effect(self, effect: Any) -> list[Any]:
        """Hold audio by chance, and what comes after it."""
        if not isinstance(effect, OUTGOING):
            return [effect]
        return self._gate.hold(effect, self.delay() if is_audio(effect) else 0)

    def delay(self) -> float:
        """Seconds for one piece."""
        return self.session.chance.random() * self.values["most"] / 1000

    def due(self, what: Any) -> list[Any]:
        """Its time is over."""
        return self._gate.next()


class Bursts(Jitter):
    """A network that stores and then forwards."""

    name = "burst"
    summary = "holds audio back and lets it out in bursts"
    parameters: ClassVar[Mapping[str, Parameter]] = {"every": Parameter(1000, "milliseconds between two bursts")}

    def __init__(self, machine: Machine, values: Mapping[str, float], session: Surroundings) -> None:
        super().__init__(machine, values, session)
        self._holding = False

    def delay(self) -> float:
        """The first piece waits; those behind it leave with it."""
        if self._holding:
            return 0
        self._holding = True
        return self.values["every"] / 1000

    def due(self, what: Any) -> list[Any]:
        """A burst."""
        self._holding = False
        return super().due(what)


def is_audio(effect: Any) -> bool:
    """Whether it is sound on its way to the client."""
    return isinstance(effect, Emit) and str(effect.event.type).endswith("output_audio.delta")
