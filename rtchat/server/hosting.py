"""uvicorn, as this server needs it. The only module that knows it."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import uvicorn
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

if TYPE_CHECKING:
    from starlette.websockets import WebSocket

CUT = "rtchat.cut"
"""Extension of the ASGI scope: `cut` cuts the connection, `transport` is what is below it."""


class Host(uvicorn.Server):
    """uvicorn without its signal handlers, and with a way to know that it is there.

    Args:
        app: The ASGI application.
        max_frame: Bytes of one frame of a client.
        encryption: None for plain HTTP.
    """

    def __init__(self, app: Any, *, max_frame: int, encryption: ssl.SSLContext | None = None) -> None:
        config = uvicorn.Config(
            app,
            ws=_Connection,
            ws_max_size=max_frame,
            ws_per_message_deflate=False,
            lifespan="off",
            log_config=None,
            access_log=False,
            log_level="critical",
            server_header=False,
            timeout_graceful_shutdown=1,
            ssl_context_factory=(lambda *_: encryption) if encryption else None,
        )
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


class _Connection(WebSocketsSansIOProtocol):
    """A WebSocket that ends even when its client reads nothing any more.

    A transport that is closed first sends what it holds; towards a client that does not read that takes for ever.
    """

    def handle_connect(self, event: Any) -> None:
        super().handle_connect(event)
        if self.handshake_initiated and hasattr(self, "scope"):  # no scope: it was no upgrade that can be accepted
            self.scope["extensions"][CUT] = {"cut": self.transport.abort, "transport": self.transport}

    def keepalive_timeout(self) -> None:
        super().keepalive_timeout()
        self.loop.call_later(self.close_timeout, self.transport.abort)

    async def send(self, message: Any) -> None:
        await super().send(message)
        if self.close_timer is not None and message["type"] == "websocket.close":
            self.close_timer.cancel()
            self.close_timer = self.loop.call_later(self.close_timeout, self.transport.abort)


def abort(connection: WebSocket) -> None:
    """Cut the connection at once; what was still to be sent is lost."""
    cut = connection.scope.get("extensions", {}).get(CUT)
    if cut is not None:  # another ASGI server has none
        cut["cut"]()
