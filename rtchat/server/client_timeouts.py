"""How long a session waits for its client: to read what is sent, and to say anything at all."""

from __future__ import annotations

import time
from collections.abc import Callable

from rtchat.server.dialogue.signals import Close
from rtchat.server.limits import Limits

LOOKS = 4
"""Looks within the shortest time that is waited."""


class ClientTimeouts:
    """Told what happens on a socket, says when it has been enough.

    Args:
        limits: How long is waited.
        clock: Seconds.
    """

    def __init__(self, limits: Limits, clock: Callable[[], float] = time.monotonic) -> None:
        self._limits = limits
        self._clock = clock
        self._heard_at = clock()
        self._stuck_since: float | None = None  # a frame is being sent
        self._behind_since: float | None = None  # more is waiting than should

    @property
    def every_s(self) -> float:
        """Seconds between two looks."""
        times = [limit for limit in (self._limits.slow_s, self._limits.idle_s) if limit is not None]
        return min(times) / LOOKS

    def heard(self) -> None:
        """A frame of the client came."""
        self._heard_at = self._clock()

    def sending(self) -> None:
        """A frame is on its way to the client."""
        self._stuck_since = self._clock()

    def sent(self, waiting: int) -> None:
        """It has left; so many bytes wait behind it."""
        self._stuck_since = None
        if waiting <= self._limits.outbox_bytes:
            self._behind_since = None

    def verdict(self, waiting: int, *, busy: bool) -> Close | None:
        """Whether to close, and how; asked every `every_s`.

        Args:
            waiting: Bytes that wait to be sent.
            busy: An answer is being made: the client rightly listens.
        """
        now, slow_s, idle_s = self._clock(), self._limits.slow_s, self._limits.idle_s
        if self._behind_since is None and waiting > self._limits.outbox_bytes:
            self._behind_since = now
        for since in (self._stuck_since, self._behind_since):
            if since is not None and now - since >= slow_s:
                return Close(1008, f"slow reader: {waiting} bytes unread for {slow_s:g} s")
        if idle_s is not None and not busy and now - self._heard_at >= idle_s:
            return Close(1000, f"idle for {idle_s:g} s")
        return None
