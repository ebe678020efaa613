"""Trains rtchat/audio/perceptron.npz in rooms from seeds: forty minutes on two cores. Needs PyTorch; no test does.

    pip install torch && python tests/bench/train_perceptron.py [rooms=1200] [first seed=300000]

In each room the assistant talks in one voice while other voices and noises come, at random times, so that nothing
can be learnt of when they come; the loudspeaker is turned down and stopped as a session would, and at random. The
voices of `rooms.SYNTHETIC` and the people who say short things, which the figures of bench_echo.py are taken with,
are left out, as are its seeds. A voice counts from its first sample to its last; what comes in the half second
after it counts neither way.

The last eighth of the rooms is not learnt from: it is what the table at the end is about.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import noises
import numpy as np
import rooms
import soxr
from echo_barge_in import CHUNK, INPUT_MS, OUTPUT_MS, RATE, Happening, Player, Scene, put

import rtchat.audio.perceptron
from rtchat.audio.canceller import load_canceller
from rtchat.audio.clues import CLUES, Clues
from rtchat.audio.echo import Echo
from rtchat.audio.gain import DUCK_MS, DUCKED, FADE_MS, RESTORE_MS
from rtchat.audio.perceptron import WEIGHTS, WINDOWS

SECONDS = 44.0
HIDDEN = (64, 16)
EPOCHS, BATCH, PACE = 40, 2048, 4e-3
SHAKEN = 0.05
"""Noise on the clues, of their own spread, so that none is learnt by heart."""

NOISES_WEIGH = 3.0
NOISES = (*noises.KINDS, "recorded", "hum", "uh-huh", "cough")
ESPEAK = (
    *(f"en-us+{variant}" for variant in ("f1", "f2", "f4", "f5", "m1", "m3", "m4", "m7", "m8")),
    *(
        f"en-us+{variant}"
        for variant in ("klatt2", "klatt4", "linda", "michael", "adam", "belinda", "edward", "paul")
    ),
    *("en-gb", "en-gb+f5", "en-gb+m2", "en-gb-scotland", "en-gb-x-rp+f1", "en-gb-x-gbclan"),
    *("de", "de+f2", "es+f2", "fr", "fr+m3", "it+f4"),
)
VOICES = (*(f"espeak {name}" for name in ESPEAK), "flite awb", "flite kal16", "flite kal")
SHORT = """
    no; stop; wait; wait a moment; what about tomorrow; hold on; that is wrong; thank you; okay stop; yes; hey
    listen; excuse me; can you repeat that; never mind; what; sorry; one more question; seven; cancel; go on
    be quiet; enough; next please; stop it; please stop talking; how much is it; are you there; i have a question
    okay; right; nope; good; shut up; hang on a second; wait wait; actually; but why; turn it off; pause
    not that one; can i say something
""".replace("\n", ";")
TEXTS = tuple(text.strip() for text in SHORT.split(";") if text.strip())


@dataclass(frozen=True, slots=True)
class Lesson:
    """One room: a row of clues for each window, whether a voice is in it, and how much it counts."""

    seed: int
    at: np.ndarray
    rows: np.ndarray
    voiced: np.ndarray
    counts: np.ndarray
    happenings: tuple[Happening, ...]


# --- rooms ------------------------------------------------------------------------------------------------


def lesson(seed: int) -> Lesson:
    draw = np.random.default_rng([seed, 99])
    room = rooms.Room(seed, **_odd_shape(draw))
    told = _scene(draw, room)
    actions = _actions(draw, told)
    echo, clues, player = Echo(load_canceller().process), Clues(), Player(told)
    fast = 1 + room.shape.drift_ppm * 1e-6
    played, sounded = 0, False
    found = []
    for begin in range(0, len(told.near) - CHUNK, CHUNK):
        now = (begin + CHUNK) / RATE + INPUT_MS / 1000
        while actions and actions[0][0] <= now:
            player.go(*actions.pop(0)[1:])
        taken = int((now + OUTPUT_MS / 1000) * RATE * fast)
        block = player.read(taken - played)
        room.play(block)
        echo.played(played / RATE / fast, rooms.to_wire(block))
        played = taken
        pcm = rooms.to_wire(room.record(CHUNK, told.near[begin : begin + CHUNK]))
        given = echo.feed(begin / RATE, pcm)
        if echo.active:
            found += clues.feed(begin / RATE, given, raw=pcm, far=echo.far, converged=echo.converged)
        elif sounded:
            clues.reset()
        sounded = echo.active
    at = np.array([clue.begins for clue in found])
    voiced, counts = _truth(at, told.happenings)
    return Lesson(seed, at, np.stack([clue.row for clue in found]), voiced, counts, told.happenings)


def _odd_shape(draw: np.random.Generator) -> dict[str, float]:
    """Rooms at the edge of what there is come more often than they do in the world."""
    chance = draw.uniform()
    if chance < 0.15:
        return {"jump_at": draw.uniform(3, 40), "jump_ms": draw.uniform(20, 200)}
    if chance < 0.25:
        return {"clip": draw.uniform(0.05, 0.15)}
    if chance < 0.33:
        return {"echo_db": draw.uniform(-6, 3)}
    return {"echo_db": draw.uniform(-80, -25)} if chance < 0.4 else {}


def _scene(draw: np.random.Generator, room: rooms.Room) -> Scene:
    far, near = np.zeros(int(SECONDS * RATE), np.float32), np.zeros(int(SECONDS * RATE), np.float32)
    voices = [*VOICES, "reader", "reader", "reader"]
    assistant = voices[int(draw.integers(len(voices)))]
    at = float(draw.uniform(0.2, 1))
    while at < SECONDS - 2:
        answer = _talk(draw, assistant, float(draw.uniform(3, 14)))
        put(far, answer, at)
        at += len(answer) / RATE + float(draw.uniform(0.5, 3))
    happenings = []
    at = float(draw.uniform(1, 3.5))
    while at < SECONDS - 3:
        kind = "claim" if draw.uniform() < 0.5 else NOISES[int(draw.integers(len(NOISES)))]
        samples = _claim(draw, assistant, room) if kind == "claim" else room.near(_noise(draw, kind))
        put(near, samples, at)
        happenings.append(Happening.of(kind, kind, samples, at))
        at = happenings[-1].ends + float(draw.uniform(0.5, 3))
    return Scene(far, near, (), tuple(happenings))


def _actions(draw: np.random.Generator, told: Scene) -> list[tuple[float, float, float]]:
    """(at, gain, ramp in ms): what a session does to the loudspeaker, mostly rightly."""
    actions = []
    for one in told.happenings:
        if draw.uniform() < 0.35:
            continue
        ducked = one.at + draw.uniform(0.06, 0.3)
        actions.append((ducked, DUCKED, DUCK_MS))
        if one.kind == "claim" and draw.uniform() < 0.4:
            actions.append((ducked + draw.uniform(0.1, 0.4), 0.0, FADE_MS))
            actions.append((one.ends + draw.uniform(0.3, 1), 1.0, RESTORE_MS))
        else:
            actions.append((max(ducked + 0.1, one.ends + draw.uniform(-0.3, 0.35)), 1.0, RESTORE_MS))
    for _ in range(int(draw.integers(0, 6))):
        at = draw.uniform(2, SECONDS)
        actions += [(at, DUCKED, DUCK_MS), (at + draw.uniform(0.15, 0.5), 1.0, RESTORE_MS)]
    return sorted(actions)


def _claim(draw: np.random.Generator, assistant: str, room: rooms.Room) -> rooms.Samples:
    readers = [one for one in rooms.people() if one.voice == "reader"]
    others = [voice for voice in VOICES if voice != assistant]
    chance, voice = draw.uniform(), others[int(draw.integers(len(others)))]
    if chance < 0.12 and assistant != "reader":
        read = readers[int(draw.integers(len(readers)))].samples
        said = read[int(draw.uniform(0, len(read) - 2.5 * RATE)) :]
    elif chance < 0.85:
        said = rooms.utter(voice, TEXTS[int(draw.integers(len(TEXTS)))]).samples
    else:
        said = rooms.utter(voice, rooms.TEXTS[int(draw.integers(len(rooms.TEXTS)))]).samples
    bent = soxr.resample(said, RATE * draw.uniform(0.88, 1.14), RATE).astype(np.float32)
    return room.near(bent[: int(draw.uniform(0.8, 2.5) * RATE)], float(draw.uniform(-12, 4)))


def _noise(draw: np.random.Generator, kind: str) -> rooms.Samples:
    seed = (1 << 31) + int(draw.integers(1 << 30))
    made = noises.recorded(seed) if kind == "recorded" else None
    return (made or noises.noise("knock" if kind == "recorded" else kind, seed)).samples


@cache
def _long(voice: str) -> tuple[rooms.Samples, ...]:
    if voice == "reader":
        return tuple(one.samples for one in rooms.people() if one.voice == "reader")
    return tuple(rooms.utter(voice, text).samples for text in rooms.TEXTS)


def _talk(draw: np.random.Generator, voice: str, seconds: float) -> rooms.Samples:
    parts: list[rooms.Samples] = []
    while sum(map(len, parts)) < seconds * RATE:
        pause = np.zeros(int(draw.uniform(0.1, 0.5) * RATE), np.float32)
        parts += [_long(voice)[int(draw.integers(len(_long(voice))))], pause]
    return np.concatenate(parts)[: int(seconds * RATE)]


def _truth(at: np.ndarray, happenings: tuple[Happening, ...]) -> tuple[np.ndarray, np.ndarray]:
    voiced, counts = np.zeros(len(at), np.float32), np.ones(len(at), np.float32)
    for one in happenings:
        if one.kind == "claim":
            voiced[(at > one.at - 0.01) & (at < one.ends + 0.02)] = 1
            counts[(at > one.at - 0.04) & (at < one.at - 0.01)] = 0
            counts[(at >= one.ends) & (at < one.ends + 0.5)] = 0
        else:
            counts[(at > one.at - 0.1) & (at < one.ends + 0.5)] = NOISES_WEIGH
    return voiced, counts


# --- learning ---------------------------------------------------------------------------------------------


def stacked(one: Lesson) -> np.ndarray:
    """Each window with those before it, as `Perceptron` sees them: nothing from before a pause."""
    ends = np.flatnonzero(np.diff(one.at) > 0.05) + 1
    pieces = []
    for begin, end in pairwise([0, *ends, len(one.at)]):
        padded = np.concatenate([np.zeros((WINDOWS - 1, CLUES), np.float32), one.rows[begin:end]])
        views = np.lib.stride_tricks.sliding_window_view(padded, WINDOWS, axis=0)
        pieces.append(views.transpose(0, 2, 1).reshape(end - begin, -1))
    return np.concatenate(pieces)


def trained(lessons: list[Lesson]):
    import torch
    from torch import nn

    torch.manual_seed(1)
    rows, voiced, counts = (
        torch.from_numpy(np.concatenate(parts))
        for parts in (
            [stacked(one) for one in lessons],
            [one.voiced for one in lessons],
            [one.counts for one in lessons],
        )
    )
    mean, spread = rows.mean(0), rows.std(0) + 1e-3
    rows = (rows - mean) / spread
    sizes = [rows.shape[1], *HIDDEN, 1]
    layers = [nn.Linear(before, after) for before, after in pairwise(sizes)]
    net = nn.Sequential(layers[0], nn.ReLU(), nn.Dropout(0.1), layers[1], nn.ReLU(), layers[2])
    teacher = torch.optim.AdamW(net.parameters(), weight_decay=1e-3)
    steps = EPOCHS * -(-len(rows) // BATCH)
    pace = torch.optim.lr_scheduler.OneCycleLR(teacher, PACE, total_steps=steps)
    loss = nn.BCEWithLogitsLoss(reduction="none")
    for epoch in range(EPOCHS):
        total = 0.0
        for some in torch.randperm(len(rows)).split(BATCH):
            shaken = rows[some] + SHAKEN * torch.randn(len(some), rows.shape[1])
            wrong = (loss(net(shaken)[:, 0], voiced[some]) * counts[some]).mean()
            teacher.zero_grad()
            wrong.backward()
            teacher.step()
            pace.step()
            total += wrong.item() * len(some)
        print(f"  {epoch + 1} of {EPOCHS}: {total / len(rows):.4f}", flush=True)
    first = layers[0].weight.detach() / spread
    weights = [first, *(layer.weight.detach() for layer in layers[1:])]
    biases = [layers[0].bias.detach() - first @ mean, *(layer.bias.detach() for layer in layers[1:])]
    return [
        (w.numpy().astype(np.float16), b.numpy().astype(np.float32)) for w, b in zip(weights, biases, strict=True)
    ]


def scores(layers, rows: np.ndarray) -> np.ndarray:
    for n, (weights, bias) in enumerate(layers):
        rows = (np.maximum(rows, 0) if n else rows) @ weights.astype(np.float32).T + bias
    return 1 / (1 + np.exp(-rows[:, 0]))


def table(layers, lessons: list[Lesson]) -> None:
    """What came over a score, of two windows on average, in rooms that nothing was learnt from."""
    print(f"{'score':8s}{'claims':>8s}{'after ms':>14s}  noises; windows with nothing in them")
    found = [(one, (s := scores(layers, stacked(one))), (s + np.roll(s, 1)) / 2) for one in lessons]
    for least in (0.5, 0.6, 0.7, 0.8, 0.9, 0.95):
        after, over, nothing, empty = [], defaultdict(list), 0, 0
        for one, _, mean in found:
            free = np.ones(len(one.at), bool)
            for what in one.happenings:
                within = (one.at > what.at - 0.06) & (one.at < what.ends + 0.25)
                free[(one.at > what.at - 0.1) & (one.at < what.ends + 0.6)] = False
                if within.sum() > 3:
                    over[what.kind].append(bool((mean[within] >= least).any()))
                    if what.kind == "claim" and over["claim"][-1]:
                        after.append(1000 * (one.at[within][mean[within] >= least][0] + 0.032 - what.at))
            nothing, empty = nothing + int((mean[free] >= least).sum()), empty + int(free.sum())
        claims = over.pop("claim")
        others = ", ".join(f"{kind} {sum(heard)} of {len(heard)}" for kind, heard in sorted(over.items()))
        took = f"{np.median(after):.0f} / {np.percentile(after, 95):.0f}"
        print(f"{least:<8}{100 * np.mean(claims):7.1f}%{took:>14s}  {others}; {nothing} of {empty}")


def main() -> None:
    """Make the rooms, learn from most, and write the weights."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1200
    first = int(sys.argv[2]) if len(sys.argv) > 2 else 300_000
    if lacking := rooms.missing():
        sys.exit(f"not installed: {', '.join(lacking)}")
    with ProcessPoolExecutor(2) as pool:
        lessons = list(pool.map(lesson, range(first, first + count), chunksize=4))
    print(f"{sum(len(one.at) for one in lessons)} windows in {count} rooms", flush=True)
    layers = trained(lessons[: -count // 8])
    path = Path(rtchat.audio.perceptron.__file__).with_name(WEIGHTS)
    kept = {f"w{n}": weights for n, (weights, _) in enumerate(layers)}
    np.savez_compressed(path, **kept, **{f"b{n}": bias for n, (_, bias) in enumerate(layers)})
    table(layers, lessons[-count // 8 :])


if __name__ == "__main__":
    main()
