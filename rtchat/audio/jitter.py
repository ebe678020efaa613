"""How much sound has to wait at the loudspeaker before a part starts, so that it does not stop again. Pure.

Deltas come over a network: some are late. Sound in hand hides that, and costs a wait at the start of an answer that
comes no faster than it is spoken; one that comes all at once starts at once. So the buffer learns::

    target_ms = the longest delta + the greatest lateness + SPARE_MS, between LEAST_MS and MOST_MS

of the last minutes of sound in which LEAST_MS would have been too little. A delta is late against the best one of
the start of its part, in its beginning or in its end, whichever is less: some servers send a delta when its sound
begins, others when it is made. An underrun shows that worse is to come than was seen until then.
"""

from __future__ import annotations

LEAST_MS = 60
"""Where the target starts, and what it shrinks to: two of the shortest deltas (20 ms), and a block of the device.
Less runs dry without any jitter."""

MOST_MS = 1000
"""The most that is waited for: people take a longer silence for no answer. A wait is then worse than a gap."""

USUAL_MS = 150
"""The lateness to expect after an underrun, which may have shown a third of it: that of a busy wireless network."""

STEP_MS = 100
"""What an underrun adds to a lateness that was greater than usual already. As much is added to the gap itself: the
first deltas of a part may be shorter than those to come, and a longer gap hurts less than a second one."""

SPARE_MS = 40
"""For what arrival times do not show: blocks of the device (8 to 20 ms), a busy event loop."""

MEMORY_SECONDS = 600.0
"""Seconds of sound for which a lateness is remembered at least; twice that at most. A wireless network may stall
once a minute only, and rarely at its worst. The clock is the sound: a pause in the conversation tells nothing."""


class Jitter:
    """Learns the target from the times at which deltas arrive.

    Args:
        least_ms: The smallest target; the one to start with.
        most_ms: The largest.
    """

    def __init__(self, least_ms: float = LEAST_MS, most_ms: float = MOST_MS) -> None:
        self._least = least_ms
        self._most = most_ms
        # (greatest lateness, longest delta) of this stretch of sound, and of the one before: milliseconds.
        self._now, self._before = (0.0, 0.0), (0.0, 0.0)
        self._stretch = 0.0
        self.begin()

    @property
    def target_ms(self) -> float:
        """Sound to have in hand before a part starts, or goes on after a gap."""
        late, longest = map(max, self._now, self._before)
        return min(max(self._least, longest + late + SPARE_MS + self._more), self._most)

    def begin(self) -> None:
        """A part begins: the next delta is its first."""
        self._more = 0.0
        self._media = 0.0  # milliseconds of it that have come
        self._longest = 0.0
        # Arrival less the place in the part at which a delta begins, and ends: the best of each.
        self._best_begin = self._best_end = float("inf")

    def arrived(self, at: float, ms: float, *, dry: bool) -> None:
        """A delta has come.

        Args:
            at: Seconds, on any clock.
            ms: Its sound.
            dry: It came too late: what was in hand had run out.
        """
        begin = at * 1000 - self._media
        end = begin - ms
        self._longest = max(self._longest, ms)
        # Had the part started when the best delta came, so much in hand would have bridged the time until this one.
        need = begin - self._best_end
        if self._least < need <= self._most:  # more is no jitter: no buffer would have helped
            self._remember(min(begin - self._best_begin, end - self._best_end), self._longest)
        if dry:
            late = max(self._now[0], self._before[0])
            self._remember(USUAL_MS if late < USUAL_MS else min(late + STEP_MS, self._most), self._longest)
            self.begin()
            self._more = STEP_MS
            begin, end = at * 1000, at * 1000 - ms
        if self._media < self._most:  # a part that is further ahead has more in hand than any target
            self._best_begin, self._best_end = min(self._best_begin, begin), min(self._best_end, end)
        self._media += ms
        self._pass(ms)

    def _remember(self, late: float, longest: float) -> None:
        self._now = max(self._now[0], late), max(self._now[1], longest)

    def _pass(self, ms: float) -> None:
        self._stretch += ms
        if self._stretch >= MEMORY_SECONDS * 1000:
            self._stretch = 0.0
            self._now, self._before = (0.0, 0.0), self._now
