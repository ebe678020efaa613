"""Events on their way to one client, in their order, counted in frames and bytes."""

from __future__ import annotations

import asyncio
from collections import deque

from rtchat.server.dialogue.signals import Close, Cut, Raw

Item = str | Raw | Cut | Close
FULL_FRAMES = 64
"""Frames waiting for a slow client above which no more is spoken."""


class Outbox:
    """A queue that says when there is room.

    Args:
        full_bytes: Bytes waiting above which no more of the client is read.
    """

    def __init__(self, full_bytes: int) -> None:
        self._full_bytes = full_bytes
        self._waiting: deque[Item] = deque()
        self._something = asyncio.Event()
        self._shut = False
        self.bytes = 0
        self.room = asyncio.Event()
        """More may be spoken."""
        self.room.set()
        self.attention = asyncio.Event()
        """More may be asked."""
        self.attention.set()

    def put(self, item: Item) -> None:
        """One more, after all others."""
        if self._shut:
            return
        self._waiting.append(item)
        self._something.set()
        if isinstance(item, str):
            self.bytes += len(item)
            if len(self._waiting) >= FULL_FRAMES:
                self.room.clear()
            if self.bytes > self._full_bytes:
                self.attention.clear()

    def clear(self) -> None:
        """Nothing of it is sent any more."""
        self._waiting.clear()
        self.bytes = 0
        self.room.set()
        self.attention.set()

    def shut(self) -> None:
        """Nothing is sent any more at all."""
        self._shut = True
        self.clear()

    async def get(self) -> Item:
        """The next, once there is one. For one task only."""
        while not self._waiting:
            self._something.clear()
            await self._something.wait()
        item = self._waiting.popleft()
        if isinstance(item, str):
            self.bytes -= len(item)
        if len(self._waiting) < FULL_FRAMES:
            self.room.set()
        if self.bytes <= self._full_bytes:
            self.attention.set()
        return item
