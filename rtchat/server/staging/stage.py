"""The stage of a server: what its sessions are surrounded with."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rtchat.errors import UsageError
from rtchat.server.clock import REAL, Clock, VirtualClock
from rtchat.server.dialogue.checks import Rejected
from rtchat.server.ids import new_id, seeded
from rtchat.server.staging import faults
from rtchat.server.staging.fault import Surroundings
from rtchat.server.staging.script import Script

if TYPE_CHECKING:
    from rtchat.server.live import Machine
    from rtchat.server.staging.scenario import Scenario

_UNAUTHORISED = 401


@dataclass(frozen=True, slots=True)
class Staged:
    """One session's surroundings.

    Attributes:
        new_id: Makes its ids.
        clock: Its time.
        chosen: Its faults.
        scenario: What is heard and said.
        chance: Of its faults.
        mistake: What is wrong with the faults that the client asks for.
        finish: Puts the last layer around, next to the socket.
    """

    new_id: Callable[[str], str]
    clock: Clock
    chosen: Sequence[faults.Chosen]
    scenario: Scenario | None
    chance: random.Random
    mistake: Rejected | None = None
    finish: Callable[[Machine, Clock], Machine] | None = None

    @property
    def refusal(self) -> int | None:
        """The HTTP status with which it is refused before the upgrade."""
        statuses = [int(one.values["status"]) for one in self.chosen if one.kind is faults.Refusal]
        return next((status for status in statuses if status != _UNAUTHORISED), None)

    def check(self) -> None:
        """After the upgrade.

        Raises:
            Rejected: The client asks for faults that there are not, or must not; or its key is to be invalid.
        """
        if self.mistake is not None:
            raise self.mistake
        if any(one.kind is faults.Refusal for one in self.chosen):
            raise Rejected("invalid_api_key", "Incorrect API key provided: a fault on purpose.")

    def around(self, machine: Machine) -> Machine:
        """Put everything around a session's machine."""
        session = Surroundings(self.chance, self.new_id)
        for inner in (True, False):
            for one in self.chosen:
                if one.kind.inner is inner:
                    machine = one.kind(machine, one.values, session)
            if inner and self.scenario is not None:
                machine = Script(machine, self.scenario)
        return machine if self.finish is None else self.finish(machine, self.clock)


@dataclass(slots=True)
class Stage:
    """What the sessions of a server are surrounded with; by default nothing.

    Attributes:
        scenario: What is heard and said; None leaves it to the engines.
        seed: Makes ids and faults the same in every run; without one, only the faults are.
        virtual: Time stands still while there is nothing to wait for.
        chaos: What goes wrong.
        allow_chaos: Clients may ask for faults: `?chaos=…`; without a key everybody may.
        finish: Puts a last layer around each machine, next to the socket: to look at what comes and goes.
    """

    scenario: Scenario | None = None
    seed: int | None = None
    virtual: bool = False
    chaos: Sequence[faults.Chosen] = ()
    allow_chaos: bool = False
    finish: Callable[[Machine, Clock], Machine] | None = None
    _opened: int = field(default=0, init=False)

    def open(self, asked: str | None = None, *, allowed: bool = False) -> Staged:
        """The surroundings of the next session.

        Args:
            asked: The faults that its client asks for.
            allowed: Anybody may ask.
        """
        self._opened += 1
        number = self._opened
        chosen = [one for one in self.chaos if not one.values["sessions"] or number <= one.values["sessions"]]
        mistake = None
        if asked:
            try:
                if not allowed and not self.allow_chaos:
                    raise UsageError(
                        "This server makes no faults for its clients.", hint="Start it with --allow-chaos."
                    )
                chosen += faults.parse(asked)
            except UsageError as error:
                mistake = Rejected("invalid_value", str(error), "chaos")
        return Staged(
            new_id=new_id if self.seed is None else seeded(random.Random(f"{self.seed}/{number}")),
            clock=VirtualClock() if self.virtual else REAL,
            chosen=chosen,
            scenario=self.scenario,
            chance=random.Random(f"{self.seed or 0}/{number}/chaos"),
            mistake=mistake,
            finish=self.finish,
        )
