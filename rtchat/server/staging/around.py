"""A machine around a machine."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rtchat.server.live import Machine


@dataclass(frozen=True, slots=True)
class Due:
    """An input of its own: what an `Around` asked to be told later (`After`).

    Attributes:
        of: Who asked.
        what: What it is about.
    """

    of: Any
    what: Any = None


class Around:
    """Passes everything through; who stands around a machine overrides what it changes.

    Args:
        machine: Inside.
    """

    def __init__(self, machine: Machine) -> None:
        self._machine = machine

    def start(self) -> list[Any]:
        """The first effects."""
        return self.changed([*self.begins(), *self._machine.start()])

    def receive(self, told: Any) -> list[Any]:
        """What follows from an input."""
        if isinstance(told, Due) and told.of is self:
            later: list[Any] = self.due(told.what)
            return later
        return self.told(told)

    @property
    def heard_ms(self) -> float:
        """Sound of the client so far."""
        return self._machine.heard_ms

    def begins(self) -> list[Any]:
        """Effects of its own before the first event."""
        return []

    def told(self, told: Any) -> list[Any]:
        """An input on its way in."""
        return self.inside(told)

    def inside(self, told: Any) -> list[Any]:
        """What the machine inside makes of an input, changed."""
        return self.changed(self._machine.receive(told))

    def due(self, what: Any) -> list[Any]:
        """What it asked to be told later."""
        return []

    def changed(self, effects: Iterable[Any]) -> list[Any]:
        """Effects on their way out."""
        return [after for before in effects for after in self.effect(before)]

    def effect(self, effect: Any) -> list[Any]:
        """What becomes of one effect."""
        return [effect]
