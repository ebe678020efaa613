"""The loudspeaker of a session: plays, and tells what was heard of it.

::

    play ─> Speaker ─ PortAudio's thread ─> device
               ├─> heard: Heard, Drained     while something plays, about every REPORT_SECONDS
               └─> pass_on: what was taken   the same, and before each chunk of the microphone
"""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

from rtchat.audio.speaker import Speaker
from rtchat.audio.stream import now
from rtchat.chunk import WIRE, AudioFormat

if TYPE_CHECKING:
    from collections.abc import Callable

    from rtchat.audio.stream import Fill
    from rtchat.conversation.signals import Drained, Heard

REPORT_SECONDS = 0.05
"""How often the heard position is told while something plays."""

_IDLE_SECONDS = 0.5


class LoudspeakerSide:
    """What the loudspeaker plays.

    Args:
        tell: Told what was heard.
        taken: Told what the device has taken: (seconds at which it leaves the loudspeaker, 24 kHz mono PCM16).
    """

    def __init__(self, *, tell: Callable[[Heard | Drained], None], taken: Callable[[float, bytes], None]) -> None:
        self._tell = tell
        self._taken = taken
        self._speaker = Speaker(WIRE)
        self._wake = asyncio.Event()

    def source(self, form: AudioFormat, since: float | None = None) -> Fill:
        """The source of the blocks of a device of this format; the one before it is done with.

        Args:
            form: Its rate and channels.
            since: Seconds at which the one before it played for the last time, None for the first.
        """
        if since is None:
            self._speaker = Speaker(form, threading.Lock())
        else:  # what is queued, and what that one took with it, goes on at this one
            self._speaker.move(form, since)
        return self._speaker.read

    # --- asked for ----------------------------------------------------------------------------------------

    def play(self, item_id: str, content_index: int, pcm: bytes) -> None:
        """See `Sound.play`."""
        self._speaker.play(item_id, content_index, pcm, now())
        self._wake.set()

    def drain(self, item_id: str) -> None:
        """See `Sound.drain`."""
        self._speaker.drain(item_id)
        self._wake.set()

    def flush(self) -> float:
        """See `Sound.flush`."""
        silent_at = self._speaker.flush()
        self._wake.set()
        return _seconds_until(silent_at)

    def duck(self) -> float:
        """See `Sound.duck`."""
        return _seconds_until(self._speaker.duck())

    def restore(self) -> None:
        """Turn the loudspeaker up again."""
        self._speaker.restore()

    # --- told ---------------------------------------------------------------------------------------------

    def cut_points(self) -> list[Heard]:
        """See `Sound.cut_points`."""
        return self._speaker.cut_points()

    async def follow(self) -> None:
        """Tell what was heard and pass on what was taken, until cancelled."""
        while True:
            self._wake.clear()
            for report in self._speaker.heard(now()):
                self._tell(report)
            self.pass_on()
            # Not `wait_for`: Python 3.11's loses a cancellation that comes just after the event.
            with suppress(TimeoutError):
                async with asyncio.timeout(self._pause()):
                    await self._wake.wait()

    def pass_on(self) -> None:
        """Tell what the device has taken since the last time: it cannot be called back."""
        for begins, pcm in self._speaker.take_played():
            self._taken(begins, pcm)

    @property
    def level(self) -> float:
        """RMS of what the device took last, in dBFS, -96 for silence."""
        return self._speaker.level

    @property
    def underruns(self) -> int:
        """Gaps in the middle of an item, because its sound came too late."""
        return self._speaker.underruns

    @property
    def buffer_ms(self) -> int:
        """How much sound an answer waits for before it starts, and after a gap."""
        return round(self._speaker.target_ms)

    # --- inside -------------------------------------------------------------------------------------------

    def _pause(self) -> float:
        if not self._speaker.busy:
            return _IDLE_SECONDS
        ends = self._speaker.ends_at
        return REPORT_SECONDS if ends is None else min(REPORT_SECONDS, max(0.002, ends - now()))


def _seconds_until(at: float | None) -> float:
    return 0.0 if at is None else max(0.0, at - now())
