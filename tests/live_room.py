"""A room between the loudspeaker and the microphone of a private PulseAudio, while a real program uses both.

::

    speaker.monitor ─ parec ─> Room.pass_on(far, near) ─ pacat ─> mic_feed, whose monitor is the microphone

One thread moves blocks of 10 ms, and counts: what the loudspeaker played and what the user said are on one sample
clock, which is the loudspeaker's. What the room adds to its own delay (two pipes and PulseAudio's buffers) is
`Shape.delay_ms` too little, by some 40 ms.

A real room is never late. A block that is makes a gap, and from then on the echo is later: so the room goes first
on a busy machine, and PulseAudio with it, where that is allowed (to root, mostly).
"""

from __future__ import annotations

import os
import subprocess
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import numpy as np
from private_pulse import PrivatePulse
from rooms import RATE, Room, Samples, from_wire, to_wire

BLOCK = RATE // 100
_RAW = ("--raw", f"--rate={RATE}", "--channels=1", "--format=s16le")


@dataclass(frozen=True, slots=True)
class Said:
    """Something that the user said: samples [begin, end) of the room's clock."""

    begin: int
    end: int


class LiveRoom:
    """Runs until `stop`.

    Args:
        pulse: Whose devices it joins.
        room: What is between them.
    """

    def __init__(self, pulse: PrivatePulse, room: Room) -> None:
        environment = {**os.environ, **pulse.env}
        self.room = room
        self._far: list[bytes] = []
        self._blocks = 0
        self._near: deque[Samples] = deque()
        self._moved = threading.Condition()
        self._ears = subprocess.Popen(
            ["parec", *_RAW, "--device=speaker.monitor", "--latency-msec=10"],
            env=environment, stdout=subprocess.PIPE,
        )  # fmt: skip
        self._mouth = subprocess.Popen(
            ["pacat", *_RAW, "--device=mic_feed", "--latency-msec=20"], env=environment, stdin=subprocess.PIPE
        )
        for process in (pulse.process_id, self._ears.pid, self._mouth.pid):
            _goes_first(process)
        self._thread = threading.Thread(target=self._run, name="room", daemon=True)
        self._thread.start()
        self.wait_until(RATE // 10)

    @property
    def at(self) -> int:
        """Samples that have passed."""
        return self._blocks * BLOCK

    def say(self, voice: Samples) -> Said:
        """Say this from now on, after what is being said; it is said in the room."""
        voice = self.room.near(voice)
        with self._moved:
            begin = self.at + sum(len(piece) for piece in self._near)
            self._near.append(voice)
        return Said(begin, begin + len(voice))

    def wait_until(self, at: int, seconds: float = 60.0) -> None:
        """Wait until so many samples have passed.

        Raises:
            RuntimeError: They did not, in so many seconds more than they take.
        """
        with self._moved:
            if not self._moved.wait_for(lambda: self.at >= at, seconds + max(0, at - self.at) / RATE):
                raise RuntimeError("No sound passes through the room.")

    def played(self, begin: int = 0, end: int | None = None) -> Samples:
        """What the loudspeaker played, samples [begin, end)."""
        with self._moved:
            return from_wire(b"".join(self._far)[2 * begin : None if end is None else 2 * end])

    def stop(self) -> None:
        """End the room; silence is behind it."""
        for process in (self._ears, self._mouth):
            process.terminate()
            process.wait()
        self._thread.join(5)
        for pipe in (self._ears.stdout, self._mouth.stdin):
            with suppress(BrokenPipeError):  # a block was on its way
                pipe.close()

    def _run(self) -> None:
        _goes_first(0)
        # A pipe's end, or a reader that has gone, is the room's end.
        while len(far := self._ears.stdout.read(2 * BLOCK)) == 2 * BLOCK:
            with self._moved:
                near = self._next_near()
            heard = self.room.pass_on(from_wire(far), near)
            try:
                self._mouth.stdin.write(to_wire(heard))
                self._mouth.stdin.flush()
            except (BrokenPipeError, ValueError):
                return
            with self._moved:
                self._far.append(far)
                self._blocks += 1
                self._moved.notify_all()

    def _next_near(self) -> Samples:
        near = np.zeros(BLOCK, np.float32)
        filled = 0
        while self._near and filled < BLOCK:
            piece = self._near.popleft()
            taken = piece[: BLOCK - filled]
            near[filled : filled + len(taken)] = taken
            filled += len(taken)
            if len(piece) > len(taken):
                self._near.appendleft(piece[len(taken) :])
        return near


def _goes_first(process: int) -> None:
    """Nobody on a busy machine goes before this process, or for 0 this thread, where that is allowed."""
    with suppress(AttributeError, OSError):
        os.sched_setscheduler(process, os.SCHED_FIFO, os.sched_param(1))


@contextmanager
def live_room(pulse: PrivatePulse, room: Room) -> Iterator[LiveRoom]:
    """A room for the time of a block."""
    live = LiveRoom(pulse, room)
    try:
        yield live
    finally:
        live.stop()
