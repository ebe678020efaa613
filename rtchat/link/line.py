"""A line to a server: a connection that is dialled again when it breaks, for as long as a user likes to wait.

::

    async with Line(endpoint) as line:         # as `connect`: the first connection is made, or that fails
        writer = create_task(line.write())
        line.send(event)
        async for event in line.events():      # a `Lost` among them: another connection is on its way
            ...

What was given to `send` before a connection broke, or before the next one stands, never arrives: a conversation has
to be begun anew on a new connection, and who does that knows best what is still worth saying.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from rtchat.errors import ConnectFailed, ConnectionLost, RtchatError
from rtchat.link import failures
from rtchat.link.connection import Connection, OnFrame, Received, connect
from rtchat.link.dialers import Endpoint
from rtchat.protocol.client_events import ClientEvent, InputAudioAppend
from rtchat.protocol.server_events import SessionUpdated
from rtchat.protocol.translation import (
    TranslationAppend,
    TranslationClientEvent,
    TranslationClosed,
    TranslationUpdated,
)

PATIENCE_SECONDS = 30.0
"""How long it is dialled again, in all, after a connection that had held. Nobody waits longer in silence."""

STEADY_SECONDS = 10.0
"""A connection that has held for so long begins another count: one that breaks at once again does not."""

DIAL_SECONDS = 10.0
"""How long one dialling may take, and then the server's first word."""

_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 5.0
_LIVE_SOUND = (InputAudioAppend, TranslationAppend)
_TAKEN = (SessionUpdated, TranslationUpdated)


@dataclass(frozen=True, slots=True)
class Lost:
    """The connection is gone, and it is dialled again.

    Attributes:
        error: Why.
    """

    error: RtchatError


class Line:
    """One line. Enter it to dial; leaving hangs up.

    Args:
        endpoint: From `dialers`.
        on_frame: See `connection.OnFrame`; it sees the frames of all connections.
        patience: See `PATIENCE_SECONDS`.

    Raises:
        ConnectFailed, Refused: From entering, as `connect`.
    """

    def __init__(
        self, endpoint: Endpoint, *, on_frame: OnFrame | None = None, patience: float = PATIENCE_SECONDS
    ) -> None:
        self._endpoint = endpoint
        self._on_frame = on_frame
        self._patience = patience
        self._stack = AsyncExitStack()
        self._connection: Connection | None = None
        self._outgoing: asyncio.Queue[ClientEvent | TranslationClientEvent] = asyncio.Queue()
        self._taken = False
        self._dialled = 0.0
        self._give_up_at = 0.0
        self._attempts = 0

    async def __aenter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        await self._dial(DIAL_SECONDS)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._hang_up()

    def send(self, event: ClientEvent | TranslationClientEvent) -> None:
        """Have `write` send an event; never waits. Live sound is left out while the uplink is behind."""
        self._outgoing.put_nowait(event)

    async def write(self) -> None:
        """Send what there is to send, until cancelled. What a broken connection did not take is dropped."""
        while True:
            event = await self._outgoing.get()
            connection = self._connection
            if connection is None:
                continue
            try:
                if isinstance(event, _LIVE_SOUND):
                    await connection.offer(event)
                else:
                    await connection.send(event)
            except RtchatError:
                continue  # `events` tells why

    async def events(self) -> AsyncGenerator[Received | Lost, None]:
        """What the server sends, over as many connections as it takes; ends when it was asked to close.

        A connection that is lost is dialled again where that may help; one on which the server has never taken the
        session, nor said a word in time, is none.

        Raises:
            Refused: The server said no.
            ConnectionLost: For good: that is no use, or did not help.
        """
        while self._connection is not None:
            try:
                async for event in self._connection:
                    self._taken = self._taken or isinstance(event, _TAKEN)
                    yield event
                    if isinstance(event, TranslationClosed):
                        return  # it was asked for: the close of the socket behind it is no loss
                return
            except RtchatError as error:
                if not failures.temporary(error) or (isinstance(error, ConnectFailed) and not self._taken):
                    raise
                lost = Lost(error)
            await self._hang_up()
            yield lost
            await self._redial("" if self._taken else lost.error.hint)

    async def check(self, limit: float) -> None:
        """Give up a connection that shows no sign of life within `limit` seconds (`Connection.check`)."""
        if self._connection is not None:
            await self._connection.check(limit)

    def lose(self, error: ConnectionLost) -> None:
        """Go on over a new connection: this one's session is over, though the server has not hung up."""
        if self._connection is not None:
            self._connection.abandon(error)

    @property
    def behind(self) -> bool:
        """The uplink does not keep up: more than a second of sound is still unsent."""
        return self._connection is not None and self._connection.behind

    async def _dial(self, seconds: float) -> None:
        self._connection = await self._stack.enter_async_context(
            connect(self._endpoint, timeout=seconds, on_frame=self._on_frame)
        )
        self._dialled = self._loop.time()

    async def _hang_up(self) -> None:
        self._connection = None
        while not self._outgoing.empty():
            self._outgoing.get_nowait()
        await self._stack.aclose()

    async def _redial(self, hint: str) -> None:
        """Dial until it works or there is no patience left.

        Args:
            hint: What to do when it never works; empty for what is usual.

        Raises:
            Refused: The server said no.
            ConnectionLost: It never worked.
        """
        now = self._loop.time()
        if now - self._dialled >= STEADY_SECONDS or not self._attempts:
            self._attempts, self._give_up_at = 0, now + self._patience
        while not self._attempts or self._loop.time() < self._give_up_at:
            await asyncio.sleep(pause(self._attempts, random.random()))
            self._attempts += 1
            left = self._give_up_at - self._loop.time()
            with suppress(ConnectFailed):
                await self._dial(min(DIAL_SECONDS, max(1.0, left)))
                return
        raise failures.gave_up(self._endpoint, self._patience, hint)


def pause(attempts: int, chance: float) -> float:
    """Seconds to wait before dialling again; they double, and are spread: a server that restarts has many clients.

    Args:
        attempts: How often it was dialled in vain.
        chance: From 0 to 1.
    """
    longest = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2.0**attempts)
    return longest * (0.5 + chance / 2) if attempts else longest * chance
