"""One content part of one item on its way to the loudspeaker: sound as it came, and as the device wants it. Pure.

Positions are counted in samples of the wire (24 kHz), never in milliseconds and never from a wall clock.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from rtchat.audio.fifo import Fifo
from rtchat.audio.gain import FADE_MS, Fade, at_volume, both
from rtchat.audio.resample import Resampler
from rtchat.audio.taken import Span
from rtchat.chunk import WIRE, AudioFormat, to_float, to_pcm16

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rtchat.audio.gain import Volumes


class Part:
    """The sound of a part that the device has not taken yet, and how far it is.

    Args:
        item_id: The item.
        content_index: Which of its content parts.
        device: What the loudspeaker takes.

    Attributes:
        given: Samples played in.
        limit: After a flush: samples that count as heard.
        told: Milliseconds last reported.
        complete: No more sound of it comes.
        rolling: It has waited for enough sound, and plays.
        starved: It ran dry while more was to come.
    """

    def __init__(self, item_id: str, content_index: int, device: AudioFormat) -> None:
        self.item_id = item_id
        self.content_index = content_index
        self.given = 0
        self.limit: int | None = None
        self.told = -1
        self.complete = False
        self.rolling = False
        self.starved = False
        self._odd = b""  # half a sample, until the next delta brings the other half
        self._source = Fifo()  # samples that were not taken yet
        self._passed = 0  # samples that were
        self._serve(device)

    @property
    def in_hand(self) -> int:
        """Frames that the device can take."""
        return self._device.samples(len(self._ready))

    @property
    def begun(self) -> bool:
        """The device has taken some of it."""
        return self._passed > 0 or self._taken > 0

    # --- played in: `convert` is slow, `put` is not -------------------------------------------------------

    def convert(self, pcm: bytes) -> tuple[bytes, bytes]:
        """(whole samples of the wire, the same for the device) of the next bytes of the wire."""
        pcm = self._odd + pcm
        even = len(pcm) - len(pcm) % 2
        self._odd, pcm = pcm[even:], pcm[:even]
        return pcm, self._for_device(self._resampler.feed(to_float(pcm)))

    def convert_last(self) -> bytes:
        """What the conversion had held back, for the device."""
        return self._for_device(self._resampler.finish())

    def put(self, pcm: bytes, ready: bytes) -> None:
        """Queue what `convert` gave."""
        self.given += len(pcm) // 2
        self._source.put(pcm)
        self._ready.put(ready)

    # --- taken out ----------------------------------------------------------------------------------------

    def starts(self, frames: int, target: int, most: int) -> bool:
        """Whether the device may take sound of it now; to be asked before each block.

        Args:
            frames: What the device wants, and gets silence for while this waits.
            target: Frames to have in hand before it starts.
            most: Frames of silence after which it starts with what there is.
        """
        if not self.in_hand:
            return False
        if not self.rolling:
            self.rolling = self.complete or self.in_hand >= target or self._waited >= most
            self._waited += frames
        return self.rolling

    def take(self, frames: int, begins: float, volumes: Volumes) -> tuple[bytes, Span]:
        """The next frames, at least one, for the device, and where they are in the part.

        Args:
            frames: How many; no more than are in hand.
            begins: Seconds at which the first leaves the loudspeaker.
            volumes: How loud the loudspeaker is.
        """
        volumes = both(volumes, self._fade.take(frames, self.in_hand, closing=not self.complete))
        block = at_volume(self._ready.take(frames * self._device.frame_bytes), volumes, self._device.channels)
        ends = begins + frames / self._device.rate
        # The first sample may lie a little before the first frame, where the rates differ.
        begins += min(0.0, (self._passed - self._first) / WIRE.rate - self._taken / self._device.rate)
        self._taken += frames
        start = self._passed
        done = self.complete and not self._ready and self.limit is None
        self._passed = self.given if done else self._position()
        pcm = self._source.take(2 * (self._passed - start))
        if not self._ready and not self.complete:
            self.rolling, self.starved, self._waited = False, True, 0
        return block, Span(self, start, self._passed, begins, ends, pcm, volumes)

    def flush(self, volume: float) -> None:
        """Fade out from this volume, and forget the rest."""
        keep = self._fade_bytes() if self.rolling else 0
        self.limit = self._cut(keep)
        self._ready.keep(keep)
        self._fade.fall(volume)
        self.complete = True

    def cut_ms(self) -> int:
        """Milliseconds that will have been heard of it, were it flushed now.

        That is what the device has taken (it cannot be called back), and half of the fade.
        """
        return ms_of(self._cut(self._fade_bytes() if self.rolling else 0))

    # --- another device -----------------------------------------------------------------------------------

    def take_back(self, pcm: bytes) -> None:
        """The last samples that were taken have not been played; `move` is next."""
        self._source.put_back(pcm)
        self._passed -= len(pcm) // 2

    def move(self, device: AudioFormat) -> None:
        """Go on at another device with what was not taken; nothing is left of a part that was flushed."""
        self._serve(device)
        self.rolling = False
        self._fade.level = 0.0 if self._passed else 1.0
        if self.limit is None:
            pcm = self._source.take(len(self._source))
            self._source.put(pcm)
            self._ready.put(self._for_device(self._resampler.feed(to_float(pcm))))
            if self.complete:
                self._ready.put(self.convert_last())
            self.starved = self.starved and not pcm

    def _serve(self, device: AudioFormat) -> None:
        """Begin to count what a device takes."""
        self._device = device
        self._resampler = Resampler(WIRE.rate, device.rate)
        self._fade = Fade(device.samples_in(FADE_MS))
        self._ready = Fifo()
        self._first = self._passed  # sample at which it begins
        self._taken = 0  # frames that it took
        self._waited = 0  # frames of silence that it took while this waited

    # --- inside -------------------------------------------------------------------------------------------

    def _fade_bytes(self) -> int:
        return min(len(self._ready), self._device.bytes_in(FADE_MS))

    def _cut(self, fade: int) -> int:
        """Samples heard once the device has played what it took, and a fade of so many bytes."""
        if self.limit is not None:
            return self.limit
        if self.complete and not self._ready:
            return self.given
        return min(self.given, self._position() + self._samples(self._device.samples(fade)) // 2)

    def _position(self) -> int:
        return min(self.given, self._first + self._samples(self._taken))

    def _samples(self, frames: int) -> int:
        """Samples of the wire in so many frames of the device."""
        return frames * WIRE.rate // self._device.rate

    def _for_device(self, samples: NDArray[np.float32]) -> bytes:
        return to_pcm16(np.repeat(samples, self._device.channels) if self._device.channels > 1 else samples)


def ms_of(samples: int) -> int:
    """Whole milliseconds in so many samples of the wire."""
    return samples * 1000 // WIRE.rate
