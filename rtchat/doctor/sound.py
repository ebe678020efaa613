"""The sound: which devices, what the test sound shows of them, and what to do."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from rtchat.audio import soundchecks
from rtchat.audio.devices import Device, Side, choose, list_devices
from rtchat.audio.probe import probe
from rtchat.audio.soundcheck import FAINT_DB, SoundCheck, advice, measure
from rtchat.audio.sweep import test_sound
from rtchat.doctor.findings import Finding, Mark, note, ok, problem
from rtchat.errors import DeviceError, RtchatError

if TYPE_CHECKING:
    from collections.abc import Callable

    from rtchat.audio.soundcheck import Erle

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


async def listen(
    chosen: Chosen, progress: Callable[[float], None], erle: Erle | None
) -> tuple[SoundCheck | None, list[Finding]]:
    """Play the test sound and say what came back.

    Args:
        chosen: From `devices`; one at least.
        progress: Told how far it is, 0 to 1.
        erle: Runs the echo canceller; None where there is none.
    """
    microphone, loudspeaker = chosen["microphone"], chosen["loudspeaker"]
    sound = test_sound()
    alone = microphone is None or loudspeaker is None
    try:
        take = await probe(
            sound.samples[: sound.sweep.stop] if alone else sound.samples,
            capture=microphone is not None,
            playback=loudspeaker is not None,
            input_device=str(microphone.index) if microphone else None,
            output_device=str(loudspeaker.index) if loudspeaker else None,
            progress=progress,
        )
    except DeviceError as error:
        return None, [problem("sound", error)]
    check = await asyncio.to_thread(measure, sound, take, erle)
    check = replace(check, checked_at=datetime.now().astimezone().isoformat(timespec="seconds"))
    findings = findings_of(check, canceller=erle is not None)
    if not alone and not check.silent:
        check, trouble = await asyncio.to_thread(_keep, check)
        findings += trouble
    return check, findings


def _keep(check: SoundCheck) -> tuple[SoundCheck, list[Finding]]:
    try:
        return soundchecks.save(check), []
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        return check, [note("kept", f"{soundchecks.path()} cannot be written: {why}", "--echo auto will not know.")]


def findings_of(check: SoundCheck, *, canceller: bool) -> list[Finding]:
    """The figures as findings, and what they recommend as the last one."""
    found = []
    if check.input_rate is not None:
        found.append(_level(check))
    if check.input_rate is not None and check.output_rate is not None and not check.silent:
        found += [_echo(check, canceller=canceller), _timing(check)]
    todo = advice(check, canceller=canceller)
    if todo:
        found += [Finding("advice", Mark.NOTE, each) for each in todo]
    elif check.echo_db is not None or check.input_rate is not None:
        found.append(ok("advice", "nothing to do: talk"))
    return found


def _level(check: SoundCheck) -> Finding:
    if check.silent:
        return problem("level", DeviceError("The microphone gives nothing but zeros."))
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
        parts.append(f"clocks {check.drift_ppm:+.0f} ppm apart")
    parts.append(f"{check.dropouts} dropouts" if check.dropouts else "no dropouts")
    text = ", ".join(parts)
    return note("timing", text) if check.dropouts else ok("timing", text)
