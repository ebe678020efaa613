"""`rtchat doctor`: checks everything that a conversation needs, and says what to do."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer


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
            "--voice/--no-voice", help="Ask you to say something, and measure your voice; by default on a terminal."
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

    from rtchat.doctor.examination import examine
    from rtchat.doctor.report import Report

    flags = {"input_device": input_device, "output_device": output_device}
    flags |= {"server": server, "url": url, "model": model}
    asks = sys.stdin.isatty() and sys.stdout.isatty() and not json if voice is None else voice
    report = Report(as_json=json)
    asyncio.run(examine(report, flags, config, play=not no_sound, voice=asks))
    raise typer.Exit(report.close())
