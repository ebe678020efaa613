"""The WebSocket to a Realtime server: events out, events in, and one clear reason when it ends.

::

    async with connect(openai("gpt-realtime-2.1", key)) as connection:
        await connection.send(ResponseCreate())
        async for event in connection:
            ...

When the uplink is slow, at most `WRITE_LIMIT` bytes (2 s of sound) wait in the process, `NOT_SENT` in the kernel.
Then `send` waits: nothing is lost. `offer`, for live sound, refuses from half of that on, so that the server never
hears the past. The caller sees it in `unsent_bytes`, `send_lag` and `refused_chunks`. An uplink that moves nothing
between two pings is lost, like a server that stops answering.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import ssl
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from typing import Any, Final, Literal

import websockets.asyncio.client as ws
import websockets.exceptions as wsx
from websockets.proxy import get_proxy
from websockets.typing import Subprotocol
from websockets.uri import parse_uri

from rtchat import __version__
from rtchat.errors import ConnectionLost, RtchatError, WireError
from rtchat.link import failures
from rtchat.link.dialers import Endpoint
from rtchat.loopback import is_loopback
from rtchat.protocol import wire
from rtchat.protocol.client_events import ClientEvent
from rtchat.protocol.error_codes import severity
from rtchat.protocol.server_events import ErrorEvent, ServerEvent
from rtchat.protocol.translation import TranslationClientEvent, TranslationServerEvent

MAX_FRAME: Final = 64 * 2**20
"""Bytes of the largest frame taken. A retrieved item carries all of its sound."""

WRITE_LIMIT: Final = 128 * 1024
"""Bytes written and not yet taken by the kernel, above which `send` waits."""

NOT_SENT: Final = 16 * 1024
"""Bytes that the kernel may hold unsent, where it can be told (Linux, macOS)."""

CLOSE_TIMEOUT: Final = 1.0
"""Seconds for the other side to hang up after a goodbye."""

GRACE: Final = 0.25
"""Seconds to wait for the close that makes an `error` a refusal. The service sends both in the same millisecond."""

Received = ServerEvent | TranslationServerEvent | WireError
OnFrame = Callable[[Literal["sent", "received"], str | bytes, Any], None]
"""Told of every frame: its direction, its text, and the event (or the `WireError`) that it is."""

# The library's own log would show headers (the key) and frames (what was said) at DEBUG.
_silent = logging.getLogger("rtchat.link.websockets")
_silent.setLevel(logging.CRITICAL + 1)


@contextlib.asynccontextmanager
async def connect(
    endpoint: Endpoint,
    *,
    timeout: float = 10.0,  # noqa: ASYNC109 - of the dialling only, not of what is done inside
    keepalive: float = 15.0,
    on_frame: OnFrame | None = None,
) -> AsyncIterator[Connection]:
    """Dial `endpoint`, and hang up at the end.

    Args:
        endpoint: From `dialers`.
        timeout: Seconds for name, connection, TLS and handshake together; and then for the server's first word.
        keepalive: Seconds between pings, and seconds for their answer.
        on_frame: See `OnFrame`; it must return at once.

    Raises:
        ConnectFailed: Nobody answered, or not a WebSocket server.
        Refused: The server said no at the handshake.
    """
    connection = Connection(await _dial(endpoint, timeout, keepalive), endpoint, timeout, on_frame)
    try:
        yield connection
    finally:
        await connection.close()


class Connection:
    """An open connection. Iterate it for what the server sends; one reader at a time, any number of senders.

    Iterating yields events, and a `WireError` for a frame that is none: tell it and go on. It ends after `close`;
    in every other case it raises:

    Raises:
        Refused: The server took the connection only to say no (bad key, unknown model, no credit).
        ConnectFailed: The server took the connection and never said a word.
        ConnectionLost: The server closed, vanished or stopped talking.
    """

    def __init__(
        self, opened: ws.ClientConnection, endpoint: Endpoint, first_word: float, on_frame: OnFrame | None
    ) -> None:
        self.endpoint = endpoint
        self.refused_chunks = 0
        self._socket = opened
        self._decode = wire.decode_translation_server_event if endpoint.translation else wire.decode_server_event
        self._on_frame = on_frame
        self._first_word = first_word if endpoint.greets else None
        self._ready: deque[Received] = deque()
        self._silent = True
        self._established = False
        self._reading = False
        self._last_error: ErrorEvent | None = None
        self._last_frame_at = 0.0
        self._frames = 0
        self._waiting_since: float | None = None
        self._asked_to_close = False
        self._abandoned: RtchatError | None = None
        self._end: RtchatError | None = None
        self._ended = asyncio.Event()

    async def send(self, event: ClientEvent | TranslationClientEvent) -> None:
        """Send an event; waits while the uplink is behind.

        Raises:
            Refused, ConnectionLost: As when iterating.
        """
        frame = wire.encode(event)
        first = self._waiting_since is None
        if first:
            self._waiting_since = time.monotonic()
        try:
            await self._socket.send(frame)
        except wsx.ConnectionClosed:
            raise await self._reason() from None
        finally:
            if first:
                self._waiting_since = None
        if self._on_frame is not None:
            self._on_frame("sent", frame, event)

    async def offer(self, event: ClientEvent | TranslationClientEvent) -> bool:
        """Send live sound if the uplink keeps up; never waits.

        Returns:
            False when more than a second of sound is still unsent: the event is dropped and counted in
            `refused_chunks`.

        Raises:
            Refused, ConnectionLost: As when iterating.
        """
        if self.behind:
            self.refused_chunks += 1
            return False
        await self.send(event)
        return True

    @property
    def unsent_bytes(self) -> int:
        """Bytes that the kernel has not taken yet; 0 on an uplink that keeps up."""
        return self._socket.transport.get_write_buffer_size()

    @property
    def send_lag(self) -> float:
        """Seconds that a `send` has been waiting for the uplink by now; 0.0 when none is."""
        return 0.0 if self._waiting_since is None else time.monotonic() - self._waiting_since

    @property
    def latency(self) -> float:
        """Seconds of the last ping's way there and back; 0.0 before the first."""
        return self._socket.latency

    @property
    def behind(self) -> bool:
        """More than a second of sound is still unsent: `offer` refuses."""
        return self.unsent_bytes > WRITE_LIMIT // 2

    async def check(self, limit: float) -> None:
        """Ask the other side whether it is there; a connection that shows no sign of life is given up.

        The answer to a ping is one, and so is any frame, or unsent sound that moves: on a slow network the answer
        waits behind what was sent before it.

        Args:
            limit: Seconds to wait.
        """
        frames, unsent = self._frames, self.unsent_bytes
        try:
            async with asyncio.timeout(limit):
                await (await self._socket.ping())
        except wsx.ConnectionClosed:
            return  # the reader finds out why
        except TimeoutError:
            if self._frames == frames and self.unsent_bytes >= unsent:
                self.abandon(failures.ended(self.endpoint, code=failures.STALLED))

    def abandon(self, why: RtchatError) -> None:
        """Break the connection off, without a word to the other side; iterating then raises `why`."""
        self._abandoned = why
        self._socket.transport.abort()

    async def close(self, code: int = 1000) -> None:
        """Say goodbye and hang up, in a second at most; the iteration ends."""
        self._asked_to_close = True
        await self._socket.close(code)

    def __aiter__(self) -> Connection:
        return self

    async def __anext__(self) -> Received:
        if not self._ready:
            await self._read_ahead()
        if not self._ready:
            raise StopAsyncIteration
        return self._ready.popleft()

    async def _read_ahead(self) -> None:
        """Put what comes next in `_ready`; nothing once we have hung up."""
        await self._receive(self._first_word if self._silent else None)
        error = self._last_error
        if error is None or (self._established and not severity(error.error).permanent):
            return
        # "101, then `error`, then close 3000 or 4000": one refusal, not an event and then a loss.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(GRACE):
                await self._receive(None)

    async def _receive(self, patience: float | None) -> None:
        """Put the next frame in `_ready`; nothing once we have hung up.

        Args:
            patience: Seconds to wait for the server's first word.

        Raises:
            RtchatError: Why there is no next frame.
        """
        if self._end is not None:
            raise self._end
        self._reading = True
        try:
            async with asyncio.timeout(patience) as limit:
                frame = await self._socket.recv(decode=False)
        except TimeoutError:
            if not limit.expired():
                raise
            raise self._finish(failures.said_nothing(self.endpoint, patience or 0)) from None
        except wsx.ConnectionClosed as closed:
            if not self._asked_to_close:
                raise self._finish(self._why(closed)) from None
        else:
            self._ready.append(self._take(frame))
        finally:
            self._reading = False

    def _take(self, frame: bytes) -> Received:
        event: Received
        try:
            event = self._decode(frame)
        except WireError as error:
            event = error
        self._silent = False
        self._frames += 1
        self._last_error = event if isinstance(event, ErrorEvent) else None
        self._last_frame_at = time.monotonic()
        self._established = self._established or not isinstance(event, ErrorEvent | WireError)
        if self._on_frame is not None:
            self._on_frame("received", frame, event)
        return event

    async def _reason(self) -> RtchatError:
        """Why a `send` failed: what the server said before it closed may still be unread."""
        if self._reading:  # the reader is about to find out
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(1):
                    await self._ended.wait()
        while self._end is None and not self._asked_to_close:
            with contextlib.suppress(RtchatError):
                await self._receive(None)
        return self._end or ConnectionLost("The connection is closed.")

    def _why(self, closed: wsx.ConnectionClosed) -> RtchatError:
        """The error that says why it was closed; an `error` event that says so too is taken out of `_ready`."""
        if self._abandoned is not None:
            return self._abandoned
        code, reason, ours = None, "", False
        if closed.sent is not None and not closed.rcvd_then_sent:
            ours = True
            code = failures.STALLED if "keepalive" in closed.sent.reason else closed.sent.code
        elif closed.rcvd is not None:
            code, reason = closed.rcvd.code, closed.rcvd.reason
        error = self._last_error if time.monotonic() - self._last_frame_at < 4 * GRACE else None
        if error is not None and error in self._ready:
            self._ready.remove(error)
        detail = error.error if error else None
        return failures.ended(self.endpoint, code=code, reason=reason, ours=ours, error=detail, silent=self._silent)

    def _finish(self, end: RtchatError) -> RtchatError:
        self._end = end
        self._ended.set()
        return end


class _Socket(ws.ClientConnection):
    """A client connection whose end never depends on the other side.

    The library leaves it to the server to end TCP after a close frame, and after garbage; some never do.
    """

    _doomed = False

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if not self._doomed and self.protocol.close_expected():
            self._doomed = True
            self.loop.call_later(CLOSE_TIMEOUT, self.transport.abort)


class _Dial(ws.connect):
    """`websockets.connect` without redirects: it would carry `api-key` headers over to another host."""

    def process_redirect(self, exc: Exception) -> Exception | str:
        return exc


async def _dial(endpoint: Endpoint, patience: float, keepalive: float) -> ws.ClientConnection:
    """Open the socket, and call every way in which that can fail by its name."""
    proxy = None
    try:
        if not is_loopback(endpoint.hostname):  # no proxy can reach this machine for us
            proxy = get_proxy(parse_uri(endpoint.url))
        connection = await _Dial(
            endpoint.url,
            additional_headers=dict(endpoint.headers),
            subprotocols=[Subprotocol(name) for name in endpoint.subprotocols] or None,
            user_agent_header=f"rtchat/{__version__}",
            compression=None,  # sound in base64 does not shrink enough to be worth its time
            proxy=proxy,
            open_timeout=patience,
            ping_interval=keepalive,
            ping_timeout=keepalive,
            close_timeout=CLOSE_TIMEOUT,
            max_size=MAX_FRAME,
            max_queue=64,
            write_limit=WRITE_LIMIT,
            logger=_silent,
            create_connection=_Socket,
            happy_eyeballs_delay=0.25,  # a network whose IPv6 leads nowhere costs this much, not the whole timeout
        )
    except wsx.InvalidStatus as error:
        answer = error.response
        body = bytes(answer.body or b"")
        raise failures.answered_http(answer.status_code, body, answer.headers.get("Location"), endpoint) from None
    except (wsx.ProxyError, wsx.InvalidProxy) as error:
        what = "refused the connection" if isinstance(error, wsx.InvalidProxyStatus) else "cannot be used"
        raise failures.proxy_failed(what) from None
    except ImportError:
        raise failures.proxy_failed(
            "is a SOCKS proxy, which needs a package more", hint="Install it with: pip install 'rtchat[socks]'."
        ) from None
    except wsx.InvalidHandshake as error:
        raise failures.not_a_websocket(endpoint, hung_up=isinstance(error.__cause__, EOFError)) from None
    except (OSError, UnicodeError) as error:
        if proxy and not isinstance(error, ssl.SSLError | TimeoutError):
            raise failures.proxy_failed("cannot be reached") from None
        raise failures.not_connected(error, endpoint, patience) from None
    _keep_kernel_queue_short(connection)
    return connection


def _keep_kernel_queue_short(connection: ws.ClientConnection) -> None:
    """Else it hides 50 s of sound that a stalled uplink has not carried (measured on Linux; with this, 0.4 s)."""
    raw = connection.transport.get_extra_info("socket")
    if hasattr(socket, "TCP_NOTSENT_LOWAT") and raw is not None:
        with contextlib.suppress(OSError):
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, NOT_SENT)
