"""Finds out that a server is gone which has not said so: silent, behind a dead network, or lost while we slept."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from rtchat.errors import ConnectionLost
from rtchat.link.line import Line

TICK_SECONDS = 1.0

QUIET_SECONDS = 2.0
"""A server that owes something and sends nothing for so long is asked whether it is there.

TCP alone tells of a dead network after minutes, the library's keepalive pings (15 s, and 15 s for the answer) after
half a minute: too late for somebody who waits for an answer.
"""

IDLE_SECONDS = 5.0
"""The same where it owes nothing: the user may be speaking to a dead network, and think that the model listens."""

STALL_SECONDS = 60.0
"""A server that owes something and says nothing at all for so long is lost; a person is told, and may wait."""

PING_SECONDS = 4.0
"""How long it may take to say so. A ping is answered by the server's socket, however long its model thinks."""

WOKE_SECONDS = 3.0
"""A tick that comes so much too late means that this machine was suspended, or the process stopped."""


class Watch:
    """Looks after a line.

    Args:
        line: The line.
        name: The server in a sentence.
        owed: Whether the server owes us something now.
        stall_seconds: A server that owes us something, answers pings and says nothing else for so long has stalled.
        on_stall: Given the error that this is, once until a sign of life. It raises it, or lets the session go on.
        on_tick: Called at every tick.
    """

    def __init__(
        self,
        line: Line,
        name: str,
        *,
        owed: Callable[[], bool],
        stall_seconds: float,
        on_stall: Callable[[ConnectionLost], None],
        on_tick: Callable[[], None],
    ) -> None:
        self._line = line
        self._name = name
        self._owed = owed
        self._stall_seconds = stall_seconds
        self._on_stall = on_stall
        self._on_tick = on_tick
        self._stalled = False
        self._last_sign = self._last_proof = time.monotonic()

    def sign(self) -> None:
        """A sign of life: an event, the moment at which one became due, sound that plays and hides a pause."""
        self._last_sign = time.monotonic()
        self._stalled = False

    async def run(self) -> None:
        """Look at every tick, until cancelled.

        Raises:
            ConnectionLost: The server has stalled, and that is not forgiven.
        """
        tick, clock = min(TICK_SECONDS, self._stall_seconds / 4), _Clock()
        while True:
            await asyncio.sleep(tick)
            woke = clock.passed() - tick > WOKE_SECONDS
            self._on_tick()
            if woke:
                self.sign()  # nobody could be heard meanwhile
            if woke or self._is_doubtful():
                await self._line.check(PING_SECONDS)
                self._last_proof = time.monotonic()
                clock.passed()

    def _is_doubtful(self) -> bool:
        """Whether the server might be gone.

        Raises:
            ConnectionLost: As `run`.
        """
        owed, now = self._owed(), time.monotonic()
        if owed and now - self._last_sign > self._stall_seconds and not self._stalled:
            self._stalled = True
            said = f"{self._name} has said nothing for {self._stall_seconds:g} seconds."
            self._on_stall(ConnectionLost(said, hint="Try again, or another server."))
        quiet = now - max(self._last_sign, self._last_proof)
        return self._line.behind or quiet > (QUIET_SECONDS if owed else IDLE_SECONDS)


class _Clock:
    """Both clocks: on Linux the monotonic one stands still while a machine is suspended, the wall clock goes on.

    A wall clock that is set looks like a suspension, and does no harm.
    """

    def __init__(self) -> None:
        self._wall, self._steady = time.time(), time.monotonic()

    def passed(self) -> float:
        """Seconds since it was last asked, by the clock that went further."""
        wall, steady = self._wall, self._steady
        self._wall, self._steady = time.time(), time.monotonic()
        return max(self._wall - wall, self._steady - steady)
