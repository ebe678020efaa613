"""The sound of a session: what is opened, what is done without it, and what it tells the conversation."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

from rtchat.audio import soundchecks
from rtchat.audio.devices import Side
from rtchat.audio.microphone import CHUNK_MS
from rtchat.audio.sound import Caution, Sound, SoundRequest
from rtchat.chunk import WIRE
from rtchat.conversation import signals as s
from rtchat.conversation.notices import ErrorTold, Notice
from rtchat.display.base import Display
from rtchat.errors import DeviceError
from rtchat.modes import SessionKind
from rtchat.plan import NO_CANCELLER, Echo, Plan

if TYPE_CHECKING:
    from rtchat.audio.tape import Tap

    OpenSound = Callable[[SoundRequest, Tap | None], Sound]

NOT_CANCELLED = (
    "rtchat doctor found that the echo of these devices cannot be cancelled, so the microphone is shut while the "
    "assistant speaks; it opens when the cancelling works after all."
)
"""For the user, where a sound check recommends half duplex."""

METER_SECONDS = 0.1

SILENCE_SECONDS = 30.0
"""Far longer than a turn waits for its end: 8 s under `semantic_vad` of low eagerness."""


class SoundSide:
    """One session's microphone and loudspeaker.

    Args:
        plan: What the session wants.
        display: Where levels are shown.
        show: Tells a notice.
        feed: Tells the machine.
        tap: See `Sound`.
        typed: The user has keys, so that a conversation can go on in text.
        open_sound: Makes the sound; for benches that look into it.

    Attributes:
        plan: What the session has, after `open`.
        sound: The devices or files.
    """

    def __init__(
        self,
        plan: Plan,
        display: Display,
        *,
        show: Callable[[Notice], None],
        feed: Callable[[object], None],
        tap: Tap | None,
        typed: bool,
        open_sound: OpenSound = Sound,
    ) -> None:
        self.plan = plan
        self._display = display
        self._show = show
        self._feed = feed
        self._tap = tap
        self._typed = typed
        self._open_sound = open_sound
        self.sound = open_sound(plan.sound(), tap)
        self._echo = s.EchoChanged("none", None)

    async def open(self, stack: AsyncExitStack) -> Echo:
        """Open what the plan wants, or what there is of it where a conversation can go on in text.

        Returns:
            What keeps the assistant from hearing itself.

        Raises:
            DeviceError: There is no usable device, and nobody who could type.
            UsageError: A file that cannot be read or written.
        """
        try:
            await stack.enter_async_context(self.sound)
        except DeviceError as error:
            await self._open_less(stack, error)
        self._echo = await self._expected_echo()
        self._explain(self._echo.echo)
        return self._echo.echo

    async def _expected_echo(self) -> s.EchoChanged:
        """What keeps the assistant from hearing itself at these devices, until it is measured."""
        found = await self._found_before()
        return s.EchoChanged(self.plan.echo_on(self.sound.called("loudspeaker"), found), None)

    def _explain(self, echo: Echo) -> None:
        """Say why it is half duplex where nobody asked for that."""
        if echo == "half-duplex" and self.plan.settings.echo != "half-duplex":
            self._display.tell(NO_CANCELLER if self.plan.rules.echo == "half-duplex" else NOT_CANCELLED)

    async def _found_before(self) -> Echo | None:
        """What `rtchat doctor` recommends for these devices, where it is asked for and known."""
        if self.plan.settings.echo != "auto" or self.plan.rules.echo not in ("aec", "half-duplex"):
            return None
        check = await asyncio.to_thread(soundchecks.load, self.sound.input_name, self.sound.output_name)
        return check.echo if check is not None else None

    async def _open_less(self, stack: AsyncExitStack, error: DeviceError) -> None:
        """Open what works of what is left."""
        for plan in _lesser(self.plan) if self._typed else ():
            sound = self._open_sound(plan.sound(), self._tap)
            try:
                await stack.enter_async_context(sound)
            except DeviceError:
                continue
            self.plan, self.sound = plan, sound
            code = "no_loudspeaker" if plan.parts.microphone else "no_microphone"
            self._show(ErrorTold(code, error.message, _instead(plan), fatal=False))
            return
        raise error

    async def capture(self, ready: asyncio.Event) -> None:
        """Tell what the microphone hears, until its file ends.

        Args:
            ready: Set once the conversation has begun: a file waits for it, a voice does not.
        """
        settings = self.plan.settings
        # Push to talk with a file: nobody presses a key for it, so all of it is one turn.
        one_turn = self.plan.rules.push_to_talk and settings.input_wav is not None
        if settings.input_wav is not None:
            await ready.wait()
        if one_turn:
            self._feed(s.TalkPressed())
        async for heard in self.sound.microphone():
            self._feed(heard)
        if one_turn:
            self._feed(s.TalkReleased())

    async def be_silent(self, while_heard: Callable[[], bool]) -> None:
        """Go on with silence after a file, in real time, for `SILENCE_SECONDS` at most.

        Args:
            while_heard: The server takes the user to be speaking: only silence ends that.
        """
        for _ in range(round(SILENCE_SECONDS * 1000 / CHUNK_MS)):
            if not while_heard() or self.plan.translation is not None:  # an interpreter waits for no silence
                return
            self._feed(s.Captured(WIRE.silence(CHUNK_MS)))
            await asyncio.sleep(CHUNK_MS / 1000)

    async def follow(self, played: Callable[[], None]) -> None:
        """Tell what the devices report, until the sound is closed.

        Args:
            played: Called while something plays: there is no hurry for more.

        Raises:
            DeviceError: The devices are gone for good.
        """
        async for report in self.sound.reports():
            match report:
                case DeviceError():
                    raise report
                case Caution(message=message, hint=hint):
                    self._show(ErrorTold("sound", message, hint, fatal=False))
                    continue
                case s.Heard() | s.Drained():
                    played()
                case s.EchoChanged():
                    self._echo = report
            self._feed(report)
            if isinstance(report, s.DeviceFound):
                await self._begin_anew()

    async def _begin_anew(self) -> None:
        """Another device serves: what was measured of the echo is not true any more."""
        before, self._echo = self._echo, await self._expected_echo()
        if self._echo.echo != before.echo:
            self._explain(self._echo.echo)
        if self._echo != before:
            self._feed(self._echo)

    async def meter(self) -> None:
        """Show the levels, and how the loudspeaker is supplied, until cancelled."""
        parts, sound = self.plan.parts, self.sound
        while parts.microphone or parts.loudspeaker:
            microphone, loudspeaker = sound.levels
            self._display.meter(
                microphone if parts.microphone else None,
                loudspeaker if parts.loudspeaker else None,
                sound.buffer_ms,
                sound.underruns,
            )
            await asyncio.sleep(METER_SECONDS)


def _lesser(plan: Plan) -> Iterator[Plan]:
    """What a conversation could do with: one device less, then none. One that was named is not done without."""
    if plan.parts.session is not SessionKind.CONVERSATION:
        return
    settings = plan.settings
    sides: list[Side] = []
    if plan.parts.microphone and not (settings.input_wav or settings.input_device):
        sides.append("microphone")
    if plan.parts.loudspeaker and not (settings.output_wav or settings.output_device):
        sides.append("loudspeaker")
    for side in sides:
        yield plan.without(side)
    if len(sides) == 2:
        yield plan.without("microphone").without("loudspeaker")


def _instead(plan: Plan) -> str:
    """What the user does without the device."""
    if plan.parts.microphone:
        return "The answers are written."
    return "Press t to type; the answers are spoken." if plan.parts.loudspeaker else "Press t to type."
