"""What the loudspeaker plays: a queue of parts, and how much of each has been heard. Pure: time is an argument.

::

    play(part, pcm) ─> queue at the device's rate ─ read(frames, dac_time) ─> device ─ heard(now) ─> Heard, Drained
                         │  waits for PREBUFFER_MS at the start of a part,      │
                         │  and again after a gap                               └ sound is heard once the device's
    flush() ─────────────┘  keeps FADE_MS, fading; forgets the rest               clock has passed its DAC time

Sound is converted when it is played in, not when the device asks for it: `read` only moves bytes, so it can run on
the audio thread. Positions are counted in samples of the wire (24 kHz), never in milliseconds and never from a wall
clock.
"""

from __future__ import annotations

from collections import deque
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field

import numpy as np

from rtchat.audio.resample import Resampler
from rtchat.chunk import WIRE, AudioFormat, level_dbfs, to_float, to_pcm16
from rtchat.conversation.signals import Drained, Heard

PREBUFFER_MS = 60
"""Sound in hand before a part starts, so that one late packet is no gap."""

FADE_MS = 12
"""Length of the fade on flush: short enough to be at once, long enough not to click."""


@dataclass(slots=True, eq=False)
class _Part:
    """One content part of one item: `source` as it came, for the tap; `ready` as the device wants it."""

    item_id: str
    content_index: int
    resampler: Resampler
    source: bytearray = field(default_factory=bytearray)
    ready: bytearray = field(default_factory=bytearray)
    odd: bytes = b""  # half a sample, until the next delta brings the other half
    given: int = 0  # samples played in
    taken: int = 0  # frames that the device took
    passed: int = 0  # samples among them that the tap has been given
    limit: int | None = None  # after a flush: samples that count as heard
    told: int = -1  # milliseconds last reported
    complete: bool = False  # no more sound of it comes
    rolling: bool = False  # past its prebuffer
    starved: bool = False  # it ran dry while more was to come


@dataclass(frozen=True, slots=True)
class _Span:
    """Sound that the device took: samples [start, end) of a part leave the loudspeaker between two times."""

    part: _Part
    start: int
    end: int
    begins: float
    ends: float
    pcm: bytes


class Speaker:
    """A queue of sound by (item, content part), read by a device.

    Args:
        device: What `read` gives: the device's rate and channels, PCM16.
        lock: Held for a few microseconds at a time; give a `threading.Lock` when `read` runs on another thread.

    Attributes:
        underruns: Times that sound of an item came too late, in the middle of that item.
    """

    def __init__(self, device: AudioFormat, lock: AbstractContextManager[object] | None = None) -> None:
        self.device = device
        self.underruns = 0
        self._lock = lock if lock is not None else nullcontext()
        self._parts: list[_Part] = []
        self._spans: deque[_Span] = deque()
        self._heard: list[tuple[float, bytes]] = []
        self._owes_drained = False
        self._last = b""

    # --- played in ----------------------------------------------------------------------------------------

    def play(self, item_id: str, content_index: int, pcm: bytes) -> None:
        """Queue sound of a part; any number of bytes, 24 kHz mono PCM16."""
        part = self._part(item_id, content_index)
        whole = part.odd + pcm
        even = len(whole) - len(whole) % 2
        part.odd, whole = whole[even:], whole[:even]
        if not whole:
            return
        self._append(part, whole, self._convert(part.resampler.feed(to_float(whole))))

    def drain(self, item_id: str) -> None:
        """No more sound of this item comes: play what is there without waiting for a full prebuffer."""
        self._owes_drained = True
        for part in [part for part in self._parts if part.item_id == item_id]:
            self._complete(part)

    def flush(self) -> float | None:
        """Fade out over `FADE_MS` from the next sample that the device takes, and forget the rest.

        Returns:
            Seconds, on the clock of `read`, at which the loudspeaker is silent; None when it was.
        """
        with self._lock:
            fading = self._fading()
            for part in self._parts:
                keep = self._fade_bytes(part) if part is fading else 0
                part.limit = self._cut(part, keep)
                part.ready[:] = _faded(bytes(part.ready[:keep]), self.device.channels)
                part.source[:] = _faded(bytes(part.source[: 2 * self._samples(keep)]), 1)
                part.complete = True
            self._parts = [part for part in self._parts if part.ready or part.taken]
            fade = sum(self.device.ms(len(part.ready)) for part in self._parts)
            return self._spans[-1].ends + fade / 1000 if self._spans else None

    def cut_points(self) -> list[Heard]:
        """What will have been heard of each part that is queued or sounding, were it flushed now.

        That is what the device has taken (it cannot be called back), and half of the fade.
        """
        with self._lock:
            fading = self._fading()
            return [
                Heard(
                    part.item_id,
                    part.content_index,
                    _ms(self._cut(part, self._fade_bytes(part) * (part is fading))),
                )
                for part in self._parts
            ]

    # --- read by the device -------------------------------------------------------------------------------

    def read(self, frames: int, dac_time: float) -> bytes:
        """Take the next sound for the device; silence where there is none.

        Args:
            frames: Frames wanted.
            dac_time: Seconds at which the first of them leaves the loudspeaker.

        Returns:
            Exactly `frames` frames in the device's format. Raises nothing: it runs on the audio thread.
        """
        size = self.device.frame_bytes
        out = bytearray()
        with self._lock:
            for part in self._parts:
                if len(out) >= frames * size:
                    break
                if not self._can_start(part):
                    # A part that waits keeps the later ones waiting, unless it is over.
                    if part.complete and not part.ready:
                        continue
                    break
                block = bytes(part.ready[: frames * size - len(out)])
                del part.ready[: len(block)]
                self._pass_on(part, len(block) // size, dac_time + len(out) / size / self.device.rate)
                out += block
                if not part.ready and not part.complete:
                    part.rolling, part.starved = False, True
            self._last = bytes(out)
        return self._last + bytes(frames * size - len(out)) if len(out) < frames * size else self._last

    # --- heard --------------------------------------------------------------------------------------------

    def heard(self, now: float) -> list[Heard | Drained]:
        """What has left the loudspeaker by `now` and was not told yet; the last of a part tells all of it."""
        with self._lock:
            positions: dict[_Part, int] = {}
            while self._spans and self._spans[0].ends <= now:
                span = self._spans.popleft()
                positions[span.part] = span.end
                self._heard.append((span.begins, span.pcm))
            if self._spans and self._spans[0].begins < now:
                span = self._spans[0]
                positions[span.part] = min(span.end, span.start + int((now - span.begins) * WIRE.rate))
            told: list[Heard | Drained] = []
            for part, position in positions.items():
                ms = _ms(position if part.limit is None else min(position, part.limit))
                if ms > part.told:
                    part.told = ms
                    told.append(Heard(part.item_id, part.content_index, ms))
            self._forget()
            if self._owes_drained and not self._spans and not any(part.ready for part in self._parts):
                self._owes_drained = False
                told.append(Drained())
            return told

    def take_heard(self) -> list[tuple[float, bytes]]:
        """Sound that `heard` found to have left since the last call: (seconds, 24 kHz mono PCM16)."""
        with self._lock:
            taken, self._heard = self._heard, []
            return taken

    @property
    def busy(self) -> bool:
        """Whether something is still to be told: sound queued or on its way out, or `Drained`."""
        return self._owes_drained or bool(self._spans)

    @property
    def ends_at(self) -> float | None:
        """Seconds at which the last sound leaves the loudspeaker; None while more waits to be read."""
        with self._lock:
            if not self._spans or any(part.ready for part in self._parts):
                return None
            return self._spans[-1].ends

    @property
    def level(self) -> float:
        """RMS of what the device took last, in dBFS, -96 for silence."""
        return level_dbfs(self._last)

    # --- inside -------------------------------------------------------------------------------------------

    def _part(self, item_id: str, content_index: int) -> _Part:
        for part in self._parts:
            if part.item_id == item_id and part.content_index == content_index and part.limit is None:
                return part
        # A new part means that the one before it is over, whether or not that was said.
        if self._parts:
            self._complete(self._parts[-1])
        part = _Part(item_id, content_index, Resampler(WIRE.rate, self.device.rate))
        with self._lock:
            self._parts.append(part)
        return part

    def _convert(self, samples: np.ndarray[tuple[int], np.dtype[np.float32]]) -> bytes:
        if self.device.channels > 1:
            samples = np.repeat(samples, self.device.channels)
        return to_pcm16(samples)

    def _append(self, part: _Part, pcm: bytes, ready: bytes) -> None:
        with self._lock:
            # "A wait for the first audio of an item is no underrun; a gap in the middle of an item is."
            if part.starved and not part.complete:
                self.underruns += 1
                part.starved = False
            part.given += len(pcm) // 2
            part.source += pcm
            part.ready += ready
            self._owes_drained = True

    def _complete(self, part: _Part) -> None:
        if part.complete:
            return
        tail = self._convert(part.resampler.finish())
        with self._lock:
            part.ready += tail
            part.complete = True
            part.starved = False

    def _can_start(self, part: _Part) -> bool:
        if not part.rolling and part.ready:
            part.rolling = part.complete or len(part.ready) >= self.device.bytes_in(PREBUFFER_MS)
        return part.rolling and bool(part.ready)

    def _pass_on(self, part: _Part, frames: int, begins: float) -> None:
        """Note that the device took `frames` of a part."""
        part.taken += frames
        end = part.given if part.complete and not part.ready and part.limit is None else self._position(part)
        pcm = bytes(part.source[: 2 * (end - part.passed)])
        del part.source[: len(pcm)]
        self._spans.append(_Span(part, part.passed, end, begins, begins + frames / self.device.rate, pcm))
        part.passed = end

    def _position(self, part: _Part) -> int:
        return min(part.given, part.taken * WIRE.rate // self.device.rate)

    def _fading(self) -> _Part | None:
        """The part that is sounding now, which a flush would fade."""
        return next((part for part in self._parts if part.ready and part.rolling), None)

    def _fade_bytes(self, part: _Part) -> int:
        return min(len(part.ready), self.device.bytes_in(FADE_MS))

    def _samples(self, size: int) -> int:
        """Samples of the wire in so many bytes of the device."""
        return self.device.samples(size) * WIRE.rate // self.device.rate

    def _cut(self, part: _Part, fade: int) -> int:
        """Samples heard once the device has played what it took, and a fade of so many bytes."""
        if part.limit is not None:
            return part.limit
        if part.complete and not part.ready:
            return part.given
        return min(part.given, self._position(part) + self._samples(fade) // 2)

    def _forget(self) -> None:
        """Drop the parts of which nothing more is to be told."""
        sounding = {span.part for span in self._spans}
        self._parts = [part for part in self._parts if not part.complete or part.ready or part in sounding]


def _ms(samples: int) -> int:
    return samples * 1000 // WIRE.rate


def _faded(pcm: bytes, channels: int) -> bytes:
    """The sound with a straight line from full volume to none over it."""
    samples = to_float(pcm).reshape(-1, channels)
    ramp = np.linspace(1.0, 0.0, len(samples), dtype=np.float32)[:, np.newaxis]
    return to_pcm16((samples * ramp).reshape(-1))
