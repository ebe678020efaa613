"""One PortAudio callback stream.

The callbacks run on PortAudio's threads. They read the clock, hand the microphone's bytes over, fetch the
loudspeaker's bytes, and decide nothing.
"""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from rtchat.audio.clock import DeviceClock
from rtchat.audio.portaudio import GO_ON, INPUT_OVERFLOW, OUTPUT_UNDERFLOW, STOP, PortAudio
from rtchat.errors import DeviceError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from rtchat.audio.devices import Device
    from rtchat.chunk import AudioFormat

    OnCapture = Callable[[bytes, float], None]
    """(block in the device's format, seconds of its first sample), on PortAudio's thread."""
    Fill = Callable[[int, float], bytes]
    """(frames, seconds at which the first leaves the loudspeaker) -> the frames, on PortAudio's thread."""

BLOCK_MS = 8
"""PortAudio keeps three blocks in the ALSA buffer: 24 ms that a flush cannot call back, and 16 ms to be late by."""

STALLED_SECONDS = 3.0
"""A stream that has not called back for so long has failed, whatever the load."""

SLEPT_SECONDS = 1.5
"""After a pause like this the program or the computer was asleep, and what was recorded is stale."""

_PROVEN_CALLS = 6
_PROVEN_SECONDS = 0.6


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
    """A running stream. Until `attach` it plays silence, and what it records is dropped.

    Args:
        library: PortAudio.
        form: Rate and channels of each direction.
        microphone: The device to record from, None for no input.
        loudspeaker: The device to play to, None for no output.

    Attributes:
        name: What a sentence calls it.
        form: Rate and channels of each direction.
        attached: `attach` was called.
        held: While True it plays silence, and what it records is dropped, as before `attach`.
        calls: Callbacks so far.
        called_at: Seconds of the last one; of the opening before the first.
        flags: Callbacks in which the device said that it had lost or missed sound.
        slept: It was paused for `SLEPT_SECONDS`, and has ended itself: what it would give now is stale.
        crash: What went wrong in a callback.

    Raises:
        ShapeRefused: The device does not take this rate or number of channels.
        DeviceError: It is busy, gone or broken.
    """

    def __init__(
        self, library: PortAudio, form: AudioFormat, *, microphone: Device | None, loudspeaker: Device | None
    ) -> None:
        self.name = described(microphone, loudspeaker)
        self.form = form
        self.attached = False
        self.held = False
        self.calls = 0
        self.flags = 0
        self.slept = False
        self.crash: Exception | None = None
        self._on_capture: OnCapture | None = None
        self._fill: Fill | None = None
        self._plays = loudspeaker is not None
        self._clock = StreamClock()
        self._recorded = DeviceClock(form.rate)
        self._played = DeviceClock(form.rate)
        self.called_at = now()
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

    def attach(self, on_capture: OnCapture | None, fill: Fill | None) -> None:
        """From now on hand the microphone's blocks to `on_capture` and play what `fill` gives."""
        self._on_capture, self._fill, self.attached = on_capture, fill, True

    def end(self) -> None:
        """Let the next callback be the last: one into an interpreter that is ending would crash it."""
        self._over = True

    def close(self) -> None:
        """Stop at once and let the device go; a device that is gone is let go too."""
        self.end()
        with suppress(OSError):  # it was unplugged: there is nothing left to release
            self._stream.close()

    def proven(self) -> bool:
        """Wait until it has called back a few times; False when it does not."""
        deadline = now() + _PROVEN_SECONDS
        while self.calls < _PROVEN_CALLS and now() < deadline:
            time.sleep(0.01)
        return self.calls >= _PROVEN_CALLS

    @property
    def stopped(self) -> bool:
        """Whether it has ended: its device or its sound server is gone, it slept, or it crashed."""
        try:
            return self._over or not self._stream.is_active()
        except OSError:
            return True

    def failure(self) -> DeviceError | None:
        """Why it has stopped, None while it runs."""
        if self.crash is not None:
            return DeviceError(f"{self.name} stopped: {self.crash}.", hint="This is a fault in rtchat; report it.")
        if not self.stopped and now() - self.called_at < STALLED_SECONDS:
            return None
        return DeviceError(
            f"{self.name} has stopped: it was unplugged, or its sound server ended.",
            hint="Plug it in, or choose another one (`rtchat devices` lists them), and start again.",
        )

    def _callback(
        self, data: bytes | None, frames: int, times: Mapping[str, float], flags: int
    ) -> tuple[bytes | None, int]:
        at = now()
        if self.calls and at - self.called_at > SLEPT_SECONDS:
            self.slept = self._over = True
        if self._over:
            return self._silence(frames), STOP
        try:
            self.called_at = at
            self.calls += 1
            self.flags += bool(flags & (INPUT_OVERFLOW | OUTPUT_UNDERFLOW))
            current = times["current_time"]
            base = self._clock.seconds(current, at)
            if self._on_capture is not None and data and not self.held:
                ago = _plausible(current - times["input_buffer_adc_time"], frames / self.form.rate)
                self._on_capture(data, self._recorded.begins(frames, base - ago))
            if self._fill is None or self.held:
                return self._silence(frames), GO_ON
            ahead = _plausible(times["output_buffer_dac_time"] - current, 3 * frames / self.form.rate)
            return self._fill(frames, self._played.begins(frames, base + ahead)), GO_ON
        except Exception as error:
            self.crash = error
            return self._silence(frames), STOP

    def _silence(self, frames: int) -> bytes | None:
        return bytes(frames * self.form.frame_bytes) if self._plays else None


def described(microphone: Device | None, loudspeaker: Device | None) -> str:
    """The subject of a sentence about one device or both."""
    if microphone and loudspeaker:
        return f"The microphone and loudspeaker {microphone.name!r}"
    if microphone:
        return f"The microphone {microphone.name!r}"
    return f"The loudspeaker {loudspeaker.name!r}" if loudspeaker else ""


def _plausible(seconds: float, otherwise: float) -> float:
    """A latency, unless the host API gave none (a time of zero) or nonsense."""
    return seconds if 0 <= seconds < 2 else otherwise
