"""Sounds that mean no interruption, made from a seed: coughs, knocks, slams, clicks, keys, chairs, "mhm", "uh-huh".

Each is made the way the thing makes it: a throat is a source (noise, or pulses of the glottis) through resonances;
what is struck rings in its modes. Two voices say "mhm" by its phonemes; where Debian's minetest-data (doors, wood,
footsteps, glass) and bucklespring-data (a keyboard) are installed, their recordings join in.
"""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

RATE = 24_000
VOICE_DBFS = -20.0
"""As in `rooms`: the level of a voice that the noises' own levels are told against."""

DOORS = Path("/usr/share/games/minetest/games/minetest_game/mods")
KEYS = Path("/usr/share/buckle/wav")

Samples = np.ndarray[tuple[int], np.dtype[np.float32]]
Draw = np.random.Generator


@dataclass(frozen=True, slots=True)
class Noise:
    """One sound, alone, without silence around.

    Attributes:
        kind: One of `KINDS`.
        name: Which one it is, for a list of failures.
        samples: 24 kHz.
    """

    kind: str
    name: str
    samples: Samples


def noise(kind: str, seed: int) -> Noise:
    """One of a kind, the same for the same seed."""
    draw = np.random.default_rng([seed, sorted(KINDS).index(kind)])
    samples, quiet, loud = KINDS[kind]
    made = samples(draw)
    level = VOICE_DBFS + draw.uniform(quiet, loud)
    return Noise(kind, f"{kind} {seed}", _at_level(made, level))


def recorded(seed: int) -> Noise | None:
    """One of the recordings that are installed here; None where none is."""
    draw = np.random.default_rng([seed, 97])
    kinds = [kind for kind in ("thing", "key") if _recordings(kind)]
    if not kinds:
        return None
    kind = kinds[int(draw.integers(len(kinds)))]
    path = _recordings(kind)[int(draw.integers(len(_recordings(kind))))]
    pieces = [_decoded(path)]
    if kind == "key":
        pieces = [
            _decoded(path.with_name(f"{path.stem[:-1]}{n % 2}.wav")) for n in range(int(draw.integers(2, 13)))
        ]
    samples = _spread(pieces, [float(draw.uniform(0.06, 0.16)) for _ in pieces])
    return Noise("recorded", f"{path.stem} {seed}", _at_level(samples, VOICE_DBFS + draw.uniform(-12, 6)))


# --- throats ----------------------------------------------------------------------------------------------


def cough(draw: Draw) -> Samples:
    """One to three: a burst as the glottis opens, then noise through an open mouth, often a voiced end."""
    count = int(draw.choice([1, 1, 2, 3]))
    throat = draw.uniform(0.85, 1.2)
    coughs = [_one_cough(draw, throat) * draw.uniform(0.5, 1.0) for _ in range(count)]
    return _spread(coughs, [draw.uniform(0.3, 0.6) for _ in coughs])


def _one_cough(draw: Draw, throat: float) -> Samples:
    formants = [(650 * throat, 150), (1450 * throat, 200), (2700 * throat, 300), (4200 * throat, 600)]
    burst = _noise(draw, draw.uniform(0.03, 0.06)) * 3
    burst *= _rise_and_fall(len(burst), 0.003, 0.03)
    breath = _noise(draw, draw.uniform(0.12, 0.28))
    breath *= _rise_and_fall(len(breath), 0.01, draw.uniform(0.05, 0.12))
    parts = [burst + 0.3 * _noise(draw, len(burst) / RATE), breath]
    if draw.uniform() < 0.6:
        length = draw.uniform(0.06, 0.15)
        pitch = np.linspace(draw.uniform(180, 330), draw.uniform(100, 170), int(length * RATE)) * throat
        voiced = 6 * _glottis(draw, pitch, jitter=0.06) + 0.4 * _noise(draw, len(pitch) / RATE)
        parts.append((voiced * _rise_and_fall(len(voiced), 0.02, 0.05)).astype(np.float32))
    return _resonate(np.concatenate(parts), formants) + 0.05 * np.pad(np.concatenate(parts), (0, _RING - 1))


def hum(draw: Draw) -> Samples:
    """ "mm" and "mhm" with closed lips: one or two syllables through the nose."""
    base = float(draw.choice([draw.uniform(90, 140), draw.uniform(170, 240)]))
    if draw.uniform() < 0.35:
        lengths = [draw.uniform(0.2, 0.42)]
        pitches = [(base * draw.uniform(1.0, 1.25), base * draw.uniform(0.75, 1.0))]
    else:
        lengths = [draw.uniform(0.09, 0.17), draw.uniform(0.12, 0.24)]
        pitches = [
            (base, base * draw.uniform(0.9, 1.0)),
            (base * draw.uniform(1.0, 1.15), base * draw.uniform(1.15, 1.4)),
        ]
    parts: list[Samples] = []
    for length, (start, end) in zip(lengths, pitches, strict=True):
        if parts:  # breath through the nose
            gap = _noise(draw, draw.uniform(0.04, 0.09)) * draw.uniform(0.02, 0.1)
            parts.append(gap)
        pitch = np.linspace(start, end, int(length * RATE))
        parts.append(_glottis(draw, pitch, jitter=0.01) * _rise_and_fall(len(pitch), 0.03, length * 2))
    nose = draw.uniform(0.9, 1.1)
    source = _softened(np.concatenate(parts))
    return _resonate(source, [(260 * nose, 70), (1050 * nose, 250), (2200 * nose, 400)], (1.0, 0.12, 0.03))


def uh_huh(draw: Draw) -> Samples:
    """ "uh-huh", by two voices' phonemes."""
    return _spoken(draw, "uh-huh", "ah hh ah")


def spoken_hum(draw: Draw) -> Samples:
    """ "mhm", by two voices' phonemes."""
    return _spoken(draw, "[[mhm]]", str(draw.choice(["m hh m", "m", "m m"])))


# --- things -----------------------------------------------------------------------------------------------


def click(draw: Draw) -> Samples:
    """A switch or a mouse: down, and up again."""
    tick = [_strike(draw, 1500, 7000, count=5, decay=(0.001, 0.006)) for _ in range(2)]
    return _spread(tick, [draw.uniform(0.05, 0.2)] * 2)


def keyboard(draw: Draw) -> Samples:
    """Four to fourteen keys: a click as it goes down, the thud of its bottom, a weaker click as it comes up."""
    strokes, times = [], []
    for _ in range(int(draw.integers(4, 15))):
        strokes += [
            _strike(draw, 1800, 6500, count=6, decay=(0.001, 0.006)) * draw.uniform(0.5, 1),
            _strike(draw, 180, 900, count=4, decay=(0.005, 0.02)) * draw.uniform(0.3, 0.8),
            _strike(draw, 1800, 6500, count=4, decay=(0.001, 0.004)) * draw.uniform(0.15, 0.4),
        ]
        times += [draw.uniform(0.002, 0.006), draw.uniform(0.05, 0.1), draw.uniform(0.02, 0.15)]
    return _spread(strokes, times)


def knock(draw: Draw) -> Samples:
    """Knuckles on wood, or something put down on the desk."""
    count = int(draw.integers(1, 5))
    state = draw.bit_generator.state
    knocks = []
    for _ in range(count):
        draw.bit_generator.state = state  # the same wood each time
        knocks.append(_strike(draw, 140, 1200, count=9, decay=(0.008, 0.04)))
    return _spread([one * draw.uniform(0.6, 1) for one in knocks], [draw.uniform(0.1, 0.26) for _ in knocks])


def slam(draw: Draw) -> Samples:
    """A door: the latch, the boom of its panel and the room, then rattle."""
    boom = 3 * _strike(draw, 35, 350, count=12, decay=(0.05, 0.3), length=0.9)
    crack = _strike(draw, 400, 4000, count=14, decay=(0.004, 0.03), length=0.2)
    rattle = [_strike(draw, 600, 3500, count=5, decay=(0.004, 0.02)) * 0.3 / (n + 1) for n in range(8)]
    parts = [0.4 * _strike(draw, 1200, 5000, count=5, decay=(0.002, 0.008)), boom, crack, *rattle]
    times = [draw.uniform(0.02, 0.08), 0.001, 0.03, *[draw.uniform(0.012, 0.05) for _ in rattle]]
    return _spread(parts, times)


def chair(draw: Draw) -> Samples:
    """A leg scrapes over the floor: it sticks and slips, 60 to 250 times a second, through wood."""
    length = draw.uniform(0.2, 0.8)
    at = np.linspace(0, 1, int(length * RATE))
    rate = draw.uniform(60, 200) * (1 + 0.4 * np.sin(2 * np.pi * at * draw.uniform(0.3, 1.5)))
    slips = _glottis(draw, rate, jitter=0.25) + 0.15 * _noise(draw, len(rate) / RATE)
    modes = [(float(f), float(f) * 0.12) for f in np.sort(draw.uniform(200, 3200, 9))]
    return _resonate((slips * _rise_and_fall(len(slips), 0.05, 0.5)).astype(np.float32), modes)


KINDS = {
    "cough": (cough, -9.0, 8.0),
    "hum": (hum, -12.0, 0.0),
    "spoken hum": (spoken_hum, -12.0, 0.0),
    "uh-huh": (uh_huh, -12.0, 0.0),
    "click": (click, -12.0, 3.0),
    "keyboard": (keyboard, -15.0, 3.0),
    "knock": (knock, -9.0, 9.0),
    "slam": (slam, -6.0, 12.0),
    "chair": (chair, -12.0, 3.0),
}
"""How each is made, and how loud it is against a voice, in dB: of the loudest 50 ms."""


# --- sources and resonances -------------------------------------------------------------------------------

_RING = RATE // 20


def _noise(draw: Draw, seconds: float) -> Samples:
    return draw.standard_normal(max(1, round(seconds * RATE))).astype(np.float32)


def _glottis(draw: Draw, pitch: np.ndarray, jitter: float) -> Samples:
    """A pulse each period, none quite like the other."""
    phase = np.cumsum(pitch / RATE)
    beats = np.flatnonzero(np.diff(np.floor(phase), prepend=-1.0) > 0)
    out = np.zeros(len(pitch), np.float32)
    shaken = beats + (draw.standard_normal(len(beats)) * jitter * RATE / np.mean(pitch)).astype(int)
    out[np.clip(shaken, 0, len(out) - 1)] = 1 + jitter * draw.standard_normal(len(beats))
    return out * np.float32(np.sqrt(RATE / np.mean(pitch)))


def _softened(samples: Samples) -> Samples:
    """-12 dB an octave over 100 Hz or so, as a glottis that closes softly gives."""
    kernel = 0.97 ** np.arange(400)
    soft = np.convolve(np.convolve(samples, kernel)[: len(samples)], kernel)[: len(samples)]
    return (soft / (np.abs(soft).max() + 1e-9)).astype(np.float32)


def _resonate(source: Samples, formants: list[tuple[float, float]], gains: tuple[float, ...] = ()) -> Samples:
    """Through resonances in parallel: (hertz, bandwidth)."""
    at = np.arange(_RING) / RATE
    kernel = sum(
        (gains[n] if gains else 0.7**n) * width * np.exp(-np.pi * width * at) * np.sin(2 * np.pi * hertz * at)
        for n, (hertz, width) in enumerate(formants)
    )
    return np.convolve(source, kernel)[: len(source) + _RING].astype(np.float32)


def _strike(
    draw: Draw, low: float, high: float, count: int, decay: tuple[float, float], length: float = 0.12
) -> Samples:
    """Something struck: its modes, the higher ones weaker and shorter, and the blow itself."""
    at = np.arange(int(length * RATE)) / RATE
    out = np.zeros(len(at))
    for hertz in np.geomspace(low, high, count) * draw.uniform(0.9, 1.1, count):
        lasts = draw.uniform(*decay) * (low / hertz) ** 0.3
        out += draw.uniform(0.3, 1) * np.exp(-at / lasts) * np.sin(2 * np.pi * hertz * at + draw.uniform(0, 6))
    blow = int(0.002 * RATE)
    out[:blow] += draw.standard_normal(blow) * np.linspace(2, 0, blow)
    return (out * np.minimum(1, np.arange(len(at)) / (0.0005 * RATE))).astype(np.float32)


def _rise_and_fall(length: int, rise: float, fall: float) -> Samples:
    at = np.arange(length) / RATE
    shape = np.minimum(1, at / rise) * np.exp(-np.maximum(0, at - rise) / fall)
    return (shape * np.minimum(1, (length / RATE - at) / 0.01)).astype(np.float32)


def _spread(parts: list[Samples], gaps: list[float]) -> Samples:
    """One after the other, each so many seconds after the one before began; they may overlap."""
    starts = np.concatenate([[0], np.cumsum([int(gap * RATE) for gap in gaps])])[: len(parts)]
    out = np.zeros(max(int(start) + len(part) for start, part in zip(starts, parts, strict=True)), np.float32)
    for start, part in zip(starts, parts, strict=True):
        out[start : start + len(part)] += part
    return out


def _at_level(samples: Samples, dbfs: float) -> Samples:
    """Its loudest 50 ms at so many dB; what would be past full scale is clipped, as a microphone does."""
    frame = RATE // 20
    padded = np.pad(samples, (0, -len(samples) % frame + frame)).reshape(-1, frame)
    power = float(np.mean(padded**2, axis=1).max())
    return np.clip(samples * 10 ** (dbfs / 20) / np.sqrt(power + 1e-12), -0.99, 0.99).astype(np.float32)


# --- voices and recordings --------------------------------------------------------------------------------


def _spoken(draw: Draw, espeak: str, flite: str) -> Samples:
    if draw.uniform() < 0.5:
        name = str(draw.choice(["en-us", "en-us+f2", "en-gb-scotland", "en-us+m3", "en-us+f4"]))
        speed, pitch = str(int(draw.integers(120, 200))), str(int(draw.integers(25, 75)))
        return _said("espeak-ng", "--stdout", "-v", name, "-s", speed, "-p", pitch, espeak)
    name, stretch = str(draw.choice(["slt", "rms", "awb", "kal16"])), f"{draw.uniform(0.7, 1.1):.2f}"
    command = ["flite", "-voice", name, "--setf", f"duration_stretch={stretch}", "-p", f"pau {flite} pau"]
    return _said(*command, "-o", "/dev/stdout")


@cache
def _said(*command: str) -> Samples:
    wav = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True).stdout
    return _trimmed(_resampled(np.frombuffer(wav[44:], "<i2"), int.from_bytes(wav[24:28], "little")))


@cache
def _recordings(kind: str) -> tuple[Path, ...]:
    if kind == "key":
        return tuple(sorted(KEYS.glob("[0-5]?-0.wav")))
    names = ("doors/sounds/*.ogg", "default/sounds/*dig_choppy*", "default/sounds/*dug_node*")
    names += ("default/sounds/*wood_footstep*", "default/sounds/*hard_footstep*", "default/sounds/*break_glass*")
    names += ("default/sounds/*chest*", "default/sounds/*place_node*", "default/sounds/*tool_breaks*")
    return tuple(sorted(path for name in names for path in DOORS.glob(name)))


@cache
def _decoded(path: Path) -> Samples:
    command = ["sox", str(path), "-r", str(RATE), "-c", "1", "-b", "16", "-e", "signed", "-t", "raw", "-"]
    pcm = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True).stdout
    return _trimmed(np.frombuffer(pcm, "<i2").astype(np.float32) / 32768)


def _resampled(pcm: np.ndarray, rate: int) -> Samples:
    import soxr

    return soxr.resample(pcm.astype(np.float32) / 32768, rate, RATE).astype(np.float32)


def _trimmed(samples: Samples) -> Samples:
    loud = np.flatnonzero(np.abs(samples) > 0.02 * np.abs(samples).max())
    return samples[loud[0] : loud[-1] + RATE // 100]
