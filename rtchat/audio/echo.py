"""The microphone without what the loudspeaker played, and how well that works. Pure: the canceller comes in.

::

    played ─> FarEnd ──────────────────────────┐ early, by the lead
    feed ─> while something sounds, and TAIL_SECONDS longer: canceller ─> fade ─> chunk;  Measure: erle_db, verdict
         └> else, and where nothing comes back: as it is ───────────────┘

The canceller takes whatever delay there is between a sample's time and its echo, as long as the echo comes after
what it is the echo of. So the far end is ahead of its time, in case a device says too late a one, by as much as is
known when the microphone's chunk comes: that comes before its echo whatever the devices say.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from rtchat.audio.echo_measure import Measure, Verdict
from rtchat.audio.far_end import SEAM_SECONDS, FarEnd
from rtchat.chunk import WIRE, level_dbfs, to_float, to_pcm16

LEAD_SECONDS = 0.04
"""How far the far end is ahead at most. With 430 ms from a sample's time to its echo the canceller can no more."""

TAIL_SECONDS = 0.7
"""An echo may come so long after its sound: a third of a second of delay, as much of reverberation."""

SETTLES_SECONDS = 2.0
"""After one of both streams has jumped against the other, the canceller looks for the delay for so long."""

PAUSE_SECONDS = 1.0
"""A silence as long as this is a pause; a shorter one may be a device that ran dry."""

Process = Callable[[bytes, bytes], bytes]
"""(near, far) -> near without far, 10 ms frames: `canceller.Canceller.process`."""

_MARGIN_SECONDS = 0.005  # callbacks are late by so much
_WARM_CHUNKS = 2  # of the past, for what the canceller holds back of the last time


class Echo:
    """Takes the echo out of the microphone while there is one, and leaves it alone otherwise.

    Args:
        process: The canceller.
        bypass: Leave the microphone as it is while nothing plays, or nothing of it comes back. Not where the
            canceller evens out the level.

    Attributes:
        active: Something played within the tail: the canceller was at work on the last chunk.
        raw_dbfs: RMS of the last chunk as it was recorded.
        dbfs: RMS of the last chunk as the canceller made it.
        far: What the loudspeaker played around the last chunk, as long, and as early as it was given.
    """

    def __init__(self, process: Process, *, bypass: bool = True) -> None:
        self.active = False
        self.raw_dbfs = self.dbfs = -96.0
        self.far = b""
        self._process = process
        self._bypass = bypass
        self._giving = False  # what the canceller makes of it
        self._far = FarEnd()
        self._measure = Measure()
        self._before: list[bytes] = []
        self._chunk_at: float | None = None
        self._lead = LEAD_SECONDS
        self._asked = float("-inf")
        self._jumped = float("-inf")  # seconds at which one of both streams did so last

    def played(self, begins: float, pcm: bytes) -> None:
        """Note what leaves the loudspeaker, before the chunk of the microphone that may hear it.

        Args:
            begins: Seconds at which its first sample leaves, steady; later than all before.
            pcm: 24 kHz mono PCM16, any length, as played: ducked and faded.
        """
        if not pcm:
            return
        known = self._far.ends
        if known is not None and known < self._asked and begins - known < SEAM_SECONDS:
            # It was wanted before it was known: a device takes its sound only a little before it is heard.
            less = self._asked - known + _MARGIN_SECONDS
            self._lead -= less
            self._asked -= less
            self._jumped = begins
        if known is not None and SEAM_SECONDS < abs(begins - known) < PAUSE_SECONDS:
            self._jumped = begins
        self._far.played(begins, pcm)

    def feed(self, at: float, pcm: bytes) -> bytes:
        """The next chunk of the microphone.

        Args:
            at: Seconds at which its first sample was recorded, on the clock of `played`.
            pcm: 24 kHz mono PCM16, a multiple of 10 ms.

        Returns:
            As long; bit for bit the same while nothing plays.
        """
        samples = WIRE.samples(pcm)
        ends = at + self._seconds(at, samples)
        self._asked = ends + self._lead
        far = self._far.between(at + self._lead, self._asked, samples)
        cancelled = self._cancelled(pcm, far, self._audible(at))
        self.raw_dbfs = self.dbfs = level_dbfs(pcm)
        self.far = far
        if self.active:
            self.dbfs = level_dbfs(cancelled)
            self._measure.note(far, pcm, self.raw_dbfs, self.dbfs)
        else:
            self._measure.quiet(self.raw_dbfs)
        given = self._given(pcm, cancelled)
        self._before = [*self._before, pcm][-_WARM_CHUNKS:]
        self._chunk_at = at
        return given

    @property
    def gain_db(self) -> float:
        """What became of the level of the last chunk; negative while echo is taken out."""
        return self.dbfs - self.raw_dbfs

    @property
    def converged(self) -> bool:
        """The canceller may know the room, and the delay, by now.

        The assistant has spoken for `echo_measure.CONVERGED_SECONDS`, and nothing jumped for `SETTLES_SECONDS`.
        """
        settled = self._chunk_at is None or self._chunk_at - self._jumped > SETTLES_SECONDS
        return self._measure.converged and settled

    @property
    def erle_db(self) -> float | None:
        """By how much the echo is weakened, while the user is silent; None until known."""
        return self._measure.erle_db

    @property
    def verdict(self) -> Verdict:
        """How it goes; `measuring` until the assistant has spoken for some seconds."""
        return self._measure.verdict

    def _seconds(self, at: float, samples: int) -> float:
        """The length of a chunk on the computer's clock: that of the one before it, unless there was a gap."""
        nominal = samples / WIRE.rate
        since = nominal if self._chunk_at is None else at - self._chunk_at
        if abs(since - nominal) < 0.001:
            return since
        self._jumped = at
        return nominal

    def _audible(self, at: float) -> bool:
        """Whether something that was played may be heard in a chunk."""
        return self._far.ends is not None and at < self._far.ends + TAIL_SECONDS

    def _cancelled(self, pcm: bytes, far: bytes, audible: bool) -> bytes:
        was, self.active = self.active, audible or not self._bypass
        if not self.active:
            return self._process(pcm, far) if was else pcm  # the last one is still faded out
        if not was:
            for past in self._before:
                self._process(past, bytes(len(past)))
        return self._process(pcm, far)

    def _given(self, pcm: bytes, cancelled: bytes) -> bytes:
        """What the canceller made of it, or it as it is, where nothing plays or nothing comes back."""
        was, self._giving = self._giving, self.active and not (self._bypass and self.verdict == "no echo")
        if was == self._giving:
            return cancelled if was else pcm
        return _faded(pcm, cancelled) if self._giving else _faded(cancelled, pcm)


def _faded(one: bytes, other: bytes) -> bytes:
    """One sound that turns into another."""
    ramp = np.linspace(0.0, 1.0, WIRE.samples(one), dtype=np.float32)
    return to_pcm16(to_float(one) * (1 - ramp) + to_float(other) * ramp)
