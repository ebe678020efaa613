"""What the device took: it cannot be called back, is on its way for a while, and is heard then. Pure.

::

    add(span) ─> under way ─ heard(now) ─> past, for KEPT_SECONDS ─> forgotten
       │             └──── lost(since) ─────┘
       └──> take_played()          a device that is gone has played neither
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from rtchat.audio.gain import at_volume
from rtchat.chunk import WIRE

if TYPE_CHECKING:
    from rtchat.audio.gain import Volumes
    from rtchat.audio.part import Part

KEPT_SECONDS = 1.0
"""Sound kept after it should have been heard, to be played again should its device turn out to have been gone: more
than any device holds (20 to 300 ms)."""


@dataclass(frozen=True, slots=True, eq=False)
class Span:
    """Sound that the device took: samples [start, end) of a part leave the loudspeaker between two times.

    Attributes:
        part: Whose sound it is.
        start: Its first sample, counted from the start of the part.
        end: The sample after its last.
        begins: Seconds at which `start` leaves the loudspeaker.
        ends: Seconds at which all of it has left.
        pcm: Those samples as they came, 24 kHz mono PCM16.
        volumes: How loud they are played.
    """

    part: Part
    start: int
    end: int
    begins: float
    ends: float
    pcm: bytes
    volumes: Volumes

    @property
    def played(self) -> bytes:
        """Those samples as they are played."""
        return at_volume(self.pcm, self.volumes)

    def position(self, at: float) -> int:
        """The sample that leaves the loudspeaker at `at`."""
        return min(max(self.start, self.start + int((at - self.begins) * WIRE.rate)), self.end)

    def before(self, at: float) -> Span:
        """What of it leaves the loudspeaker before `at`."""
        end = self.position(at)
        return replace(self, end=end, ends=min(self.ends, at), pcm=self.pcm[: 2 * (end - self.start)])

    def after(self, at: float) -> Span:
        """The rest of it."""
        start = self.position(at)
        return replace(self, start=start, begins=max(self.begins, at), pcm=self.pcm[2 * (start - self.start) :])


class Taken:
    """The spans of a loudspeaker, in order."""

    def __init__(self) -> None:
        self._under_way: deque[Span] = deque()
        self._past: deque[Span] = deque()
        self._played: list[Span] = []

    def __bool__(self) -> bool:
        """Something is still to be heard."""
        return bool(self._under_way)

    @property
    def ends(self) -> float | None:
        """Seconds at which all of it has left the loudspeaker; None when that was told."""
        return self._under_way[-1].ends if self._under_way else None

    @property
    def parts(self) -> set[Part]:
        """Those of which something is still to be heard."""
        return {span.part for span in self._under_way}

    def add(self, span: Span) -> None:
        """The device takes this."""
        self._under_way.append(span)
        self._played.append(span)

    def take_played(self) -> list[Span]:
        """What was added since the last call."""
        played, self._played = self._played, []
        return played

    def heard(self, now: float) -> dict[Part, int]:
        """For each part of which sound has left since the last call, the samples that have left."""
        positions: dict[Part, int] = {}
        while self._under_way and self._under_way[0].ends <= now:
            span = self._under_way.popleft()
            positions[span.part] = span.end
            self._past.append(span)
        if self._under_way and self._under_way[0].begins < now:
            positions[self._under_way[0].part] = self._under_way[0].position(now)
        while self._past and self._past[-1].ends - self._past[0].ends > KEPT_SECONDS:
            self._past.popleft()
        return positions

    def settle(self) -> None:
        """Play nothing again of what should have been heard by now."""
        self._past.clear()

    def lost(self, since: float) -> list[Span]:
        """Remove what has not been played by a device that is gone since then, and give it.

        What was flushed stays: nobody wants it again, and its end is still to be told.
        """
        lost = [span for span in (*self._past, *self._under_way) if span.ends > since and span.part.limit is None]
        self._past.clear()
        self._under_way = deque(
            span if span.ends <= since or span.part.limit is not None else span.before(since)
            for span in self._under_way
            if span.begins < since or span.part.limit is not None
        )
        return [span.after(since) for span in lost]
