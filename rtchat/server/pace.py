"""How fast an answer is sent."""

from __future__ import annotations

import time
from collections.abc import Callable

from rtchat.chunk import WIRE

AHEAD_MS = 5_000
"""Sound of a response that is sent at once (measured at the service: 3.2 to 5 s inside the first second)."""
FASTER_THAN_REAL_TIME = 4
"""How many times faster than it is heard the rest is sent."""


class Pace:
    """How fast sound is sent: the first seconds at once, then a few times faster than it is heard.

    So does the service. An interruption then finds less made in vain, and no client has to take a minute of sound
    at once.

    Args:
        clock: Seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._began = clock()
        self._sent_ms = 0.0

    def wait_s(self, pcm: bytes) -> float:
        """Seconds to wait before sending this; 0 lets others have their turn."""
        ahead_ms = self._sent_ms - AHEAD_MS
        self._sent_ms += WIRE.ms(pcm)
        return max(0.0, self._began + ahead_ms / 1000 / FASTER_THAN_REAL_TIME - self._clock())
