"""What every program here shares: where the server is, what is said to it, how a wait ends, how it is told."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

URL, FOLDER, KEY = sys.argv[1], Path(sys.argv[2]), sys.argv[3]
QUESTION = (FOLDER / "question.pcm").read_bytes()
ERRAND = (FOLDER / "errand.pcm").read_bytes()
STORY = "Tell me a long story."


class Board:
    """What was seen so far; `until` waits for more."""

    def __init__(self) -> None:
        self._changed = asyncio.Event()

    def changed(self) -> None:
        self._changed.set()

    async def until(self, true: Callable[[], Any], what: str) -> Any:
        """Wait for a condition, looked at whenever something was seen.

        Raises:
            TimeoutError: It did not come true.
        """
        try:
            async with asyncio.timeout(60):
                while not (found := true()):
                    self._changed.clear()
                    await self._changed.wait()
                return found
        except TimeoutError:
            raise TimeoutError(f"never came: {what}") from None


def tell(seen: dict[str, Any]) -> None:
    """Print what was seen as the last line."""
    print(json.dumps(seen))
