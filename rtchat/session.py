"""The orchestrator: owns every task and resource of one session, feeds the machine and runs its effects.

======================  ==============================  ==================================================
resource                acquired                        released
======================  ==============================  ==================================================
display (terminal)      `run`, first                    `run`, last, whatever happened
recording               `run`                           `run`, with its totals
sound (devices, files)  `run`, before the line          `run`, after the line
line (its connections)  `run`                           `run`, with a close frame
tasks                   `run`, in one `TaskGroup`       cancelled when the session is over
======================  ==============================  ==================================================

Inputs come from the line, the loudspeaker, the microphone, the keys, typed lines and tools; each becomes one call
of `Conversation.receive`, on the event loop, so the machine is never entered twice at once. What is opened for
sound is in `sound_side`, how a server that is gone is found out in `watch`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from rtchat.audio.sound import Sound
from rtchat.controls import Controls
from rtchat.conversation import signals as s
from rtchat.conversation.interpreter import Interpreter
from rtchat.conversation.ledger import Ledger
from rtchat.conversation.machine import Conversation
from rtchat.conversation.notices import (
    DeviceTold,
    ErrorTold,
    Interruption,
    Notice,
    SessionEnded,
    StateChanged,
    TurnEnded,
)
from rtchat.conversation.reaction import Reaction
from rtchat.conversation.state import State
from rtchat.display.base import Display
from rtchat.display.bindings import Key
from rtchat.errors import ConnectionLost, RtchatError, WireError
from rtchat.link import failures
from rtchat.link.dialers import Endpoint
from rtchat.link.line import PATIENCE_SECONDS, Line, Lost
from rtchat.plan import Echo, Plan
from rtchat.protocol.error_codes import EXPIRED_CODES
from rtchat.protocol.server_events import SpeechStarted
from rtchat.recording import Recording
from rtchat.sound_side import SoundSide
from rtchat.tools.registry import Registry
from rtchat.watch import STALL_SECONDS, Watch

if TYPE_CHECKING:
    from rtchat.sound_side import OpenSound

_CUTS = (SpeechStarted, s.VoiceConfirmed, s.InterruptPressed, s.TalkPressed)
"""Inputs that may stop the loudspeaker: the machine is told first what was heard."""

_SERVER_S_TURN = (State.CONNECTING, State.RECONNECTING, State.THINKING, State.SPEAKING)

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
        attended: A person is there, who can interrupt an answer that never ends.
        stall_seconds: See `watch.STALL_SECONDS`.
        patience_seconds: How long a broken connection is dialled again.
        open_sound: Makes the sound; for benches that look into it.

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
        attended: bool = False,
        stall_seconds: float = STALL_SECONDS,
        patience_seconds: float = PATIENCE_SECONDS,
        open_sound: OpenSound = Sound,
    ) -> None:
        self.idle = asyncio.Event()
        self._plan = plan
        self._endpoint = endpoint
        self._display = display
        self._tools = tools
        self._lines = lines
        self._keys = keys
        self._recording = recording
        self._linger = linger
        self._attended = attended
        self._input_over = False
        self._ledger = Ledger(plan.price, plan.transcription_model)
        self._reaction = Reaction()
        self._began = time.monotonic()
        self._state = str(State.CONNECTING)
        self._calls: set[asyncio.Task[None]] = set()
        tap = recording.tap if recording is not None else None
        self._side = SoundSide(
            plan, display, show=self._show, feed=self.feed, tap=tap, typed=keys is not None, open_sound=open_sound
        )
        self.controls = self._make_controls(plan, display, keys)
        on_frame = self._note_frame if recording is not None else None
        self._line = Line(endpoint, on_frame=on_frame, patience=patience_seconds)
        self._watch = Watch(
            self._line,
            endpoint.label,
            owed=self._is_owed,
            stall_seconds=stall_seconds,
            on_stall=self._stalled,
            on_tick=self._check_limits,
        )
        self._machine = self._make_machine("none")
        self._over: asyncio.Future[RtchatError | str] = asyncio.get_running_loop().create_future()

    def feed(self, signal: object) -> None:
        """Tell the machine what happened, and do what it asks for."""
        now = self._now()
        self._reaction.received(now, signal)
        if isinstance(signal, _CUTS):
            for heard in self._sound.cut_points():
                self._run(self._machine.receive(heard))
        self._ledger.received(now, signal)
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
        echo = await self._side.open(stack)
        if self._side.plan is not self._plan:  # it goes on without a device
            self._plan = self._side.plan
            self.controls = self._make_controls(self._plan, self._display, self._keys)
        self._machine = self._make_machine(echo)
        if self._recording is not None:
            self._recording.describe(microphone=self._sound.input_name, loudspeaker=self._sound.output_name)
        self._show(StateChanged(self._state))

    def _make_controls(self, plan: Plan, display: Display, keys: Keys | None) -> Controls:
        talk, mute = plan.rules.push_to_talk, self._sound.mute
        return Controls(self.feed, self._finish, display, mute=mute, push_to_talk=talk, present=keys is not None)

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
        await stack.enter_async_context(self._line)
        works: list[Coroutine[Any, Any, None]] = [
            self._read(),
            self._line.write(),
            self._watch.run(),
            self._side.follow(self._watch.sign),
            self._side.meter(),
        ]
        if self._plan.parts.microphone:
            works.append(self._capture())
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
        ended = self._ledger.end("error" if isinstance(reason, RtchatError) else reason, self._sound.underruns)
        self._show(ended)
        return ended

    # --- effects ------------------------------------------------------------------------------------------

    def _run(self, effects: list[s.Effect]) -> None:
        for effect in effects:
            match effect:
                case s.Send(event=event):
                    self._ledger.sent(self._now(), event)
                    self._line.send(event)
                case s.Play(item_id=item_id, content_index=index, pcm=pcm):
                    self._sound.play(item_id, index, pcm)
                case s.Drain(item_id=item_id):
                    self._sound.drain(item_id)
                case s.Flush():
                    self._reaction.silenced(self._now() + self._sound.flush())
                case s.Duck():
                    self._reaction.ducked(self._now() + self._sound.duck())
                case s.Restore():
                    self._sound.restore()
                case s.Show(notice=notice):
                    self._take_notice(notice)
                case s.CallTool() | s.AskApproval():
                    task = self._group.create_task(self._guarded(self._call(effect)))
                    self._calls.add(task)
                    task.add_done_callback(self._calls.discard)
                case s.End(reason=reason):
                    self._finish(reason)
                case s.Refuse(code=code, message=message) if code in EXPIRED_CODES:
                    self._line.lose(failures.expired(message, self._endpoint))
                case s.Refuse(code=code, message=message):
                    self._finish(failures.refused(code, message, self._endpoint))

    def _take_notice(self, notice: Notice) -> None:
        if isinstance(notice, Interruption):
            notice = self._reaction.complete(notice)
        self._show(self._ledger.complete(notice))
        if isinstance(notice, StateChanged):
            self._state = notice.state
            self.controls.follow(self._state)
            self._watch.sign()
            if self._state in (State.LISTENING, State.MUTED):
                self.idle.set()
            else:
                self.idle.clear()
        elif isinstance(notice, TurnEnded):
            self._check_limits()
        elif isinstance(notice, DeviceTold) and self._recording is not None:
            self._recording.describe(**{notice.side: notice.name})

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

    async def _call(self, call: s.CallTool | s.AskApproval) -> None:
        if isinstance(call, s.AskApproval):
            self.feed(s.Approved(call.request_id, await self.controls.approve(call.name, call.arguments)))
        elif self._tools is not None:
            result = await self._tools.call(call.name, call.arguments, self._plan.settings.tool_timeout)
            self.feed(s.ToolDone(call.call_id, result.output, result.status, result.ms))

    # --- tasks --------------------------------------------------------------------------------------------

    async def _read(self) -> None:
        async with aclosing(self._line.events()) as events:
            async for event in events:
                self._watch.sign()
                if isinstance(event, WireError):
                    self._show(ErrorTold("malformed_frame", event.message, "It was skipped.", fatal=False))
                elif isinstance(event, Lost):
                    self._lost(event.error)
                else:
                    self.feed(event)

    def _lost(self, error: RtchatError) -> None:
        """The connection broke, and is dialled again; the user is told once."""
        if self._state != State.RECONNECTING:
            self._show(ErrorTold("connection_lost", error.message, "Reconnecting.", fatal=False))
        self.feed(s.Disconnected())

    async def _capture(self) -> None:
        await self._side.capture(self.idle)
        await self._side.be_silent(lambda: self._state == State.HEARING)
        await self._end_input()

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
        self._input_over = True
        self._watch.sign()
        self.feed(s.InputEnded())

    async def _take_keys(self, keys: Keys) -> None:
        async with aclosing(keys()) as pressed:
            async for key in pressed:
                self.controls.press(key)

    def _now(self) -> float:
        return time.monotonic() - self._began

    @property
    def _sound(self) -> Sound:
        return self._side.sound

    def _is_owed(self) -> bool:
        return (self._input_over or self._state in _SERVER_S_TURN) and not self._calls

    def _stalled(self, error: ConnectionLost) -> None:
        """The end, but for a person who can interrupt the answer."""
        if not self._attended or self._input_over or self._state not in (State.THINKING, State.SPEAKING):
            raise error
        self._show(ErrorTold("stalled", error.message, "Interrupt it and ask again, or wait.", fatal=False))

    def _note_frame(self, direction: Literal["sent", "received"], frame: str | bytes, event: Any) -> None:
        if self._recording is not None:
            self._recording.event(self._now(), direction, frame)
