"""Keys as they are pressed, through prompt_toolkit's input parser (raw mode on Unix and Windows).

What a key means is decided in `bindings`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterable
from contextlib import ExitStack

from prompt_toolkit.input import Input, create_input
from prompt_toolkit.key_binding import KeyPress
from prompt_toolkit.keys import Keys

from rtchat.display.bindings import Action, Key, KeyReader
from rtchat.display.terminal import guarded

__all__ = ["Action", "Key", "keys"]

ESCAPE_SECONDS = 0.05
"""How long an Esc may still turn out to be the start of an arrow key."""


async def keys(source: Input | None = None) -> AsyncGenerator[Key, None]:
    """The keys of the terminal, until it closes.

    The terminal is in raw mode until the iterator is closed, whatever ends it. Wrap it in
    `contextlib.aclosing`, so that it is closed at once where an error leaves the loop.

    Args:
        source: Where keys come from; the terminal at standard input when None.
    """
    source = source or create_input()
    reader = KeyReader()
    presses: asyncio.Queue[KeyPress | None] = asyncio.Queue()
    loop = asyncio.get_running_loop()
    flush: asyncio.TimerHandle | None = None

    def put(batch: Iterable[KeyPress]) -> None:
        for press in batch:
            presses.put_nowait(press)

    def ready() -> None:
        nonlocal flush
        put(source.read_keys())
        if flush is not None:
            flush.cancel()
        flush = loop.call_later(ESCAPE_SECONDS, lambda: put(source.flush_keys()))
        if source.closed:
            presses.put_nowait(None)

    with ExitStack() as stack:
        stack.enter_context(guarded())
        stack.enter_context(source.raw_mode())
        stack.enter_context(source.attach(ready))
        stack.callback(lambda: flush.cancel() if flush is not None else None)
        while (press := await presses.get()) is not None:
            name = press.key.value if isinstance(press.key, Keys) else press.key
            if (key := reader.feed(name, press.data)) is not None:
                yield key
