"""What the loudspeaker plays: a queue of parts, and how much of each has been heard. Pure: time is an argument.

::

    play(part, pcm) ─> queue at the device's rate ─ read(frames, dac_time) ─> device ─ heard(now) ─> Heard, Drained
                         │  waits for target_ms at the start of a part,     │  │
                         │  and again after a gap                           │  └ sound is heard once the device's
    flush() ─────────────┘  keeps FADE_MS, fading; forgets the rest         │    clock has passed its DAC time
    duck(), restore() ──────────────────────────────────────────────────────┴─> take_played(): the same, at 24 kHz

Sound is converted when it is played in, not when the device asks for it: `read` only moves bytes, and turns them
down around a gap and while ducked, so it can run on the audio thread.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

from rtchat.audio.gain import DUCK_MS, DUCKED, RESTORE_MS, Ramp
from rtchat.audio.jitter import MOST_MS, Jitter
from rtchat.audio.part import Part, ms_of
from rtchat.audio.taken import Taken
from rtchat.chunk import WIRE, AudioFormat, level_dbfs
from rtchat.conversation.signals import Drained, Heard


class Speaker:
    """A queue of sound by (item, content part), read by a device.

    Args:
        device: What `read` gives: the device's rate and channels, PCM16.
        lock: Held for a few microseconds at a time; give a `threading.Lock` when `read` runs on another thread.
        jitter: Says how much sound a part waits for.

    Attributes:
        underruns: Times that sound of an item came too late, in the middle of that item.
    """

    def __init__(
        self,
        device: AudioFormat,
        lock: AbstractContextManager[object] | None = None,
        jitter: Jitter | None = None,
    ) -> None:
        self.device = device
        self.underruns = 0
        self._jitter = jitter if jitter is not None else Jitter()
        self._lock = lock if lock is not None else nullcontext()
        self._parts: list[Part] = []
        self._taken = Taken()
        self._volume = Ramp()
        self._next = 0.0  # seconds at which the frame leaves the loudspeaker that the device takes next
        self._owes_drained = False
        self._last = b""

    # --- played in ----------------------------------------------------------------------------------------

    def play(self, item_id: str, content_index: int, pcm: bytes, at: float) -> None:
        """Queue sound of a part.

        Args:
            item_id: The item.
            content_index: Which of its content parts.
            pcm: Any number of bytes, 24 kHz mono PCM16.
            at: Seconds at which it arrived, on the clock of `read`.
        """
        part = self._part(item_id, content_index)
        pcm, ready = part.convert(pcm)
        if not pcm:
            return
        with self._lock:
            # "A wait for the first audio of an item is no underrun; a gap in the middle of an item is."
            late = part.starved and not part.complete
            self._jitter.arrived(at, WIRE.ms(pcm), dry=late)
            self.underruns += late
            part.starved = False
            part.put(pcm, ready)
            self._owes_drained = True

    def drain(self, item_id: str) -> None:
        """No more sound of this item comes: play what is there without waiting for more."""
        self._owes_drained = True
        for part in [part for part in self._parts if part.item_id == item_id]:
            self._complete(part)

    # --- stopped, turned down -----------------------------------------------------------------------------

    def flush(self) -> float | None:
        """Fade out over `FADE_MS` from the next sample that the device takes, and forget the rest.

        Ducking ends with it: what is played next has its full volume.

        Returns:
            Seconds, on the clock of `read`, at which the loudspeaker is silent; None when it was.
        """
        with self._lock:
            for part in self._parts:
                part.flush(self._volume.level)
            self._volume = Ramp()
            self._taken.settle()
            self._parts = [part for part in self._parts if part.in_hand or part.begun]
            fade = sum(part.in_hand for part in self._parts) / self.device.rate
            return None if self._taken.ends is None else self._taken.ends + fade

    def cut_points(self) -> list[Heard]:
        """What will have been heard of each part that is queued or sounding, were it flushed now."""
        with self._lock:
            return [Heard(part.item_id, part.content_index, part.cut_ms()) for part in self._parts]

    def duck(self) -> float | None:
        """Turn down by `DUCK_DB`, over `DUCK_MS` from the next sample that the device takes.

        It stays so, whatever plays, until `restore` or `flush`.

        Returns:
            Seconds, on the clock of `read`, at which it is fully down; None when nothing sounds that could be.
        """
        with self._lock:
            self._volume.go(DUCKED, self.device.samples_in(DUCK_MS))
            sounding = any(part.rolling and part.in_hand for part in self._parts)
            return self._next + self._volume.left / self.device.rate if sounding else None

    def restore(self) -> None:
        """Turn up to full volume again, over `RESTORE_MS`."""
        with self._lock:
            self._volume.go(1.0, self.device.samples_in(RESTORE_MS))

    # --- read by the device -------------------------------------------------------------------------------

    def read(self, frames: int, dac_time: float) -> bytes:
        """Take the next sound for the device; silence where there is none.

        Args:
            frames: Frames wanted.
            dac_time: Seconds at which the first of them leaves the loudspeaker.

        Returns:
            Exactly `frames` frames in the device's format. Raises nothing: it runs on the audio thread.
        """
        blocks, done = [], 0
        with self._lock:
            volumes = self._volume.take(frames)
            target, most = self.device.samples_in(self._jitter.target_ms), self.device.samples_in(MOST_MS)
            for part in self._parts:
                if done == frames:
                    break
                if not part.starts(frames - done, target, most):
                    # A part that waits keeps the later ones waiting, unless it is over.
                    if part.complete and not part.in_hand:
                        continue
                    break
                count = min(part.in_hand, frames - done)
                own = None if volumes is None else volumes[done : done + count]
                block, span = part.take(count, dac_time + done / self.device.rate, own)
                blocks.append(block)
                self._taken.add(span)
                done += count
            self._next = dac_time + frames / self.device.rate
            self._last = b"".join(blocks)
        return self._last + bytes((frames - done) * self.device.frame_bytes) if done < frames else self._last

    def take_played(self) -> list[tuple[float, bytes]]:
        """What the device took since the last call: that cannot be called back, so it is final.

        Returns:
            (seconds at which the first sample leaves the loudspeaker, 24 kHz mono PCM16 as played, fades and
            ducking included), in order, one after the other without a gap where the sound has none.
        """
        with self._lock:
            spans = self._taken.take_played()
        return [(span.begins, span.played) for span in spans if span.pcm]

    def move(self, device: AudioFormat, since: float | None = None) -> None:
        """Go on at another device, or the same one opened anew. Nothing may `read` meanwhile.

        What is queued is kept; its positions go on, and so do ducking and what is still to be told. The part that
        sounded waits for `target_ms`, as after a gap, and fades in.

        Args:
            device: What `read` gives from now on.
            since: Seconds, on the clock of `read`, since when the old device has been gone: when it last asked for
                sound. What it took but would have played later was not heard, and is played again, unless it was
                flushed or `Drained` was told. None: all that it took was heard, or will be.
        """
        with self._lock:
            lost = [] if since is None else self._taken.lost(since)
            self._parts = list(dict.fromkeys([span.part for span in lost] + self._parts))
            for span in reversed(lost):
                span.part.take_back(span.pcm)
            for part in self._parts:
                part.move(device)
            self.device = device

    # --- heard --------------------------------------------------------------------------------------------

    def heard(self, now: float) -> list[Heard | Drained]:
        """What has left the loudspeaker by `now` and was not told yet; the last of a part tells all of it."""
        with self._lock:
            told: list[Heard | Drained] = []
            for part, position in self._taken.heard(now).items():
                ms = ms_of(position if part.limit is None else min(position, part.limit))
                if ms > part.told:
                    part.told = ms
                    told.append(Heard(part.item_id, part.content_index, ms))
            self._forget()
            if self._owes_drained and not self._taken and not any(part.in_hand for part in self._parts):
                self._owes_drained = False
                self._taken.settle()
                told.append(Drained())
            return told

    @property
    def busy(self) -> bool:
        """Whether something is still to be told: sound queued or on its way out, or `Drained`."""
        return self._owes_drained or bool(self._taken)

    @property
    def ends_at(self) -> float | None:
        """Seconds at which the last sound leaves the loudspeaker; None while more waits to be read."""
        with self._lock:
            return None if any(part.in_hand for part in self._parts) else self._taken.ends

    @property
    def buffered_ms(self) -> float:
        """Sound that waits for the device now."""
        with self._lock:
            return sum(part.in_hand for part in self._parts) * 1000 / self.device.rate

    @property
    def target_ms(self) -> float:
        """Sound that a part waits for, `MOST_MS` at most, before it starts, or goes on after a gap."""
        return self._jitter.target_ms

    @property
    def level(self) -> float:
        """RMS of what the device took last, in dBFS, -96 for silence."""
        return level_dbfs(self._last)

    # --- inside -------------------------------------------------------------------------------------------

    def _part(self, item_id: str, content_index: int) -> Part:
        for part in self._parts:
            if part.item_id == item_id and part.content_index == content_index and part.limit is None:
                return part
        # A new part means that the one before it is over, whether or not that was said.
        if self._parts:
            self._complete(self._parts[-1])
        part = Part(item_id, content_index, self.device)
        self._jitter.begin()
        with self._lock:
            self._parts.append(part)
        return part

    def _complete(self, part: Part) -> None:
        if part.complete:
            return
        tail = part.convert_last()
        with self._lock:
            part.put(b"", tail)
            part.complete = True
            part.starved = False

    def _forget(self) -> None:
        """Drop the parts of which nothing more is to be told."""
        sounding = self._taken.parts
        self._parts = [part for part in self._parts if not part.complete or part.in_hand or part in sounding]
