"""The sound: which devices, what the test sound shows of them, and what to do."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from rtchat.audio import cautions, soundchecks
from rtchat.audio.canceller import load_canceller
from rtchat.audio.devices import Device, Side, choose, list_devices
from rtchat.audio.probe import OPEN_SECONDS, probe, silent_system
from rtchat.audio.rehearsal import rehearse
from rtchat.audio.soundcheck import FAINT_DB, QUIET_DBFS, SoundCheck, advice
from rtchat.audio.soundserver import SoundServer
from rtchat.audio.speech import Speech
from rtchat.audio.sweep import QUIET_SECONDS, SWEEP_SECONDS, test_sound
from rtchat.audio.take import Take, measure, with_voice
from rtchat.audio.worker import Worker
from rtchat.chunk import WIRE
from rtchat.doctor.findings import Finding, Mark, note, ok, problem
from rtchat.errors import DeviceError, RtchatError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from rtchat.audio.places import Place
    from rtchat.audio.probe import Progress
    from rtchat.audio.take import Rehearse, Samples
    from rtchat.settings import Settings

VOICE_SECONDS = 2.5
SHORT_SECONDS = QUIET_SECONDS + SWEEP_SECONDS
"""What is played where there is nothing to compare it with: no speech-like sound."""

Chosen = dict[Side, Device | None]


async def devices(settings: Settings) -> tuple[Chosen, list[Finding]]:
    """The two devices that a session would use, as far as there are any and no file stands in for them."""
    chosen: Chosen = {"microphone": None, "loudspeaker": None}
    try:
        there = [] if settings.input_wav and settings.output_wav else await _list_devices()
    except RtchatError as error:
        return chosen, [problem("devices", error)]
    findings = []
    sides: tuple[tuple[Side, str | None, Path | None], ...] = (
        ("microphone", settings.input_device, settings.input_wav),
        ("loudspeaker", settings.output_device, settings.output_wav),
    )
    for side, wanted, file in sides:
        if file is not None:
            findings.append(ok(side, f"the file {file}"))
            continue
        try:
            device = choose(there, wanted, side)
        except DeviceError as error:
            findings.append(problem(side, error))
            continue
        chosen[side] = device
        name = await asyncio.to_thread(soundchecks.known_as, device.name, side)
        findings.append(ok(side, f"{name}, {device.host_api}, {device.rate} Hz"))
    return chosen, findings


async def _list_devices() -> list[Device]:
    """On a thread that nobody waits for: PortAudio does not come back from a sound server that hangs."""
    thread = Worker("portaudio")
    try:
        return await asyncio.wait_for(thread.call(list_devices), OPEN_SECONDS)
    except TimeoutError:
        raise silent_system() from None
    finally:
        thread.end()


async def canceller() -> Rehearse | None:
    """The echo canceller of this machine, to be tried once; None where there is none that works."""
    try:
        loaded = await asyncio.to_thread(load_canceller)
    except DeviceError:
        return None
    return partial(rehearse, loaded.process)


async def play(
    chosen: Chosen, progress: Progress, trial: Rehearse | None
) -> tuple[SoundCheck | None, list[Finding]]:
    """Play the test sound and say what came back; None where that failed.

    Args:
        chosen: From `devices`; one at least.
        progress: Told how far it is, 0 to 1.
        trial: From `canceller`.
    """
    sound = test_sound()
    alone = None in chosen.values()
    opened = asyncio.Event()
    server = SoundServer(opened.set)
    looking = asyncio.create_task(_look(server, opened))

    def told(share: float) -> None:
        opened.set()
        progress(share)

    try:
        take = await _probe(chosen, sound.samples[: sound.sweep.stop] if alone else sound.samples, told)
        check = await asyncio.to_thread(measure, sound, take, trial)
    except DeviceError as error:
        return None, [problem("sound", error)]
    finally:
        looking.cancel()
    check = (await asyncio.to_thread(soundchecks.named, check)).rounded()
    check = replace(check, checked_at=datetime.now().astimezone().isoformat(timespec="seconds"))
    return check, [*placed(server.places), *figures(check, canceller=trial is not None)]


async def _look(server: SoundServer, opened: asyncio.Event) -> None:
    """Ask the sound server, once there are streams, what is behind them."""
    await opened.wait()
    await server.look()


def placed(places: Mapping[Side, Place]) -> list[Finding]:
    """What is odd about the devices that the sound server has behind `default`."""
    found = []
    for side, place in places.items():
        if not place.works:
            caution = cautions.stand_in(side, place.name)
            found.append(problem(side, DeviceError(caution.message, hint="Plug one in.")))
    if any(place.telephony for place in places.values()):
        name = next(place.name for place in places.values() if place.telephony)
        others = places["microphone"].others if "microphone" in places else ()
        caution = cautions.telephony(name, others)
        found.append(note("headset", caution.message, caution.hint))
    return found


async def voice(chosen: Chosen, check: SoundCheck, progress: Progress) -> tuple[SoundCheck, list[Finding]]:
    """Listen to the user's voice for `VOICE_SECONDS`."""
    silence = np.zeros(round(VOICE_SECONDS * WIRE.rate), np.float32)
    try:
        take = await _probe({**chosen, "loudspeaker": None}, silence, progress)
        check = (await asyncio.to_thread(_with_voice, check, take)).rounded()
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


async def keep(check: SoundCheck) -> list[Finding]:
    """Keep what was found for later sessions, where it is about two devices that work."""
    if check.input_rate is None or check.output_rate is None or check.silent:
        return []
    try:
        await asyncio.to_thread(soundchecks.save, check)
        return []
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        return [note("kept", f"{soundchecks.path()} cannot be written: {why}", "Later sessions measure anew.")]


def advise(check: SoundCheck, *, canceller: bool) -> list[Finding]:
    """What the figures recommend."""
    if check.silent or check.input_rate is None:
        return []
    todo = advice(check, canceller=canceller)
    if todo:
        return [Finding("advice", Mark.NOTE, each) for each in todo]
    return [ok("advice", "nothing to do")]


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
        caution = cautions.zeros(check.input_name, sys.platform)
        return problem("level", DeviceError(caution.message, hint=caution.hint))
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
    if not canceller:
        return note("echo", f"{level}; no canceller works here: half duplex")
    what = "and hides in the noise" if check.erle_db is None else f"ERLE {check.erle_db:.0f} dB"
    if check.echo == "aec":
        return ok("echo", f"{level}, {what}: full duplex")
    return note("echo", f"{level}, {what}: half duplex")


def _timing(check: SoundCheck) -> Finding:
    parts = []
    if check.round_trip_ms is not None and check.echo_ms is not None:
        parts.append(f"round trip {check.round_trip_ms:.0f} ms, the echo comes after {check.echo_ms:.0f} ms")
    if check.drift_ppm is not None:
        parts.append(f"clocks {abs(check.drift_ppm):.0f} ppm apart")
    times = f"{check.dropouts} time{'s' if check.dropouts > 1 else ''}"
    parts.append(f"sound was lost {times}" if check.dropouts else "no sound was lost")
    text = ", ".join(parts)
    return note("timing", text) if check.dropouts else ok("timing", text)
