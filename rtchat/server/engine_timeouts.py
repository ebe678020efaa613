"""How long a session waits for its engines, whatever they are: what stalls ends its response, never the session."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable
from dataclasses import dataclass
from typing import TypeVar

from rtchat.errors import EngineError

T = TypeVar("T")

_HINT = "Look at what keeps it busy, or wait longer with `rtchat serve --engine-timeout`."


@dataclass(frozen=True, slots=True)
class EngineTimeouts:
    """Seconds that an engine may take.

    Attributes:
        first_s: Up to its first piece, or for an answer that comes whole.
        between_s: From one piece to the next.
    """

    first_s: float = 30.0
    between_s: float = 15.0

    @classmethod
    def of(cls, first_s: float) -> EngineTimeouts:
        """Half of that between two pieces."""
        return cls(first_s, first_s / 2)

    async def pieces(self, made: AsyncIterator[T], engine: str) -> AsyncIterator[T]:
        """What the engine makes.

        Args:
            made: Its iterator. Closing it is the caller's business.
            engine: Its name.

        Raises:
            EngineError: It has stalled.
        """
        limit = self.first_s
        while True:
            try:
                piece = await self._within(limit, anext(made), engine)
            except StopAsyncIteration:
                return
            yield piece
            limit = self.between_s

    async def whole(self, making: Awaitable[T], engine: str) -> T:
        """An answer that comes whole.

        Raises:
            EngineError: It has stalled.
        """
        return await self._within(self.first_s, making, engine)

    async def _within(self, limit: float, making: Awaitable[T], engine: str) -> T:
        scope = asyncio.timeout(limit)
        try:
            async with scope:
                return await making
        except TimeoutError:
            if not scope.expired():  # the engine's own
                raise
            raise EngineError(f"{engine} has given nothing for {limit:g} s.", hint=_HINT) from None
