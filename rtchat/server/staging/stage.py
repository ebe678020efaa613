"""The stage of a server: what its sessions are surrounded with."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from rtchat.server.clock import REAL, Clock, VirtualClock
from rtchat.server.ids import new_id, seeded
from rtchat.server.staging.script import Script

if TYPE_CHECKING:
    from rtchat.server.live import Machine
    from rtchat.server.staging.scenario import Scenario


class Around(Protocol):
    """Puts what is to be put around a session's machine; a scenario only where it is scripted."""

    def __call__(self, machine: Machine, *, scripted: bool) -> Machine:
        """The machine that the session runs."""
        ...


@dataclass(frozen=True, slots=True)
class Staged:
    """One session's surroundings.

    Attributes:
        new_id: Makes its ids.
        clock: Its time.
        around: Puts what is to be put around its machine.
    """

    new_id: Callable[[str], str]
    clock: Clock
    around: Around


@dataclass(slots=True)
class Stage:
    """What the sessions of a server are surrounded with; by default nothing.

    Attributes:
        scenario: What is heard and said; None leaves it to the engines.
        seed: Makes ids and faults the same in every run.
        virtual: Time stands still while there is nothing to wait for.
    """

    scenario: Scenario | None = None
    seed: int | None = None
    virtual: bool = False
    _opened: int = field(default=0, init=False)

    def open(self) -> Staged:
        """The surroundings of the next session."""
        self._opened += 1
        chance = random.SystemRandom() if self.seed is None else random.Random(f"{self.seed}/{self._opened}")
        scenario = self.scenario

        def around(machine: Machine, *, scripted: bool) -> Machine:
            return Script(machine, scenario) if scenario is not None and scripted else machine

        ids = new_id if self.seed is None else seeded(chance)
        return Staged(ids, VirtualClock() if self.virtual else REAL, around)
