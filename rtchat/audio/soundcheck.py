"""What a pair of devices is worth: figures from a take of the test sound, and what they recommend. Pure.

::

    Take (what the devices were given and what they gave, and when) ─ measure() ─> SoundCheck ─ advice() ─> to do
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np
import soxr

from rtchat.audio.sweep import Response, TestSound, drift, response
from rtchat.chunk import WIRE, AudioFormat, level_dbfs, to_float, to_pcm16

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rtchat.audio.rehearsal import Rehearsed
    from rtchat.audio.speech import Speech

    Samples = NDArray[np.float32]
    Rehearse = Callable[[Samples, Samples], Rehearsed]
    """(played, recorded), both 24 kHz mono and on one clock -> what the canceller makes of them."""

Echo = Literal["aec", "half-duplex", "none"]

FAINT_DB = -50.0
"""Echo this much under what is played is no speech to any detector: an assistant at -20 dBFS comes back at -70."""

QUIET_DBFS = -42.0
"""A voice under this is hard to tell from noise for a server's detector; -30 to -15 is good."""
NOISY_DB = 12.0
"""A voice should be so much louder than the room."""

_LOUD_NOISE = -35.0  # dBFS, where the voice is not known
_SPEECH = 0.5
_LEAST_WINDOWS = 8  # a quarter of a second of speech
_CLIPPED = 32_440  # 0.1 dB below full scale
_FRAME = WIRE.samples_in(20)


@dataclass(frozen=True, slots=True)
class Take:
    """One playing of the test sound.

    Attributes:
        microphone: Format of the microphone's blocks; None where there is no microphone.
        loudspeaker: The loudspeaker's; None where there is none.
        recorded: Blocks of the microphone: (when it was called back, when the block begins, the block).
        played: Blocks of the loudspeaker: (when it was called back, when the block is heard, where in the
            test sound it begins, in samples at the loudspeaker's rate).
        flags: Times that a device said it had lost sound while the test sound played.
        input_name: The microphone.
        output_name: The loudspeaker.
    """

    microphone: AudioFormat | None
    loudspeaker: AudioFormat | None
    recorded: list[tuple[float, float, bytes]]
    played: list[tuple[float, float, int]]
    flags: int = 0
    input_name: str = ""
    output_name: str = ""


@dataclass(frozen=True, slots=True)
class SoundCheck:
    """What was found about a pair of devices; None and "" stand for what is not known.

    Attributes:
        input_name: The microphone.
        output_name: The loudspeaker.
        input_rate: Samples a second at which the microphone was opened.
        output_rate: The same for the loudspeaker.
        silent: The microphone gives nothing but zeros.
        noise_dbfs: RMS of the room while nothing plays.
        peak_dbfs: The loudest sample that the microphone gave.
        clipped: Share of the microphone's samples that are at full scale.
        voice_dbfs: RMS of the user's voice; None where nobody was asked to speak, or nobody did.
        echo_db: How loud the loudspeaker comes back, relative to what is played; None for no echo.
        echo_ms: From a sample's leaving the loudspeaker to its coming back, by the devices' clocks.
        round_trip_ms: From handing a sample to the loudspeaker to being handed it by the microphone.
        erle_db: By how many decibels the canceller weakens the echo; None also where the room's noise hides it.
        dropouts: Times that sound was lost.
        drift_ppm: By how much the microphone's clock is faster than the loudspeaker's.
        echo: What is to be done against echo with these devices.
        checked_at: When, in ISO 8601.
    """

    input_name: str = ""
    output_name: str = ""
    input_rate: int | None = None
    output_rate: int | None = None
    silent: bool = False
    noise_dbfs: float | None = None
    peak_dbfs: float | None = None
    clipped: float = 0.0
    voice_dbfs: float | None = None
    echo_db: float | None = None
    echo_ms: float | None = None
    round_trip_ms: float | None = None
    erle_db: float | None = None
    dropouts: int = 0
    drift_ppm: float | None = None
    echo: Echo = "none"
    checked_at: str = ""


def measure(sound: TestSound, take: Take, rehearse: Rehearse | None) -> SoundCheck:
    """The figures of a take.

    Args:
        sound: What was played.
        take: What came of it.
        rehearse: Tries the canceller on it; None where there is none.

    Raises:
        DeviceError: The canceller failed.
    """
    check = SoundCheck(
        input_name=take.input_name,
        output_name=take.output_name,
        input_rate=take.microphone.rate if take.microphone else None,
        output_rate=take.loudspeaker.rate if take.loudspeaker else None,
        dropouts=take.flags,
    )
    if take.microphone is None or not take.recorded:
        return check
    recording = _recording(take.recorded, take.microphone)
    check = _with_levels(check, recording, b"".join(block for _, _, block in take.recorded))
    if take.loudspeaker is None or not take.played or check.silent:
        return check
    origin = _origin(take, take.loudspeaker, take.microphone)
    check = replace(check, noise_dbfs=_noise(recording[max(0, origin) :][: sound.sweep.start]))
    found = response(sound, recording, origin)
    if found is None:
        return check
    return _with_echo(check, sound, take, recording, origin, found, rehearse)


def with_voice(check: SoundCheck, take: Take, speech: Speech) -> SoundCheck:
    """The same figures, and those of the user's voice.

    Args:
        check: What was found before.
        take: A take in which the user was asked to speak, and nothing played.
        speech: Tells what of it is speech.
    """
    if take.microphone is None or not take.recorded:
        return check
    recording = _recording(take.recorded, take.microphone)
    check = replace(check, silent=check.silent and not recording.any())
    spoken = [window.samples for window in speech.feed(to_pcm16(recording), 0.0) if window.probability >= _SPEECH]
    if len(spoken) < _LEAST_WINDOWS:
        return check
    clipped = _clipped(b"".join(block for _, _, block in take.recorded))
    level = level_dbfs(to_pcm16(np.concatenate(spoken)))
    return replace(check, voice_dbfs=level, clipped=max(check.clipped, clipped))


def _clipped(raw: bytes) -> float:
    """Share of the samples at full scale: two in a row are flat, one alone may just be loud."""
    full = np.abs(np.frombuffer(raw, "<i2").astype(np.int32)) >= _CLIPPED
    return float(np.count_nonzero(full[1:] & full[:-1]) / max(1, len(full)))


def _with_levels(check: SoundCheck, recording: Samples, raw: bytes) -> SoundCheck:
    peak = int(np.abs(np.frombuffer(raw, "<i2").astype(np.int32)).max())
    return replace(
        check,
        silent=peak == 0,
        noise_dbfs=_noise(recording),
        peak_dbfs=20 * float(np.log10(peak / 32768)) if peak else None,
        clipped=_clipped(raw),
    )


def _with_echo(
    check: SoundCheck,
    sound: TestSound,
    take: Take,
    recording: Samples,
    origin: int,
    found: Response,
    rehearse: Rehearse | None,
) -> SoundCheck:
    steadiness = drift(sound, recording, origin, found)
    played = np.zeros(len(recording), np.float32)
    begin = max(0, origin)
    piece = sound.samples[begin - origin :][: len(recording) - begin]
    played[begin : begin + len(piece)] = piece
    rehearsed = rehearse(played, recording) if rehearse is not None else None
    return replace(
        check,
        echo_db=found.level_db,
        echo_ms=found.lag * 1000 / WIRE.rate,
        round_trip_ms=_round_trip(take, origin + found.lag),
        erle_db=rehearsed.erle_db if rehearsed is not None else None,
        dropouts=check.dropouts + steadiness.jumps,
        drift_ppm=steadiness.ppm,
        echo=_verdict(found.level_db, rehearsed),
    )


def _verdict(echo_db: float, rehearsed: Rehearsed | None) -> Echo:
    if echo_db < FAINT_DB:
        return "none"
    # "no echo" is then one that the room's noise hid from the canceller: it was there.
    return "half-duplex" if rehearsed is None or rehearsed.verdict == "failing" else "aec"


# --- advice -----------------------------------------------------------------------------------------------


def advice(check: SoundCheck, *, canceller: bool = True) -> list[str]:
    """What to do, the most needed first; empty when nothing is to be done.

    Args:
        check: What was found.
        canceller: There is an echo canceller on this machine.
    """
    said = []
    if check.clipped > 1e-4:
        said.append("Lower the volume of the loudspeaker or the gain of the microphone: it clips.")
    if check.dropouts:
        said.append("Close busy programs, or try another device: sound was lost on the way.")
    if min(check.input_rate or 48_000, check.output_rate or 48_000) < WIRE.rate:
        said.append("Choose another microphone: this one makes the device use telephone quality.")
    if check.echo == "half-duplex" and canceller:
        said.append("Use headphones or lower the volume; else --echo half-duplex, which --echo auto falls back to.")
    if check.echo == "half-duplex" and not canceller:
        said.append("Use headphones, or install the canceller: pip install 'rtchat[echo]'.")
    return said + _advice_on_levels(check)


def _advice_on_levels(check: SoundCheck) -> list[str]:
    voice, noise = check.voice_dbfs, check.noise_dbfs
    if voice is not None and voice < QUIET_DBFS:
        return ["Raise the gain of the microphone or come closer: your voice is quiet."]
    if noise is not None and (noise > _LOUD_NOISE if voice is None else voice - noise < NOISY_DB):
        return ["Come closer to the microphone or find a quieter place: there is much noise."]
    return []


# --- small mathematics ------------------------------------------------------------------------------------


def _recording(blocks: list[tuple[float, float, bytes]], form: AudioFormat) -> Samples:
    samples = to_float(b"".join(block for _, _, block in blocks))
    mono = samples.reshape(-1, form.channels).mean(axis=1, dtype=np.float32)
    return np.asarray(soxr.resample(mono, form.rate, WIRE.rate), dtype=np.float32)


def _starts(blocks: list[tuple[float, float, bytes]], form: AudioFormat) -> NDArray[np.float64]:
    """Seconds from the first sample of the recording to that of each block."""
    sizes = [form.samples(block) for _, _, block in blocks]
    return np.cumsum([0, *sizes[:-1]]) / form.rate


def _origin(take: Take, out: AudioFormat, into: AudioFormat) -> int:
    """The sample of the recording at which, by the clocks, the test sound begins to leave the loudspeaker."""
    begins = np.median([at - position / out.rate for _, at, position in take.played])
    recorded = np.array([at for _, at, _ in take.recorded]) - _starts(take.recorded, into)
    return round(float(begins - np.median(recorded)) * WIRE.rate)


def _round_trip(take: Take, echo: int) -> float | None:
    """Milliseconds from a callback of the loudspeaker to that of the microphone which brings its sound back."""
    if take.loudspeaker is None or take.microphone is None:
        return None
    handed = np.median([called - position / take.loudspeaker.rate for called, _, position in take.played])
    came = np.array([called for called, _, _ in take.recorded]) - _starts(take.recorded, take.microphone)
    return float(np.median(came) + echo / WIRE.rate - handed) * 1000


def _noise(samples: Samples) -> float | None:
    """RMS of the quieter frames, in dBFS; None for nothing at all."""
    frames = samples[: len(samples) // _FRAME * _FRAME].reshape(-1, _FRAME)
    if not len(frames):
        return None
    power = float(np.percentile(np.mean(frames.astype(np.float64) ** 2, axis=1), 40))
    return 10 * float(np.log10(max(power, 1e-10)))
