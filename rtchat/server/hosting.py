"""uvicorn, as this server needs it. The only module that knows it."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import uvicorn
from h11 import DONE, MUST_CLOSE
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.exceptions import InvalidState

if TYPE_CHECKING:
    from starlette.websockets import WebSocket

CUT = "rtchat.cut"
"""Extension of the ASGI scope: `cut` cuts the connection, `transport` is what is below it."""
REQUEST_S = 20
"""How long a client may take to say what it wants: a request, with its body."""


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
            http=_Requests,
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

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop, and cut the connections that did not end in time: their clients do not read, or do not answer."""
        await super().shutdown(sockets)
        for connection in list(self.server_state.connections):
            connection.transport.abort()
        await asyncio.sleep(0)  # they are lost in the next round of the event loop


class _Requests(H11Protocol):
    """HTTP whose clients say what they want in time; the others would hold their connections for ever."""

    _overdue: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._wait()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.conn.their_state in (DONE, MUST_CLOSE) or self.transport.get_protocol() is not self:  # upgraded
            self._wait_no_more()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._wait_no_more()
        if self.conn.their_state not in (DONE, MUST_CLOSE):
            self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._wait_no_more()

    def _wait(self) -> None:
        self._overdue = self.loop.call_later(REQUEST_S, self.transport.abort)

    def _wait_no_more(self) -> None:
        if self._overdue is not None:
            self._overdue.cancel()


class _Connection(WebSocketsSansIOProtocol):
    """A WebSocket that ends even when its client reads nothing any more, or broke the protocol.

    A transport that is closed first sends what it holds; towards a client that does not read that takes for ever.
    """

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.conn.handshake_exc is not None and not self.handshake_initiated:
            refusal = self.conn.reject(
                400, "This request cannot be upgraded: it has a body, or too long a header.\n"
            )
            self.transport.write(refusal.serialize())
            self.transport.close()

    def send_receive_event_to_app(self) -> None:
        try:
            super().send_receive_event_to_app()
        except InvalidState:  # text that is no UTF-8, and a close behind it, which ends the connection
            return

    def handle_connect(self, event: Any) -> None:
        super().handle_connect(event)
        if self.handshake_initiated and hasattr(self, "scope"):  # no scope: it was no upgrade that can be accepted
            self.scope["extensions"][CUT] = {"cut": self.transport.abort, "transport": self.transport}

    def keepalive_timeout(self) -> None:
        super().keepalive_timeout()
        self.loop.call_later(self.close_timeout, self.transport.abort)

    async def send(self, message: Any) -> None:
        if message["type"] == "websocket.send" and self.transport.is_closing():
            raise ClientDisconnected
        await super().send(message)
        if self.close_timer is not None and message["type"] == "websocket.close":
            self.close_timer.cancel()
            self.close_timer = self.loop.call_later(self.close_timeout, self.transport.abort)


def abort(connection: WebSocket) -> None:
    """Cut the connection at once; what was still to be sent is lost."""
    cut = connection.scope.get("extensions", {}).get(CUT)
    if cut is not None:  # another ASGI server has none
        cut["cut"]()
