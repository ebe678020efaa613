"""The modes: interactive, text, tools, translator, transcribe."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from rtchat.cli.options import shared
from rtchat.modes import Mode


def add_to(app: typer.Typer) -> None:
    """Add the commands to the tree."""
    for command in (interactive, text, tools, translator, transcribe):
        app.command()(shared(command))


def _run(mode: Mode, flags: dict[str, Any], prompt: str | None = None) -> None:
    from rtchat.cli.run import run_mode

    raise typer.Exit(run_mode(mode, flags, prompt))


def interactive(flags: dict[str, Any]) -> None:
    """Talk: speak, hear the answer, interrupt at any moment."""
    _run(Mode.INTERACTIVE, flags)


def text(
    flags: dict[str, Any],
    prompt: Annotated[
        str | None, typer.Argument(help="What to say; without it, lines are typed or read from a pipe.")
    ] = None,
    speak: Annotated[bool | None, typer.Option("--speak/--no-speak", help="Say the answers too.")] = None,
) -> None:
    """Type (or pipe) instead of speaking: needs no sound device."""
    _run(Mode.TEXT, {**flags, "speak": speak}, prompt)


def tools(
    flags: dict[str, Any],
    tool_timeout: Annotated[
        str | None, typer.Option("--tool-timeout", metavar="SECONDS", help="Seconds that a tool may take.")
    ] = None,
) -> None:
    """Talk, and let the assistant act.

    It has the weather, the time, arithmetic and timers, and your own functions with --tools.
    """
    _run(Mode.TOOLS, {**flags, "tool_timeout": tool_timeout})


def translator(
    flags: dict[str, Any],
    to: Annotated[str | None, typer.Option("--to", help="The language to hear: es, fr, de, …")] = None,
    from_: Annotated[str | None, typer.Option("--from", help="The language spoken.")] = None,
    turns: Annotated[
        bool | None,
        typer.Option("--turns/--no-turns", help="Take turns, with a conversation model."),
    ] = None,
) -> None:
    """Speak one language, hear another."""
    _run(Mode.TRANSLATOR, {**flags, "to": to, "from": from_, "turns": turns})


def transcribe(
    flags: dict[str, Any],
    wav: Annotated[
        Path | None, typer.Option("--wav", help="A WAV file to write down, instead of the microphone.")
    ] = None,
    from_: Annotated[str | None, typer.Option("--from", help="The language spoken.")] = None,
) -> None:
    """Speech to text: what is said, a line a turn."""
    _run(Mode.TRANSCRIBE, {**flags, **({"input_wav": wav} if wav else {}), "from": from_})
