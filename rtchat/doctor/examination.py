"""Every check in turn.

What keeps the processor busy comes before the sound, which would stutter; what only waits for the network does so
while the sound plays.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from rtchat.audio.sweep import test_sound
from rtchat.doctor import machine, servers, sound
from rtchat.doctor.findings import Finding, Mark
from rtchat.doctor.terminal import key_release, terminal

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from rtchat.doctor.report import Report
    from rtchat.doctor.sound import Chosen
    from rtchat.plan import Plan

_PLAYED = "A short sound is played now, not loud: please be quiet for {seconds:.0f} seconds."
_NOT_PLAYED = "Listening now: please be quiet for {seconds:.0f} seconds."
_SPEAK = "Now say something, for example: one two three four five six."


async def examine(
    report: Report, flags: Mapping[str, Any], config: Path | None, *, play: bool, voice: bool
) -> None:
    """Check everything.

    Args:
        report: Takes the findings.
        flags: Settings of the command line.
        config: `--config`.
        play: Play the test sound and listen.
        voice: Ask the user to say something.
    """
    settings, read = machine.configuration(flags, config)
    report.add(machine.system(), read, terminal(key_release=await key_release()))
    report.add(*await asyncio.to_thread(machine.packages))
    report.add(*await machine.programs())
    plan, trouble = servers.plan_for(settings)
    if trouble is not None and read.mark is not Mark.PROBLEM:
        report.add(trouble)
    report.add(servers.key(settings, plan), await servers.embedded_server(plan))
    online = asyncio.create_task(_online(plan))
    try:
        if not report.has_problem("PyAudio"):
            chosen, found = await sound.devices(settings)
            report.add(*found)
            if play and any(chosen.values()):
                await _listen(report, chosen, voice=voice)
        report.add(*await online)
    finally:
        online.cancel()
        with suppress(asyncio.CancelledError):
            await online


async def _listen(report: Report, chosen: Chosen, *, voice: bool) -> None:
    """Play, perhaps have the user speak, and advise."""
    there = [side for side, device in chosen.items() if device is not None]
    made = test_sound()
    seconds = made.seconds if len(there) == 2 else sound.SHORT_SECONDS
    trial = await sound.canceller() if len(there) == 2 else None
    with report.progress((_PLAYED if "loudspeaker" in there else _NOT_PLAYED).format(seconds=seconds)) as progress:
        check, found = await sound.play(chosen, progress, trial)
    if check is None or not (voice and "microphone" in there):
        report.add(*found)
    else:
        # A microphone that suppresses noise gives zeros until somebody speaks: not told before that.
        was_silent = check.silent
        report.add(*([] if was_silent else found))
        with report.progress(_SPEAK) as progress:
            check, heard = await sound.voice(chosen, check, progress)
        report.add(*(found if was_silent and check.silent else []), *heard)
    if check is not None:
        report.add(*sound.advise(check, canceller=trial is not None), *await sound.keep(check))
        report.sound = check


async def _online(plan: Plan | None) -> list[Finding]:
    """The network, and behind it the server."""
    way = await servers.network(plan)
    if plan is None or plan.where == "local" or way.mark is Mark.PROBLEM:
        return [way]
    return [way, await servers.server(plan)]
