"""What every fault is made of: parameters, chance, a moment at which it strikes, a gate that holds events."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from rtchat.server.dialogue.signals import After, Close, Cut, Emit, Raw
from rtchat.server.staging.around import Around, Due

if TYPE_CHECKING:
    from rtchat.server.live import Machine

OUTGOING = (Emit, Raw, Cut, Close)
"""Effects that reach the client, in their order."""


def _not_negative(value: float) -> bool:
    return 0 <= value < 1e9


@dataclass(frozen=True, slots=True)
class Parameter:
    """What can be said about a fault.

    Attributes:
        default: Its value where nothing is said.
        meaning: In a few words, with its unit.
        takes: What values it may have, in words.
        fits: Whether it may have this one.
    """

    default: float
    meaning: str
    takes: str = "a number, 0 or more"
    fits: Callable[[float], bool] = _not_negative


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a fault is given of its session.

    Attributes:
        chance: Seeded.
        new_id: Makes ids.
    """

    chance: random.Random
    new_id: Callable[[str], str]


class Fault(Around):
    """Something that goes wrong in a session.

    Args:
        machine: Inside.
        values: Its parameters, all of them.
        session: What it is given of the session.
    """

    name: ClassVar[str]
    summary: ClassVar[str]
    parameters: ClassVar[Mapping[str, Parameter]] = {}
    inner: ClassVar[bool] = False
    """It stands between the dialogue and the scenario, not between the scenario and the socket."""

    def __init__(self, machine: Machine, values: Mapping[str, float], session: Surroundings) -> None:
        super().__init__(machine)
        self.values = values
        self.session = session

    def strikes(self) -> bool:
        """Whether it strikes this time: by its `share`."""
        return self.session.chance.random() < self.values["share"]


@dataclass(slots=True)
class Gate:
    """Holds events back and lets them out in their order.

    Args:
        of: The fault; its `due` must hand `Gate` itself back to `next`.
    """

    of: Fault
    _waiting: deque[tuple[float, Any]] = field(default_factory=deque)

    def hold(self, effect: Any, seconds: float) -> list[Any]:
        """Let it out that much after the one before it; at once, if nothing is waiting and it is not to wait."""
        if not self._waiting and seconds <= 0:
            return [effect]
        self._waiting.append((seconds, effect))
        return [self._later()] if len(self._waiting) == 1 else []

    def next(self) -> list[Any]:
        """The time of the first is over."""
        out = [self._waiting.popleft()[1]]
        while self._waiting and self._waiting[0][0] <= 0:
            out.append(self._waiting.popleft()[1])
        return [*out, self._later()] if self._waiting else out

    def _later(self) -> After:
        return After(self._waiting[0][0], Due(self.of, self))


def share(default: float, meaning: str) -> Parameter:
    """A parameter from 0 to 1."""
    return Parameter(default, meaning, "a number from 0 to 1", lambda value: 0 <= value <= 1)


AFTER = Parameter(0, "seconds into the session")
EVENT = Parameter(0, "instead of after: at this event of the server, counted from 1")


class Striking(Fault):
    """A fault with a moment: some seconds into the session, or at an event."""

    parameters: ClassVar[Mapping[str, Parameter]] = {"after": AFTER, "event": EVENT}

    def __init__(self, machine: Machine, values: Mapping[str, float], session: Surroundings) -> None:
        super().__init__(machine, values, session)
        self._sent = 0

    def begins(self) -> list[Any]:
        """The clock runs."""
        if self.values["event"]:
            return []
        return [After(self.values["after"], Due(self), work=False)]

    def due(self, what: Any) -> list[Any]:
        """The moment has come."""
        return self.strike()

    def effect(self, effect: Any) -> list[Any]:
        """An event of the server may be the moment."""
        if isinstance(effect, OUTGOING):
            self._sent += 1
            if self._sent == self.values["event"]:
                return self.strike_at(effect)
        return [effect]

    def strike(self) -> list[Any]:
        """What happens."""
        return []

    def strike_at(self, effect: Any) -> list[Any]:
        """What happens with the event that is the moment."""
        return [*self.strike(), effect]
