"""Keeps a microphone and a loudspeaker open: opens them again when they, or their sound server, come and go.

=====================  ==================  ====================================================
resource               acquired            released
=====================  ==================  ====================================================
PortAudio thread       `open`              `close`; left behind when a call to PortAudio hangs
PortAudio, streams     `open`, on it       `close`, on it
=====================  ==================  ====================================================

::

    running ── a stream stops, or does not call back for PATIENCE_SECONDS ──> mend ── it runs again ──> running
                                                                              │ ^
                                                                 DeviceLost, once │ after 0.1 s ... 1 s
                                                                              └─┘            DeviceFound at the end
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

from rtchat.audio.duplex import Duplex
from rtchat.audio.stream import Stream, now
from rtchat.audio.worker import Worker
from rtchat.conversation.signals import DeviceFound, DeviceLost
from rtchat.errors import DeviceError

if TYPE_CHECKING:
    from collections.abc import Callable

    from rtchat.audio.devices import Side
    from rtchat.audio.duplex import Capture, Playback

    Tell = Callable[[DeviceLost | DeviceFound], None]

TICK_SECONDS = 0.1
"""How often the streams are looked at."""

PATIENCE_SECONDS = 0.5
"""A stream that does not call back for so long is opened again. Twice as long for one that was so in vain."""

CLOSE_SECONDS = 2.0
"""How long the devices may take to close; a quarter of a second is usual."""

_MOST_PATIENCE_SECONDS = 4.0
_DROP_SECONDS = 1.0
_MEND_SECONDS = 8.0
_PAUSES = (0.0, 0.1, 0.2, 0.4, 1.0)


class Vigil:
    """Whether a stream still calls back. Pure.

    Only moments count in which the watcher itself was on time: one who was late was kept from working by a busy or
    sleeping machine, as the stream may have been.
    """

    def __init__(self) -> None:
        self.patience = PATIENCE_SECONDS
        self._calls = -1
        self._looked = 0.0
        self._silent = 0.0

    def stalled(self, calls: int, at: float) -> bool:
        """Tell how often it has called back by `at` seconds; True when it has been silent for too long."""
        since, self._looked = at - self._looked, at
        if calls != self._calls or since > 3 * TICK_SECONDS:
            self._calls, self._silent = calls, 0.0
        else:
            self._silent += since
        return self._silent >= self.patience

    def renew(self) -> None:
        """It was opened again for nothing but silence: it may be one that is served in long bursts."""
        self.patience = min(2 * self.patience, _MOST_PATIENCE_SECONDS)
        self._calls, self._silent = -1, 0.0


class Keeper:
    """Opens the devices, and keeps them open.

    Args:
        capture: As for `Duplex`. Called again for each microphone that takes the place of one, on the event loop.
        playback: As for `Duplex`, and in the same way.
        tell: Told, on the event loop, which device is lost or found.
    """

    def __init__(self, capture: Capture | None, playback: Playback | None, tell: Tell) -> None:
        self._capture = capture
        self._playback = playback
        self._tell = tell
        self._duplex = Duplex(capture, playback)
        self._thread = Worker("portaudio")  # makes every call to PortAudio, in order
        self._vigils: dict[Side, Vigil] = {}
        self._lost: set[Side] = set()
        self._tries = 0
        self._try_at = 0.0
        self._hung = 0
        self._flags = 0

    @property
    def names(self) -> dict[Side, str]:
        """The device of each side."""
        return dict(self._duplex.names)

    @property
    def flags(self) -> int:
        """Times that a device said it had lost or missed sound."""
        return self._flags + self._duplex.flags

    async def open(self, input_device: str | None, output_device: str | None) -> None:
        """Open the devices.

        Raises:
            DeviceError: As `Duplex.open`. `close` is still due.
        """
        await self._thread.call(self._duplex.open, input_device, output_device)
        self._vigils = {side: Vigil() for side in self._duplex.wanted}

    async def keep(self) -> None:
        """Look after the streams until cancelled.

        Raises:
            DeviceError: A fault in this program, which opening anew would not mend.
        """
        while True:
            await asyncio.sleep(TICK_SECONDS)
            await self._drop_stopped()
            if len(self._duplex.running) < len(self._vigils) and now() >= self._try_at:
                await self._mend()

    async def close(self) -> None:
        """Let the devices go, or leave them behind: PortAudio may never return after its sound server has died."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._thread.call(self._duplex.close), CLOSE_SECONDS)
        self._thread.end()

    # --- inside -------------------------------------------------------------------------------------------

    async def _drop_stopped(self) -> None:
        for side, stream in self._duplex.running.items():
            if self._duplex.running.get(side) is not stream:  # it served the other side too, or all was left behind
                continue
            if stream.crash is not None:
                raise stream.failure() or DeviceError(f"{stream.name} stopped.")
            if not stream.stopped:
                if not self._vigils[side].stalled(stream.calls, now()):
                    continue
                self._vigils[side].renew()
            await self._drop(stream)

    async def _drop(self, stream: Stream) -> None:
        stream.end()
        try:
            await asyncio.wait_for(self._thread.call(self._duplex.drop, stream), _DROP_SECONDS)
        except TimeoutError:
            self._start_over()

    async def _mend(self) -> None:
        before = self.names
        seconds = _MEND_SECONDS * 2 ** min(self._hung, 4)
        try:
            missing = await asyncio.wait_for(self._thread.call(self._duplex.mend), seconds)
        except TimeoutError:
            self._hung += 1
            self._start_over()
            missing = list(self._vigils)
        else:
            self._hung = 0
            self._duplex.attach()
        self._tries = self._tries + 1 if missing else 0
        self._try_at = now() + _PAUSES[min(self._tries, len(_PAUSES) - 1)]
        for side in self._vigils:
            name = self._duplex.names.get(side, "")
            if side in missing:
                if side not in self._lost:
                    self._lost.add(side)
                    self._tell(DeviceLost(side))
            elif side in self._lost or name != before.get(side):
                self._lost.discard(side)
                self._tell(DeviceFound(side, name))

    def _start_over(self) -> None:
        """Leave the thread that hangs to itself, and go on with another one."""
        left, thread = self._duplex, self._thread
        left.end()
        self._flags += left.flags
        self._duplex, self._thread = Duplex(self._capture, self._playback, left.wanted), Worker("portaudio")
        self._duplex.names = left.names
        thread.leave(left.close)
