"""One WebSocket session: runs a dialogue's effects, and tells it what came of them.

A session owns: what is sent (by one task, so that events keep their order), one task for each recognition, what
listens to the turn being spoken, one task for each response's thinking and one for its speaking, and a detector.
All end with the session.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Coroutine, Iterable
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Protocol

from starlette.websockets import WebSocket, WebSocketDisconnect

from rtchat.chunk import WIRE
from rtchat.protocol import wire
from rtchat.protocol.server_events import ErrorEvent
from rtchat.server.clock import REAL
from rtchat.server.detection import BufferedDetector
from rtchat.server.dialogue import signals as sig
from rtchat.server.dialogue.refusals import MISTAKE
from rtchat.server.dialogue.sound import Rate
from rtchat.server.engine_timeouts import EngineTimeouts
from rtchat.server.engines.base import AT_WORK, WordMark, reason
from rtchat.server.ids import new_id
from rtchat.server.limits import Limits, minutes
from rtchat.server.listeners import Listeners
from rtchat.server.mcp_client import McpClients, McpFailure
from rtchat.server.metrics import Stopwatch, Took, nobody
from rtchat.server.pace import Pace
from rtchat.server.sending import Sending
from rtchat.server.tally import Tally

if TYPE_CHECKING:
    from rtchat.server.clock import Clock, Handle
    from rtchat.server.engines.base import EndOfTurn, Prompt
    from rtchat.server.engines.registry import Engines

LOG = logging.getLogger(__name__)
DETECTED_AT_ONCE = 3072
"""Bytes of sound (64 ms, two windows) between two looks at the event loop."""


class Machine(Protocol):
    """A dialogue, or the like of it for translation."""

    def start(self) -> list[Any]:
        """The first effects."""
        ...

    def receive(self, told: Any) -> list[Any]:
        """What follows from an input."""
        ...

    @property
    def heard_ms(self) -> float:
        """Sound of the client so far."""
        ...


class Live:
    """A session on a socket.

    Args:
        socket: Accepted.
        machine: Decides.
        engines: Do.
        limits: How long the session lasts, and how long it waits for its client.
        clock: The session's time.
        took: Told how long engines take.
    """

    def __init__(
        self,
        socket: WebSocket,
        machine: Machine,
        engines: Engines,
        limits: Limits | None = None,
        clock: Clock = REAL,
        took: Took = nobody,
    ) -> None:
        self._limits = limits or Limits()
        self._socket = socket
        self._machine = machine
        self._engines = engines
        self._clock = clock
        self._took = took
        self._tasks: set[asyncio.Task[None]] = set()
        self._hearing: dict[str, asyncio.Task[None]] = {}
        self._judging: dict[str, asyncio.Task[None]] = {}
        self._working: dict[str, list[asyncio.Task[None]]] = {}  # response -> its thinking and speaking
        self._to_say: dict[str, asyncio.Queue[sig.Speak]] = {}
        self._detector: BufferedDetector | None = None
        self._timeouts: EngineTimeouts = getattr(engines, "timeouts", None) or EngineTimeouts()
        self._listeners = Listeners(engines.stt, self._grammar, self._timeouts, took, self._start, self._feed)
        self._mcp = McpClients()
        self._later: set[Handle] = set()
        self._sending = Sending(socket, self._limits, lambda: bool(self._tasks))
        self._outbox = self._sending.outbox
        self.tally = Tally()
        self.closed = asyncio.Event()

    async def run(self) -> None:
        """Serve until either side closes."""
        lasted = self._limits.session_s
        expired = sig.Expired(minutes(lasted))
        self._later.add(self._clock.call_later(lasted, self._feed, expired, work=False))
        self._sending.start()
        try:
            await self._run(self._machine.start())
            await self._settle()
            await self._read()
        except WebSocketDisconnect:
            pass
        finally:
            for handle in self._later:
                handle.cancel()
            await _cancelled(self._tasks)
            self._listeners.close()
            await self._sending.stop()
            await self._mcp.close()
            self.tally.audio_in_s = self.heard_s
            self.closed.set()

    @property
    def heard_s(self) -> float:
        """Seconds of sound that the client has sent."""
        return self._machine.heard_ms / 1000

    @property
    def ended(self) -> sig.Close:
        """How it ended, said by whoever closed first."""
        return self._sending.ended

    def close(self, code: int, reason: str) -> None:
        """Close now; what has not been sent is not sent any more."""
        self._sending.close(code, reason)

    # --- socket -------------------------------------------------------------------------------------------

    async def _read(self) -> None:
        while True:
            await self._outbox.attention.wait()  # who does not read is not answered either
            message = await self._socket.receive()
            if message["type"] == "websocket.disconnect":
                self._sending.left(message.get("code"))
                return
            self._sending.heard()
            self.tally.events_in += 1
            text = message.get("text")
            try:
                await self._run(self._machine.receive(sig.BinaryFrame() if text is None else sig.Frame(text)))
            except Exception:
                self._mistaken()
            await self._settle()
            await asyncio.sleep(0)  # others have their turn, however many frames this client has sent

    def _mistaken(self) -> None:
        """A mistake of ours costs one event, not the conversation."""
        LOG.exception("an event could not be handled")
        self._do(sig.Emit(ErrorEvent(event_id=new_id("event"), error=MISTAKE)))

    async def _settle(self) -> None:
        """Under a virtual clock a frame is worked through before the next is read, and its sound takes its time."""
        self._clock.reach(self.heard_s)
        await self._clock.settle(self._at_work)

    def _at_work(self) -> int:
        return 0 if self._sending.gone else len(self._tasks)

    # --- effects ------------------------------------------------------------------------------------------

    def _feed(self, told: Any) -> None:
        """Tell the machine what an engine made."""
        for effect in self._machine.receive(told):
            self._do(effect)

    async def _run(self, effects: Iterable[Any]) -> None:
        """Do what a frame asks for; detection is done here, between looks at the event loop."""
        for effect in effects:
            if isinstance(effect, sig.Detect):
                await self._detect(effect.pcm)
            else:
                self._do(effect)

    def _do(self, effect: Any) -> None:
        match effect:
            case sig.Emit():
                self.tally.sent(effect.event)
                self._outbox.put(wire.encode(effect.event))
            case sig.Prepare():
                self._prepare(effect)
            case sig.ResetDetector():
                if self._detector is not None:
                    self._detector.reset()
            case sig.Listen():
                self._listeners.hear(effect)
            case sig.Transcribe():
                if not self._listeners.finish(effect):
                    self._hearing[effect.key] = self._start(self._transcribe(effect))
            case sig.Judge():
                if self._engines.end_of_turn is not None:
                    self._judging[effect.key] = self._start(self._judge(effect, self._engines.end_of_turn))
            case sig.Abandon():
                self._listeners.give_up(effect.key)
                for tasks in (self._hearing, self._judging):
                    if (task := tasks.pop(effect.key, None)) is not None:
                        task.cancel()
            case sig.Think():
                self._work(effect.response_id, self._think(effect))
            case sig.Speak():
                self._say(effect)
            case sig.Translate():
                self._start(self._translate(effect))
            case sig.ListTools():
                self._start(self._list_tools(effect))
            case sig.CallTool():
                self._start(self._call_tool(effect))
            case sig.Enough():
                self._working[effect.response_id][0].cancel()  # thinking was begun first
            case sig.Abort():
                self._to_say.pop(effect.response_id, None)
                for task in self._working.pop(effect.response_id, ()):
                    task.cancel()
            case sig.Close() | sig.Raw() | sig.Cut():
                self._outbox.put(effect)
            case sig.After():
                self._wait(effect)
            case _:
                raise TypeError(f"no such effect: {effect!r}")

    def _wait(self, asked: sig.After) -> None:
        def over() -> None:
            self._later.discard(handle)
            try:
                self._feed(asked.told)
            except Exception:
                self._mistaken()

        handle = self._clock.call_later(asked.seconds, over, work=asked.work)
        self._later.add(handle)

    def _start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def _work(self, response_id: str, work: Coroutine[Any, Any, None]) -> None:
        self._working.setdefault(response_id, []).append(self._start(work))

    # --- engines ------------------------------------------------------------------------------------------

    async def _detect(self, pcm: bytes) -> None:
        if self._detector is None:
            try:
                self._detector = BufferedDetector(await asyncio.to_thread(self._engines.new_vad))  # loads a model
            except Exception as error:
                self._feed(sig.Deaf(reason(error)))
                return
        detector = self._detector
        for at in range(0, len(pcm), DETECTED_AT_ONCE):
            if at:
                await asyncio.sleep(0)
                await self._clock.settle(self._at_work)
            windows = detector.windows(pcm[at : at + DETECTED_AT_ONCE])
            if windows:
                self._feed(sig.Detected(tuple(await detector.probabilities(windows))))

    def _prepare(self, asked: sig.Prepare) -> None:
        # Only engines that take their time have this.
        try:
            if (hearing := getattr(self._engines.stt, "warm_up", None)) is not None:
                hearing(self._grammar(asked.prompt))
            if (speaking := getattr(self._engines.tts, "warm_up", None)) is not None:
                speaking()
        except Exception:  # what is wrong with them is told when they are needed
            LOG.warning("the engines could not be warmed up", exc_info=True)

    def _grammar(self, situation: Prompt | None) -> str | None:
        return self._engines.llm.grammar(situation) if situation else None

    async def _transcribe(self, asked: sig.Transcribe) -> None:
        try:
            first = Stopwatch(self._took, "stt")
            grammar = self._grammar(asked.prompt)
            stt = self._engines.stt
            hearing = stt.transcribe(asked.pcm, WIRE.rate, language=asked.language, grammar=grammar)
            heard = await self._timeouts.whole(hearing, stt.name)
            first.stop()
            self._feed(sig.Recognised(asked.key, heard.text))
        except Exception as error:
            self._feed(sig.NotRecognised(asked.key, reason(error)))
        finally:
            self._hearing.pop(asked.key, None)

    async def _judge(self, asked: sig.Judge, engine: EndOfTurn) -> None:
        try:
            latest = asked.pcm[-WIRE.bytes_in(engine.longest_ms) :]
            rate = Rate(WIRE.rate, engine.rate)
            over = await engine.probability(rate.feed(latest) + rate.finish())
            self._feed(sig.Judged(asked.key, over))
        except Exception:  # the words decide alone
            LOG.warning("the end-of-turn engine %s failed", engine.name, exc_info=True)
        finally:
            self._judging.pop(asked.key, None)

    async def _think(self, asked: sig.Think) -> None:
        try:
            llm = self._engines.llm
            first = Stopwatch(self._took, "llm")
            async with (
                _closing(llm.respond(asked.prompt)) as made,
                _closing(self._timeouts.pieces(made, llm.name)) as pieces,
            ):
                async for piece in pieces:
                    if piece != AT_WORK:
                        first.stop()
                        self._feed(sig.Thought(asked.response_id, piece))
                    await asyncio.sleep(0)  # an engine that is never waited for leaves others their turn, too
            self._feed(sig.ThoughtEnded(asked.response_id))
        except Exception as error:
            self._feed(sig.ThoughtEnded(asked.response_id, reason(error)))

    async def _translate(self, asked: sig.Translate) -> None:
        if asked.source == asked.target:
            self._feed(sig.Translated(asked.key, asked.text))
            return
        try:
            first = Stopwatch(self._took, "translator")
            text = await self._engines.translator.translate(asked.text, source=asked.source, target=asked.target)
            first.stop()
            self._feed(sig.Translated(asked.key, text))
        except Exception as error:
            self._feed(sig.NotTranslated(asked.key, reason(error)))

    async def _list_tools(self, asked: sig.ListTools) -> None:
        try:
            self._feed(sig.ToolsListed(asked.key, await self._mcp.tools(asked.server)))
        except Exception as error:
            self._feed(sig.ToolsNotListed(asked.key, reason(error)))

    async def _call_tool(self, asked: sig.CallTool) -> None:
        try:
            self._feed(sig.ToolCalled(asked.key, await self._mcp.call(asked.server, asked.name, asked.arguments)))
        except McpFailure as failure:
            self._feed(sig.ToolFailed(asked.key, failure.as_error()))

    def _say(self, asked: sig.Speak) -> None:
        if asked.response_id not in self._to_say:
            self._to_say[asked.response_id] = asyncio.Queue()
            self._work(asked.response_id, self._speak(asked.response_id))
        self._to_say[asked.response_id].put_nowait(asked)

    async def _speak(self, response_id: str) -> None:
        """Speak the pieces of a response one after the other, however fast the text comes."""
        queue = self._to_say[response_id]
        pace = Pace(self._clock.monotonic)
        try:
            while True:
                with self._clock.resting():
                    asked = await queue.get()
                first = Stopwatch(self._took, "tts")
                speech = self._engines.tts.speak(
                    asked.text, voice=asked.voice, speed=asked.speed, language=asked.language
                )
                async with (
                    _closing(speech) as made,
                    _closing(self._timeouts.pieces(made, self._engines.tts.name)) as chunks,
                ):
                    async for pcm in chunks:
                        if isinstance(pcm, WordMark):
                            self._feed(sig.Marked(response_id, pcm))
                            continue
                        first.stop()
                        await self._outbox.room.wait()
                        await self._clock.sleep(pace.wait_s(pcm))
                        self.tally.audio_out_s += WIRE.ms(pcm) / 1000
                        self._feed(sig.Spoke(response_id, pcm))
                self._feed(sig.SpeechEnded(response_id))
        except Exception as error:
            self._feed(sig.SpeechEnded(response_id, reason(error)))


def _closing(iterator: AsyncIterator[Any]) -> aclosing[Any]:
    return aclosing(iterator)  # every engine's iterator is a generator


async def _cancelled(tasks: Iterable[asyncio.Task[None]]) -> None:
    waiting = [task for task in tasks if not task.done()]
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
