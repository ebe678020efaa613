"""Starting the server: inside this process for a session of one's own, or as `rtchat serve`."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
import ssl
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from ipaddress import ip_address

import uvicorn

from rtchat.errors import UsageError
from rtchat.server import tls
from rtchat.server.app import Server
from rtchat.server.engines import ollama, registry
from rtchat.server.engines.finding import Options

MAX_FRAME = 32 * 1024 * 1024
"""Bytes of one frame: an append of 15 MiB is 20 MiB in base64."""
LOG = logging.getLogger(__name__)
_TRUST = "Clients must trust {0} (Python: SSL_CERT_FILE={0}, Node: NODE_EXTRA_CA_CERTS={0})"


@dataclass(frozen=True, slots=True)
class ServerConfig:
    """How the server is started.

    Attributes:
        host: Address to listen on.
        port: Port; 0 for any free one.
        api_key: What clients must show; None lets every client in, and only those of this machine can come.
        stt: The engine that hears: a name, an address, or `module:factory`; so are the next two.
        llm: The engine that answers.
        tts: The engine that speaks.
        vad: Name of the engine that detects speech.
        tls: The certificate to encrypt with; None for plain `ws://`.
        options: What the engines are told besides.
        mcp: Are MCP servers called that clients name? None: if only this machine can come.
    """

    host: str = "127.0.0.1"
    port: int = 0
    api_key: str | None = None
    stt: str = "pocketsphinx"
    llm: str = "rules"
    tts: str = "espeak"
    vad: str = "silero"
    tls: tls.Certificate | None = None
    options: Options = field(default_factory=Options)
    mcp: bool | None = None


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
    config = config or ServerConfig()
    encryption = tls.context(config.tls) if config.tls else None
    used = engines or build(config)
    async with _ending(None if engines else used):
        with listening(config) as listener:
            server = Server(used, api_key=config.api_key, mcp=_may_call_mcp(config))
            async with _listening_on(listener, server, encryption) as url:
                yield url


async def serve(config: ServerConfig, *, engines: registry.Engines | None = None) -> signal.Signals:
    """`rtchat serve`: until Ctrl-C or SIGTERM.

    Returns:
        The signal that ended it.

    Raises:
        UsageError: It cannot listen there, or would listen to the network without a key.
    """
    loop = asyncio.get_running_loop()
    stopped: asyncio.Future[signal.Signals] = loop.create_future()

    def stop(number: signal.Signals) -> None:
        if not stopped.done():
            stopped.set_result(number)

    for number in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(NotImplementedError):  # Windows: Ctrl-C arrives as KeyboardInterrupt
            loop.add_signal_handler(number, stop, number)
    used = engines or build(config)
    async with _ending(None if engines else used), embedded(config, engines=used) as url:
        print(f"Listening on {url}/realtime", file=sys.stderr)
        if config.tls and config.tls.authority:
            print(_TRUST.format(config.tls.authority), file=sys.stderr)
        look = asyncio.create_task(_look_around(config, used))
        try:
            return await stopped
        finally:
            look.cancel()


async def _look_around(config: ServerConfig, engines: registry.Engines) -> None:
    """Say what does not work, and what could be used, beside the serving."""
    if config.llm == "rules" and (offer := ollama.offer(await ollama.models())):
        print(offer, file=sys.stderr)
    for sentence in await engines.check():
        print(f"Warning: {sentence}", file=sys.stderr)


def build(config: ServerConfig) -> registry.Engines:
    """The engines that a configuration names.

    Raises:
        UsageError: There is no engine of that name.
    """
    return registry.build(vad=config.vad, stt=config.stt, llm=config.llm, tts=config.tts, options=config.options)


@contextlib.contextmanager
def listening(config: ServerConfig) -> Iterator[socket.socket]:
    """A bound socket.

    Raises:
        UsageError: The port is in use, the address is not of this machine, or anybody on the network could come in.
    """
    if config.api_key is None and not _is_loopback(config.host):
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
    listener: socket.socket, server: Server, encryption: ssl.SSLContext | None
) -> AsyncIterator[str]:
    host, port = listener.getsockname()[:2]
    running = _Uvicorn(_uvicorn_config(server, encryption))
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


class _Uvicorn(uvicorn.Server):
    """uvicorn without its signal handlers, and with a way to know that it is there."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave them to the caller."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, and say so."""
        await super().startup(sockets)
        self.ready.set()


def _uvicorn_config(server: Server, encryption: ssl.SSLContext | None) -> uvicorn.Config:
    return uvicorn.Config(
        server.app,
        ws="websockets-sansio",
        ws_max_size=MAX_FRAME,
        ws_per_message_deflate=False,
        lifespan="off",
        log_config=None,
        access_log=False,
        log_level="critical",
        timeout_graceful_shutdown=1,
        ssl_context_factory=(lambda *_: encryption) if encryption else None,
    )


def _may_call_mcp(config: ServerConfig) -> bool:
    """Clients name the addresses that are then called from here; beyond this machine that takes a decision."""
    return _is_loopback(config.host) if config.mcp is None else config.mcp


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host
