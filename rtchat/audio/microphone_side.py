"""The microphone of a session: a device's blocks, or a file, become what a conversation hears.

::

    PortAudio's thread           event loop
    block, at ─> waiting ──────> Microphone ─> NearEnd ─> signals()
                   └ wakes it once for each chunk

To wake the event loop costs more than all else that a block of 8 ms needs, and a chunk is not complete before its
last block.
"""

from __future__ import annotations

import asyncio
import sys
from collections import deque
from typing import TYPE_CHECKING

from rtchat.audio.cautions import Caution, Listener
from rtchat.audio.microphone import Microphone
from rtchat.chunk import level_dbfs
from rtchat.conversation.signals import Captured

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from rtchat.audio.barge_in import Voice
    from rtchat.audio.near_end_loader import NearEndLoader
    from rtchat.audio.stream import OnCapture
    from rtchat.audio.tape import Tape
    from rtchat.chunk import AudioFormat

KEPT_CHUNKS = 250
"""A reader who is this far behind, five seconds, loses the oldest."""


class MicrophoneSide:
    """What the microphone hears, in order.

    Args:
        near_end: What the chunks go through.
        tape: Notes them.
        played: Passes on what the loudspeaker has taken so far; called before the chunks that may hear it.
        caution: Told what is odd about the microphone, again and again.
        name: What people call the microphone.
        soon: Has something done on the event loop; called on PortAudio's thread.
    """

    def __init__(
        self,
        near_end: NearEndLoader,
        tape: Tape,
        *,
        played: Callable[[], None],
        caution: Callable[[Caution], None],
        name: Callable[[], str],
        soon: Callable[[Callable[[], None]], None],
    ) -> None:
        self._near_end = near_end
        self._tape = tape
        self._played = played
        self._caution = caution
        self._name = name
        self._soon = soon
        self._listener: Listener | None = None
        self._signals: asyncio.Queue[Captured | Voice | None] = asyncio.Queue()
        self._last = b""
        self._closed = False

    async def signals(self) -> AsyncIterator[Captured | Voice]:
        """What was heard, until `close`."""
        while (signal := await self._signals.get()) is not None:
            yield signal

    @property
    def level(self) -> float:
        """RMS of the last chunk in dBFS, -96 for silence."""
        return level_dbfs(self._last)

    def hear(self, at: float, chunk: bytes) -> list[Captured | Voice]:
        """What the conversation is told of a chunk.

        Args:
            at: Seconds of its first sample.
            chunk: 20 ms of 24 kHz mono PCM16.
        """
        signals = self._near_end.feed(at, chunk)
        for signal in signals:
            if isinstance(signal, Captured):
                self._last = signal.pcm
                self._tape.note("microphone", at, signal.pcm)
        return signals

    def capture(self, form: AudioFormat) -> OnCapture:
        """The receiver of the blocks of a device of this format; the one before it is done with."""
        self._listener = Listener(form, sys.platform)
        microphone = Microphone(form)
        waiting: deque[tuple[bytes, float]] = deque()
        arrived = 0
        asked = False

        def take() -> None:
            nonlocal asked
            asked = False
            self._take(microphone, form, [waiting.popleft() for _ in range(len(waiting))])

        def on_capture(block: bytes, at: float) -> None:
            nonlocal arrived, asked
            waiting.append((block, at))
            arrived += form.samples(block)
            if arrived >= microphone.due and not asked and not self._closed:
                asked = True  # once: what wakes the loop has room for some hundred bytes, and SIGTERM needs one
                self._soon(take)

        return on_capture

    def begin_anew(self) -> None:
        """Another microphone gives the blocks now."""
        if self._listener is not None:
            self._listener.begin_anew()

    def close(self) -> None:
        """End `signals`; what still comes is dropped."""
        self._closed = True
        self._signals.put_nowait(None)

    # --- inside -------------------------------------------------------------------------------------------

    def _take(self, microphone: Microphone, form: AudioFormat, blocks: list[tuple[bytes, float]]) -> None:
        """Blocks have arrived that make a chunk complete."""
        if self._closed or not blocks:
            return
        self._played()
        sound = b"".join(block for block, _ in blocks)
        last, at = blocks[-1]
        at -= form.samples(len(sound) - len(last)) / form.rate  # the latest time is the best
        if self._listener and (caution := self._listener.hear(sound, self._name())):
            self._caution(caution)
        for begins, chunk in microphone.feed(sound, at):
            for signal in self.hear(begins, chunk):
                if self._signals.qsize() >= KEPT_CHUNKS:
                    self._forget_chunks()
                self._signals.put_nowait(signal)

    def _forget_chunks(self) -> None:
        """Nobody reads: what was said of the voice stays, its sound goes."""
        kept = [self._signals.get_nowait() for _ in range(self._signals.qsize())]
        for signal in kept:
            if not isinstance(signal, Captured):
                self._signals.put_nowait(signal)
