"""The talk key in a terminal that sends the same for a key that is pressed and for one that repeats itself. Pure.

A key that is held down sends the same again after a delay, and then again and again; who holds the talk key there,
though it is to be tapped, has pressed it once. Whether a second space is the first repeat shows only by what
follows it, so one that comes in the time of first repeats is believed a little later.
"""

from __future__ import annotations

REPEAT_SECONDS = 0.12
"""A key that repeats itself comes again within this time (macOS: 90 ms, Linux's console: 92 ms, X11: 40 ms)."""

FIRST_REPEAT_SECONDS = 1.1
"""It begins with that within this time (Windows: 250 ms to 1 s, X11: 660 ms, macOS: 375 ms)."""


class Taps:
    """Tells presses from repeats by their times."""

    def __init__(self) -> None:
        self._last = float("-inf")

    def press(self, at: float) -> float | None:
        """The key was sent.

        Args:
            at: Seconds, on a monotonic clock.

        Returns:
            Seconds after which it counts as pressed, unless it is sent again before; None for a repeat, and then
            what was to count is one too.
        """
        gap, self._last = at - self._last, at
        if gap < REPEAT_SECONDS:
            return None
        return REPEAT_SECONDS if gap < FIRST_REPEAT_SECONDS else 0.0
