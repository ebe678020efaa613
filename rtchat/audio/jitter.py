"""How much sound has to wait at the loudspeaker before a part starts, so that it does not stop again. Pure.

Deltas come over a network: some are late. Sound in hand hides that, and costs a wait at the start of an answer that
comes no faster than it is spoken; one that comes all at once starts at once. So the buffer learns::

    at, ms of each delta ─> need: the sound in hand with which no delta so far would have come too late
                              │
            the most that was needed in the last minutes of sound, and STEP_MS for each underrun
                              │
                        + SPARE_MS, between LEAST_MS and MOST_MS  ─>  target_ms
"""

from __future__ import annotations

LEAST_MS = 60
"""Where the target starts, and what it shrinks to: two of the shortest deltas (20 ms), and a block of the device.
Less runs dry without any jitter."""

MOST_MS = 1000
"""The most that is waited for: people take a longer silence for no answer. A wait is then worse than a gap."""

STEP_MS = 200
"""What an underrun adds to the need seen until then, or to the longest delta. The worst of a network rarely comes
first; a busy wireless one has 150 ms of jitter, which this covers from whatever part of it was seen."""

SPARE_MS = 40
"""More than the need, for what arrival times do not show: blocks of the device (8 to 20 ms), a busy event loop."""

MEMORY_SECONDS = 600.0
"""Seconds of sound for which a need is remembered at least; twice that at most. A wireless network may stall once a
minute only, and not always at its worst (with 300 s, half of such sessions had a second underrun). A pause in the
conversation tells nothing about the network, so the clock is the sound itself."""


class Jitter:
    """Learns the target from the times at which deltas arrive.

    Args:
        least_ms: The smallest target; the one to start with.
        most_ms: The largest.
    """

    def __init__(self, least_ms: float = LEAST_MS, most_ms: float = MOST_MS) -> None:
        self._least = least_ms
        self._most = most_ms
        self._needs = [0.0, 0.0]  # the largest of this stretch of sound, and of the one before
        self._stretch = 0.0  # milliseconds of sound in this one
        self.begin()

    @property
    def target_ms(self) -> float:
        """Sound to have in hand before a part starts, or goes on after a gap."""
        return min(max(self._least, max(self._needs) + SPARE_MS), self._most)

    def begin(self) -> None:
        """A part begins, or goes on after a gap: the next delta is its first."""
        self._media = 0.0  # milliseconds of it that have come
        self._longest = 0.0  # milliseconds of its longest delta
        self._earliest = float("inf")  # when a delta came, less the sound up to its end: milliseconds, the smallest

    def arrived(self, at: float, ms: float, *, dry: bool) -> None:
        """A delta has come.

        Args:
            at: Seconds, on any clock.
            ms: Its sound.
            dry: It came too late: what was in hand had run out.
        """
        # Had the part started when an earlier delta came, this one was needed when all up to that had been played.
        need = at * 1000 - self._media - self._earliest
        if need <= self._most:  # more is no jitter: no buffer would have helped
            self._needs[0] = max(self._needs[0], need)
        self._longest = max(self._longest, ms)
        if dry:
            self._needs[0] = min(self._most, max(*self._needs, self._longest) + STEP_MS)
            self.begin()
        opening = self._media < self._most  # a part that is further ahead has more in hand than any target
        self._media += ms
        if opening:
            self._earliest = min(self._earliest, at * 1000 - self._media)
        self._stretch += ms
        if self._stretch >= MEMORY_SECONDS * 1000:
            self._stretch = 0.0
            self._needs = [0.0, self._needs[0]]
