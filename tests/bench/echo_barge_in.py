"""Whole conversations in rooms from seeds: who interrupts the assistant, and how soon; part of bench_echo.py.

    python tests/bench/echo_barge_in.py [rooms=60] [first seed=2000] [sensitivity=medium]

The assistant answers again and again; noises come, and the user speaks. Sound goes the way it goes in a session:
room, Echo, BargeIn; what is told turns the loudspeaker down, stops it, or turns it up again; the room hears that.
The server's own detector (Silero at 0.5, the embedded server's) listens to what is sent: held back while speech is
suspected, silence where that is dismissed and where the policy names an echo.

Devices: a chunk is there `INPUT_MS` after its last sample was recorded, and what is decided is heard `OUTPUT_MS`
after that, as the loudspeaker's buffer is full until then; both, and the ramps, are in the figures. The policy was
tuned on seeds 6000 to 6119; its perceptron has learnt in other rooms from other voices (train_perceptron.py).
"""

from __future__ import annotations

import sys
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

sys.path.insert(0, str(Path(__file__).parents[1]))

import noises
import numpy as np
import rooms
import soxr

from rtchat.audio.barge_in import BargeIn, Sensitivity
from rtchat.audio.canceller import load_canceller
from rtchat.audio.echo import Echo
from rtchat.audio.gain import DUCK_MS, DUCKED, FADE_MS, RESTORE_MS
from rtchat.conversation.signals import VoiceConfirmed, VoiceDismissed, VoiceSuspected
from rtchat.protocol.config import ServerVad
from rtchat.server.dialogue.turns import Segmenter, Started
from rtchat.silero import SileroDetector

RATE = 24_000
CHUNK = 480
INPUT_MS, OUTPUT_MS = 20, 40
ANSWERS = 4
ANSWER_SECONDS, GAP_SECONDS = 9.0, 2.5
CLAIMS = (
    "no",
    "stop",
    "wait a moment",
    "what about tomorrow",
    "hold on",
    "that is wrong",
    "thank you",
    "okay stop",
)
Condition = Literal["canceller", "none"]


@dataclass(frozen=True, slots=True)
class Happening:
    """Something at the near end: seconds of its first audible sample."""

    kind: str
    name: str
    at: float
    ends: float

    @classmethod
    def of(cls, kind: str, name: str, samples: rooms.Samples, at: float) -> Happening:
        """Samples that begin at so many seconds; they are heard where they are within 25 dB of their loudest."""
        power = np.mean(samples[: len(samples) // 240 * 240].reshape(-1, 240) ** 2, axis=1)
        loud = np.flatnonzero(power > power.max() * 10**-2.5)
        return cls(kind, name, at + loud[0] / 100, at + (loud[-1] + 1) / 100)


@dataclass(frozen=True, slots=True)
class Scene:
    """What will be played if nobody stops it, what the room is told, and when which answer sounds."""

    far: rooms.Samples
    near: rooms.Samples
    answers: tuple[tuple[float, float], ...]
    happenings: tuple[Happening, ...]


@dataclass(slots=True)
class Outcome:
    """Of one room.

    `told` is of each happening: (kind, name, seconds of onset to ducked, to silence); None where it never came.
    """

    seed: int
    spoken: float = 0.0
    self_interruptions: list[float] = field(default_factory=list)
    self_ducks: int = 0
    server_self: int = 0
    server_noises: int = 0
    server_heard: int = 0
    told: list[tuple[str, str, float | None, float | None]] = field(default_factory=list)
    cpu: float = 0.0


def scene(seed: int, room: rooms.Room) -> Scene:
    draw = np.random.default_rng([seed, 23])
    voices = [*rooms.SYNTHETIC, "reader"]
    assistant = voices[seed % len(voices)]
    seconds = 1.0 + ANSWERS * (ANSWER_SECONDS + GAP_SECONDS)
    far = np.zeros(int(seconds * RATE), np.float32)
    near = np.zeros_like(far)
    answers, happenings = [], []
    for n in range(ANSWERS):
        start = 1.0 + n * (ANSWER_SECONDS + GAP_SECONDS)
        answers.append((start, start + ANSWER_SECONDS))
        put(far, _talk(draw, assistant, ANSWER_SECONDS), start)
        times = [] if n == 0 else [1.5 + draw.uniform(0, 1), 4.0 + draw.uniform(0, 0.8)]
        for at in times:
            noise = _noise(draw)
            happenings.append(_happen(near, room, noise.kind, noise.name, noise.samples, start + at, 0.0))
        claim = _claim(draw, assistant)
        gain = float(draw.uniform(-10, 2))
        at = start + ANSWER_SECONDS - 2.5 + draw.uniform(0, 0.5)
        happenings.append(_happen(near, room, *claim, at, gain))
    return Scene(far, near, tuple(answers), tuple(happenings))


def run(seed: int, condition: Condition, sensitivity: Sensitivity = "medium") -> Outcome:
    room = rooms.Room(seed)
    told = scene(seed, room)
    process = load_canceller().process if condition == "canceller" else _as_it_is
    echo, policy = Echo(process), BargeIn(sensitivity)
    player, server = Player(told), _Server()
    outcome = Outcome(seed)
    fast = 1 + room.shape.drift_ppm * 1e-6
    marks = _Marks(told, outcome)
    played = 0
    for begin in range(0, len(told.near) - CHUNK, CHUNK):
        now = (begin + CHUNK) / RATE + INPUT_MS / 1000
        taken = int((now + OUTPUT_MS / 1000) * RATE * fast)
        block = player.read(taken - played)
        room.play(block)
        echo.played(played / RATE / fast, rooms.to_wire(block))
        played = taken
        pcm = rooms.to_wire(room.record(CHUNK, told.near[begin : begin + CHUNK]))
        clock = time.process_time()
        given = echo.feed(begin / RATE, pcm)
        voices = policy.feed(
            begin / RATE,
            given,
            sounding=echo.active,
            raw=pcm,
            far=echo.far,
            converged=echo.converged,
        )
        outcome.cpu += time.process_time() - clock
        for voice in voices:
            marks.told(voice, now, player)
            server.told(voice)
        if server.hear(bytes(len(given)) if policy.spurious else given):
            marks.server(begin / RATE)
        if player.sounds_at(now):
            outcome.spoken += CHUNK / RATE
    marks.finish()
    return outcome


class Player:
    """The loudspeaker: turned down, stopped until the next answer, or turned up; `OUTPUT_MS` are taken already."""

    def __init__(self, told: Scene) -> None:
        self._far = told.far
        self._starts = [int(start * RATE) for start, _ in told.answers]
        self._at = 0
        self._gain = 1.0
        self._ramp = np.ones(0, np.float32)

    def read(self, frames: int) -> rooms.Samples:
        if any(self._at <= start < self._at + frames for start in self._starts):
            self._gain, self._ramp = 1.0, self._ramp[:0]
        ramp, self._ramp = self._ramp[:frames], self._ramp[frames:]
        gains = np.concatenate([ramp, np.full(frames - len(ramp), self._gain, np.float32)])
        block = self._far[self._at : self._at + frames]
        block = np.concatenate([block, np.zeros(frames - len(block), np.float32)])
        self._at += frames
        return (block * gains).astype(np.float32)

    def go(self, gain: float, ms: float) -> float:
        """Seconds until it is there."""
        now = float(self._ramp[0]) if len(self._ramp) else self._gain
        self._ramp = np.linspace(now, gain, int(ms * RATE / 1000), dtype=np.float32)
        self._gain = gain
        return (OUTPUT_MS + ms) / 1000

    def sounds_at(self, now: float) -> bool:
        at = int(now * RATE)
        return self._gain > 0 and bool(self._far[at : at + RATE // 10].any())


class _Marks:
    """What is told, against what happened."""

    def __init__(self, told: Scene, outcome: Outcome) -> None:
        self._scene, self._outcome = told, outcome
        self._ducked: dict[Happening, float] = {}
        self._silent: dict[Happening, float] = {}
        self._stopped: set[int] = set()
        self._suspect: Happening | None = None
        self._server: set[Happening] = set()

    def told(self, voice: object, now: float, player: Player) -> None:
        answer = self._answer(now)
        if answer is None or answer in self._stopped:
            return
        happening = self._what(now)
        if isinstance(voice, VoiceSuspected):
            self._suspect = happening
            there = player.go(DUCKED, DUCK_MS)
            if happening is None:
                self._outcome.self_ducks += 1
            else:
                self._ducked.setdefault(happening, now + there - happening.at)
        elif isinstance(voice, VoiceDismissed):
            player.go(1.0, RESTORE_MS)
        elif isinstance(voice, VoiceConfirmed):
            there = player.go(0.0, FADE_MS)
            self._stopped.add(answer)
            happening = happening or self._suspect
            if happening is None:
                self._outcome.self_interruptions.append(round(now, 2))
            else:
                self._silent[happening] = now + there - happening.at

    def server(self, at: float) -> None:
        answer, happening = self._answer(at), self._what(at)
        if answer is None:
            return
        if happening is None:
            self._outcome.server_self += answer not in self._stopped
        elif happening not in self._server:
            self._server.add(happening)
            self._outcome.server_heard += happening.kind == "claim"
            self._outcome.server_noises += happening.kind != "claim"

    def finish(self) -> None:
        for happening in self._scene.happenings:
            answer = self._answer(happening.at)
            stopper = [h for h in self._silent if self._answer(h.at) == answer]
            if stopper and stopper[0].at < happening.at:
                continue  # the answer had ended before
            self._outcome.told.append(
                (happening.kind, happening.name, self._ducked.get(happening), self._silent.get(happening))
            )

    def _answer(self, now: float) -> int | None:
        return next((n for n, (a, b) in enumerate(self._scene.answers) if a <= now < b + 0.5), None)

    def _what(self, now: float) -> Happening | None:
        """The happening that the policy can know of: until its echo, and the detector's memory, are over."""
        near = [h for h in self._scene.happenings if h.at <= now <= h.ends + 0.4]
        return near[-1] if near else None


class _Server:
    """The embedded server's detector, and the gate before it."""

    def __init__(self) -> None:
        self._detector = SileroDetector()
        self._segmenter = Segmenter(ServerVad())
        self._held: list[bytes] | None = None
        self._pending = np.zeros(0, np.float32)
        self._started = False

    def told(self, voice: object) -> None:
        if isinstance(voice, VoiceSuspected):
            self._held = []
        elif isinstance(voice, VoiceDismissed) and self._held is not None:
            held, self._held = self._held, None
            self._send(bytes(len(b"".join(held))))
        elif isinstance(voice, VoiceConfirmed) and self._held is not None:
            held, self._held = self._held, None
            self._send(b"".join(held))

    def hear(self, pcm: bytes) -> bool:
        if self._held is not None:
            self._held.append(pcm)
        else:
            self._send(pcm)
        started, self._started = self._started, False
        return started

    def _send(self, pcm: bytes) -> None:
        self._pending = np.concatenate([self._pending, rooms.from_wire(pcm)])
        while len(self._pending) >= 768:
            window, self._pending = self._pending[:768], self._pending[768:]
            small = rooms.to_wire(soxr.resample(window, 24, 16, quality="LQ"))
            if isinstance(self._segmenter.feed(self._detector.probability(small)), Started):
                self._started = True


def _as_it_is(near: bytes, far: bytes) -> bytes:
    return near


# --- scenes -----------------------------------------------------------------------------------------------


def _talk(draw: np.random.Generator, voice: str, seconds: float) -> rooms.Samples:
    pool = [u for u in rooms.people() if u.voice == voice] if voice == "reader" else rooms.synthetic(voice)
    parts: list[rooms.Samples] = []
    while sum(map(len, parts)) < seconds * RATE:
        parts += [
            pool[int(draw.integers(len(pool)))].samples,
            np.zeros(int(draw.uniform(0.1, 0.5) * RATE), np.float32),
        ]
    return np.concatenate(parts)[: int(seconds * RATE)]


def _noise(draw: np.random.Generator) -> noises.Noise:
    kinds = [*noises.KINDS, "recorded"]
    kind, seed = kinds[int(draw.integers(len(kinds)))], int(draw.integers(1 << 30))
    return (noises.recorded(seed) if kind == "recorded" else None) or noises.noise(
        kind if kind != "recorded" else "knock", seed
    )


def _claim(draw: np.random.Generator, assistant: str) -> tuple[str, str, rooms.Samples]:
    if draw.uniform() < 0.5:
        pool = [u for u in rooms.people() if u.voice not in (assistant, "reader")]
    else:
        voices = [voice for voice in rooms.SYNTHETIC if voice != assistant]
        voice = voices[int(draw.integers(len(voices)))]
        pool = [rooms.utter(voice, text) for text in CLAIMS] + list(rooms.synthetic(voice)[:2])
    said = pool[int(draw.integers(len(pool)))]
    return "claim", f"{said.voice}: {said.text[:24]}", said.samples[: int(2.2 * RATE)]


def _happen(
    near: rooms.Samples, room: rooms.Room, kind: str, name: str, samples, at: float, gain: float
) -> Happening:
    put(near, room.near(samples, gain), at)
    return Happening.of(kind, name, samples, at)


def put(where: rooms.Samples, what: rooms.Samples, at: float) -> None:
    """Add samples at so many seconds; what is past the end is left out."""
    begin = int(at * RATE)
    what = what[: len(where) - begin]
    where[begin : begin + len(what)] += what


# --- figures ----------------------------------------------------------------------------------------------


def figures(outcomes: list[Outcome]) -> dict[str, str]:
    """One column of the table."""
    hours = sum(one.spoken for one in outcomes) / 3600
    told = [one for outcome in outcomes for one in outcome.told]
    claims = [one for one in told if one[0] == "claim"]

    def ended(*kinds: str) -> str:
        of = [one for one in told if one[0] in kinds]
        return f"{sum(one[3] is not None for one in of)} of {len(of)}"

    def times(n: int) -> str:
        found = [1000 * one[n] for one in claims if one[n] is not None]
        return f"{np.median(found):.0f} / {np.percentile(found, 95):.0f} ms" if found else "-"

    heard = sum(one[3] is not None for one in claims)
    return {
        "the assistant's speech": f"{60 * hours:.0f} min",
        "interrupted itself, per hour": f"{sum(len(one.self_interruptions) for one in outcomes) / hours:.1f}",
        "ducked for nothing, per hour": f"{sum(one.self_ducks for one in outcomes) / hours:.0f}",
        "the server's detector would, per hour": f"{sum(one.server_self for one in outcomes) / hours:.1f}",
        "real barge-ins heard": f"{heard} of {len(claims)} ({100 * heard / len(claims):.1f} %)",
        "onset to ducked, median / p95": times(2),
        "onset to silence, median / p95": times(3),
        "answers ended by coughs": ended("cough"),
        "  by slams, knocks, clicks, keys": ended("slam", "knock", "click", "keyboard", "recorded"),
        "  by a scraping chair": ended("chair"),
        "  by mhm": ended("hum", "spoken hum"),
        "  by uh-huh": ended("uh-huh"),
        "noises that the server heard": str(sum(one.server_noises for one in outcomes)),
        "processor, of a core": f"{100 * sum(one.cpu for one in outcomes) / len(outcomes) / _seconds():.2f} %",
    }


def half_duplex(outcomes: list[Outcome]) -> dict[str, str]:
    """The microphone is shut while the assistant sounds: nothing wrong is heard, and nothing right."""
    told = [one for outcome in outcomes for one in outcome.told]
    claims = sum(one[0] == "claim" for one in told)
    none = dict.fromkeys(figures(outcomes), "0")
    shut = {name: "-" for name in none if "onset" in name or "processor" in name or "speech" in name}
    return none | shut | {"real barge-ins heard": f"0 of {claims}"}


def table(columns: dict[str, dict[str, str]]) -> None:
    """Side by side."""
    print(f"{'':40s}" + "".join(f"{name:>22s}" for name in columns))
    for row in next(iter(columns.values())):
        print(f"{row:40s}" + "".join(f"{column[row]:>22s}" for column in columns.values()))


def failures(outcomes: list[Outcome]) -> None:
    """What went wrong, by room."""
    for one in outcomes:
        wrong = [told[1] for told in one.told if (told[0] == "claim") != (told[3] is not None)]
        if one.self_interruptions or wrong:
            print(f"  room {one.seed}: itself at {one.self_interruptions}, wrong: {'; '.join(wrong)}")


def _seconds() -> float:
    return 1.0 + ANSWERS * (ANSWER_SECONDS + GAP_SECONDS)


def main() -> None:
    """Run the rooms, print the table."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 60
    first = int(sys.argv[2]) if len(sys.argv) > 2 else 2000
    sensitivity = sys.argv[3] if len(sys.argv) > 3 else "medium"
    if lacking := rooms.missing():
        sys.exit(f"not installed: {', '.join(lacking)}")
    found = {}
    with ProcessPoolExecutor(2) as pool:
        for condition in ("canceller", "none"):
            found[condition] = list(
                pool.map(run, range(first, first + count), [condition] * count, [sensitivity] * count)
            )
    table(
        {
            "canceller": figures(found["canceller"]),
            "no canceller": figures(found["none"]),
            "half duplex": half_duplex(found["canceller"]),
        }
    )
    failures(found["canceller"])


if __name__ == "__main__":
    main()
