"""What is known of a pair of devices, and what it recommends. Pure."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from rtchat.chunk import WIRE

Echo = Literal["aec", "half-duplex", "none"]

FAINT_DB = -50.0
"""Echo this much under what is played is no speech to any detector: an assistant at -20 dBFS comes back at -70."""

QUIET_DBFS = -42.0
"""A voice under this is hard to tell from noise for a server's detector; -30 to -15 is good."""
NOISY_DB = 12.0
"""A voice should be so much louder than the room."""

_LOUD_NOISE = -35.0  # dBFS, where the voice is not known


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

    def rounded(self) -> SoundCheck:
        """The same to a tenth; more was not measured."""
        told: dict[str, Any] = {
            name: round(value, 4 if name == "clipped" else 1) if isinstance(value, float) else value
            for name, value in asdict(self).items()
        }
        return SoundCheck(**told)


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
