"""Time, as a session sees it: the machine's, or one that stands still while there is nothing to wait for.

With a `VirtualClock` what a server sends depends on what the client sent and on nothing else: every frame of the
client is worked through, delays and all, before the next is read, and a delay takes no time.
"""

from __future__ import annotations

import asyncio
import contextlib
import heapq
import time
from collections.abc import Callable, Iterator
from typing import Any, Protocol

EPOCH = 1_767_225_600.0
"""When virtual time begins: 2026-01-01, in Unix seconds."""
_QUIET_LOOKS = 4
"""Looks at the event loop in a row that find no work, after which there is none: a task that was woken has run."""
_PATIENT_AFTER, _PATIENCE_S = 200, 0.001
"""Work that takes real time (a program that speaks) is waited for without spinning."""


class Handle(Protocol):
    """Something that is to be done later."""

    def cancel(self) -> None:
        """It is not wanted any more."""
        ...


class Clock(Protocol):
    """What a session needs of time."""

    def time(self) -> float:
        """Unix seconds."""
        ...

    def monotonic(self) -> float:
        """Seconds that never go back."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Let that long pass."""
        ...

    def call_later(self, seconds: float, what: Callable[..., Any], *arguments: Any, work: bool = True) -> Handle:
        """Do something in that many seconds.

        Args:
            seconds: How long to wait.
            what: What to call.
            arguments: What to call it with.
            work: It is a part of what a client waits for. If not (the end of the session, say), virtual time
                does not hurry to it.
        """
        ...

    def resting(self) -> contextlib.AbstractContextManager[None]:
        """Around what a task waits for that is not work: the next thing to do."""
        ...

    def reach(self, seconds: float) -> None:
        """So much sound the client has sent in all: at least that much time has passed."""
        ...

    async def settle(self, working: Callable[[], int]) -> None:
        """Wait until all work is done, where a frame must be worked through before the next.

        Args:
            working: How many tasks there are.
        """
        ...


class RealClock:
    """The machine's."""

    def time(self) -> float:
        """Unix seconds."""
        return time.time()

    def monotonic(self) -> float:
        """Seconds that never go back."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Let that long pass."""
        await asyncio.sleep(seconds)

    def call_later(self, seconds: float, what: Callable[..., Any], *arguments: Any, work: bool = True) -> Handle:
        """Do something in that many seconds."""
        return asyncio.get_running_loop().call_later(seconds, what, *arguments)

    @contextlib.contextmanager
    def resting(self) -> Iterator[None]:
        """Nobody asks."""
        yield

    def reach(self, seconds: float) -> None:
        """It passes by itself."""

    async def settle(self, working: Callable[[], int]) -> None:
        """Frames are read while work goes on."""


REAL = RealClock()


class _Timer:
    def __init__(self, when: float, order: int, work: bool, call: Callable[[], Any]) -> None:
        self.when, self.order, self.work, self.call = when, order, work, call
        self.cancelled = False

    def __lt__(self, other: _Timer) -> bool:
        return (self.when, self.order) < (other.when, other.order)

    def cancel(self) -> None:
        """It is not wanted any more."""
        self.cancelled = True


class VirtualClock:
    """Stands still, but for three things: delays of work in hand, sound that the client sends, and `elapse`.

    One for each session, so that sessions do not disturb each other.
    """

    def __init__(self) -> None:
        self._now = 0.0
        self._timers: list[_Timer] = []
        self._made = 0
        self._resting = 0  # tasks that wait for something to do
        self._asleep = 0  # tasks that wait for time
        self._sound = 0.0  # of the client
        self._settling = asyncio.Lock()
        self._working: Callable[[], int] = int
        self._until = 0.0  # time that the client's sound has let pass, not gone through yet

    def time(self) -> float:
        """Unix seconds."""
        return EPOCH + self._now

    def monotonic(self) -> float:
        """Seconds since the session began."""
        return self._now

    async def sleep(self, seconds: float) -> None:
        """Let that long pass."""
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        woken = asyncio.get_running_loop().create_future()
        self._asleep += 1
        asleep = True

        def wake() -> None:
            nonlocal asleep
            if asleep:
                asleep = False
                self._asleep -= 1
            if not woken.done():
                woken.set_result(None)

        timer = self.call_later(seconds, wake)
        try:
            await woken
        finally:
            timer.cancel()
            wake()

    def call_later(self, seconds: float, what: Callable[..., Any], *arguments: Any, work: bool = True) -> Handle:
        """Do something when that much time has passed; at the same time, in the order in which it was asked."""
        self._made += 1
        timer = _Timer(self._now + max(0.0, seconds), self._made, work, lambda: what(*arguments))
        heapq.heappush(self._timers, timer)
        return timer

    @contextlib.contextmanager
    def resting(self) -> Iterator[None]:
        """The task waits for something to do."""
        self._resting += 1
        try:
            yield
        finally:
            self._resting -= 1

    def reach(self, seconds: float) -> None:
        """Time goes on by what the sound is longer than it was, once what is being worked on is settled."""
        self.elapse(seconds - self._sound)
        self._sound = max(self._sound, seconds)

    def elapse(self, seconds: float) -> None:
        """Time passes, once what is being worked on is settled."""
        self._until = max(self._until, self._now) + max(0.0, seconds)

    async def settle(self, working: Callable[[], int]) -> None:
        """Work until nothing is left to do now, and nothing that is work later."""
        self._working = working
        async with self._settling:
            await self._quiet(working)
            while (timer := self._next()) is not None:
                self._now = max(self._now, timer.when)
                timer.call()
                await self._quiet(working)
            self._now = max(self._now, self._until)

    async def advance(self, seconds: float) -> None:
        """Let time pass, with all that happens in it."""
        self.elapse(seconds)
        await self.settle(self._working)

    def _next(self) -> _Timer | None:
        """The earliest timer, if it is due or on the way to work."""
        while self._timers and self._timers[0].cancelled:
            heapq.heappop(self._timers)
        hurry = any(timer.work and not timer.cancelled for timer in self._timers)
        if self._timers and (hurry or self._timers[0].when <= self._until):
            return heapq.heappop(self._timers)
        return None

    async def _quiet(self, working: Callable[[], int]) -> None:
        quiet = looks = 0
        while quiet < _QUIET_LOOKS:
            looks += 1
            await asyncio.sleep(0 if looks < _PATIENT_AFTER else _PATIENCE_S)
            quiet = quiet + 1 if working() <= self._resting + self._asleep else 0
