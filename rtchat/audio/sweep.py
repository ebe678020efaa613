"""The sound that finds the echo, a sweep and something like speech, and what is made of what comes back. Pure.

::

    test_sound()   silence ─ sweep ─ silence ─ speech-like noise ─ silence
                    │         │                       │
                  noise   response(): delay       drift(): clocks, lost sound;
                  floor   and level of the echo   the canceller has something to learn

The sweep is exponential (Farina 2000): divided out of the recording it leaves the impulse response of the way from
the loudspeaker to the microphone, far below the room's noise, and distortion falls before it, out of the way.
All arrays are mono at the wire's rate, 24 kHz.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from rtchat.chunk import WIRE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Samples = NDArray[np.float32]
    Precise = NDArray[np.float64]

QUIET_SECONDS = 1.3
SWEEP_SECONDS = 1.0
TAIL_SECONDS = 0.8
SPEECH_SECONDS = 3.0

SWEEP_DBFS = -26.0
"""RMS. Speech of an assistant is some 6 dB louder."""
SPEECH_DBFS = -23.0

LATEST_SECONDS = 1.2
"""Echo that is later than this is not looked for."""
EARLIEST_SECONDS = -0.15
"""Device clocks may claim that a sound left later than it did."""

_LOW, _HIGH = 90.0, 11_000.0
_RESPONSE_SECONDS = 0.3
_LEAD = round(0.003 * WIRE.rate)
_FLOOR = 2e-4
_SURE = 9.0
"""A peak of so many standard deviations: the largest of 30 000 Gaussian samples reaches 4 to 5."""
_SEED = 20


@dataclass(frozen=True, slots=True)
class TestSound:
    """What is played.

    Attributes:
        samples: All of it.
        sweep: Where the sweep is.
        speech: Where the speech-like sound is.
    """

    samples: Samples
    sweep: slice
    speech: slice

    __test__ = False  # for pytest it is no class of tests

    @property
    def seconds(self) -> float:
        """How long it is."""
        return len(self.samples) / WIRE.rate


def test_sound() -> TestSound:
    """The sound that `rtchat doctor` plays, the same every time."""
    sweep, speech = _sweep(), _speech()
    parts = [_silence(QUIET_SECONDS), sweep, _silence(TAIL_SECONDS), speech, _silence(TAIL_SECONDS)]
    begins = np.cumsum([0, *(len(part) for part in parts)])
    return TestSound(
        np.concatenate(parts).astype(np.float32),
        slice(int(begins[1]), int(begins[2])),
        slice(int(begins[3]), int(begins[4])),
    )


test_sound.__test__ = False  # type: ignore[attr-defined]


@dataclass(frozen=True, slots=True, eq=False)
class Response:
    """How a sound comes back.

    Attributes:
        lag: Samples from the sweep's place in the recording, as it was guessed, to its echo; may be negative.
        level_db: Power of the echo relative to what was played.
        taps: The impulse response, from 3 ms before the echo on.
    """

    lag: int
    level_db: float
    taps: Precise


def response(sound: TestSound, recording: Samples, origin: int) -> Response | None:
    """Find the sweep in a recording.

    Args:
        sound: What was played.
        recording: What the microphone gave.
        origin: The sample of the recording at which, by the clocks, `sound` began to leave the loudspeaker.

    Returns:
        None where no echo stands out of the noise.
    """
    sweep = sound.samples[sound.sweep].astype(np.float64)
    earliest, latest = (round(seconds * WIRE.rate) for seconds in (EARLIEST_SECONDS, LATEST_SECONDS))
    begin = origin + sound.sweep.start + earliest
    rough = np.abs(
        _divided(_cut(recording, begin, len(sweep) + latest - earliest), sweep, 0.1)[: latest - earliest]
    )
    if float(rough.max()) <= _SURE * float(np.median(rough)) / 0.6745:
        return None
    # The direct sound is the first strong one; a reflection may be a little stronger.
    lag = int(np.argmax(rough > 0.5 * rough.max())) + earliest
    size = _LEAD + round(_RESPONSE_SECONDS * WIRE.rate)
    begin = origin + sound.sweep.start + lag - _LEAD
    taps = _divided(_cut(recording, begin, len(sweep) + size), sweep, _FLOOR)[:size]
    quiet = _cut(recording, begin - sound.sweep.start, sound.sweep.start)
    noise = _divided(quiet, sweep, _FLOOR)[: len(quiet) - len(sweep)]
    taps = taps[: _end(taps, noise)]
    heard = _power_of(sweep, taps)
    power = max(heard - _power_of(sweep, noise) * len(taps) / len(noise), heard / 10)
    return Response(lag, 10 * float(np.log10(power)), taps)


def _power_of(sweep: Precise, taps: Precise) -> float:
    """Power of what an impulse response makes of the sweep, relative to the sweep."""
    return float(np.sum(_convolved(sweep, taps) ** 2) / np.sum(sweep**2))


def _end(taps: Precise, noise: Precise) -> int:
    """Where an impulse response sinks into what the room's noise alone would look like."""
    block = round(0.01 * WIRE.rate)
    limit = 2 * float(np.mean(noise**2)) * block
    end = _LEAD + block
    while end < len(taps) and float(np.sum(taps[end : end + block] ** 2)) > limit:
        end += block
    return end


@dataclass(frozen=True, slots=True)
class Drift:
    """How steadily the echo follows what is played.

    Attributes:
        ppm: How much faster the microphone's clock runs than the loudspeaker's; None where that cannot be told.
        jumps: Times at which the delay changed at once: sound was lost on one side.
    """

    ppm: float | None
    jumps: int


_STEP = round(0.25 * WIRE.rate)
_REACH = round(0.08 * WIRE.rate)
_JUMP = round(0.0015 * WIRE.rate)


def drift(sound: TestSound, recording: Samples, origin: int, found: Response) -> Drift:
    """Look where the speech-like sound is in the recording, quarter second for quarter second.

    Args:
        sound: What was played.
        recording: What the microphone gave.
        origin: As for `response`.
        found: What `response` found: it says where all of it should be.
    """
    echo = _convolved(sound.samples[sound.speech].astype(np.float64), found.taps)
    begin = origin + sound.speech.start + found.lag - _LEAD
    points = [((sound.sweep.start + sound.sweep.stop) / 2 - sound.speech.start, 0.0)]
    for at in range(0, len(echo) - _STEP, _STEP):
        there = _cut(recording, begin + at - _REACH, _STEP + 2 * _REACH)
        lag = _lag(there, echo[at : at + _STEP])
        if lag is not None:
            points.append((at + _STEP / 2, lag - _REACH))
    jumps = sum(abs(after[1] - before[1]) > _JUMP for before, after in pairwise(points))
    if jumps or len(points) < 6:
        return Drift(None, jumps)
    # Theil and Sen: the median of the slopes between points far apart.
    slopes = [(b[1] - a[1]) / (b[0] - a[0]) for i, a in enumerate(points) for b in points[i + 3 :]]
    return Drift(float(np.median(slopes)) * 1e6, 0)


# --- the sounds -------------------------------------------------------------------------------------------


def _silence(seconds: float) -> Precise:
    return np.zeros(round(seconds * WIRE.rate))


def _sweep() -> Precise:
    times = np.arange(round(SWEEP_SECONDS * WIRE.rate)) / WIRE.rate
    rise = np.log(_HIGH / _LOW)
    phase = 2 * np.pi * _LOW * SWEEP_SECONDS / rise * (np.exp(times / SWEEP_SECONDS * rise) - 1)
    return _at(np.sin(phase) * _edges(len(times), 0.02), SWEEP_DBFS)


def _speech() -> Precise:
    """Noise with the long-term spectrum of speech, in syllables."""
    random = np.random.default_rng(_SEED)
    size = round(SPEECH_SECONDS * WIRE.rate)
    hertz = np.fft.rfftfreq(size, 1 / WIRE.rate)
    # Roughly that of Byrne et al. 1994: flat to 500 Hz, then 9 dB less an octave, nothing below 100 Hz.
    shape = np.where(hertz < 100, 0.0, np.minimum(1.0, (500 / np.maximum(hertz, 1)) ** 1.5))
    noise = np.fft.irfft(np.fft.rfft(random.standard_normal(size)) * shape, size)
    beats = np.arange(size) / WIRE.rate * 4.3
    loudness = random.uniform(0.3, 1.0, int(beats[-1]) + 1)[beats.astype(int)]
    speech = _at(noise * loudness * np.sin(np.pi * (beats % 1)) ** 2 * _edges(size, 0.02), SPEECH_DBFS)
    return np.tanh(2.5 * speech) / 2.5


def _edges(size: int, seconds: float) -> Precise:
    """A fade in and a fade out."""
    fade = np.sin(np.linspace(0, np.pi / 2, round(seconds * WIRE.rate))) ** 2
    return np.concatenate([fade, np.ones(size - 2 * len(fade)), fade[::-1]])


def _at(samples: Precise, dbfs: float) -> Precise:
    return samples / _rms(samples) * 10 ** (dbfs / 20)


# --- small mathematics ------------------------------------------------------------------------------------


def _rms(samples: NDArray[np.floating]) -> float:
    return float(np.sqrt(np.mean(np.square(samples, dtype=np.float64)))) if samples.size else 0.0


def _cut(samples: Samples, begin: int, length: int) -> Precise:
    """A piece; zeros where there is none."""
    out = np.zeros(length)
    source = samples[max(0, begin) : max(0, begin + length)]
    at = max(0, -begin)
    out[at : at + len(source)] = source[: max(0, length - at)]
    return out


def _size(length: int) -> int:
    return 1 << (length - 1).bit_length()


def _convolved(a: Precise, b: Precise) -> Precise:
    length = len(a) + len(b) - 1
    size = _size(length)
    return np.fft.irfft(np.fft.rfft(a, size) * np.fft.rfft(b, size), size)[:length]


def _divided(recording: Precise, sweep: Precise, floor: float) -> Precise:
    """The recording with the sweep divided out of it, where the sweep has more than `floor` of its most power."""
    size = _size(len(recording) + len(sweep))
    known = np.fft.rfft(sweep, size)
    power = np.abs(known) ** 2
    return np.fft.irfft(np.fft.rfft(recording, size) * np.conj(known) / (power + floor * power.max()), size)


def _lag(longer: Precise, piece: Precise) -> float | None:
    """Where in `longer` the piece is, to a fraction of a sample; None where it is not to be recognised."""
    size = _size(len(longer) + len(piece))
    matched = np.fft.irfft(np.fft.rfft(longer, size) * np.conj(np.fft.rfft(piece, size)), size)
    matched = matched[: len(longer) - len(piece) + 1]
    best = int(np.argmax(matched))
    there = longer[best : best + len(piece)]
    alike = float(matched[best]) / max(1e-12, len(piece) * _rms(there) * _rms(piece))
    if alike < 0.4 or not 0 < best < len(matched) - 1:
        return None
    before, at, after = (float(value) for value in matched[best - 1 : best + 2])
    bend = before - 2 * at + after
    return best + (0.5 * (before - after) / bend if bend else 0.0)
