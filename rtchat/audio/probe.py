"""Plays the test sound on a loudspeaker and records a microphone meanwhile, through PortAudio.

=====================  ===================  =====================================
resource               acquired             released
=====================  ===================  =====================================
PortAudio thread       `probe`              `probe`, whatever happened
PortAudio, streams     `probe`, on it       the same, on that thread
=====================  ===================  =====================================
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

import numpy as np
import soxr

from rtchat.audio.duplex import Duplex, now
from rtchat.audio.take import Take
from rtchat.audio.worker import Worker
from rtchat.chunk import WIRE, AudioFormat, to_pcm16
from rtchat.errors import DeviceError

if TYPE_CHECKING:
    from collections.abc import Callable

    from rtchat.audio.sweep import Samples

    Progress = Callable[[float], None]
    """Told the share of the test that is over, 0 to 1."""

OPEN_SECONDS = 4.0
"""How long the devices may take to open; a quarter of a second is usual."""
CLOSE_SECONDS = 2.0
"""How long the devices may take to close."""
LATE_SECONDS = 4.0
"""How much longer than the sound the test may take: some devices need a second or two to begin."""
_TICK_SECONDS = 0.05


async def probe(
    sound: Samples,
    *,
    capture: bool = True,
    playback: bool = True,
    input_device: str | None = None,
    output_device: str | None = None,
    progress: Progress | None = None,
) -> Take:
    """Play and record.

    Args:
        sound: What to play, 24 kHz mono; without a loudspeaker, silence as long as this.
        capture: Record from a microphone.
        playback: Play to a loudspeaker.
        input_device: Number or part of the name; None for the default.
        output_device: The same for the loudspeaker.
        progress: Told twenty times a second how far it is.

    Raises:
        DeviceError: A device is missing, busy or broken, or stopped in the middle.
    """
    deck = _Deck(sound)
    duplex = Duplex(deck.capture if capture else None, deck.playback if playback else None)
    thread = Worker("portaudio")
    try:
        await _opened(thread, duplex, input_device, output_device)
        await _run(deck, duplex, progress or (lambda share: None))
    finally:
        deck.over = True
        with suppress(TimeoutError):  # on a sound server that has died PortAudio never comes back
            await asyncio.wait_for(thread.call(duplex.close), CLOSE_SECONDS)
        thread.end()
    return deck.take(duplex)


async def _opened(thread: Worker, duplex: Duplex, input_device: str | None, output_device: str | None) -> None:
    try:
        await asyncio.wait_for(thread.call(duplex.open, input_device, output_device), OPEN_SECONDS)
    except TimeoutError:
        raise silent_system() from None


def silent_system() -> DeviceError:
    """PortAudio does not come back: what is behind it hangs."""
    return DeviceError(
        "The sound system does not answer.",
        hint="Start the sound server again (`systemctl --user restart pipewire pulseaudio`), or use `rtchat text`.",
    )


async def _run(deck: _Deck, duplex: Duplex, progress: Progress) -> None:
    begun = now()
    before: int | None = None
    while (share := deck.share()) < 1:
        await asyncio.sleep(_TICK_SECONDS)
        if (failure := duplex.failure()) is not None:
            raise failure
        if before is None and share > 0:
            before = duplex.flags  # what was lost while the streams started is no fault
        if now() - begun > deck.seconds + LATE_SECONDS:
            raise DeviceError(
                "The sound devices are too slow: the test sound did not come to its end.",
                hint="Choose others with --input-device and --output-device: `rtchat devices` lists them.",
            )
        progress(share)
    deck.flags = duplex.flags - (before or 0)


class _Deck:
    """Both ends of the test: the callbacks of the devices, on PortAudio's threads, move bytes and note times."""

    def __init__(self, sound: Samples) -> None:
        self.seconds = len(sound) / WIRE.rate
        self.over = False
        self.flags = 0
        self._sound = sound
        self._into: AudioFormat | None = None
        self._out: AudioFormat | None = None
        self._pcm = b""
        self._position = 0
        self._recorded: list[tuple[float, float, bytes]] = []
        self._frames = 0
        self._played: list[tuple[float, float, int]] = []

    def capture(self, form: AudioFormat) -> Callable[[bytes, float], None]:
        """The receiver of the microphone's blocks."""
        self._into = form

        def on_capture(block: bytes, at: float) -> None:
            if not self.over:
                self._recorded.append((now(), at, block))
                self._frames += form.samples(block)

        return on_capture

    def playback(self, form: AudioFormat) -> Callable[[int, float], bytes]:
        """The source of the loudspeaker's blocks: silence until the microphone gives something."""
        self._out = form
        samples = np.asarray(soxr.resample(self._sound, WIRE.rate, form.rate), dtype=np.float32)
        self._pcm = to_pcm16(np.repeat(samples, form.channels))
        return self._fill

    def _fill(self, frames: int, dac_time: float) -> bytes:
        assert self._out is not None
        size = frames * self._out.frame_bytes
        if self.over or (self._into is not None and not self._recorded):
            return bytes(size)
        self._played.append((now(), dac_time, self._position))
        begin = self._position * self._out.frame_bytes
        self._position += frames
        block = self._pcm[begin : begin + size]
        return block + bytes(size - len(block))

    def share(self) -> float:
        """How much of the test is over: all of the sound was handed out, and so much was recorded."""
        played = self._position / self._out.rate if self._out else self.seconds
        recorded = self._frames / self._into.rate if self._into else self.seconds
        return min(played, recorded) / self.seconds

    def take(self, duplex: Duplex) -> Take:
        """What came of it."""
        return Take(
            microphone=self._into,
            loudspeaker=self._out,
            recorded=self._recorded,
            played=self._played,
            flags=self.flags,
            input_name=duplex.input_name,
            output_name=duplex.output_name,
        )
