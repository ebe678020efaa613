"""Rooms made from a seed, and voices to put into them, for tests and benches of echo cancelling.

::

    far end, as played ─ play ─> loudspeaker ─> walls ─> delay, two clocks ─┐
    near end (the caller's: `Room.near` gives it a short room of its own) ──┴─> noise ─> automatic gain ─ record ─>

Everything is float32 in [-1, 1] at one rate, and comes and goes in blocks of any length, so that the same room
serves arrays (`devices` plays a whole conversation through it) and a program between a loudspeaker and a microphone
(`Room.pass_on`).
"""

from __future__ import annotations

import shutil
import subprocess
import wave
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Literal

import numpy as np
import soxr

RATE = 24_000
TESTDATA = Path("/usr/share/pocketsphinx/test/data")
VOICE_DBFS = -20.0
"""RMS of every utterance, while it sounds."""

Samples = np.ndarray[tuple[int], np.dtype[np.float32]]


@dataclass(frozen=True, slots=True)
class Shape:
    """What a room does.

    Attributes:
        delay_ms: From the time at which the device says that a sample leaves it to its first echo.
        rt60: Seconds in which the reverberation falls by 60 dB.
        direct_db: The sound that comes straight, against all that comes from the walls.
        echo_db: Level of the echo at the microphone against the far end; under -80 there is none (headphones).
        clip: Level at which the loudspeaker gives out; None for one that is linear.
        drift_ppm: By how much the loudspeaker's clock is faster than the microphone's.
        noise_dbfs: RMS of the noise in the room.
        auto_gain: The microphone turns itself up and down.
        jump_at: Seconds after which the delay is another one; None for never.
        jump_ms: By how much.
    """

    delay_ms: float = 60.0
    rt60: float = 0.3
    direct_db: float = 6.0
    echo_db: float = -12.0
    clip: float | None = None
    drift_ppm: float = 0.0
    noise_dbfs: float = -60.0
    auto_gain: bool = False
    jump_at: float | None = None
    jump_ms: float = 0.0

    @classmethod
    def drawn(cls, seed: int) -> Shape:
        """A room as people have them, the same for the same seed."""
        draw = np.random.default_rng([seed, 7])
        return cls(
            delay_ms=float(30 * (250 / 30) ** draw.uniform()),
            rt60=float(draw.uniform(0.15, 0.6)),
            direct_db=float(draw.uniform(0, 10)),
            echo_db=float(draw.uniform(-25, -5)),
            clip=float(draw.uniform(0.12, 0.5)) if draw.uniform() < 0.5 else None,
            drift_ppm=float(draw.uniform(-100, 100)) if draw.uniform() < 0.75 else 0.0,
            noise_dbfs=float(draw.uniform(-65, -40)),
            auto_gain=bool(draw.uniform() < 0.35),
            jump_at=float(draw.uniform(8, 16)) if draw.uniform() < 0.25 else None,
            jump_ms=float(draw.uniform(20, 80)),
        )


class Room:
    """A loudspeaker, walls and a microphone; streaming.

    Args:
        seed: What its shape, its walls and its noise are drawn from.
        rate: Samples a second, of everything.
        shape: In place of the one drawn from the seed.
        explicit: Fields of the shape to replace, for example `echo_db=-90`.
    """

    def __init__(self, seed: int, *, rate: int = RATE, shape: Shape | None = None, **explicit) -> None:
        self.shape = replace(shape or Shape.drawn(seed), **explicit)
        self.rate = rate
        draw = np.random.default_rng([seed, 11])
        gain = 0.0 if self.shape.echo_db < -80 else 10 ** (self.shape.echo_db / 20)
        walls = _walls(draw, rate, self.shape.rt60, self.shape.direct_db)
        self._walls = _Convolution(np.convolve(_small_loudspeaker(rate), walls) * gain)
        self._near_walls = _walls(draw, rate, rt60=min(self.shape.rt60, 0.3), direct_db=8.0)
        self._noise = np.random.default_rng([seed, 13])
        self._noise_shape = _Convolution(_noise_shape())
        self._gain = _AutoGain(rate) if self.shape.auto_gain else None
        self._echo = np.zeros(0, np.float32)  # on the loudspeaker's clock
        self._echo_from = 0  # position of the first sample kept
        self._recorded = 0

    def play(self, far: Samples) -> None:
        """The next samples that leave the loudspeaker."""
        clip = self.shape.clip
        sounding = far if clip is None else clip * np.tanh(far / clip + 0.15 * (far / clip) ** 2)
        self._echo = np.concatenate([self._echo, self._walls.feed(sounding.astype(np.float32))])

    def record(self, frames: int, near: Samples | None = None) -> Samples:
        """The next samples of the microphone; near end, if any, is `frames` long. Play first what they can hear."""
        heard = [
            self._piece(begin, min(self.rate // 100, frames - begin), near)
            for begin in range(0, frames, self.rate // 100)
        ]
        return np.concatenate(heard) if heard else np.zeros(0, np.float32)

    def pass_on(self, far: Samples, near: Samples | None = None) -> Samples:
        """What the microphone gives while `far` leaves the loudspeaker, for both on one real clock."""
        self.play(far)
        return self.record(len(far), near)

    def near(self, voice: Samples, gain_db: float = 0.0) -> Samples:
        """A voice in this room, at a distance of its own; a little longer than it was."""
        return (np.convolve(voice, self._near_walls) * 10 ** (gain_db / 20)).astype(np.float32)

    def _piece(self, begin: int, frames: int, near: Samples | None) -> Samples:
        heard = self._echoes(frames)
        if near is not None:
            heard = heard + near[begin : begin + frames]
        white = self._noise.standard_normal(frames).astype(np.float32)
        heard = heard + self._noise_shape.feed(white) * np.float32(10 ** (self.shape.noise_dbfs / 20))
        if self._gain is not None:
            heard = self._gain.feed(heard)
        return np.clip(heard, -1, 1)

    def _echoes(self, frames: int) -> Samples:
        at = self._recorded + np.arange(frames, dtype=np.float64)
        self._recorded += frames
        delay = self.shape.delay_ms
        if self.shape.jump_at is not None and at[0] >= self.shape.jump_at * self.rate:
            delay += self.shape.jump_ms
        wanted = at * (1 + self.shape.drift_ppm * 1e-6) - delay * self.rate / 1000
        # Where both clocks are one in truth (`pass_on`), drift eats up the delay: no sample comes too early.
        wanted = np.minimum(wanted, self._echo_from + len(self._echo) - _TAPS + np.arange(frames) - frames)
        found = _between(self._echo, wanted - self._echo_from)
        keep = max(0, int(wanted[0]) - self._echo_from - self.rate // 2)
        self._echo, self._echo_from = self._echo[keep:], self._echo_from + keep
        return found


# --- devices ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Block:
    """A block as a callback of one of two devices sees it.

    Attributes:
        side: Whose.
        arrives: Seconds at which it is called.
        at: Seconds at which, says the device, the first sample leaves the loudspeaker or was recorded.
        samples: What is played, or was recorded.
    """

    side: Literal["loudspeaker", "microphone"]
    arrives: float
    at: float
    samples: Samples


def devices(
    room: Room, far: Samples, near: Samples, *, block_ms: float = 8.0, ahead_ms: float = 24.0, seed: int = 0
) -> Iterator[Block]:
    """A conversation in a room as two sound devices with two clocks give it, in the order of their callbacks.

    `far` is on the loudspeaker's clock, `near` on the microphone's; both begin at second 100. The reported times
    are late as callbacks are: mostly under 1 ms, at times up to 5 ms. The loudspeaker is called `ahead_ms` early.
    """
    draw = np.random.default_rng([seed, 17])
    size = int(room.rate * block_ms / 1000)
    fast = 1 + room.shape.drift_ppm * 1e-6
    plays = [
        (100 + n / room.rate / fast, "loudspeaker", far[n : n + size]) for n in range(0, len(far) - size + 1, size)
    ]
    takes = [(100 + n / room.rate, "microphone", near[n : n + size]) for n in range(0, len(near) - size + 1, size)]
    late = np.minimum(draw.exponential(0.0005, len(plays) + len(takes)), 0.005)
    late[draw.uniform(size=len(late)) < 0.01] = 0.005
    calls = [
        (
            begins + late[i] + (-ahead_ms if side == "loudspeaker" else block_ms + 2) / 1000,
            begins + late[i],
            side,
            it,
        )
        for i, (begins, side, it) in enumerate(plays + takes)
    ]
    room.play(far)  # a room is causal: it does not matter that it knows all of it now
    for arrives, at, side, samples in sorted(calls, key=lambda call: (call[0], call[2])):
        heard = room.record(size, samples) if side == "microphone" else samples
        yield Block(side, arrives, at, heard)


# --- voices -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Utterance:
    """Something said: its words in small letters, and 24 kHz samples at `VOICE_DBFS` without silence around."""

    voice: str
    text: str
    samples: Samples


TEXTS = (
    "the weather in paris is fine today with a light wind from the west",
    "i have set a timer for five minutes and i will tell you when it ends",
    "once upon a time there was a small house near the river and an old man lived in it",
    "twelve divided by five is two point four",
    "you can ask me about the time the weather or a sum or you can ask me for a story",
    "the train to the city leaves at half past seven and takes about an hour",
)
SYNTHETIC = ("espeak en-us", "espeak en-gb-scotland+f3", "flite slt", "flite rms")


@cache
def people() -> tuple[Utterance, ...]:
    """People's voices, from Debian's pocketsphinx-testdata: one who reads a novel, others who say short things."""
    found = []
    for folder, voice in (("librivox", "reader"), ("cards", "player")):
        lines = TESTDATA / folder / ("transcription" if folder == "librivox" else "cards.transcription")
        for line in lines.read_text().splitlines():
            text, _, name = line.rpartition(" ")
            words = text.replace("<s>", "").replace("</s>", "")
            with wave.open(str(TESTDATA / folder / f"{name.strip()[1:-1]}.wav")) as file:
                pcm = file.readframes(file.getnframes())
            found.append(_utterance(voice, words, pcm, 16_000))
    for name, text in (
        ("goforward.raw", "go forward ten meters"),
        ("something.raw", "go somewhere and do something"),
        ("numbers.raw", "thirty three four hundred ninety nine"),
        ("tidigits/dhd.2934z.raw", "two nine three four zero"),
    ):
        found.append(_utterance("caller", text, (TESTDATA / name).read_bytes(), 16_000))
    return tuple(found)


@cache
def synthetic(voice: str) -> tuple[Utterance, ...]:
    """`TEXTS` in one of the `SYNTHETIC` voices."""
    return tuple(utter(voice, text) for text in TEXTS)


@cache
def utter(voice: str, text: str) -> Utterance:
    """A text in one of the `SYNTHETIC` voices."""
    program, name = voice.split(" ", 1)
    command = (
        ["espeak-ng", "--stdout", "-v", name, text]
        if program == "espeak"
        else ["flite", "-voice", name, "-t", text, "-o", "/dev/stdout"]
    )
    wav = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True).stdout
    return _utterance(voice, text, wav[44:], int.from_bytes(wav[24:28], "little"))


def missing() -> list[str]:
    """What of Debian's packages the voices need and is not installed."""
    programs = [name for name in ("espeak-ng", "flite") if shutil.which(name) is None]
    return programs + ([] if TESTDATA.exists() else ["pocketsphinx-testdata"])


def to_wire(samples: Samples) -> bytes:
    """As PCM16."""
    return (np.clip(samples, -1, 1) * 32767).round().astype("<i2").tobytes()


def from_wire(pcm: bytes) -> Samples:
    """PCM16 as floats."""
    return np.frombuffer(pcm, "<i2").astype(np.float32) / 32768


def dbfs(samples: Samples) -> float:
    """RMS in dB of full scale, -120 for silence."""
    return 10 * float(np.log10(np.mean(np.square(samples, dtype=np.float64)) + 1e-12)) if len(samples) else -120.0


def _utterance(voice: str, text: str, pcm: bytes, rate: int) -> Utterance:
    samples = soxr.resample(from_wire(pcm[: len(pcm) // 2 * 2]), rate, RATE).astype(np.float32)
    frames = samples[: len(samples) // 240 * 240].reshape(-1, 240)
    power = np.mean(frames**2, axis=1)
    loud = np.flatnonzero(power > power.max() * 1e-3)
    samples = samples[max(0, loud[0] - 3) * 240 : (loud[-1] + 6) * 240]
    scale = 10 ** (VOICE_DBFS / 20) / np.sqrt(power[loud].mean())
    return Utterance(voice, " ".join(text.split()), np.clip(samples * np.float32(scale), -0.99, 0.99))


# --- inside -----------------------------------------------------------------------------------------------


class _Convolution:
    """Streaming convolution, by overlap and add."""

    def __init__(self, kernel: Samples) -> None:
        self._kernel = kernel.astype(np.float32)
        self._tail = np.zeros(len(kernel) - 1, np.float32)
        self._spectra: dict[int, np.ndarray] = {}

    def feed(self, samples: Samples) -> Samples:
        size = 1 << (len(samples) + len(self._tail)).bit_length()
        if size not in self._spectra:
            self._spectra[size] = np.fft.rfft(self._kernel, size).astype(np.complex64)
        whole = np.fft.irfft(np.fft.rfft(samples, size) * self._spectra[size], size).astype(np.float32)
        whole = whole[: len(samples) + len(self._tail)]
        whole[: len(self._tail)] += self._tail
        self._tail = whole[len(samples) :].copy()
        return whole[: len(samples)]


class _AutoGain:
    """A microphone that wants to give -26 dBFS: down in a tenth of a second, up in seconds, from -6 to +12 dB."""

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._gain = 1.0
        self._level = 1e-4

    def feed(self, samples: Samples) -> Samples:
        seconds = len(samples) / self._rate
        power = float(np.mean(samples**2)) if len(samples) else 0.0
        self._level += (power - self._level) * (1 - np.exp(-seconds / (0.05 if power > self._level else 1.0)))
        wanted = float(np.clip(10 ** (-26 / 20) / np.sqrt(self._level + 1e-9), 0.5, 4.0))
        before = self._gain
        self._gain += (wanted - before) * (1 - np.exp(-seconds / (0.1 if wanted < before else 3.0)))
        return samples * np.linspace(before, self._gain, len(samples), dtype=np.float32)


def _walls(draw: np.random.Generator, rate: int, rt60: float, direct_db: float) -> Samples:
    """Direct sound, six early reflections in 25 ms, and a tail that decays; its energy is 1."""
    tail = draw.standard_normal(int(rt60 * rate)) * 10 ** (-3 * np.arange(int(rt60 * rate)) / rate / rt60)
    tail[: int(0.002 * rate)] = 0
    for at in draw.uniform(0.002, 0.025, 6):
        tail[int(at * rate)] += draw.choice([-1, 1]) * 6 * 10 ** (-3 * at / rt60)
    tail *= 10 ** (-direct_db / 20) / np.sqrt(np.sum(tail**2))
    tail[0] = 1.0
    return (tail / np.sqrt(np.sum(tail**2))).astype(np.float32)


def _small_loudspeaker(rate: int) -> Samples:
    """A loudspeaker that has little under 250 Hz."""
    half = rate // 200
    at = np.arange(-half, half + 1)
    low = np.sinc(2 * 250 / rate * at) * np.hanning(len(at))
    kernel = -0.9 * low / low.sum()
    kernel[half] += 1.0
    return kernel[half - 24 :].astype(np.float32)  # nearly causal: what is cut off is small


def _noise_shape() -> Samples:
    """More low than high, as fans have; its energy is 1."""
    kernel = 0.8 ** np.arange(32)
    kernel[0] += 0.5
    return (kernel / np.sqrt(np.sum(kernel**2))).astype(np.float32)


_TAPS = 16
_PHASES = 512
_SINC = np.stack(
    [
        np.sinc(np.arange(_TAPS) - _TAPS // 2 + 1 - phase / _PHASES)
        * np.kaiser(2 * _TAPS * _PHASES + 1, 7.0)[
            np.clip(
                ((np.arange(_TAPS) - _TAPS // 2 + 1 - phase / _PHASES) * 2 * _PHASES).astype(int) + _TAPS * _PHASES,
                0,
                2 * _TAPS * _PHASES,
            )
        ]
        for phase in range(_PHASES)
    ]
).astype(np.float32)


def _between(samples: Samples, at: np.ndarray) -> Samples:
    """Values between samples, silence where there are none."""
    whole = np.floor(at).astype(np.int64)
    phase = ((at - whole) * _PHASES).astype(np.int64)
    index = whole[:, None] + np.arange(_TAPS) - _TAPS // 2 + 1
    inside = (index >= 0) & (index < len(samples))
    taken = np.where(inside, samples[np.clip(index, 0, max(0, len(samples) - 1))], 0) if len(samples) else 0 * index
    return np.sum(taken * _SINC[phase], axis=1, dtype=np.float32)
