"""`rtchat serve`: the Realtime API on this machine."""

from __future__ import annotations

from typing import Annotated

import typer


def add_to(app: typer.Typer) -> None:
    """Add the command to the tree."""
    app.command()(serve)


def serve(
    host: Annotated[str, typer.Option("--host", help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="Port; 0 takes a free one.")] = 8765,
    api_key: Annotated[
        str | None,
        typer.Option(
            "--api-key", envvar="RTCHAT_API_KEY", help="Key that clients must give; needed beyond loopback."
        ),
    ] = None,
    stt: Annotated[str, typer.Option("--stt", help="The engine that hears.")] = "pocketsphinx",
    llm: Annotated[str, typer.Option("--llm", help="The engine that answers.")] = "rules",
    tts: Annotated[str, typer.Option("--tts", help="The engine that speaks.")] = "espeak",
    vad: Annotated[str, typer.Option("--vad", help="The engine that detects speech.")] = "silero",
) -> None:
    """Serve the Realtime API on this machine.

    Any client of the API can use it; rtchat does when there is no key.
    """
    import asyncio
    import signal

    from rtchat.server import run

    ended_by = asyncio.run(run.serve(run.ServerConfig(host, port, api_key, stt, llm, tts, vad)))
    raise typer.Exit(130 if ended_by is signal.SIGINT else 0)
