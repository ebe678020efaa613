"""Conversations in rooms from seeds, as arrays: what is left of the echo, and of the user; part of bench_echo.py.

    python tests/bench/echo_cancelling.py [rooms=60] [first seed=0]

Both devices have clocks of their own and call back late, and sound goes the way it goes in a session: device
clocks, microphone, Echo. The assistant speaks, then the user, then the assistant, then both at once.
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
import soxr
from rooms import RATE, SYNTHETIC, Room, Samples, Utterance, dbfs, devices, from_wire, people, synthetic, to_wire

from rtchat.audio.canceller import load_canceller
from rtchat.audio.clock import DeviceClock
from rtchat.audio.echo import Echo, Process
from rtchat.audio.microphone import Microphone
from rtchat.chunk import WIRE, AudioFormat

SECONDS = 30
FIRST, USER, SECOND, BOTH = (2, 8), (9, 13), (14, 22), (22, 29)
"""Seconds in which the assistant speaks, then the user, then the assistant again, then both."""

RECOGNISED = 3
"""Words are counted in every third room: a recogniser is slow."""


@dataclass(frozen=True, slots=True)
class Conversation:
    """Both ends, and what the user says while the assistant speaks: (first sample, last sample, words)."""

    room: Room
    far: Samples
    near: Samples
    said: tuple[tuple[int, int, str], ...]


@dataclass(slots=True)
class Outcome:
    """Of one room; levels in dB, `words` are (spoken, heard) alone, before and after cancelling."""

    seed: int
    early: float = 0.0
    erle: float = 0.0
    told: float | None = None
    echo: float = 0.0
    residual: float = 0.0
    noise: float = 0.0
    user: float = 0.0
    both: float = 0.0
    cpu: float = 0.0
    verdict: str = ""
    phones: str = ""
    phones_silent: str = ""
    useless: str = ""
    words: dict[str, tuple[int, int]] = field(default_factory=dict)


def conversation(seed: int, *, talks_over: bool = True, always: bool = False, **explicit) -> Conversation:
    """The conversation of this seed.

    Args:
        seed: Of the room, the voices and the words.
        talks_over: The user speaks while the assistant does, at the end.
        always: And before that as well, whenever the assistant speaks.
        explicit: Fields of the room's shape.
    """
    draw, room = np.random.default_rng([seed, 3]), Room(seed, **explicit)
    far, near = np.zeros(SECONDS * RATE, np.float32), np.zeros(SECONDS * RATE, np.float32)
    assistant = synthetic(SYNTHETIC[seed % len(SYNTHETIC)])
    gain = float(draw.uniform(-8, 4))

    def of_user(utterance: Utterance) -> Samples:
        return room.near(utterance.samples, gain)

    for begins, ends in (FIRST, SECOND, BOTH):
        _talk(draw, far, begins, ends, assistant, lambda utterance: utterance.samples)
    _talk(draw, near, *USER, people(), of_user)
    if always:
        _talk(draw, near, *FIRST, people(), of_user)
        _talk(draw, near, *SECOND, people(), of_user)
    said = _talk(draw, near, *BOTH, people(), of_user) if talks_over or always else []
    return Conversation(room, far, near, tuple(said))


def through(told: Conversation, process: Process) -> tuple[Samples, Samples, Echo, float]:
    """What the microphone gave, what became of it, who did it, and the processor's seconds for each second."""
    echo, microphone = Echo(process), Microphone(WIRE)
    clocks = {"loudspeaker": DeviceClock(RATE), "microphone": DeviceClock(RATE)}
    raw, given, cost = [], [], 0.0
    for block in devices(told.room, told.far, told.near, seed=1):
        pcm = to_wire(block.samples)
        began = time.process_time()
        at = clocks[block.side].begins(len(block.samples), block.at)
        if block.side == "microphone":
            for begins, chunk in microphone.feed(pcm, at):
                raw.append(chunk)
                given.append(echo.feed(begins, chunk))
        elif any(pcm):
            echo.played(at, pcm)
        cost += time.process_time() - began
    return from_wire(b"".join(raw)), from_wire(b"".join(given)), echo, cost / SECONDS


def run(seed: int) -> Outcome:
    """One room, and the verdicts in it with headphones, and with a canceller that does nothing."""
    told = conversation(seed)
    raw, given, echo, cpu = through(told, load_canceller().process)
    outcome = Outcome(seed, verdict=echo.verdict, told=echo.erle_db, cpu=cpu)
    outcome.early = _fall(raw, given, FIRST[0] + 2, FIRST[1])
    outcome.erle = _fall(raw, given, SECOND[0] + 3, SECOND[1])
    outcome.echo, outcome.residual = (dbfs(_part(sound, SECOND[0] + 3, SECOND[1])) for sound in (raw, given))
    outcome.noise = dbfs(_part(raw, 0, 2))
    outcome.user = -_fall(raw, given, USER[0] + 0.8, USER[1])
    if seed % RECOGNISED == 0:
        outcome.words = recognised(told, conversation(seed, echo_db=-90), raw, given)
    if seed % 2:
        _, _, echo, _ = through(conversation(seed, always=True, echo_db=-90), load_canceller().process)
        outcome.phones = echo.verdict
        _, _, echo, _ = through(conversation(seed, talks_over=False, echo_db=-90), load_canceller().process)
        outcome.phones_silent = echo.verdict
    else:
        _, _, echo, _ = through(conversation(seed), lambda near, far: near)
        outcome.useless = echo.verdict
    return outcome


def recognised(told: Conversation, alone: Conversation, raw: Samples, given: Samples) -> dict[str, tuple[int, int]]:
    """Words that the user spoke, and those that the embedded server's recogniser heard of them."""
    from rtchat.server.engines.sphinx_worker import Hearing

    hearing = Hearing()
    alone.room.play(alone.far)
    sounds = {"alone": alone.room.record(len(alone.near), alone.near), "before": raw, "after": given}
    words = {}
    for name, sound in sounds.items():
        spoken = heard = 0
        for begin, end, text in told.said:
            piece = soxr.resample(sound[begin - RATE // 5 : end + RATE // 5], RATE, 16_000)
            got, _ = hearing.hear(to_wire(piece), 16_000, None)
            spoken += len(text.split())
            heard += _common(text.split(), got.split())
        words[name] = spoken, heard
    return words


def _talk(
    draw: np.random.Generator,
    track: Samples,
    begins: float,
    ends: float,
    said: tuple[Utterance, ...],
    sound: Callable[[Utterance], Samples],
) -> list[tuple[int, int, str]]:
    """Fill a stretch with utterances and short pauses; the last may be cut short, and is not told then."""
    at, last, told = int(begins * RATE), int(ends * RATE), []
    while at < last - RATE // 2:
        utterance = said[int(draw.integers(len(said)))]
        samples = sound(utterance)[: last - at]
        track[at : at + len(samples)] += samples
        if at + len(utterance.samples) <= last:
            told.append((at, at + len(utterance.samples), utterance.text))
        at += len(utterance.samples) + int(draw.uniform(0.1, 0.6) * RATE)
    return told


def _part(samples: Samples, begins: float, ends: float) -> Samples:
    return samples[int(begins * RATE) : int(ends * RATE)]


def _fall(raw: Samples, given: Samples, begins: float, ends: float) -> float:
    return dbfs(_part(raw, begins, ends)) - dbfs(_part(given, begins, ends))


def _common(spoken: list[str], heard: list[str]) -> int:
    """Words heard in the order in which they were spoken."""
    row = [0] * (len(heard) + 1)
    for word in spoken:
        before = row[:]
        for n, other in enumerate(heard):
            row[n + 1] = before[n] + 1 if word == other else max(before[n + 1], row[n])
    return row[-1]


# --- figures ----------------------------------------------------------------------------------------------


def spread(values: list[float]) -> str:
    return "p10 {:6.1f}   median {:6.1f}   p90 {:6.1f}".format(*np.percentile(values, [10, 50, 90]))


def report(found: list[Outcome]) -> None:
    clear = [o for o in found if o.echo > o.noise + 10]
    print(f"{len(found)} rooms, {SECONDS} s each; in {len(clear)} the echo is 10 dB above the noise\n")
    print(f"echo return loss enhancement, dB            {spread([o.erle for o in found])}")
    print(f"  of these {len(clear)}                               {spread([o.erle for o in clear])}")
    print(f"  in the first answer, from its third second {spread([o.early for o in clear])}")
    print(f"  as it is told, less what it is             {spread([o.told - o.erle for o in clear if o.told])}")
    print(f"what is left, dBFS                          {spread([o.residual for o in found])}")
    print(f"  without canceller                         {spread([o.echo for o in found])}")
    print(f"  against the noise before, dB              {spread([o.residual - o.noise for o in found])}")
    most = max(found, key=lambda o: abs(o.user))
    print(f"the user's level, assistant silent, dB      {spread([o.user for o in found])}   most {most.user:.2f}")
    print(f"processor, % of a core                      {spread([100 * o.cpu for o in found])}")
    for name, what in (
        ("alone", "nobody else speaks"),
        ("before", "without canceller"),
        ("after", "with canceller"),
    ):
        spoken, heard = (sum(o.words[name][n] for o in found if o.words) for n in (0, 1))
        print(f"words lost, {what:20s}            {100 * (1 - heard / spoken):.0f} % of {spoken}")
    print("\nverdicts")
    for name, what in (
        ("verdict", "loudspeaker"),
        ("phones_silent", "headphones, the user listens"),
        ("phones", "headphones, the user always speaks"),
        ("useless", "a canceller that does nothing"),
    ):
        told = Counter(getattr(o, name) for o in found if getattr(o, name))
        print(f"  {what:36s}{', '.join(f'{verdict} {count}' for verdict, count in told.most_common())}")


def machinery() -> None:
    """What comes before the echo: a microphone of 48 kHz stereo, and both clocks."""
    microphone, clocks = Microphone(AudioFormat(48_000, 2)), (DeviceClock(48_000), DeviceClock(48_000))
    block = np.random.default_rng(1).integers(-999, 999, 768).astype("<i2").tobytes()
    began = time.process_time()
    for n in range(2500):
        clocks[0].begins(384, n * 0.008)
        microphone.feed(block, clocks[1].begins(384, n * 0.008))
    print(f"processor before that, 48 kHz stereo        {(time.process_time() - began) / 20 * 100:.2f} % of a core")


def main(count: int = 60, first: int = 0) -> None:
    """Run and print."""
    began = time.perf_counter()
    with ProcessPoolExecutor(2) as pool:
        found = list(pool.map(run, range(first, first + count)))
    report(found)
    machinery()
    print(f"\n{time.perf_counter() - began:.0f} s")
    for o in found:
        wrong = o.verdict == "failing" or "failing" in (o.phones, o.phones_silent) or abs(o.user) > 1
        if wrong or (o in found and o.echo > o.noise + 10 and o.erle < 15):
            print(f"  seed {o.seed}: ERLE {o.erle:.1f}, {o.verdict}, user {o.user:.2f}, headphones {o.phones}")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
