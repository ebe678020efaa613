"""Starting the server: inside this process for a session of one's own, or as `rtchat serve`."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import ssl
import sys
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from typing import Any

from rtchat.errors import UsageError
from rtchat.loopback import is_loopback
from rtchat.server import tls
from rtchat.server.app import Server
from rtchat.server.engines import ollama, registry
from rtchat.server.engines.finding import Options
from rtchat.server.hosting import Host
from rtchat.server.journal import Journal, Style
from rtchat.server.limits import Limits
from rtchat.server.staging.stage import Stage

_TRUST = "Clients must trust {0} (Python: SSL_CERT_FILE={0}, Node: NODE_EXTRA_CA_CERTS={0})"


@dataclass(frozen=True, slots=True)
class ServerConfig:
    """How the server is started.

    Attributes:
        host: Address to listen on.
        port: Port; 0 for any free one.
        api_key: What clients must show, one of several; None lets every client in, but only those of this machine.
        stt: The engine that hears: a name, an address, or `module:factory`; so are the next two.
        llm: The engine that answers.
        tts: The engine that speaks.
        vad: Name of the engine that detects speech.
        end_of_turn: What tells a pause from an end under semantic_vad: `auto` for what is installed, `off`, a name.
        tls: The certificate to encrypt with; None for plain `ws://`.
        options: What the engines are told besides.
        limits: What the server takes on.
        log: Style of the lines on standard error about sessions; None for none.
        stage: What a test puts around each session: a scenario, faults, a seed.
        mcp: Are MCP servers called that clients name? None: if only this machine can come.
        beta: Are clients served that speak the API's withdrawn beta?
    """

    host: str = "127.0.0.1"
    port: int = 0
    api_key: str | tuple[str, ...] | None = None
    stt: str = "pocketsphinx"
    llm: str = "rules"
    tts: str = "espeak"
    vad: str = "silero"
    end_of_turn: str = "auto"
    tls: tls.Certificate | None = None
    options: Options = field(default_factory=Options)
    limits: Limits = field(default_factory=Limits)
    log: Style | None = None
    stage: Stage = field(default_factory=Stage)
    mcp: bool | None = None
    beta: bool = False

    @property
    def keys(self) -> tuple[str, ...]:
        """Every key that lets a client in."""
        return (self.api_key,) if isinstance(self.api_key, str) else self.api_key or ()


@asynccontextmanager
async def embedded(
    config: ServerConfig | None = None, *, engines: registry.Engines | None = None
) -> AsyncIterator[str]:
    """The server inside this process and event loop, for as long as the context lasts.

    Args:
        config: How to start it; by default on any free port of 127.0.0.1, for everybody on this machine.
        engines: What answers, instead of the engines that `config` names.

    Yields:
        Its base URL, `ws://127.0.0.1:PORT/v1`, or `wss://` with a certificate.

    Raises:
        UsageError: It cannot listen there, or there is no engine of that name.
    """
    async with _running(config or ServerConfig(), engines) as (url, *_):
        yield url


@asynccontextmanager
async def _running(
    config: ServerConfig, engines: registry.Engines | None
) -> AsyncIterator[tuple[str, Server, Journal, registry.Engines]]:
    encryption = tls.context(config.tls) if config.tls else None
    used = engines or build(config)
    journal = Journal(config.log)
    server = Server(
        used,
        keys=config.keys,
        limits=config.limits,
        journal=journal,
        stage=config.stage,
        mcp=_may_call_mcp(config),
        beta=config.beta,
    )
    async with _ending(None if engines else used):
        with listening(config) as listener, closing(journal):
            async with _listening_on(listener, server, config, encryption) as url:
                yield url, server, journal, used


async def serve(config: ServerConfig, *, engines: registry.Engines | None = None) -> signal.Signals:
    """`rtchat serve`: until Ctrl-C, or until SIGTERM and the end of the sessions that are live then.

    SIGTERM drains: nobody new is let in, live sessions go on for `limits.drain_s`; a second signal ends at once.

    Returns:
        The signal that ended it.

    Raises:
        UsageError: It cannot listen there, or would listen to the network without a key.
    """
    loop = asyncio.get_running_loop()
    signals: asyncio.Queue[signal.Signals] = asyncio.Queue()
    for number in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(NotImplementedError):  # Windows: Ctrl-C arrives as KeyboardInterrupt
            loop.add_signal_handler(number, signals.put_nowait, number)
    async with _running(config, engines) as (url, server, journal, used):
        print(f"Listening on {url}/realtime", file=sys.stderr, flush=True)
        if config.tls and config.tls.authority:
            print(_TRUST.format(config.tls.authority), file=sys.stderr, flush=True)
        look = asyncio.create_task(_look_around(config, used))
        try:
            ended_by = await signals.get()
            if ended_by is signal.SIGTERM and len(server.admission):
                journal.write("draining", sessions=len(server.admission), at_most_seconds=config.limits.drain_s)
                await _first(server.admission.drain(), signals.get())
                journal.write("drained", sessions_closed=len(server.admission))
            return ended_by
        finally:
            look.cancel()


async def _look_around(config: ServerConfig, engines: registry.Engines) -> None:
    """Say what does not work, and what could be used, beside the serving."""
    if config.stage.scenario is not None:  # nobody will ask them
        return
    if config.llm == "rules" and (offer := ollama.offer(await ollama.models(ollama.PATIENT_LOOK_S))):
        print(offer, file=sys.stderr)
    for sentence in await engines.check():
        print(f"Warning: {sentence}", file=sys.stderr)


async def _first(*work: Coroutine[Any, Any, Any]) -> None:
    """Whatever is done first ends the others."""
    tasks = [asyncio.create_task(one) for one in work]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()


def build(config: ServerConfig) -> registry.Engines:
    """The engines that a configuration names.

    Raises:
        UsageError: There is no engine of that name.
    """
    scenario = config.stage.scenario
    return registry.build(
        vad=config.vad,
        stt=config.stt,
        llm=config.llm,
        tts=(scenario and scenario.tts) or config.tts,
        end_of_turn=config.end_of_turn,
        options=config.options,
    )


@contextlib.contextmanager
def listening(config: ServerConfig) -> Iterator[socket.socket]:
    """A bound socket.

    Raises:
        UsageError: The port is in use, the address is not of this machine, or anybody on the network could come in.
    """
    if not config.keys and not is_loopback(config.host):
        raise UsageError(
            f"Listening on {config.host} without a key would let anybody on the network in.",
            hint="Give --api-key, or listen on 127.0.0.1.",
        )
    try:
        family, _, _, _, address = socket.getaddrinfo(config.host, config.port, type=socket.SOCK_STREAM)[0]
        listener = socket.create_server(address[:2], family=family, backlog=128)
    except OSError as error:
        where = f"{config.host}:{config.port}"
        by_system = error.errno is not None and not isinstance(error, socket.gaierror)
        reason = os.strerror(error.errno or 0) if by_system else error.strerror or str(error)
        raise UsageError(
            f"Cannot listen on {where}: {reason}.", hint="Choose another --port, or 0 for any free one."
        ) from error
    # asyncio sets this only on sockets made with an explicit protocol number; accepted sockets inherit it from
    # here. Without it an answer waits 40 ms for the client's delayed acknowledgement.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with listener:
        yield listener


@asynccontextmanager
async def _listening_on(
    listener: socket.socket, server: Server, config: ServerConfig, encryption: ssl.SSLContext | None
) -> AsyncIterator[str]:
    host, port = listener.getsockname()[:2]
    running = Host(server.app, max_frame=config.limits.max_frame, encryption=encryption)
    task = asyncio.create_task(running.serve(sockets=[listener]))
    started = asyncio.create_task(running.ready.wait())
    try:
        await asyncio.wait([task, started], return_when=asyncio.FIRST_COMPLETED)
        yield f"{'wss' if encryption else 'ws'}://{_in_url(host)}:{port}/v1"
    finally:
        started.cancel()
        await server.close()
        running.should_exit = True
        await task


@asynccontextmanager
async def _ending(engines: registry.Engines | None) -> AsyncIterator[None]:
    """Engines of our own end with us: they have processes and connections."""
    try:
        yield
    finally:
        if engines is not None:
            await engines.close()


def _may_call_mcp(config: ServerConfig) -> bool:
    """Clients name the addresses that are then called from here; beyond this machine that takes a decision."""
    return is_loopback(config.host) if config.mcp is None else config.mcp


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host
