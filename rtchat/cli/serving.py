"""`rtchat serve`: the Realtime API on this machine."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path  # typer reads the annotations
from typing import TYPE_CHECKING, Annotated

import typer

from rtchat.errors import UsageError

if TYPE_CHECKING:
    from rtchat.server.staging.stage import Stage
    from rtchat.server.tls import Certificate


class SelfSigned(StrEnum):
    """The one certificate that is made here."""

    SELF_SIGNED = "self-signed"


class LogStyle(StrEnum):
    """How the journal is written."""

    TEXT = "text"
    JSON = "json"
    OFF = "off"


class SpeechFormat(StrEnum):
    """What a voice over HTTP can be asked for."""

    PCM = "pcm"
    WAV = "wav"


_ENGINE = "ENGINE"


class Time(StrEnum):
    """Whose time sessions live in."""

    REAL = "real"
    VIRTUAL = "virtual"


def add_to(app: typer.Typer) -> None:
    """Add the command to the tree."""
    app.command()(serve)


def serve(
    host: Annotated[str, typer.Option("--host", help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="Port; 0 takes a free one.")] = 8765,
    api_key: Annotated[
        list[str] | None,
        typer.Option(
            "--api-key",
            envvar="RTCHAT_API_KEY",
            metavar="KEY",
            help="Key that clients must give; needed beyond loopback. Repeat it for several.",
        ),
    ] = None,
    stt: Annotated[
        str,
        typer.Option(
            "--stt", metavar=_ENGINE, help="The engine that hears; `moonshine` does so while the user speaks."
        ),
    ] = "pocketsphinx",
    stt_model: Annotated[str, typer.Option("--stt-model", help="The model that hears.")] = "",
    llm: Annotated[
        str,
        typer.Option("--llm", metavar=_ENGINE, help="The engine that answers; `ollama` for the one here."),
    ] = "rules",
    llm_model: Annotated[str, typer.Option("--llm-model", help="The model that answers.")] = "",
    tts: Annotated[str, typer.Option("--tts", metavar=_ENGINE, help="The engine that speaks.")] = "espeak",
    tts_model: Annotated[str, typer.Option("--tts-model", help="The model that speaks.")] = "",
    tts_voice: Annotated[
        str, typer.Option("--tts-voice", help="The engine's voice, in place of the one that a session names.")
    ] = "",
    tts_format: Annotated[
        SpeechFormat, typer.Option("--tts-format", help="What a voice over HTTP is asked for.")
    ] = SpeechFormat.PCM,
    vad: Annotated[str, typer.Option("--vad", help="The engine that detects speech.")] = "silero",
    end_of_turn: Annotated[
        str,
        typer.Option(
            "--end-of-turn",
            metavar=_ENGINE,
            help="Tells a pause from an end: `smart-turn` or `off`.",
        ),
    ] = "auto",
    engine_timeout: Annotated[
        float,
        typer.Option(
            "--engine-timeout",
            min=0.1,
            metavar="SECONDS",
            help="Longest wait for an engine's first piece.",
        ),
    ] = 30.0,
    tls: Annotated[
        SelfSigned | None,
        typer.Option("--tls", help="Encrypt (wss://) with a certificate that is made for localhost."),
    ] = None,
    tls_cert: Annotated[
        Path | None,
        typer.Option("--tls-cert", metavar="FILE", help="Encrypt (wss://) with this certificate and its chain."),
    ] = None,
    tls_key: Annotated[
        Path | None, typer.Option("--tls-key", metavar="FILE", help="Key of the certificate.")
    ] = None,
    max_sessions: Annotated[
        int | None,
        typer.Option(
            "--max-sessions", min=1, help="Sessions at once; beyond it, HTTP 503.", show_default="no limit"
        ),
    ] = None,
    session_seconds: Annotated[
        float, typer.Option("--session-seconds", min=1, help="How long a session may last.")
    ] = 3600,
    idle_seconds: Annotated[
        float | None,
        typer.Option(
            "--idle-seconds", min=1, help="Close a session that is silent for so long.", show_default="never"
        ),
    ] = None,
    drain_seconds: Annotated[
        float, typer.Option("--drain-seconds", min=0, help="How long sessions may go on after SIGTERM.")
    ] = 30,
    log: Annotated[LogStyle, typer.Option("--log", help="Lines about sessions on standard error.")] = LogStyle.TEXT,
    script: Annotated[
        Path | None,
        typer.Option(
            "--script", metavar="FILE", help="Hear and say what this scenario (or recorded session) says."
        ),
    ] = None,
    seed: Annotated[int | None, typer.Option("--seed", help="Make ids and faults the same in every run.")] = None,
    chaos: Annotated[
        list[str] | None,
        typer.Option(
            "--chaos", metavar="NAME|FILE", help="Make this go wrong, on purpose; `--chaos list` says what can."
        ),
    ] = None,
    allow_chaos: Annotated[
        bool, typer.Option("--allow-chaos", help="Clients may ask for faults (?chaos=…) though there is a key.")
    ] = False,
    clock: Annotated[
        Time, typer.Option("--clock", help="virtual: delays take no time, and every run is alike.")
    ] = Time.REAL,
    beta: Annotated[
        bool,
        typer.Option("--beta", help="Serve the API's withdrawn beta to clients that ask for it."),
    ] = False,
    allow_mcp: Annotated[
        bool | None,
        typer.Option(
            "--allow-mcp/--no-mcp",
            help="Call the MCP servers that clients name; without a flag, only if just this machine can come.",
        ),
    ] = None,
) -> None:
    """Serve the Realtime API on this machine.

    Any client of the API can use it; rtchat does when there is no key. An ENGINE is a name, the address of a
    server of OpenAI's shape (http://127.0.0.1:11434/v1) or module:factory; see docs/engines.md. Keys for addresses
    are read from RTCHAT_STT_API_KEY, RTCHAT_LLM_API_KEY and RTCHAT_TTS_API_KEY.
    """
    import asyncio
    import signal

    from rtchat.server import run
    from rtchat.server.engines.finding import Options
    from rtchat.server.limits import Limits

    options = Options(
        llm_model=llm_model,
        stt_model=stt_model,
        tts_model=tts_model,
        tts_voice=tts_voice,
        tts_format=tts_format.value,
        timeout_s=engine_timeout,
    )
    config = run.ServerConfig(
        host=host,
        port=port,
        api_key=_keys(api_key or []),
        stt=stt,
        llm=llm,
        tts=tts,
        vad=vad,
        end_of_turn=end_of_turn,
        tls=_certificate(tls, tls_cert, tls_key),
        options=options,
        limits=Limits(
            max_sessions=max_sessions, session_s=session_seconds, idle_s=idle_seconds, drain_s=drain_seconds
        ),
        log="json" if log is LogStyle.JSON else "text" if log is LogStyle.TEXT else None,
        stage=_stage(script, seed, clock, chaos or [], allow_chaos),
        mcp=allow_mcp,
        beta=beta,
    )
    ended_by = asyncio.run(run.serve(config))
    raise typer.Exit(130 if ended_by is signal.SIGINT else 0)


def _keys(given: list[str]) -> tuple[str, ...] | None:
    """The keys that clients may show.

    Raises:
        UsageError: One is empty: nobody can show that.
    """
    if not all(key.strip() for key in given):
        raise UsageError("--api-key is empty.", hint="Give a key, or leave it out on 127.0.0.1.")
    return tuple(given) or None


def _stage(script: Path | None, seed: int | None, clock: Time, chaos: list[str], allow_chaos: bool) -> Stage:
    """What the flags for tests say.

    Raises:
        UsageError: A file cannot be read, or there is a mistake in it.
    """
    from rtchat.server.staging import faults, scenario
    from rtchat.server.staging.stage import Stage

    if "list" in chaos:
        typer.echo(faults.listing())
        raise typer.Exit
    return Stage(
        scenario=scenario.load(script) if script else None,
        seed=seed,
        virtual=clock is Time.VIRTUAL,
        chaos=faults.choose(chaos),
        allow_chaos=allow_chaos,
    )


def _certificate(made: SelfSigned | None, cert: Path | None, key: Path | None) -> Certificate | None:
    """What the three flags say.

    Raises:
        UsageError: They contradict each other, or one of two is missing.
    """
    from rtchat.server import tls

    if made and (cert or key):
        raise UsageError(
            "--tls self-signed makes a certificate, and --tls-cert and --tls-key name one.",
            hint="Give one or the other.",
        )
    if made:
        return tls.self_signed()
    if cert and key:
        return tls.Certificate(cert, key)
    if cert or key:
        raise UsageError("A certificate and its key go together.", hint="Give both --tls-cert and --tls-key.")
    return None
