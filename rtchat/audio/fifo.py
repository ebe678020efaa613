"""Bytes, first in, first out. Pure."""

from __future__ import annotations

from collections import deque


class Fifo:
    """A queue of bytes whose operations cost the same, however many wait."""

    def __init__(self) -> None:
        self._pieces: deque[memoryview] = deque()
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def put(self, data: bytes) -> None:
        """Add to the end."""
        if data:
            self._pieces.append(memoryview(data))
            self._size += len(data)

    def put_back(self, data: bytes) -> None:
        """Add to the front."""
        if data:
            self._pieces.appendleft(memoryview(data))
            self._size += len(data)

    def take(self, size: int) -> bytes:
        """Remove the first so many, or all there are."""
        taken = []
        while size > 0 and self._pieces:
            piece = self._pieces.popleft()
            if len(piece) > size:
                self._pieces.appendleft(piece[size:])
                piece = piece[:size]
            taken.append(piece)
            size -= len(piece)
            self._size -= len(piece)
        return b"".join(taken)

    def keep(self, size: int) -> None:
        """Forget all but the first so many."""
        kept = self.take(size)
        self._pieces.clear()
        self._size = 0
        self.put(kept)
