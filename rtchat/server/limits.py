"""What one server takes on: how many sessions, how long, how much of each in memory."""

from __future__ import annotations

from dataclasses import dataclass

MAX_FRAME = 32 * 1024 * 1024
"""Bytes of one frame: an append of 15 MiB is 20 MiB in base64."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of a server and of each of its sessions.

    Attributes:
        max_sessions: Sessions at once; whoever comes then is told HTTP 503. None for no limit.
        session_s: Seconds after which a session expires; the API's are 3600.
        idle_s: Seconds without a frame of the client, and without an answer in progress, after which a session is
            closed. None for never.
        drain_s: Seconds that live sessions are given to end after SIGTERM.
        slow_s: Seconds that a client may fail to read what is sent to it.
        outbox_bytes: Bytes waiting for a client above which it counts as not reading, though it reads a little.
        max_frame: Bytes of one frame of a client; a larger one closes the session with 1009.
    """

    max_sessions: int | None = None
    session_s: float = 3600
    idle_s: float | None = None
    drain_s: float = 30
    slow_s: float = 30
    outbox_bytes: int = 16 * 1024 * 1024
    max_frame: int = MAX_FRAME


def minutes(seconds: float) -> str:
    """A session's length as the API's sentence tells it: `60 minutes`, `1 minute`, `0.5 minutes`."""
    number = f"{seconds / 60:.3g}"
    return f"{number} minute{'' if number == '1' else 's'}"
