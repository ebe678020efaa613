"""The turns of one session that are heard while they are spoken, by an engine that listens.

A turn has a task only while its engine has something to do, and one at a time: what comes meanwhile waits, and is
given together.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from rtchat.chunk import WIRE
from rtchat.server.dialogue import signals as sig
from rtchat.server.engines.base import reason
from rtchat.server.metrics import Stopwatch

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Coroutine

    from rtchat.server.engine_timeouts import EngineTimeouts
    from rtchat.server.engines.base import Listener, Prompt
    from rtchat.server.metrics import Took


MAX_BEHIND = WIRE.bytes_in(600_000)
"""Bytes of sound (ten minutes) that an engine may be behind what was said."""


@dataclass(slots=True)
class _Turn:
    key: str
    listener: Listener | None = None
    waiting: bytearray = field(default_factory=bytearray)
    task: asyncio.Task[None] | None = None
    failure: str | None = None  # of an engine that broke: told when the turn is over
    over: Stopwatch | None = None


class Listeners:
    """What listens for one session.

    Args:
        stt: The engine, with or without `listen`.
        grammar: Makes the grammar of a situation.
        timeouts: How long it is waited for.
        took: Told how long words take from the end of a turn.
        start: Starts a task of the session.
        tell: Tells the session's machine.
    """

    def __init__(
        self,
        stt: Any,
        grammar: Callable[[Prompt | None], str | None],
        timeouts: EngineTimeouts,
        took: Took,
        start: Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]],
        tell: Callable[[Any], None],
    ) -> None:
        self._stt = stt
        self._grammar = grammar
        self._timeouts = timeouts
        self._took = took
        self._start = start
        self._tell = tell
        self._turns: dict[str, _Turn] = {}

    def hear(self, asked: sig.Listen) -> None:
        """More of a turn; its first sound opens it."""
        turn = self._turns.get(asked.key)
        if turn is None:
            turn = self._turns[asked.key] = _Turn(asked.key)
            try:
                grammar = self._grammar(asked.prompt)
                turn.listener = self._stt.listen(WIRE.rate, language=asked.language, grammar=grammar)
            except Exception as error:
                turn.failure = reason(error)
        if turn.failure is not None:
            return
        if len(turn.waiting) + len(asked.pcm) > MAX_BEHIND:
            turn.failure = f"{self._stt.name} is too far behind what is said. Choose a faster one with --stt."
            turn.waiting.clear()
            return
        turn.waiting += asked.pcm
        self._go_on(turn)

    def finish(self, asked: sig.Transcribe) -> bool:
        """The turn is over: ask for its words. Not if nobody listens to it."""
        turn = self._turns.get(asked.key)
        if turn is None:
            return False
        turn.over = Stopwatch(self._took, "stt")
        self._go_on(turn)
        return True

    def give_up(self, key: str) -> None:
        """That turn is not wanted any more."""
        turn = self._turns.pop(key, None)
        if turn is None:
            return
        if turn.task is not None:
            turn.task.cancel()
        if turn.listener is not None:
            turn.listener.close()

    def close(self) -> None:
        """Give up all turns."""
        for key in list(self._turns):
            self.give_up(key)

    def _go_on(self, turn: _Turn) -> None:
        if turn.task is None:
            turn.task = self._start(self._work(turn))

    async def _work(self, turn: _Turn) -> None:
        try:
            while turn.waiting and turn.failure is None:
                await self._feed(turn)
            if turn.over is not None:
                await self._finish(turn, turn.over)
        finally:
            turn.task = None

    async def _feed(self, turn: _Turn) -> None:
        assert turn.listener is not None
        pcm = bytes(turn.waiting)
        turn.waiting.clear()
        try:
            partial = await self._timeouts.whole(turn.listener.feed(pcm), self._stt.name)
            self._tell(sig.SoFar(turn.key, partial))
        except Exception as error:
            turn.failure = reason(error)

    async def _finish(self, turn: _Turn, over: Stopwatch) -> None:
        told: sig.Recognised | sig.NotRecognised
        try:
            if turn.listener is None or turn.failure is not None:
                told = sig.NotRecognised(turn.key, turn.failure or "Nobody listened.")
            else:
                heard = await self._timeouts.whole(turn.listener.finish(), self._stt.name)
                over.stop()
                told = sig.Recognised(turn.key, heard.text)
        except Exception as error:
            told = sig.NotRecognised(turn.key, reason(error))
        turn.task = None  # it ends by itself
        self.give_up(turn.key)
        self._tell(told)
