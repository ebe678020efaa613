"""A microphone and a loudspeaker as PortAudio callback streams.

One stream for both directions is used where both are one piece of hardware, hence one clock. Everywhere else there
are two: a software device (ALSA's `default`, `pulse`) may hide two clocks behind one name, which a single stream
answers with a gap every few minutes, and through ALSA's pulse plugin such a stream may never start.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from rtchat.audio.devices import Device, Side, choose, devices_of, fresh_devices
from rtchat.audio.portaudio import PortAudio, ShapeRefused
from rtchat.audio.stream import Stream, described
from rtchat.audio.stream import now as now
from rtchat.chunk import AudioFormat
from rtchat.errors import DeviceError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from rtchat.audio.stream import Fill, OnCapture

    Capture = Callable[[AudioFormat], OnCapture]
    Playback = Callable[[AudioFormat], Fill]

_OTHER_RATES = (48_000, 44_100, 32_000, 16_000)


class Duplex:
    """The microphone, the loudspeaker or both, on PortAudio.

    `open`, `drop`, `mend` and `close` may block, and must not run at the same time: call them on one thread that is
    not the event loop's.

    Args:
        capture: Told the microphone's format, it gives the receiver of its blocks; None for no microphone.
        playback: Told the loudspeaker's format, it gives the source of its blocks; None for no loudspeaker.

    Attributes:
        names: The device of each side that is open, or was last.
        wanted: What `mend` looks for: the name of a device that was asked for, None for the default.
        gone_at: Seconds at which the last stream of a side that was dropped called back for the last time.
    """

    def __init__(self, capture: Capture | None, playback: Playback | None) -> None:
        self.names: dict[Side, str] = {}
        self.wanted: dict[Side, str | None] = {}
        self.gone_at: dict[Side, float] = {}
        self._capture = capture
        self._playback = playback
        self._library: PortAudio | None = None
        self._devices: list[Device] = []
        self._streams: dict[Side, Stream] = {}
        self._flags = 0
        self._over = False

    @property
    def input_name(self) -> str:
        """The microphone's name once open."""
        return self.names.get("microphone", "")

    @property
    def output_name(self) -> str:
        """The loudspeaker's name once open."""
        return self.names.get("loudspeaker", "")

    def open(self, input_device: str | None, output_device: str | None) -> None:
        """Find the devices and start.

        Args:
            input_device: Number or part of the name of the microphone; None for the default.
            output_device: The same for the loudspeaker.

        Raises:
            DeviceError: There is no such device, it is busy, or PortAudio is missing. `close` is still due.
        """
        self.wanted = {"loudspeaker": output_device} if self._playback else {}
        if self._capture:
            self.wanted["microphone"] = input_device
        self._start_library()
        chosen = {side: choose(self._devices, name, side) for side, name in self.wanted.items()}
        self.names = {side: device.name for side, device in chosen.items()}
        # A number is valid until devices come or go.
        self.wanted = {side: self.names[side] if name is not None else None for side, name in self.wanted.items()}
        if not self._opened_as_one(chosen):
            for side, device in chosen.items():
                self._streams[side] = self._open({side: device})
        self.attach()

    def attach(self, side: Side | None = None) -> None:
        """Let sound flow through the streams that `mend` has opened, or anew through this side's."""
        for stream in self._each():
            sides = [its for its in self._streams if self._streams[its] is stream]
            if side in sides or not stream.attached:
                stream.attach(
                    self._capture(stream.form) if self._capture and "microphone" in sides else None,
                    self._playback(stream.form) if self._playback and "loudspeaker" in sides else None,
                )

    # --- while it runs ------------------------------------------------------------------------------------

    def failure(self) -> DeviceError | None:
        """Why a stream has stopped, None while all run. Does not block."""
        return next((failure for stream in self._each() if (failure := stream.failure())), None)

    @property
    def running(self) -> dict[Side, Stream]:
        """The stream of each side, whether or not it has stopped; the same for both where one serves both."""
        return dict(self._streams)

    @property
    def flags(self) -> int:
        """Callbacks in which a device said that it had lost or missed sound."""
        return self._flags + sum(stream.flags for stream in self._each())

    @property
    def streams(self) -> int:
        """How many streams there are: 1 for a microphone and loudspeaker in one, or for one of them alone."""
        return len(self._each())

    # --- when devices come and go -------------------------------------------------------------------------

    def drop(self, stream: Stream) -> None:
        """Close a stream that has stopped; what it served is missing until `mend`."""
        self._flags += stream.flags
        self.gone_at |= {side: stream.called_at for side, its in self._streams.items() if its is stream}
        self._streams = {side: its for side, its in self._streams.items() if its is not stream}
        stream.close()

    def mend(self) -> list[Side]:
        """Open what is missing: the wanted device, else the default one. Sound flows once `attach` is called.

        First with the list of devices that there is, which leaves the other side alone. PortAudio renews its list
        only when it is started again, without any stream: done when nothing runs, or when there is something new.

        Returns:
            The sides that are still missing.
        """
        self._reopen(self._missing())
        if (missing := self._missing()) and not self._over and (not self._streams or self._is_new(missing)):
            self._stop()
            with suppress(DeviceError):  # there is none at all
                self._start_library()
            self._reopen(self._missing())
        if self._over:  # nobody waited for this
            self._stop()
        return self._missing()

    def end(self) -> None:
        """Leave everything behind: no callback comes any more, and what still opens is closed."""
        self._over = True
        for stream in self._each():
            stream.end()

    def close(self) -> None:
        """Stop every stream and release PortAudio; may be called whether or not `open` succeeded.

        On PulseAudio whose server has died or hangs, PortAudio may never come back from it.
        """
        self._stop()

    # --- inside -------------------------------------------------------------------------------------------

    def _each(self) -> list[Stream]:
        return list(dict.fromkeys(self._streams.values()))

    def _missing(self) -> list[Side]:
        return [side for side in self.wanted if side not in self._streams]

    def _start_library(self) -> None:
        self._devices = []
        self._library = PortAudio()
        self._devices = devices_of(self._library)

    def _stop(self) -> None:
        for stream in self._each():
            stream.end()
        try:
            for stream in self._each():
                self.drop(stream)
        finally:
            library, self._library = self._library, None
            if library is not None:
                library.close()

    def _reopen(self, sides: list[Side]) -> None:
        if self._library is None:
            return
        if len(sides) == len(self.wanted) == 2:
            with suppress(DeviceError):
                if self._opened_as_one({side: choose(self._devices, self.wanted[side], side) for side in sides}):
                    return
        for side in sides:
            for name in dict.fromkeys((self.wanted[side], None)):
                with suppress(DeviceError):
                    device = choose(self._devices, name, side)
                    stream = self._open({side: device})
                    if stream.proven():
                        self._streams[side], self.names[side] = stream, device.name
                        break
                    stream.close()

    def _is_new(self, sides: list[Side]) -> bool:
        """Whether a device that can serve one of these sides is there that PortAudio's list lacks."""
        known = {(side, device.name) for side in sides for device in self._devices if device.channels(side)}
        fresh = {(side, device.name) for device in fresh_devices() for side in sides if device.channels(side)}
        return not fresh <= known

    def _opened_as_one(self, chosen: Mapping[Side, Device]) -> bool:
        """Try one stream for both directions; False when that is not right, does not open or does not run."""
        device = chosen.get("microphone")
        if device is None or device != chosen.get("loudspeaker") or not device.is_hardware:
            return False
        try:
            stream = self._open(chosen)
        except DeviceError:
            return False
        if not stream.proven():
            stream.close()
            return False
        self._streams = dict.fromkeys(chosen, stream)
        self.names = dict.fromkeys(chosen, device.name)
        return True

    def _open(self, chosen: Mapping[Side, Device]) -> Stream:
        """Open at the device's own rate, in mono if it can; other shapes are tried in turn."""
        assert self._library is not None
        microphone, loudspeaker = chosen.get("microphone"), chosen.get("loudspeaker")
        for form in _shapes(microphone, loudspeaker):
            with suppress(ShapeRefused):
                return Stream(self._library, form, microphone=microphone, loudspeaker=loudspeaker)
        raise DeviceError(
            f"{described(microphone, loudspeaker)} opens at no rate, neither its own nor 48, 44.1, 32 or 16 kHz.",
            hint="Choose another one: `rtchat devices` lists them.",
        )


def _shapes(microphone: Device | None, loudspeaker: Device | None) -> list[AudioFormat]:
    most = min([d.inputs for d in (microphone,) if d] + [d.outputs for d in (loudspeaker,) if d])
    own = next(device.rate for device in (microphone, loudspeaker) if device)
    rates = [own, *(rate for rate in _OTHER_RATES if rate != own)]
    return [AudioFormat(rate, channels) for rate in rates for channels in (1, 2) if channels <= most]
