"""Figures of the playback: python tests/bench/bench_playback.py [seeds] [minutes]

What a network with 150 ms of jitter does to half an hour of answers, with the buffer that learns and with two that
do not; what `read` costs; how loud a click is. In simulated time and from seeds, so that it is the same on every
machine; only the costs are of this one, in processor time.
"""

from __future__ import annotations

import itertools
import random
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np

from rtchat.audio.gain import FADE_MS
from rtchat.audio.jitter import Jitter
from rtchat.audio.speaker import Speaker
from rtchat.chunk import WIRE, AudioFormat

JITTER = 0.15
LATENCY = 0.03
BLOCK_MS = 20
LONGEST_MS = 200

Lateness = Callable[[random.Random], Callable[[float], float]]
"""From a seed: (seconds at which a delta is sent) -> seconds that the network takes for it."""


def uniform(rng: random.Random) -> Callable[[float], float]:
    """Any lateness is as likely."""
    return lambda _: rng.uniform(0, JITTER)


def mostly_early(rng: random.Random) -> Callable[[float], float]:
    """Few are late, by up to as much."""
    return lambda _: min(JITTER, rng.expovariate(1 / 0.03))


class Stalls:
    """Nothing arrives for a while, then all of it: a wireless network that looks around.

    Args:
        rng: The seed.
        apart: Seconds between two of them, on average.
        least: Seconds of the shortest.
    """

    def __init__(self, rng: random.Random, apart: float, least: float) -> None:
        self._rng, self._apart, self._least = rng, apart, least
        self._begins = self._ends = 0.0
        self._next(0.0)

    def _next(self, after: float) -> None:
        self._begins = after + self._rng.expovariate(1 / self._apart)
        self._ends = self._begins + self._rng.uniform(self._least, JITTER)

    def __call__(self, sent: float) -> float:
        while sent > self._ends:
            self._next(self._ends)
        late = self._rng.uniform(0, 0.005)
        return max(late, self._ends - sent) if sent >= self._begins else late


class BadSpells:
    """Seconds of jitter, then a quarter of a minute of calm."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._begins = self._ends = 0.0

    def __call__(self, sent: float) -> float:
        while sent > self._ends:
            self._begins = self._ends + self._rng.expovariate(1 / 15)
            self._ends = self._begins + self._rng.uniform(0.5, 3)
        return self._rng.uniform(0, JITTER if sent >= self._begins else 0.01)


PATTERNS: dict[str, Lateness] = {
    "uniform": uniform,
    "mostly early": mostly_early,
    "a stall every 20 s": lambda rng: Stalls(rng, 20, JITTER),
    "a stall every minute": lambda rng: Stalls(rng, 60, 0.1),
    "bad spells": BadSpells,
}
SIZES: dict[str, Callable[[random.Random], int]] = {
    "20 ms": lambda rng: 20,
    "200 ms": lambda rng: LONGEST_MS,
    "20 to 200 ms": lambda rng: rng.choice([20, 40, 60, 100, LONGEST_MS]),
}
BUFFERS: dict[str, Callable[[], Jitter]] = {
    "adaptive": Jitter,
    "60 ms": lambda: Jitter(60, 60),
    "400 ms": lambda: Jitter(400, 400),
}


@dataclass(frozen=True, slots=True)
class Delta:
    """Sound of an item: when it arrives, how much it is, and whether it is the last."""

    at: float
    item: int
    ms: int
    last: bool


def answers(
    seed: int, lateness: Lateness, size: Callable[[random.Random], int], minutes: float, speed: float
) -> Iterator[Delta]:
    """Deltas of answers of 5 to 60 s, `speed` times as fast as they are spoken, in order as TCP keeps it."""
    rng = random.Random(seed)
    late = lateness(rng)
    sent, arrived, spoken, item = 0.0, 0.0, 0.0, 0
    while spoken < minutes * 60:
        begun, ms, length = sent, 0, rng.uniform(5_000, 60_000)
        while ms < length:
            step = size(rng)
            ms += step
            sent += step / 1000 / speed  # a delta is sent when it has been made
            arrived = max(arrived, sent + late(sent))
            yield Delta(arrived, item, step, ms >= length)
        spoken += ms / 1000
        sent = max(arrived, begun + ms / 1000) + rng.uniform(2, 8)  # the user's turn
        item += 1


@dataclass(slots=True)
class Outcome:
    """What half an hour was like: underruns, and for each answer the ms from its first delta to its first sound."""

    underruns: int = 0
    waits: list[float] = field(default_factory=list)
    target_ms: float = 0.0


def played(deltas: Iterator[Delta], jitter: Jitter) -> Outcome:
    """Play them to the end."""
    speaker, outcome = Speaker(WIRE, jitter=jitter), Outcome()
    frames, silence = WIRE.samples_in(BLOCK_MS), bytes(WIRE.bytes_in(BLOCK_MS))
    loud = np.full(WIRE.samples_in(LONGEST_MS), 1000, dtype="<i2").tobytes()
    now, item, since, coming = 0.0, -1, None, next(deltas, None)
    while coming or speaker.busy:
        while coming and coming.at <= now:
            if coming.item != item:
                item, since = coming.item, coming.at
            speaker.play(str(item), 0, loud[: WIRE.bytes_in(coming.ms)], coming.at)
            if coming.last:
                speaker.drain(str(item))
            coming = next(deltas, None)
        if speaker.read(frames, now + LATENCY) != silence and since is not None:
            outcome.waits.append((now - since) * 1000)
            since = None
        speaker.take_played()
        speaker.heard(now)
        now += BLOCK_MS / 1000
    outcome.underruns, outcome.target_ms = speaker.underruns, speaker.target_ms
    return outcome


def compare(seeds: int, minutes: float) -> None:
    """Every pattern, size of delta and buffer."""
    print(
        f"{minutes:g} minutes of answers, {JITTER * 1000:.0f} ms of jitter, {seeds} seeds: underruns of each seed;"
    )
    print("wait: first delta to first sound, mean; target: at the end, mean\n")
    width = 30
    print(f"{'network':<22}{'deltas':<14}" + "".join(f"{name:<{width}}" for name in BUFFERS))
    second = dict.fromkeys(BUFFERS, 0)
    cases = [(name, late, size, 1.0) for name, late in PATTERNS.items() for size in SIZES]
    cases += [(f"{name}, 4 x as fast", uniform, size, 4.0) for name in ["uniform"] for size in SIZES]
    for name, late, size, speed in cases:
        cells = []
        for buffer, make in BUFFERS.items():
            outcomes = [played(answers(seed, late, SIZES[size], minutes, speed), make()) for seed in range(seeds)]
            second[buffer] += sum(max(0, outcome.underruns - 1) for outcome in outcomes)
            wait = statistics.fmean(wait for outcome in outcomes for wait in outcome.waits)
            target = statistics.fmean(outcome.target_ms for outcome in outcomes)
            counts = " ".join(str(outcome.underruns) for outcome in outcomes)
            cells.append(f"{counts:<14}{wait:4.0f} ({target:.0f}) ms")
        print(f"{name:<22}{size:<14}" + "".join(f"{cell:<{width}}" for cell in cells), flush=True)
    print("\nunderruns after the first of a session: " + ", ".join(f"{name} {n}" for name, n in second.items()))


def tone(seconds: float, hertz: float) -> bytes:
    wave = 0.3 * 32767 * np.sin(2 * np.pi * hertz * np.arange(int(WIRE.rate * seconds)) / WIRE.rate)
    return wave.astype("<i2").tobytes()


def cost(form: AudioFormat, prepare: Callable[[Speaker], object]) -> tuple[float, float]:
    """(ms of processor time that `read` takes for a second of sound, the longest single one in µs by the clock)."""
    seconds, block_ms = 30, 8
    speaker = Speaker(form)
    speaker.play("A", 0, tone(seconds + 1, 440), 0.0)
    speaker.drain("A")
    spent, longest = 0.0, 0.0
    for n in range(seconds * 1000 // block_ms):
        prepare(speaker)
        begin, began = time.process_time(), time.perf_counter()
        speaker.read(form.samples_in(block_ms), n * block_ms / 1000)
        spent += time.process_time() - begin
        longest = max(longest, time.perf_counter() - began)
        speaker.take_played()
        speaker.heard(n * block_ms / 1000)
    return spent * 1000 / seconds, longest * 1e6


def down_and_up() -> Callable[[Speaker], None]:
    """Ducks and restores in turn."""
    turns = itertools.cycle([Speaker.duck, Speaker.restore])

    def turn(speaker: Speaker) -> None:
        next(turns)(speaker)

    return turn


def largest_step(seed: int, form: AudioFormat) -> tuple[float, int]:
    """(the largest step between two samples, how often it ran dry) of a tone with all that can happen to it."""
    rng = random.Random(seed)
    speaker = Speaker(form, jitter=Jitter(60, 60))
    whole, at, now, carried = tone(60, 200), 0, 0.0, b""
    while at < len(whole):
        size = 2 * rng.randrange(1, 3000)
        speaker.play("A", 0, whole[at : at + size], now)
        at += size
        for _ in range(rng.choice([0, 2, 6, 10, 15])):
            carried += speaker.read(form.rate // 100, now + LATENCY)
            now += 0.01
            rng.choice([speaker.duck, speaker.restore, bool, bool])()
    speaker.flush()
    carried += speaker.read(form.rate // 10, now + LATENCY)
    samples = np.frombuffer(carried, dtype="<i2").astype(int)
    return float(np.abs(np.diff(samples)).max()), speaker.underruns


def main() -> None:
    """Print the figures."""
    seeds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    minutes = float(sys.argv[2]) if len(sys.argv) > 2 else 30.0
    compare(seeds, minutes)

    print("\nread(), blocks of 8 ms: processor time for a second of sound, longest single call")
    for form in (AudioFormat(24_000, 1), AudioFormat(48_000, 1), AudioFormat(48_000, 2)):
        for name, prepare in (("plain", bool), ("ducked", Speaker.duck), ("always on a ramp", down_and_up())):
            spent, longest = cost(form, prepare)
            print(f"  {form.rate} Hz, {form.channels} ch, {name:<18}{spent:6.2f} ms {longest:8.0f} µs")

    print("\nlargest step of a tone of 200 Hz that runs dry, is ducked, restored and flushed at random")
    for form in (WIRE, AudioFormat(48_000, 1), AudioFormat(16_000, 1)):
        steps, dry = zip(*(largest_step(seed, form) for seed in range(seeds)), strict=True)
        own = 0.3 * 32767 * 2 * np.pi * 200 / form.rate
        fade = 0.3 * 32767 / form.samples_in(FADE_MS)
        print(
            f"  {form.rate} Hz: {max(steps):.0f}; the tone's own {own:.0f}, a fade's {fade:.0f}; without fades it "
            f"would be up to {0.3 * 32767:.0f}; ran dry {sum(dry)} times"
        )


if __name__ == "__main__":
    main()
