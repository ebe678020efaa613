"""Admission: how many sessions there are, whether another may come, and who is turned away before the upgrade."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rtchat.server.limits import Limits

if TYPE_CHECKING:
    from rtchat.server.live import Live

RETRY_AFTER_S = 5
"""When to come back, for those that are turned away."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why nobody is let in: `reason` for machines, `sentence` for people."""

    reason: str
    sentence: str


@dataclass(slots=True, eq=False)
class Visit:
    """A session, from before its upgrade.

    Attributes:
        kind: `realtime`, `transcription` or `translation`.
        began: When it came, by the clock of `Admission`.
        model: Its model, once that is known.
        live: Its session, once it has been let in.
    """

    kind: str
    began: float
    model: str = ""
    live: Live | None = None


class Admission:
    """Counts who is in.

    Args:
        limits: How many may be.
        clock: Seconds.
    """

    def __init__(self, limits: Limits, clock: Callable[[], float] = time.monotonic) -> None:
        self._limits = limits
        self._clock = clock
        self._visits: set[Visit] = set()
        self._empty = asyncio.Event()
        self._empty.set()
        self.draining = False

    def __len__(self) -> int:
        return len(self._visits)

    @property
    def capacity(self) -> int | None:
        """Sessions at most; None for no limit."""
        return self._limits.max_sessions

    @property
    def live(self) -> list[Live]:
        """The sessions that have been let in."""
        return [visit.live for visit in self._visits if visit.live is not None]

    def refusal(self) -> Refusal | None:
        """Why nobody may come in now; None when they may."""
        if self.draining:
            return Refusal("draining", "This server is going away and takes no new sessions.")
        most = self._limits.max_sessions
        if most is not None and len(self._visits) >= most:
            return Refusal("full", f"This server has as many sessions as it takes ({most}).")
        return None

    @contextmanager
    def visit(self, kind: str) -> Iterator[Visit]:
        """A place for one who comes in, counted from before the upgrade: never are there more than may be."""
        visit = Visit(kind, self._clock())
        self._visits.add(visit)
        self._empty.clear()
        try:
            yield visit
        finally:
            self._visits.discard(visit)
            if not self._visits:
                self._empty.set()

    def age(self, visit: Visit) -> float:
        """Seconds since it came."""
        return self._clock() - visit.began

    async def drain(self) -> None:
        """Let nobody in any more, and wait until all have left, or their time is over."""
        self.draining = True
        try:
            async with asyncio.timeout(self._limits.drain_s):
                await self._empty.wait()
        except TimeoutError:
            return

    def pool(self) -> dict[str, Any]:
        """Who is in, for a balancer or a dashboard: no content, no addresses."""
        sessions = [
            {
                "id": visit.live.tally.session_id if visit.live else None,
                "kind": visit.kind,
                "model": visit.model or None,
                "age_seconds": round(self.age(visit), 1),
            }
            for visit in sorted(self._visits, key=lambda visit: visit.began)
        ]
        return {
            "object": "realtime.pool",
            "capacity": self._limits.max_sessions,
            "live": len(sessions),
            "draining": self.draining,
            "sessions": sessions,
        }
