"""`rtchat doctor`: checks everything that a conversation needs, and says what to do."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rtchat.audio.soundcheck import SoundCheck
    from rtchat.doctor.findings import Finding
    from rtchat.doctor.sound import Chosen

_QUIET = "A short sound is played now, not loud: please be quiet for {seconds:.0f} seconds."
_SPEAK = "Now say something, for example: one two three four five six."


def add_to(app: typer.Typer) -> None:
    """Add the command to the tree."""
    app.command()(doctor)


def doctor(
    input_device: Annotated[
        str | None, typer.Option("--input-device", help="The microphone: number or part of the name.")
    ] = None,
    output_device: Annotated[
        str | None, typer.Option("--output-device", help="The loudspeaker: number or part of the name.")
    ] = None,
    no_sound: Annotated[bool, typer.Option("--no-sound", help="Play nothing, and do not listen.")] = False,
    voice: Annotated[
        bool | None,
        typer.Option(
            "--voice/--no-voice", help="Ask you to say something, and measure it; by default on a terminal."
        ),
    ] = None,
    server: Annotated[
        str | None, typer.Option("--server", help="auto, openai, azure, local, or a ws(s):// address.")
    ] = None,
    url: Annotated[str | None, typer.Option("--url", help="The whole WebSocket address.")] = None,
    model: Annotated[str | None, typer.Option("--model", "-m", help="The model.")] = None,
    config: Annotated[Path | None, typer.Option("--config", help="The config file, instead of the user's.")] = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON object on standard output.")] = False,
) -> None:
    """Check what a conversation needs: sound, echo, key, network, server, terminal, packages.

    It plays a short sound and listens. What it finds about the devices is used by later sessions (--echo auto).
    """
    import asyncio

    flags = {"input_device": input_device, "output_device": output_device}
    flags |= {"server": server, "url": url, "model": model}
    report = _Report(as_json=json)
    asks = sys.stdin.isatty() and sys.stdout.isatty() and not json if voice is None else voice
    asyncio.run(_examine(report, flags, config, play=not no_sound, voice=asks))
    raise typer.Exit(report.close())


class _Report:
    """Prints findings as they come, or all of them as one object at the end."""

    def __init__(self, *, as_json: bool) -> None:
        from rich.console import Console

        self.findings: list[Finding] = []
        self.sound: SoundCheck | None = None
        self._json = as_json
        self._console = Console(highlight=False, soft_wrap=True) if sys.stdout.isatty() else None
        self._shown = False

    def add(self, *findings: Finding) -> None:
        """Take findings, and print them."""
        self.findings += findings
        if not self._json:
            for finding in findings:
                self._print(finding)

    def announce(self, text: str) -> None:
        """A line that is no finding: on standard error where standard output is a pipe."""
        print(text, file=sys.stdout if self._console and not self._json else sys.stderr, flush=True)

    def progress(self, share: float) -> None:
        """A bar that takes its own place away at the end; only on a terminal."""
        if not sys.stderr.isatty():
            return
        full = round(share * 30)
        self._shown = True
        print(f"\r[{'#' * full}{'.' * (30 - full)}]", end="", file=sys.stderr, flush=True)

    @contextmanager
    def progressing(self) -> Iterator[None]:
        """Takes the bar away at the end."""
        try:
            yield
        finally:
            if self._shown:
                self._shown = False
                print("\r\x1b[K", end="", file=sys.stderr, flush=True)

    def close(self) -> int:
        """Print what is still due, and give the exit code."""
        from rtchat.doctor.findings import exit_code

        code = exit_code(self.findings)
        if self._json:
            self._print_json(code)
        elif code == 0:
            print("A conversation works here." if self.sound else "Nothing stands in the way of a conversation.")
        else:
            print("A conversation does not work here yet: see the problems above.")
        return code

    def _print(self, finding: Finding) -> None:
        from rtchat.doctor.findings import Mark, lines

        if self._console is None:
            print("\n".join(lines(finding, None)), flush=True)
            return
        from rich.text import Text

        style = {Mark.OK: "green", Mark.NOTE: "yellow", Mark.PROBLEM: "bold red"}[finding.mark]
        said = Text("\n".join(lines(finding, min(self._console.width, 100))))
        said.stylize(style, 0, len(finding.mark))
        self._console.print(said)

    def _print_json(self, code: int) -> None:
        import json
        from dataclasses import asdict

        from rtchat import __version__

        told: dict[str, Any] = {
            "version": __version__,
            "exit_code": code,
            "checks": [finding.as_json() for finding in self.findings],
            "sound": asdict(self.sound) if self.sound else None,
        }
        print(json.dumps(told, ensure_ascii=False))


async def _examine(report: _Report, flags: dict[str, Any], config: Path | None, *, play: bool, voice: bool) -> None:
    """Every check in turn; what waits for the network does so while the sound plays."""
    import asyncio

    from rtchat.doctor import machine, servers, sound
    from rtchat.doctor.findings import Mark
    from rtchat.doctor.terminal import key_release, terminal

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
        chosen, found = await sound.devices(settings.input_device, settings.output_device)
        report.add(*found)
        if play and any(chosen.values()):
            await _listen(report, chosen, voice=voice)
        report.add(*await online)
    finally:
        online.cancel()


async def _listen(report: _Report, chosen: Chosen, *, voice: bool) -> None:
    from rtchat.doctor import sound

    both = None not in chosen.values()
    report.announce(_QUIET.format(seconds=7 if both else 3))
    trial = await sound.canceller() if both else None
    with report.progressing():
        check, found = await sound.play(chosen, report.progress, trial)
    if check is None:
        report.add(*found)
        return
    if voice and check.input_rate is not None:
        # A microphone that suppresses noise gives zeros until somebody speaks.
        silent = check.silent
        report.add(*([] if silent else found))
        report.announce(_SPEAK)
        with report.progressing():
            check, heard = await sound.voice(chosen, check, report.progress)
        found = [*sound.figures(check, canceller=trial is not None), *heard] if silent else heard
    report.add(*found)
    report.add(*sound.advise(check, canceller=trial is not None))
    report.add(*await sound.keep(check))
    report.sound = check


async def _online(plan: Any) -> list[Finding]:
    from rtchat.doctor import servers
    from rtchat.doctor.findings import Mark

    way = await servers.network(plan)
    if plan is None or plan.where == "local" or way.mark is Mark.PROBLEM:
        return [way]
    return [way, await servers.server(plan)]
