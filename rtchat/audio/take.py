"""One playing of the test sound, and the figures that come of it. Pure.

::

    Take (what the devices were given and what they gave, and when) ─ measure(), with_voice() ─> SoundCheck
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import soxr

from rtchat.audio.soundcheck import FAINT_DB, Echo, SoundCheck
from rtchat.audio.sweep import Response, TestSound, drift, response
from rtchat.chunk import WIRE, AudioFormat, level_dbfs, to_float, to_pcm16

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rtchat.audio.rehearsal import Rehearsed
    from rtchat.audio.speech import Speech

    Samples = NDArray[np.float32]
    Rehearse = Callable[[Samples, Samples], Rehearsed]
    """(played, recorded), both 24 kHz mono and on one clock -> what the canceller makes of them."""

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
    clocks = _clocks(sound, take, take.loudspeaker, take.microphone)
    origin = clocks.origin
    check = replace(check, noise_dbfs=_noise(recording[max(0, origin) :][: sound.sweep.start]))
    found = response(sound, recording, origin)
    if found is None:
        return check
    return _with_echo(check, sound, recording, clocks, found, rehearse)


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
    recording: Samples,
    clocks: _Clocks,
    found: Response,
    rehearse: Rehearse | None,
) -> SoundCheck:
    origin = clocks.origin
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
        round_trip_ms=clocks.round_trip_ms(origin + found.lag),
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


# --- small mathematics ------------------------------------------------------------------------------------


def _recording(blocks: list[tuple[float, float, bytes]], form: AudioFormat) -> Samples:
    samples = to_float(b"".join(block for _, _, block in blocks))
    mono = samples.reshape(-1, form.channels).mean(axis=1, dtype=np.float32)
    return np.asarray(soxr.resample(mono, form.rate, WIRE.rate), dtype=np.float32)


class _Clocks(NamedTuple):
    """Seconds at which, by what was true during the sweep, the first sample of either side...

    Attributes:
        handed: of the test sound was handed to the loudspeaker,
        begins: left it, says the device,
        recorded: of the recording was recorded, says the device,
        came: was handed over by the microphone.
    """

    handed: float
    begins: float
    recorded: float
    came: float

    @property
    def origin(self) -> int:
        """The sample of the recording at which the test sound begins to leave the loudspeaker."""
        return round((self.begins - self.recorded) * WIRE.rate)

    def round_trip_ms(self, echo: int) -> float:
        """From a callback of the loudspeaker to that of the microphone which brings its sound back.

        Args:
            echo: The sample of the recording at which the test sound begins to come back.
        """
        return (self.came + echo / WIRE.rate - self.handed) * 1000


def _clocks(sound: TestSound, take: Take, out: AudioFormat, into: AudioFormat) -> _Clocks:
    """Only what was called back during the sweep counts: times before and after lost sound differ."""
    begin, end = sound.sweep.start / WIRE.rate, sound.sweep.stop / WIRE.rate
    played = np.array([(called, at, position / out.rate) for called, at, position in take.played])
    handed, begins = np.median(_during(played, played[:, 2], begin, end), axis=0)
    starts = np.cumsum([0, *(into.samples(block) for _, _, block in take.recorded[:-1])]) / into.rate
    recorded = np.array([(called, at, 0.0) for called, at, _ in take.recorded])
    recorded[:, 2] = starts
    came, first = np.median(_during(recorded, recorded[:, 1], begins + begin, begins + end), axis=0)
    return _Clocks(float(handed), float(begins), float(first), float(came))


def _during(rows: NDArray[np.float64], when: NDArray[np.float64], begin: float, end: float) -> NDArray[np.float64]:
    """Times (called, at) less the third column, of the rows in that time; of all where there are none."""
    within = (when >= begin) & (when <= end)
    chosen = rows[within] if within.any() else rows
    return chosen[:, :2] - chosen[:, 2:]


def _noise(samples: Samples) -> float | None:
    """RMS of the quieter frames, in dBFS; None for nothing at all."""
    frames = samples[: len(samples) // _FRAME * _FRAME].reshape(-1, _FRAME)
    if not len(frames):
        return None
    power = float(np.percentile(np.mean(frames.astype(np.float64) ** 2, axis=1), 40))
    return 10 * float(np.log10(max(power, 1e-10)))
