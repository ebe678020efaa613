"""A real server on loopback, in a thread of its own, so that clients of any kind can be tested in one process."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self

from rtchat.protocol import wire
from rtchat.server.clock import VirtualClock
from rtchat.server.dialogue.signals import Emit, Frame, Raw
from rtchat.server.run import ServerConfig, embedded
from rtchat.server.staging import faults, scenario
from rtchat.server.staging.around import Around
from rtchat.server.staging.stage import Stage
from rtchat.testing.seen import Log, Seen, frame_of

if TYPE_CHECKING:
    from rtchat.server.clock import Clock
    from rtchat.server.live import Machine

STOPS_WITHIN_S = 10.0
Script = str | Path | scenario.Scenario | Iterable[Mapping[str, Any]]


class RealtimeServer(Seen):
    """A server; what it has seen of all its clients, and `sessions` for each of them.

    Args:
        script: A scenario: a file, a recorded session's folder, or tables as in the file. None: rtchat's own
            assistant answers.
        chaos: Faults, as `rtchat serve --chaos` takes them.
        seed: Makes ids and faults the same in every run.
        clock: `virtual`: delays take no time, and the same frames get the same answers, to the byte.
        tts: The engine that speaks.
        api_key: What clients must show; None takes any.

    Attributes:
        url: Of WebSockets: `ws://127.0.0.1:PORT/v1`.
        http_url: Of HTTP: `http://127.0.0.1:PORT/v1`.
        api_key: A key that it takes.
    """

    def __init__(
        self,
        script: Script | None = None,
        *,
        chaos: str | Iterable[str] = (),
        seed: int | None = 0,
        clock: Literal["real", "virtual"] = "real",
        tts: str = "tone",
        api_key: str | None = None,
    ) -> None:
        super().__init__(Log())
        self.url = self.http_url = ""
        self.api_key = api_key or "test-key"
        self._stage = Stage(seed=seed, virtual=clock == "virtual", allow_chaos=True, finish=self._opened)
        self._config = ServerConfig(api_key=api_key, tts=tts, stage=self._stage)
        self._clocks: list[Clock] = []
        self._started: threading.Event = threading.Event()
        self._failure: BaseException | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping: asyncio.Event | None = None
        self._thread = threading.Thread(target=self._run, name="realtime-server", daemon=True)
        if script is not None:
            self.script(script)
        self.chaos(*([chaos] if isinstance(chaos, str) else chaos))

    # --- what happens -------------------------------------------------------------------------------------

    def script(self, script: Script, **top: Any) -> None:
        """Play this to the sessions that are opened from now on.

        Args:
            script: A file, a recorded session's folder, or tables as in the file.
            top: What stands above the turns in the file: `loop=True`.

        Raises:
            UsageError: There is a mistake in it.
        """
        if isinstance(script, scenario.Scenario):
            self._stage.scenario = script
        elif isinstance(script, str | Path):
            self._stage.scenario = scenario.load(Path(script))
        else:
            self._stage.scenario = scenario.made([dict(turn) for turn in script], **top)

    def scenario(self, *turns: Mapping[str, Any], **top: Any) -> None:
        """`script`, turn by turn: `server.scenario({"hear": "hello", "say": "Hi."})`."""
        self.script(turns, **top)

    def chaos(self, *asked: str) -> None:
        """Make these go wrong in the sessions that are opened from now on; nothing, if none is named.

        Raises:
            UsageError: There is no such fault.
        """
        self._stage.chaos = faults.choose(asked)

    def advance(self, seconds: float) -> None:
        """Let virtual time pass in every session, with all that happens in it.

        Raises:
            RuntimeError: The server's clock is real, or it does not run.
        """
        if self._loop is None or not self._stage.virtual:
            raise RuntimeError('Only a running server with clock="virtual" can be advanced.')

        async def advance() -> None:
            for clock in self._clocks:
                if isinstance(clock, VirtualClock):
                    await clock.advance(seconds)

        asyncio.run_coroutine_threadsafe(advance(), self._loop).result(STOPS_WITHIN_S)

    @property
    def sessions(self) -> list[Seen]:
        """What was seen of each session, in the order in which they were opened."""
        with self._log.news:
            return [Seen(self._log, number) for number in range(len(self._clocks))]

    # --- starting and stopping ----------------------------------------------------------------------------

    def start(self) -> Self:
        """Start, and wait until clients can come.

        Raises:
            RtchatError: It cannot.
        """
        self._thread.start()
        self._started.wait()
        if self._failure is not None:
            raise self._failure
        return self

    def stop(self) -> None:
        """Close every session, and stop."""
        if self._loop is not None and self._stopping is not None and self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stopping.set)
            self._thread.join(STOPS_WITHIN_S)

    def __enter__(self) -> Self:
        """Start."""
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop."""
        self.stop()

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as error:
            self._failure = error
        finally:
            self._started.set()

    async def _serve(self) -> None:
        self._stopping = asyncio.Event()
        async with embedded(self._config) as url:
            self._loop = asyncio.get_running_loop()
            self.url, self.http_url = url, url.replace("ws", "http", 1)
            self._started.set()
            await self._stopping.wait()

    def _opened(self, machine: Machine, clock: Clock) -> Machine:
        with self._log.news:
            self._clocks.append(clock)
            self._log.heard_ms.append(0.0)
            return _Tap(machine, self._log, len(self._clocks) - 1)


class _Tap(Around):
    """Notes what comes and goes."""

    def __init__(self, machine: Machine, log: Log, number: int) -> None:
        super().__init__(machine)
        self._log, self._number = log, number

    def told(self, told: Any) -> list[Any]:
        """A frame of the client, told before its answer is sent."""
        effects = self.inside(told)
        if isinstance(told, Frame):
            with self._log.news:
                self._log.frames.append(frame_of(self._number, told.text))
                self._log.heard_ms[self._number] = self.heard_ms
                self._log.news.notify_all()
        return effects

    def effect(self, effect: Any) -> list[Any]:
        """A frame of the server."""
        if isinstance(effect, Emit | Raw):
            frame = effect.data if isinstance(effect, Raw) else wire.encode(effect.event)
            with self._log.news:
                self._log.sent.append((self._number, frame))
        return [effect]
