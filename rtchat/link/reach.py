"""Whether a server can be reached, step by step: its name, a connection, TLS. No key is sent."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import threading
import time
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from websockets.exceptions import InvalidProxy
from websockets.proxy import get_proxy
from websockets.uri import parse_uri

from rtchat.link import failures
from rtchat.loopback import is_loopback

if TYPE_CHECKING:
    from rtchat.link.dialers import Endpoint


@dataclass(frozen=True, slots=True)
class Reached:
    """What it took, in milliseconds.

    Attributes:
        proxy: Host and port of the proxy that stands between, which is what was reached then; empty for none.
        name_ms: Finding the address of the name.
        connect_ms: Connecting to it.
        tls_ms: Agreeing on TLS; None where there is none, or where a proxy stands between.
    """

    proxy: str
    name_ms: float
    connect_ms: float
    tls_ms: float | None


async def reach(endpoint: Endpoint, limit: float) -> Reached:
    """Go as far as the server's door.

    Args:
        endpoint: From `dialers`.
        limit: Seconds for everything.

    Raises:
        ConnectFailed: It cannot be reached; the sentence says which step failed.
    """
    try:
        proxy = None if is_loopback(endpoint.hostname) else get_proxy(parse_uri(endpoint.url))
    except InvalidProxy:
        raise failures.proxy_failed("cannot be used") from None
    target = urlsplit(proxy or endpoint.url)
    secure = target.scheme in ("wss", "https")
    port = target.port or (1080 if target.scheme.startswith("socks") else 443 if secure else 80)
    try:
        async with asyncio.timeout(limit):
            return await _steps(target.hostname or "", port, secure=secure and not proxy, proxied=bool(proxy))
    except (OSError, UnicodeError) as error:
        if proxy:
            raise failures.proxy_failed("cannot be reached") from None
        raise failures.not_connected(error, endpoint, limit) from None


async def _steps(host: str, port: int, *, secure: bool, proxied: bool) -> Reached:
    begun = time.perf_counter()
    await _resolve(host, port)
    named = time.perf_counter()
    _, writer = await asyncio.open_connection(host, port, happy_eyeballs_delay=0.25)
    try:
        connected = time.perf_counter()
        if secure:
            await writer.start_tls(ssl.create_default_context(), server_hostname=host)
        done = time.perf_counter()
    finally:
        writer.close()
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(0.5):
                await writer.wait_closed()
    return Reached(
        proxy=f"{host}:{port}" if proxied else "",
        name_ms=(named - begun) * 1000,
        connect_ms=(connected - named) * 1000,
        tls_ms=(done - connected) * 1000 if secure else None,
    )


async def _resolve(host: str, port: int) -> None:
    """Look the name up on a thread that nobody waits for: a dead name server holds its caller up for half a minute.

    (The event loop's own threads are waited for when it ends.)
    """
    found: Future[object] = Future()

    def look() -> None:
        try:
            found.set_result(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except Exception as error:
            found.set_exception(error)

    threading.Thread(target=look, name="resolver", daemon=True).start()
    await asyncio.shield(asyncio.wrap_future(found))
