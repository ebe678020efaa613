"""A microphone and a loudspeaker as PortAudio callback streams.

The callbacks run on PortAudio's threads. They read the clock, hand the microphone's bytes over, fetch the
loudspeaker's bytes, and decide nothing.

One stream for both directions is used where both are one piece of hardware, hence one clock. Everywhere else there
are two: a software device (ALSA's `default`, `pulse`) may hide two clocks behind one name, which a single stream
answers with a gap every few minutes, and through ALSA's pulse plugin such a stream may never start.
"""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from rtchat.audio.clock import DeviceClock
from rtchat.audio.devices import Device, choose, devices_of
from rtchat.audio.portaudio import GO_ON, INPUT_OVERFLOW, OUTPUT_UNDERFLOW, STOP, PortAudio, ShapeRefused
from rtchat.chunk import AudioFormat
from rtchat.errors import DeviceError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    OnCapture = Callable[[bytes, float], None]
    """(block in the device's format, seconds of its first sample), on PortAudio's thread."""
    Fill = Callable[[int, float], bytes]
    """(frames, seconds at which the first leaves the loudspeaker) -> the frames, on PortAudio's thread."""
    Capture = Callable[[AudioFormat], OnCapture]
    Playback = Callable[[AudioFormat], Fill]

BLOCK_MS = 8
"""PortAudio keeps three blocks in the ALSA buffer: 24 ms that a flush cannot call back, and 16 ms to be late by."""

STALLED_SECONDS = 3.0
"""A stream that has not called back for so long is dead."""

_PROVEN_CALLS = 6
_PROVEN_SECONDS = 0.6
_OTHER_RATES = (48_000, 44_100, 32_000, 16_000)


def now() -> float:
    """Seconds on the clock of every time in this package."""
    return time.perf_counter()


class StreamClock:
    """A stream's own clock, as seconds of `now`.

    A callback may be late, never early: the smallest difference seen between the clocks is the true one. It may
    creep up, as the clocks drift, and is taken afresh when one of them was set.
    """

    def __init__(self) -> None:
        self._offset: float | None = None

    def seconds(self, stream_time: float, at: float) -> float:
        """The stream's `stream_time`, its time now, as seconds of `now`, which says `at`."""
        offset = at - stream_time
        if self._offset is None or offset < self._offset or offset - self._offset > 0.05:
            self._offset = offset
        else:
            self._offset += (offset - self._offset) * 0.001
        return stream_time + self._offset


class Stream:
    """One PortAudio stream.

    Args:
        library: PortAudio.
        form: Rate and channels of each direction.
        microphone: The device to record from, None for no input.
        loudspeaker: The device to play to, None for no output.
        on_capture: Takes the microphone's blocks.
        fill: Gives the loudspeaker's blocks.

    Attributes:
        calls: Callbacks so far.
        flags: Callbacks in which the device said that it had lost or missed sound.

    Raises:
        ShapeRefused: The device does not take this rate or number of channels.
        DeviceError: It is busy, gone or broken.
    """

    def __init__(
        self,
        library: PortAudio,
        form: AudioFormat,
        *,
        microphone: Device | None,
        loudspeaker: Device | None,
        on_capture: OnCapture | None,
        fill: Fill | None,
    ) -> None:
        self.name = _described(microphone, loudspeaker)
        self.calls = 0
        self.flags = 0
        self._on_capture = on_capture
        self._fill = fill
        self._form = form
        self._clock = StreamClock()
        self._recorded = DeviceClock(form.rate)
        self._played = DeviceClock(form.rate)
        self._called = now()
        self._crash: Exception | None = None
        self._over = False
        self._stream: Any = library.open(
            rate=form.rate,
            channels=form.channels,
            block=form.samples_in(BLOCK_MS),
            callback=self._callback,
            input_device=microphone.index if microphone else None,
            output_device=loudspeaker.index if loudspeaker else None,
            name=self.name,
        )

    def end(self) -> None:
        """Let the next callback be the last: one into an interpreter that is ending would crash it."""
        self._over = True

    def close(self) -> None:
        """Stop at once and let the device go; a device that is gone is let go too."""
        with suppress(OSError):  # it was unplugged: there is nothing left to release
            self._stream.close()

    def proven(self) -> bool:
        """Wait until it has called back a few times; False when it does not."""
        deadline = now() + _PROVEN_SECONDS
        while self.calls < _PROVEN_CALLS and now() < deadline:
            time.sleep(0.01)
        return self.calls >= _PROVEN_CALLS

    def failure(self) -> DeviceError | None:
        """Why it has stopped, None while it runs."""
        if self._crash is not None:
            return DeviceError(f"{self.name} stopped: {self._crash}.", hint="This is a fault in rtchat; report it.")
        try:
            active = self._stream.is_active()
        except OSError:
            active = False
        if active and now() - self._called < STALLED_SECONDS:
            return None
        return DeviceError(
            f"{self.name} has stopped: it was unplugged, or its sound server ended.",
            hint="Plug it in, or choose another one (`rtchat devices` lists them), and start again.",
        )

    def _callback(
        self, data: bytes | None, frames: int, times: Mapping[str, float], flags: int
    ) -> tuple[bytes | None, int]:
        if self._over:
            return bytes(frames * self._form.frame_bytes), STOP
        try:
            self._called = at = now()
            self.calls += 1
            self.flags += bool(flags & (INPUT_OVERFLOW | OUTPUT_UNDERFLOW))
            current = times["current_time"]
            base = self._clock.seconds(current, at)
            if self._on_capture is not None and data:
                ago = _plausible(current - times["input_buffer_adc_time"], frames / self._form.rate)
                self._on_capture(data, self._recorded.begins(frames, base - ago))
            if self._fill is None:
                return None, GO_ON
            ahead = _plausible(times["output_buffer_dac_time"] - current, 3 * frames / self._form.rate)
            return self._fill(frames, self._played.begins(frames, base + ahead)), GO_ON
        except Exception as error:
            self._crash = error
            return bytes(frames * self._form.frame_bytes), STOP


def _described(microphone: Device | None, loudspeaker: Device | None) -> str:
    if microphone and loudspeaker:
        return f"The microphone and loudspeaker {microphone.name!r}"
    if microphone:
        return f"The microphone {microphone.name!r}"
    return f"The loudspeaker {loudspeaker.name!r}" if loudspeaker else ""


def _plausible(seconds: float, otherwise: float) -> float:
    """A latency, unless the host API gave none (a time of zero) or nonsense."""
    return seconds if 0 <= seconds < 2 else otherwise


class Duplex:
    """The microphone, the loudspeaker or both, on PortAudio. Every method may block: call them off the event loop.

    Args:
        capture: Told the microphone's format, it gives the receiver of its blocks; None for no microphone.
        playback: Told the loudspeaker's format, it gives the source of its blocks; None for no loudspeaker.

    Attributes:
        input_name: The microphone's name once open.
        output_name: The loudspeaker's name once open.
    """

    def __init__(self, capture: Capture | None, playback: Playback | None) -> None:
        self.input_name = ""
        self.output_name = ""
        self._capture = capture
        self._playback = playback
        self._library: PortAudio | None = None
        self._streams: list[Stream] = []

    def open(self, input_device: str | None, output_device: str | None) -> None:
        """Find the devices and start.

        Args:
            input_device: Number or part of the name of the microphone; None for the default.
            output_device: The same for the loudspeaker.

        Raises:
            DeviceError: There is no such device, it is busy, or PortAudio is missing. `close` is still due.
        """
        self._library = PortAudio()
        devices = devices_of(self._library)
        microphone = choose(devices, input_device, "microphone") if self._capture else None
        loudspeaker = choose(devices, output_device, "loudspeaker") if self._playback else None
        self.input_name = microphone.name if microphone else ""
        self.output_name = loudspeaker.name if loudspeaker else ""
        one = microphone is not None and microphone == loudspeaker and microphone.is_hardware
        if one and self._opened_as_one(microphone, loudspeaker):
            return
        if loudspeaker is not None:
            self._streams.append(self._open(self._library, None, loudspeaker))
        if microphone is not None:
            self._streams.append(self._open(self._library, microphone, None))

    def failure(self) -> DeviceError | None:
        """Why a stream has stopped, None while all run. Does not block."""
        return next((failure for stream in self._streams if (failure := stream.failure())), None)

    @property
    def flags(self) -> int:
        """Callbacks in which a device said that it had lost or missed sound."""
        return sum(stream.flags for stream in self._streams)

    @property
    def streams(self) -> int:
        """How many streams run: 1 for a microphone and loudspeaker in one, or for one of them alone."""
        return len(self._streams)

    def close(self) -> None:
        """Stop every stream and release PortAudio; may be called whether or not `open` succeeded.

        On PulseAudio whose server has died, PortAudio never comes back from it.
        """
        for stream in self._streams:
            stream.end()
        try:
            while self._streams:
                self._streams.pop().close()
        finally:
            library, self._library = self._library, None
            if library is not None:
                library.close()

    def _opened_as_one(self, microphone: Device | None, loudspeaker: Device | None) -> bool:
        """Try one stream for both directions; False when it does not open or does not run."""
        assert self._library is not None
        try:
            stream = self._open(self._library, microphone, loudspeaker)
        except DeviceError:
            return False
        if not stream.proven():
            stream.close()
            return False
        self._streams.append(stream)
        return True

    def _open(self, library: PortAudio, microphone: Device | None, loudspeaker: Device | None) -> Stream:
        """Open at the device's own rate, in mono if it can; other shapes are tried in turn."""
        refused = DeviceError("The device takes no known format.")
        for form in _shapes(microphone, loudspeaker):
            try:
                return Stream(
                    library,
                    form,
                    microphone=microphone,
                    loudspeaker=loudspeaker,
                    on_capture=self._capture(form) if microphone and self._capture else None,
                    fill=self._playback(form) if loudspeaker and self._playback else None,
                )
            except ShapeRefused as error:
                refused = error
        raise DeviceError(refused.message, hint="Choose another one: `rtchat devices` lists them.")


def _shapes(microphone: Device | None, loudspeaker: Device | None) -> list[AudioFormat]:
    most = min([d.inputs for d in (microphone,) if d] + [d.outputs for d in (loudspeaker,) if d])
    own = next(device.rate for device in (microphone, loudspeaker) if device)
    rates = [own, *(rate for rate in _OTHER_RATES if rate != own)]
    return [AudioFormat(rate, channels) for rate in rates for channels in (1, 2) if channels <= most]
