"""What the engines share that work in this process: a thread of their own, and a model that is loaded there."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from rtchat.errors import EngineError

T = TypeVar("T")


class OnThread:
    """An engine whose library lets go of the interpreter's lock while it works.

    All that it does for all sessions is done one after the other. Who inherits loads in `_load`, and calls
    `_loaded` from the thread alone.

    Args:
        thread: The thread's name.
    """

    def __init__(self, thread: str) -> None:
        self._model: Any = None
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix=thread)

    def warm_up(self, grammar: str | None = None) -> None:
        """Load the model now, in the background. What fails is told when it is used."""
        if self._model is None:
            self._thread.submit(self._loaded)

    async def check(self) -> str | None:
        """Load the model; what is wrong with it."""
        try:
            await self.do(self._loaded)
        except EngineError as error:
            return str(error)
        return None

    def close(self) -> None:
        """End the thread; what waits is given up."""
        self._thread.shutdown(wait=True, cancel_futures=True)
        self._model = None

    async def do(self, work: Callable[..., T], *arguments: Any) -> T:
        """Do something in the thread. Cancelled before its turn, it is not begun."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, work, *arguments)

    def do_later(self, work: Callable[[], object]) -> None:
        """Do something in the thread, and do not wait for it."""
        with contextlib.suppress(RuntimeError):  # it has ended, and everything with it
            self._thread.submit(work)

    def _loaded(self) -> Any:
        if self._model is None:
            self._model = self._load()
        return self._model

    def _load(self) -> Any:
        """The model.

        Raises:
            EngineError: It does not load.
        """
        raise NotImplementedError
