"""Makes the near end of a session: loads the echo canceller and the voice detector, or does without and says so.

Another microphone or loudspeaker is another echo: it gets another canceller, which knows nothing of the last room.
Loading takes half a second the first time, and milliseconds later; meanwhile the near end works on.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Literal

from rtchat.audio.barge_in import BargeIn, Sensitivity
from rtchat.audio.canceller import load_canceller
from rtchat.audio.cautions import Caution
from rtchat.audio.echo import Echo
from rtchat.audio.near_end import EchoNews, NearEnd
from rtchat.conversation.signals import Captured, EchoChanged
from rtchat.errors import DeviceError, RtchatError

if TYPE_CHECKING:
    from collections.abc import Callable

    from rtchat.audio.barge_in import Voice

CancelEcho = Literal["no", "while it works", "always"]


class NearEndLoader:
    """The near end of a session, and what it needs.

    Args:
        tell: Told, on the event loop, how the canceller does, and what cannot be loaded.
        cancel: Whether the loudspeaker's echo is taken out of the microphone; `always`: however badly it works.
        barge_in: The user's voice is to be told while the assistant sounds.
        sensitivity: How easily it is.
        auto_gain: The microphone's level is to be evened out.

    Attributes:
        near_end: It; until `load`, the microphone as it is.
    """

    def __init__(
        self,
        tell: Callable[[Caution | EchoChanged], None],
        cancel: CancelEcho = "no",
        *,
        barge_in: bool = False,
        sensitivity: Sensitivity = "medium",
        auto_gain: bool = False,
    ) -> None:
        self.near_end = NearEnd()
        self._tell = tell
        self._cancel = cancel
        self._barge_in = barge_in
        self._sensitivity = sensitivity
        self._auto_gain = auto_gain
        self._news: EchoNews | None = None
        self._other_devices = asyncio.Event()

    def feed(self, at: float, pcm: bytes) -> list[Voice | Captured]:
        """`NearEnd.feed`, which goes on without a canceller that has failed; what is new of the echo is told."""
        try:
            signals = self.near_end.feed(at, pcm)
        except DeviceError as error:
            self._do_without(error)
            signals = self.near_end.feed(at, pcm)
        if self._news is not None and (news := self._news.look()) is not None:
            self._tell(news)
        return signals

    async def load(self) -> None:
        """Load what is wanted; what cannot be is told. For a microphone and a loudspeaker that are devices."""
        if self._cancel == "no" and not self._barge_in and not self._auto_gain:
            return
        try:
            if self._barge_in and self.near_end.barge_in is None:
                self.near_end.barge_in = await asyncio.to_thread(BargeIn, self._sensitivity)
            await self._begin()
        except RtchatError as error:
            self._do_without(error)

    def begin_anew(self) -> None:
        """Other devices serve now: nothing is told of the last ones any more, and `keep` loads."""
        self._news = None
        self._other_devices.set()

    async def keep(self) -> None:
        """Begin anew whenever that is asked for, until cancelled."""
        while True:
            await self._other_devices.wait()
            self._other_devices.clear()
            await self.load()

    async def _begin(self) -> None:
        if self._cancel != "no" or self._auto_gain:
            process = (await asyncio.to_thread(load_canceller, auto_gain=self._auto_gain)).process
        else:
            process = _as_it_is
        self.near_end.echo = echo = Echo(process, bypass=not self._auto_gain)
        self._news = EchoNews(echo, forced=self._cancel == "always") if self._cancel != "no" else None

    def _do_without(self, why: RtchatError) -> None:
        """There is no canceller (any more): the microphone has to be shut while the assistant speaks."""
        self.near_end.echo = self._news = None
        self._tell(Caution(why.message, why.hint))
        self._tell(EchoChanged("half-duplex", None))


def _as_it_is(near: bytes, far: bytes) -> bytes:
    return near
