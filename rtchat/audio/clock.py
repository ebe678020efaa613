"""Steady times for the blocks of a device. Pure: times come in with the blocks.

What a device says about its blocks is late by milliseconds now and then, and its crystal is off by up to 100 parts
in a million. A sound server's estimate wanders besides: PulseAudio's by up to 15 ms in the first ten seconds of a
recording, and by 2 ms in one of them. A canceller of echo needs both streams of a conversation on one clock,
without steps: where one slides against the other by more than 200 parts in a million, so much of the echo is left
that the assistant may interrupt itself.
"""

from __future__ import annotations

import math
from collections import deque
from statistics import median

import numpy as np

from rtchat.chunk import WIRE

GAP_SECONDS = 0.04
"""A block that is this far from where the one before it ended: samples were lost. It is believed at once."""

JUMP_SECONDS = 0.007
"""Times that change by this from one quarter of a second to the next, and stay so: samples were lost, or silence
was put in. It is less than a block of 8 ms; what only wanders changes by less."""

_OFF_TRACK = 120  # samples, 5 ms, by which a recording may be off
_JITTER = 1e-3  # seconds by which a reported time is usually off
_LATENESS = 10e-3  # seconds by which one is late at most
_UNSURE = 5e-3  # seconds by which a first one is
_SETTLED_SECONDS = 0.5  # so soon the time is known
_KNOWN = 1e-3  # seconds by which it is then off: what matters is that it goes on evenly
_WANDERS_SECONDS = 6.4  # so long an error lasts that is not one block's
_SMOOTH_SECONDS = 0.25  # so much is averaged to see such errors
_FORGOTTEN_SECONDS = 2.0  # so fast it is forgotten how large they were
_HALF = 32  # blocks before a jump and after it
_CRYSTAL = 1e-4  # by which a device's rate is usually off
_WANDER = 1e-6  # by which it changes in a second, as it warms up; with _JITTER it gives a memory of ten seconds


class DeviceClock:
    """Where on the computer's clock the blocks of one stream begin: each where the one before it ended, nearly.

    A Kalman filter for a time and a rate. A reported time moves it by what it is worth: early ones by much, later
    ones by microseconds, and one that is far off (a late callback) by no more than one that is off as usual. Errors
    that last are not independent of each other: the more the reports wander, the less each of them is worth, and
    the more the crystal is trusted.

    Args:
        rate: The device's nominal samples a second.
    """

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._next: float | None = None
        self._slow = 0.0  # by how much a second of the device is longer than one
        self._of_time = _UNSURE**2
        self._of_both = 0.0
        self._of_rate = _CRYSTAL**2
        self._age = 0.0
        self._off = 0.0  # of the last reports, on average
        self._wander = _JITTER**2  # mean square of that
        self._offs: deque[float] = deque(maxlen=2 * _HALF)

    def begins(self, frames: int, reported: float) -> float:
        """The time of a block's first sample.

        Args:
            frames: Length of the block.
            reported: Seconds at which, by the device, its first sample is played or was recorded.

        Returns:
            Seconds on the same clock.
        """
        if self._next is None or abs(reported - self._next) > GAP_SECONDS:
            self._begin()
            self._next = reported
        self._next += self._jumped(reported - self._next)
        seconds = frames / self._rate
        begins = self._corrected(self._next, reported, seconds)
        self._next = begins + seconds * (1 + self._slow)
        self._of_time += 2 * seconds * self._of_both + seconds**2 * self._of_rate
        self._of_both += seconds * self._of_rate
        self._of_rate += seconds * _WANDER**2
        return begins

    @property
    def drift_ppm(self) -> float:
        """By how many parts in a million the device is faster than the computer's clock, after some seconds."""
        return -self._slow * 1e6

    def _begin(self) -> None:
        """What is reported next is all that is known of the time."""
        self._age = self._off = self._of_both = 0.0
        self._of_time = _UNSURE**2
        self._offs.clear()

    def _jumped(self, off: float) -> float:
        """By how much the times have jumped, a quarter of a second ago; 0 nearly always."""
        self._offs.append(off)
        if len(self._offs) < 2 * _HALF:
            return 0.0
        if min(abs(off - self._offs[0]), abs(self._offs[_HALF] - self._offs[0])) < JUMP_SECONDS / 2:
            return 0.0
        offs = list(self._offs)
        jump = median(offs[_HALF:]) - median(offs[:_HALF])
        if abs(jump) < JUMP_SECONDS:
            return 0.0
        self._offs.clear()
        return jump

    def _corrected(self, expected: float, reported: float, seconds: float) -> float:
        was, self._age = self._age, self._age + seconds
        if was < _SETTLED_SECONDS <= self._age:
            self._of_time, self._of_both = _KNOWN**2, 0.0
        total = self._of_time + self._error(reported - expected, seconds)
        most = 2 * math.sqrt(total)
        off = min(most, max(-most, reported - expected))
        of_time, of_rate = self._of_time / total, self._of_both / total
        if self._age >= _SETTLED_SECONDS:  # the first reports, of a buffer that fills, tell nothing of the rate
            if abs(reported - expected) < _LATENESS:  # a latency that has changed says nothing about the rate
                self._slow += of_rate * off
            self._of_rate -= of_rate * self._of_both
        self._of_both -= of_rate * self._of_time
        self._of_time -= of_time * self._of_time
        return expected + of_time * off

    def _error(self, off: float, seconds: float) -> float:
        """Mean square by which a report is off, as if it were independent of the others: a filter takes it so."""
        if self._age < _SETTLED_SECONDS:
            return _JITTER**2
        error = _JITTER**2 + 2 * _WANDERS_SECONDS / seconds * self._wander
        off = min(_UNSURE, max(-_UNSURE, off))
        self._off += (off - self._off) * seconds / _SMOOTH_SECONDS
        self._wander += (self._off**2 - self._wander) * seconds / _FORGOTTEN_SECONDS
        return error


class Track:
    """Where pieces of sound belong on a recording that counts samples: each right after the one before it.

    Times that drift would leave a hole or an overlap of one sample, a click, several times a second. Pieces that
    are 5 ms off are made a sample longer or shorter in place of that.
    """

    def __init__(self) -> None:
        self._next: int | None = None

    def place(self, at: float, pcm: bytes) -> tuple[int, bytes]:
        """Find a piece's place.

        Args:
            at: Seconds since the recording began.
            pcm: 24 kHz mono PCM16.

        Returns:
            (position of the first sample, at least 0; the sound, perhaps a sample longer or shorter).
        """
        wanted = max(0, round(at * WIRE.rate))
        start = wanted
        if self._next is not None and abs(wanted - self._next) <= GAP_SECONDS * WIRE.rate:
            start, off = self._next, wanted - self._next
            if abs(off) > _OFF_TRACK and len(pcm) > 4:
                pcm = _stretched(pcm, 1 if off > 0 else -1)
        self._next = start + WIRE.samples(pcm)
        return start, pcm


def _stretched(pcm: bytes, by: int) -> bytes:
    samples = np.frombuffer(pcm, dtype="<i2")
    wanted = np.linspace(0, len(samples) - 1, len(samples) + by)
    stretched: bytes = np.interp(wanted, np.arange(len(samples)), samples).round().astype("<i2").tobytes()
    return stretched
