"""One thread for a library that wants all its calls from one: they run in order, and none keeps the program alive.

An executor's thread is joined when the interpreter ends, so one call that never returns would hang the program.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import Future
from functools import partial
from queue import SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING, ParamSpec, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

P = ParamSpec("P")
T = TypeVar("T")

_JOIN_SECONDS = 0.1


class Worker:
    """A daemon thread that makes calls one after the other; `end` it.

    Args:
        name: The thread's name.
    """

    def __init__(self, name: str) -> None:
        self._calls: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._thread = Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    async def call(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call the function on the thread, after all calls before it, and wait for what it returns or raises.

        A call that is cancelled before its turn is not made; one that has begun goes on, and nobody waits for it.
        """
        future: Future[T] = Future()
        self._calls.put(partial(_settle, future, partial(function, *args, **kwargs)))
        return await asyncio.wrap_future(future)

    def end(self) -> None:
        """Let the thread end after the calls that it was given; it is waited for unless a call hangs."""
        self._calls.put(None)
        self._thread.join(_JOIN_SECONDS)

    def leave(self, last: Callable[[], object]) -> None:
        """Wait for nothing any more: `last` is called on the thread if ever the call that hangs comes back."""
        self._calls.put(partial(_settle, Future(), last))
        self._calls.put(None)

    def _run(self) -> None:
        while (call := self._calls.get()) is not None:
            call()


def _settle(future: Future[T], call: Callable[[], T]) -> None:
    if not future.set_running_or_notify_cancel():
        return
    try:
        future.set_result(call())
    except BaseException as error:
        future.set_exception(error)
