"""The sound: which devices, what the test sound shows of them, and what to do."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np

from rtchat.audio import soundchecks
from rtchat.audio.devices import Device, Side, choose, list_devices
from rtchat.audio.probe import probe
from rtchat.audio.soundcheck import FAINT_DB, QUIET_DBFS, SoundCheck, Take, advice, measure, with_voice
from rtchat.audio.speech import Speech
from rtchat.audio.sweep import test_sound
from rtchat.chunk import WIRE
from rtchat.doctor.findings import Finding, Mark, note, ok, problem
from rtchat.errors import DeviceError, RtchatError

if TYPE_CHECKING:
    from rtchat.audio.probe import Progress
    from rtchat.audio.soundcheck import Erle, Samples

VOICE_SECONDS = 2.5

_SILENT = "Unmute it, or allow your terminal to use it; `rtchat devices` lists the others."

Chosen = dict[Side, Device | None]


async def devices(input_device: str | None, output_device: str | None) -> tuple[Chosen, list[Finding]]:
    """The two devices that a session would use, as far as there are any."""
    chosen: Chosen = {"microphone": None, "loudspeaker": None}
    try:
        there = await asyncio.to_thread(list_devices)
    except RtchatError as error:
        return chosen, [problem("devices", error)]
    findings = []
    sides: tuple[tuple[Side, str | None], ...] = (("microphone", input_device), ("loudspeaker", output_device))
    for side, wanted in sides:
        try:
            device = choose(there, wanted, side)
        except DeviceError as error:
            findings.append(problem(side, error))
            continue
        chosen[side] = device
        name = await asyncio.to_thread(soundchecks.known_as, device.name, side)
        findings.append(ok(side, f"{name}, {device.host_api}, {device.rate} Hz"))
    return chosen, findings


async def play(
    chosen: Chosen, progress: Progress, erle: Erle | None, *, canceller: bool
) -> tuple[SoundCheck | None, list[Finding]]:
    """Play the test sound and say what came back; None where that failed.

    Args:
        chosen: From `devices`; one at least.
        progress: Told how far it is, 0 to 1.
        erle: Runs the echo canceller; None where there is none.
        canceller: There is one.
    """
    sound = test_sound()
    alone = None in chosen.values()
    try:
        take = await _probe(chosen, sound.samples[: sound.sweep.stop] if alone else sound.samples, progress)
    except DeviceError as error:
        return None, [problem("sound", error)]
    check = await asyncio.to_thread(measure, sound, take, erle)
    check = replace(check, checked_at=datetime.now().astimezone().isoformat(timespec="seconds"))
    return check, figures(check, canceller=canceller)


async def voice(chosen: Chosen, check: SoundCheck, progress: Progress) -> tuple[SoundCheck, list[Finding]]:
    """Listen to the user's voice for `VOICE_SECONDS`."""
    silence = np.zeros(round(VOICE_SECONDS * WIRE.rate), np.float32)
    try:
        take = await _probe({**chosen, "loudspeaker": None}, silence, progress)
        check = await asyncio.to_thread(_with_voice, check, take)
    except RtchatError as error:
        return check, [problem("voice", error)]
    if check.voice_dbfs is None:
        return check, [note("voice", "none was heard", "Run it again and speak up, or try another microphone.")]
    text = f"{check.voice_dbfs:.0f} dBFS"
    if check.noise_dbfs is not None:
        text += f", {check.voice_dbfs - check.noise_dbfs:.0f} dB above the room"
    return check, [note("voice", text) if check.voice_dbfs < QUIET_DBFS else ok("voice", text)]


def _with_voice(check: SoundCheck, take: Take) -> SoundCheck:
    return with_voice(check, take, Speech())


async def _probe(chosen: Chosen, sound: Samples, progress: Progress) -> Take:
    microphone, loudspeaker = chosen["microphone"], chosen["loudspeaker"]
    return await probe(
        sound,
        capture=microphone is not None,
        playback=loudspeaker is not None,
        input_device=str(microphone.index) if microphone else None,
        output_device=str(loudspeaker.index) if loudspeaker else None,
        progress=progress,
    )


async def keep(check: SoundCheck) -> tuple[SoundCheck, list[Finding]]:
    """Keep what was found for later sessions, where it is about two devices that work."""
    if check.input_rate is None or check.output_rate is None or check.silent:
        return check, []
    try:
        return await asyncio.to_thread(soundchecks.save, check), []
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        return check, [
            note("kept", f"{soundchecks.path()} cannot be written: {why}", "Later sessions measure anew.")
        ]


def advise(check: SoundCheck, *, canceller: bool) -> list[Finding]:
    """What the figures recommend."""
    todo = advice(check, canceller=canceller)
    if todo:
        return [Finding("advice", Mark.NOTE, each) for each in todo]
    return [ok("advice", "nothing to do")] if check.input_rate is not None and not check.silent else []


def figures(check: SoundCheck, *, canceller: bool) -> list[Finding]:
    """The figures of the test sound as findings."""
    if check.input_rate is None:
        return []
    found = [_level(check)]
    if check.output_rate is not None and not check.silent:
        found += [_echo(check, canceller=canceller), _timing(check)]
    return found


def _level(check: SoundCheck) -> Finding:
    if check.silent:
        return problem("level", DeviceError("The microphone gives nothing but zeros.", hint=_SILENT))
    parts = []
    if check.noise_dbfs is not None:
        parts.append(f"noise of the room {check.noise_dbfs:.0f} dBFS")
    if check.peak_dbfs is not None:
        parts.append(f"loudest {check.peak_dbfs:.0f} dBFS")
    if check.clipped > 0:
        return Finding("level", Mark.NOTE, ", ".join([*parts, f"{check.clipped:.1%} clipped"]))
    return ok("level", ", ".join(parts))


def _echo(check: SoundCheck, *, canceller: bool) -> Finding:
    if check.echo_db is None or check.echo_db < FAINT_DB:
        return ok("echo", "none comes back (headphones): speak to interrupt, nothing else is needed")
    level = f"{check.echo_db:.0f} dB of what is played comes back"
    if check.erle_db is None:
        how = "not measured" if canceller else "no canceller is installed"
        return note("echo", f"{level}; {how}: half duplex")
    text = f"{level}; the canceller takes {check.erle_db:.0f} dB away"
    if check.echo == "aec":
        return ok("echo", f"{text}: full duplex")
    return note("echo", f"{text}: half duplex")


def _timing(check: SoundCheck) -> Finding:
    parts = []
    if check.round_trip_ms is not None and check.echo_ms is not None:
        parts.append(f"round trip {check.round_trip_ms:.0f} ms, the echo comes after {check.echo_ms:.0f} ms")
    if check.drift_ppm is not None:
        parts.append(f"clocks {abs(check.drift_ppm):.0f} ppm apart")
    parts.append(f"{check.dropouts} dropouts" if check.dropouts else "no dropouts")
    text = ", ".join(parts)
    return note("timing", text) if check.dropouts else ok("timing", text)
