"""The one task that writes to a client's socket, and the one that sees to it that the client reads."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from rtchat.server import malformed
from rtchat.server.client_timeouts import ClientTimeouts
from rtchat.server.dialogue.signals import Close, Cut
from rtchat.server.hosting import abort
from rtchat.server.limits import Limits
from rtchat.server.outbox import Outbox

GOODBYE_S = 2
"""How long a client that does not read may take to read that it is closed."""
VANISHED = Close(1006, "")
"""How a session ended of which nobody said that it did."""


class Sending:
    """What is on its way to a client, until the socket closes.

    Args:
        socket: Accepted.
        limits: How long is waited for the client.
        busy: Whether an answer is being made: the client rightly listens then.
    """

    def __init__(self, socket: WebSocket, limits: Limits, busy: Callable[[], bool]) -> None:
        self._socket = socket
        self._busy = busy
        self._timeouts = ClientTimeouts(limits)
        self._writer: asyncio.Task[None] | None = None
        self._watch: asyncio.Task[None] | None = None
        self.outbox = Outbox(limits.outbox_bytes)
        self.ended = VANISHED
        """How the session ended, said by whoever closed first."""

    def start(self) -> None:
        """Write what comes, from now on."""
        self._writer = asyncio.create_task(self._write())
        self._watch = asyncio.create_task(self._look())

    async def stop(self) -> None:
        """Write no more."""
        await _ended(self._writer)
        await _ended(self._watch)

    @property
    def gone(self) -> bool:
        """Nothing is written any more."""
        return self._writer is None or self._writer.done()

    def heard(self) -> None:
        """A frame of the client came."""
        self._timeouts.heard()

    def left(self, code: int | None) -> None:
        """The client has closed, with this code."""
        if self.ended is VANISHED:
            self.ended = Close(code or 1005, "client")

    def close(self, code: int, reason: str) -> None:
        """Close now; what has not been sent is not sent any more."""
        self.outbox.clear()
        self.outbox.put(Close(code, reason))

    async def _write(self) -> None:
        try:
            while True:
                item = await self.outbox.get()
                if isinstance(item, Close):
                    self.ended = item
                    if self._socket.application_state is not WebSocketState.DISCONNECTED:
                        await self._socket.close(item.code, item.reason)
                    return
                self._timeouts.sending()
                if isinstance(item, str):
                    await self._socket.send_text(item)
                else:
                    await malformed.send(self._socket, item)
                    if isinstance(item, Cut):
                        return
                self._timeouts.sent(self.outbox.bytes)
        except (WebSocketDisconnect, RuntimeError):  # the client has gone; reading ends
            return
        finally:
            self.outbox.shut()  # whoever waits for room need not wait any more

    async def _look(self) -> None:
        """Close when the client takes too long."""
        while True:
            await asyncio.sleep(self._timeouts.every_s)
            verdict = self._timeouts.verdict(self.outbox.bytes, busy=self._busy())
            if verdict is None:
                continue
            self.ended = verdict
            await _ended(self._writer)
            try:
                async with asyncio.timeout(GOODBYE_S):
                    await self._socket.close(verdict.code, verdict.reason)
            except (TimeoutError, RuntimeError, WebSocketDisconnect):  # it takes nothing, or is closing already
                abort(self._socket)
            return


async def _ended(task: asyncio.Task[None] | None) -> None:
    if task is not None:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
