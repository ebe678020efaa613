"""The orchestrator: owns every task and resource of one session, feeds the machine and runs its effects.

======================  ==============================  ==================================================
resource                acquired                        released
======================  ==============================  ==================================================
display (terminal)      `run`, first                    `run`, last, whatever happened
recording               `run`                           `run`, with its totals
sound (devices, files)  `run`, before the connection    `run`, after the connection
connection              `run`                           `run`, with a close frame
tasks                   `run`, in one `TaskGroup`       cancelled when the session is over
======================  ==============================  ==================================================

Inputs come from the connection, the loudspeaker, the microphone, the keys, typed lines and tools; each becomes one
call of `Conversation.receive`, on the event loop, so the machine is never entered twice at once.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass, replace
from typing import Any, Literal

from rtchat.audio.sound import Caution, Sound
from rtchat.catalog import cost_usd
from rtchat.controls import Controls
from rtchat.conversation import signals as s
from rtchat.conversation.interpreter import Interpreter
from rtchat.conversation.ledger import Ledger
from rtchat.conversation.machine import Conversation
from rtchat.conversation.notices import ErrorTold, Interruption, Notice, SessionEnded, StateChanged, TurnEnded
from rtchat.conversation.state import State
from rtchat.display.base import Display
from rtchat.display.bindings import Key
from rtchat.errors import ConnectionLost, DeviceError, RtchatError, WireError
from rtchat.link import failures
from rtchat.link.connection import Connection, connect
from rtchat.link.dialers import Endpoint
from rtchat.plan import NO_CANCELLER, Echo, Plan
from rtchat.protocol.client_events import InputAudioAppend
from rtchat.protocol.server_events import SpeechStarted
from rtchat.protocol.translation import TranslationAppend, TranslationClosed
from rtchat.recording import Recording
from rtchat.tools.registry import Registry

STALL_SECONDS = 60.0
"""A server that owes an answer and says nothing at all for so long is lost."""

_METER_SECONDS = 0.1
_LIVE_SOUND = (InputAudioAppend, TranslationAppend)
_CUTS = (SpeechStarted, s.InterruptPressed, s.TalkPressed)
"""Inputs that may stop the loudspeaker: the machine is told first what was heard."""

Lines = Callable[["Session"], AsyncGenerator[str, None]]
"""Gives typed lines, each when the conversation is ready for it; the session ends after the last is answered."""
Keys = Callable[[], AsyncGenerator[Key, None]]


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a session ended.

    Attributes:
        ended: The totals.
        error: What ended it, None when it was over.
        unanswered: The last answer failed.
    """

    ended: SessionEnded
    error: RtchatError | None
    unanswered: bool


class Session:
    """One run of a mode.

    Args:
        plan: What it will be.
        endpoint: Where the server is.
        display: Where the user is told.
        tools: The functions that the model may call.
        lines: Typed or piped lines; None where nobody types.
        keys: Keys of a terminal; None where there is none.
        recording: Where the session is written down; None for nowhere.
        linger: Awaited when the input has ended, before the session may: a timer may still run.
        stall_seconds: See `STALL_SECONDS`.

    Attributes:
        idle: Set while nothing is due: the moment for the next typed line.
        controls: What keys do; it also asks before a tool that needs a yes.
    """

    def __init__(
        self,
        plan: Plan,
        endpoint: Endpoint,
        display: Display,
        *,
        tools: Registry | None = None,
        lines: Lines | None = None,
        keys: Keys | None = None,
        recording: Recording | None = None,
        linger: Callable[[], Awaitable[None]] | None = None,
        stall_seconds: float = STALL_SECONDS,
    ) -> None:
        self.idle = asyncio.Event()
        self.controls = Controls(
            self.feed,
            self._finish,
            display,
            push_to_talk=plan.rules.push_to_talk,
            present=keys is not None,
        )
        self._plan = plan
        self._endpoint = endpoint
        self._display = display
        self._tools = tools
        self._lines = lines
        self._keys = keys
        self._recording = recording
        self._linger = linger
        self._stall_seconds = stall_seconds
        self._ledger = Ledger(cost_usd, plan.transcription_model)
        self._outgoing: asyncio.Queue[Any] = asyncio.Queue()
        self._began = time.monotonic()
        self._last_sign = 0.0  # of life: an event, the moment at which one became due, or sound that plays
        self._state = str(State.CONNECTING)
        self._onset = self._silence = 0.0  # of the last interruption: the input, and silence at the loudspeaker
        self._calls: set[asyncio.Task[None]] = set()
        self._sound = Sound(plan.sound(), recording.tap if recording is not None else None)
        self._machine = self._make_machine("none")
        self._over: asyncio.Future[RtchatError | str] = asyncio.get_running_loop().create_future()

    def feed(self, signal: object) -> None:
        """Tell the machine what happened, and do what it asks for."""
        if isinstance(signal, _CUTS):
            self._onset = self._now()
            for heard in self._sound.cut_points():
                self._run(self._machine.receive(heard))
        self._ledger.received(self._now(), signal)
        self._run(self._machine.receive(signal))

    def announce(self, news: str) -> None:
        """Have the assistant speak up about something, for example a timer that ended."""
        self.feed(s.Announced(news))

    def leave(self) -> None:
        """End the session: the user said so."""
        self._finish("quit")

    async def run(self) -> Outcome:
        """Hold the session until it is over. Errors that end it come back in the outcome, already told."""
        reason: RtchatError | str = "interrupted"
        with self._display:
            async with AsyncExitStack() as stack:
                try:
                    await self._open(stack)
                    reason = await self._hold(stack)
                except RtchatError as error:
                    reason = error
                except Exception:
                    reason = "error"
                    raise
                finally:  # Ctrl-C comes as a cancellation
                    ended = self._end(reason)
        return Outcome(ended, reason if isinstance(reason, RtchatError) else None, self._ledger.failed)

    # --- resources ----------------------------------------------------------------------------------------

    async def _open(self, stack: AsyncExitStack) -> None:
        for line in self._plan.news:
            self._display.tell(line)
        if self._recording is not None:
            stack.push_async_callback(self._close_recording, self._recording)
        await stack.enter_async_context(self._sound)
        echo = self._plan.echo_on(self._sound.output_name)
        self._machine = self._make_machine(echo)
        if echo == "half-duplex" and self._plan.settings.echo != "half-duplex":
            self._display.tell(NO_CANCELLER)
        if self._recording is not None:
            self._recording.describe(microphone=self._sound.input_name, loudspeaker=self._sound.output_name)
        self._show(StateChanged(self._state))

    def _make_machine(self, echo: Echo) -> Conversation | Interpreter:
        rules = replace(self._plan.rules, echo=echo)
        if self._plan.translation is not None:
            return Interpreter(rules, self._plan.translation)
        return Conversation(rules)

    async def _close_recording(self, recording: Recording) -> None:
        ledger = self._ledger
        totals = {"turns": ledger.turns, "usage": ledger.usage, "cost_usd": round(ledger.cost_usd, 6)}
        await asyncio.to_thread(recording.close, totals)  # it may wait for a slow disk

    async def _hold(self, stack: AsyncExitStack) -> RtchatError | str:
        """Connect, start every task, wait until the session is over, stop them."""
        on_frame = self._note_frame if self._recording is not None else None
        connection = await stack.enter_async_context(connect(self._endpoint, on_frame=on_frame))
        works: list[Coroutine[Any, Any, None]] = [
            self._read(connection),
            self._write(connection),
            self._watch(),
            self._follow_sound(),
        ]
        if self._plan.parts.microphone:
            works.append(self._capture())
        if self._plan.parts.microphone or self._plan.parts.loudspeaker:
            works.append(self._meter())
        if self._lines is not None:
            works.append(self._take_lines(self._lines))
        if self._keys is not None:
            works.append(self._take_keys(self._keys))
        async with asyncio.TaskGroup() as self._group:
            tasks = [self._group.create_task(self._guarded(work)) for work in works]
            try:
                return await self._over
            finally:
                for task in [*tasks, *self._calls]:
                    task.cancel()

    async def _guarded(self, work: Awaitable[None]) -> None:
        try:
            await work
        except RtchatError as error:
            self._finish(error)

    def _finish(self, why: RtchatError | str) -> None:
        if not self._over.done():
            self._over.set_result(why)

    def _end(self, reason: RtchatError | str) -> SessionEnded:
        """The last words, in the order in which they are read."""
        if isinstance(reason, RtchatError):
            code = getattr(reason, "code", None)
            self._show(ErrorTold(code, reason.message, reason.hint, fatal=True))
        for effect in self._machine.close():
            if isinstance(effect, s.Show):
                self._show(effect.notice)
        why = "error" if isinstance(reason, RtchatError) else reason
        ended = self._ledger.end(why, self._sound.underruns)
        self._show(ended)
        return ended

    # --- effects ------------------------------------------------------------------------------------------

    def _run(self, effects: list[s.Effect]) -> None:
        for effect in effects:
            match effect:
                case s.Send(event=event):
                    self._ledger.sent(self._now(), event)
                    self._outgoing.put_nowait(event)
                case s.Play(item_id=item_id, content_index=index, pcm=pcm):
                    self._sound.play(item_id, index, pcm)
                case s.Drain(item_id=item_id):
                    self._sound.drain(item_id)
                case s.Flush():
                    self._silence = self._now() + self._sound.flush()
                case s.Show(notice=notice):
                    self._take_notice(notice)
                case s.CallTool():
                    task = self._group.create_task(self._guarded(self._call(effect)))
                    self._calls.add(task)
                    task.add_done_callback(self._calls.discard)
                case s.End(reason=reason):
                    self._finish(reason)
                case s.Refuse(code=code, message=message):
                    self._finish(failures.refused(code, message, self._endpoint))

    def _take_notice(self, notice: Notice) -> None:
        if isinstance(notice, Interruption):
            ms = round((self._silence - self._onset) * 1000)
            notice = replace(notice, onset_to_silence_ms=ms)
        self._show(self._ledger.complete(notice))
        if isinstance(notice, StateChanged):
            self._state, self._last_sign = notice.state, self._now()
            if self._state in (State.LISTENING, State.MUTED):
                self.idle.set()
            else:
                self.idle.clear()
        elif isinstance(notice, TurnEnded):
            self._check_limits()

    def _check_limits(self) -> None:
        settings, ledger = self._plan.settings, self._ledger
        if settings.max_turns is not None and ledger.turns >= settings.max_turns:
            self._finish("max turns")
        elif settings.budget is not None and ledger.cost_usd >= settings.budget:
            self._finish("budget")

    def _show(self, notice: Notice) -> None:
        self._display.show(self._now(), notice)
        if self._display.closed:
            self._finish("nobody reads")

    async def _call(self, call: s.CallTool) -> None:
        if self._tools is None:
            return
        result = await self._tools.call(call.name, call.arguments, self._plan.settings.tool_timeout)
        self.feed(s.ToolDone(call.call_id, result.output, result.status, result.ms))

    # --- tasks --------------------------------------------------------------------------------------------

    async def _read(self, connection: Connection) -> None:
        async for event in connection:
            self._last_sign = self._now()
            if isinstance(event, WireError):
                self._show(ErrorTold("malformed_frame", event.message, "It was skipped.", fatal=False))
            else:
                self.feed(event)
            if isinstance(event, TranslationClosed):
                return  # it was asked for: the close of the socket behind it is no loss

    async def _write(self, connection: Connection) -> None:
        while True:
            event = await self._outgoing.get()
            if isinstance(event, _LIVE_SOUND):
                await connection.offer(event)
            else:
                await connection.send(event)

    async def _capture(self) -> None:
        # Push to talk with a file: nobody presses a key for it, so all of it is one turn.
        one_turn = self._plan.rules.push_to_talk and self._plan.settings.input_wav is not None
        if one_turn:
            await self.idle.wait()
            self.feed(s.TalkPressed())
        async for pcm in self._sound.microphone():
            self.feed(s.Captured(pcm))
        if one_turn:
            self.feed(s.TalkReleased())
        await self._end_input()

    async def _follow_sound(self) -> None:
        async for report in self._sound.reports():
            if isinstance(report, DeviceError):
                raise report
            if isinstance(report, Caution):
                self._show(ErrorTold("sound", report.message, report.hint, fatal=False))
                continue
            self._last_sign = self._now()  # while it plays, there is no hurry for more
            self.feed(report)

    async def _meter(self) -> None:
        parts = self._plan.parts
        while True:
            microphone, loudspeaker = self._sound.levels
            self._display.meter(
                microphone if parts.microphone else None,
                loudspeaker if parts.loudspeaker else None,
                0,
                self._sound.underruns,
            )
            await asyncio.sleep(_METER_SECONDS)

    async def _take_lines(self, lines: Lines) -> None:
        await self.idle.wait()
        async with aclosing(lines(self)) as typed:
            async for line in typed:
                self.feed(s.Typed(line))
        await self.idle.wait()
        await self._end_input()

    async def _end_input(self) -> None:
        if self._linger is not None:
            await self._linger()
        self.feed(s.InputEnded())

    async def _take_keys(self, keys: Keys) -> None:
        async with aclosing(keys()) as pressed:
            async for key in pressed:
                self.controls.press(key)

    async def _watch(self) -> None:
        """A server that owes us something and says nothing is lost; and a session may cost only so much."""
        while True:
            await asyncio.sleep(min(1.0, self._stall_seconds / 4))
            self._check_limits()
            waits = self._state in (State.CONNECTING, State.THINKING, State.SPEAKING) and not self._calls
            if waits and self._now() - self._last_sign > self._stall_seconds:
                raise ConnectionLost(
                    f"{self._endpoint.label} has said nothing for {self._stall_seconds:g} seconds.",
                    hint="Try again, or another server.",
                )

    # --- small things -------------------------------------------------------------------------------------

    def _now(self) -> float:
        return time.monotonic() - self._began

    def _note_frame(self, direction: Literal["sent", "received"], frame: str | bytes, event: Any) -> None:
        if self._recording is not None:
            self._recording.event(self._now(), direction, frame)
