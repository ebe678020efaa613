"""Keeps a microphone and a loudspeaker open: opens them again when they, or their sound server, come and go.

=====================  ==================  ====================================================
resource               acquired            released
=====================  ==================  ====================================================
PortAudio thread       `open`              `close`; left behind when a call to PortAudio hangs
PortAudio, streams     `open`, on it       `close`, on it
`pactl subscribe`      `watch`             `watch`, when it is cancelled
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

from rtchat.audio import cautions
from rtchat.audio.devices import Side, looks_like_headphones
from rtchat.audio.duplex import Duplex
from rtchat.audio.soundserver import SoundServer
from rtchat.audio.stream import Stream, now
from rtchat.audio.vigil import LOOK_SECONDS, Vigil
from rtchat.audio.worker import Worker
from rtchat.conversation.signals import DeviceFound, DeviceLost
from rtchat.errors import DeviceError

if TYPE_CHECKING:
    from collections.abc import Callable

    from rtchat.audio.duplex import Capture
    from rtchat.audio.stream import Fill
    from rtchat.chunk import AudioFormat

    Playback = Callable[[AudioFormat, float | None], Fill]
    Tell = Callable[[DeviceLost | DeviceFound | cautions.Caution], None]

CLOSE_SECONDS = 2.0
"""How long the devices may take to close; a quarter of a second is usual."""

_DROP_SECONDS = 0.5
_LOST_SECONDS = 1.5
_MEND_SECONDS = 8.0
_TELEPHONY_RATE = 16_000
_PAUSES = (0.0, 0.1, 0.2, 0.4, 1.0)


class Keeper:
    """Opens the devices, and keeps them open.

    Args:
        capture: As for `Duplex`. Called again for each microphone that takes the place of one, on the event loop.
        playback: In the same way; also told since when the device before this one has played nothing any more, in
            seconds, None for the first.
        tell: Told, on the event loop, which device is lost or found, and what is odd about one.

    Attributes:
        serving: What people call the device of each side, None while there is none.
    """

    def __init__(self, capture: Capture | None, playback: Playback | None, tell: Tell) -> None:
        self._capture = capture
        self._playback = playback
        self._tell = tell
        self._duplex = self._make_duplex()
        self._thread = Worker("portaudio")  # makes every call to PortAudio, in order
        self._server = SoundServer(self._note_move)
        self._vigils: dict[Side, Vigil] = {}
        self.serving: dict[Side, str | None] = {}
        self._raw: dict[Side, str] = {}  # PortAudio's names, to which those of `serving` belong
        self._trusted: set[Side] = set()
        self._telephony = False
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
        await self._server.look()
        for side, place in self._server.places.items():
            if not place.works and side in self._vigils:  # it began so: somebody may listen to a dummy on purpose
                self._trusted.add(side)
                self._tell(cautions.stand_in(side, place.name))
        self._raw = self.names
        self.serving = {side: self._name(side) for side in self._vigils}
        self._note()

    async def watch(self) -> None:
        """Follow the sound server's moves until cancelled."""
        await self._server.watch()

    async def keep(self) -> None:
        """Look after the streams until cancelled.

        Raises:
            DeviceError: A fault in this program, which opening anew would not mend.
        """
        while True:
            await asyncio.sleep(LOOK_SECONDS)
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
        mending = asyncio.ensure_future(self._thread.call(self._duplex.mend))
        seconds = _MEND_SECONDS * 2 ** min(self._hung, 4)
        try:
            await asyncio.wait([mending], timeout=_LOST_SECONDS)
            if not mending.done():
                self._note()
            missing = await asyncio.wait_for(mending, seconds)
        except TimeoutError:
            self._hung += 1
            self._start_over()
            missing = list(self._vigils)
        else:
            self._hung = 0
            self._duplex.attach()
        finally:
            mending.cancel()
        self._tries = self._tries + 1 if missing else 0
        self._try_at = now() + _PAUSES[min(self._tries, len(_PAUSES) - 1)]
        await self._server.look()
        self._note()

    def _note_move(self) -> None:
        if len(self._duplex.running) == len(self._vigils):  # else `_mend` tells what comes of it
            self._note()

    def _note(self) -> None:
        """Tell what is different now."""
        for side in self._vigils:
            before, name = self.serving[side], self._name(side)
            self.serving[side], self._raw[side] = name, self.names[side]
            if name is None and before is not None:
                self._tell(DeviceLost(side))
            elif name is not None and name != before:
                self._tell(DeviceFound(side, name))
            if (stream := self._duplex.running.get(side)) is not None:
                self._hold(side, stream, name is None)
                self._check_telephony(side, stream)

    def _hold(self, side: Side, stream: Stream, held: bool) -> None:
        """Let no sound through while the server has no device for it; then play again what went nowhere."""
        if held and not stream.held:
            self._duplex.gone_at[side] = self._server.changed_at
        elif stream.held and not held:
            self._duplex.attach(side)
        stream.held = held

    def _name(self, side: Side) -> str | None:
        """What people call the device of a side; None when there is none."""
        if side not in self._duplex.running:
            return None
        place, raw = self._server.places.get(side), self.names[side]
        if place is None:  # nobody knows better: it is what it was
            same = raw == self._raw.get(side)
            return (self.serving.get(side) if same else None) or raw
        if place.works:
            self._trusted.discard(side)
        return place.name if place.works or side in self._trusted else None

    def _check_telephony(self, side: Side, stream: Stream) -> None:
        place, others = self._server.places.get(side), self._server.places.get("microphone")
        slow = stream.form.rate <= _TELEPHONY_RATE and looks_like_headphones(self.names[side])
        if not self._telephony and (slow or (place is not None and place.telephony)):
            self._telephony = True
            name = self.serving[side] or self.names[side]
            self._tell(cautions.telephony(name, others.others if others else ()))

    def _start_over(self) -> None:
        """Leave the thread that hangs to itself, and go on with another one."""
        left, thread = self._duplex, self._thread
        left.end()
        self._flags += left.flags
        self._duplex, self._thread = self._make_duplex(), Worker("portaudio")
        self._duplex.wanted, self._duplex.names = left.wanted, left.names
        self._duplex.gone_at = left.gone_at | {side: stream.called_at for side, stream in left.running.items()}
        thread.leave(left.close)

    def _make_duplex(self) -> Duplex:
        return Duplex(self._capture, self._play if self._playback else None)

    def _play(self, form: AudioFormat) -> Fill:
        assert self._playback is not None
        return self._playback(form, self._duplex.gone_at.get("loudspeaker"))
