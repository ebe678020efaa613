"""WebRTC's echo canceller (AEC3), from the `livekit` package. The one module that knows it.

It is given what the loudspeaker played and what the microphone heard, 10 ms of each in turn, and gives the
microphone without the echo, `DELAY_SECONDS` late: without noise and rumble too, and at an even level if that is
wanted. The package is large: importing it takes a tenth of a second and starts threads, so `load_canceller` does
it, best on a thread.
"""

from __future__ import annotations

from typing import Any

from rtchat.chunk import WIRE
from rtchat.errors import DeviceError

FRAME_MS = 10
"""What WebRTC takes at a time."""

DELAY_SECONDS = 0.015
"""By how much the sound comes out later: 9 ms of the canceller's, 6 of the noise suppressor's."""

_FRAME = WIRE.bytes_in(FRAME_MS)


def load_canceller(*, auto_gain: bool = False) -> Canceller:
    """Import the library and make a canceller; may take half a second. Safe on any thread.

    Args:
        auto_gain: Keep the user's level even, too.

    Raises:
        DeviceError: The package is not installed, or does not work on this machine.
    """
    try:
        from livekit import rtc

        return Canceller(rtc, auto_gain=auto_gain)
    except ImportError as error:
        raise DeviceError(
            f"The echo canceller, the package livekit, cannot be loaded: {_sentence(error)}.",
            hint="Install it with: pip install 'rtchat[echo]' (or use headphones).",
        ) from error
    except Exception as error:
        raise DeviceError(
            f"The echo canceller, the package livekit, does not work here: {_sentence(error)}.",
            hint="Install it anew: pip install --force-reinstall 'rtchat[echo]' (or use headphones).",
        ) from error


class Canceller:
    """An echo canceller; `load_canceller` makes one.

    Args:
        rtc: The library.
        auto_gain: Keep the user's level even, too.
    """

    def __init__(self, rtc: Any, *, auto_gain: bool) -> None:
        self._module = rtc.AudioProcessingModule(
            echo_cancellation=True, noise_suppression=True, high_pass_filter=True, auto_gain_control=auto_gain
        )
        # The library changes a frame in place, so the same two serve all the time.
        self._near, self._far = (
            rtc.AudioFrame(bytearray(_FRAME), WIRE.rate, WIRE.channels, WIRE.samples(_FRAME)) for _ in "nf"
        )
        self._near_bytes, self._far_bytes = self._near.data.cast("B"), self._far.data.cast("B")

    def process(self, near: bytes, far: bytes) -> bytes:
        """Take the echo out of what the microphone heard.

        Args:
            near: From the microphone: 24 kHz mono PCM16, a multiple of 10 ms.
            far: What the loudspeaker played at that time, as long; best 10 to 50 ms before its echo comes.

        Returns:
            As long as `near`, `DELAY_SECONDS` late.

        Raises:
            DeviceError: The library failed.
        """
        out = bytearray()
        try:
            for begin in range(0, len(near), _FRAME):
                self._far_bytes[:] = far[begin : begin + _FRAME]
                self._module.process_reverse_stream(self._far)
                self._near_bytes[:] = near[begin : begin + _FRAME]
                self._module.process_stream(self._near)
                out += self._near_bytes
        except RuntimeError as error:
            raise DeviceError(
                f"The echo canceller failed: {_sentence(error)}.", hint="Use headphones, with --echo off."
            ) from error
        return bytes(out)


def _sentence(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
