"""What of the microphone the server gets, and when: everything, silence, or nothing."""

from __future__ import annotations

from collections import deque

from rtchat.chunk import WIRE

TAIL_MS = 250.0
"""After the assistant's last sound the room still rings; the gate stays shut this long in half duplex."""
LOOK_BACK_MS = 120.0
"""While the assistant sounds, the microphone is sent so much later: when a voice is suspected, its onset must not
have left yet. The detector decides by two windows of 32 ms in a row; before them may lie most of a third, that the
voice began in, and after them most of a 20 ms chunk, that the last one ended in: 116 ms."""
PRE_ROLL_MS = 150.0
"""In push to talk this much of what came before the press is sent with it: people begin to speak as they press."""


class MicrophoneGate:
    """Mute, half duplex, push to talk, and holding back, in one place.

    Silence is sent in place of what must not be heard: the server's voice activity detector counts time by the
    sound that it gets, and silence is not billed. So every chunk leaves once, in its order, as it was or as silence
    of its length. In push to talk nothing is sent between two presses, but for the moment before each.

    Args:
        half_duplex: Shut while the assistant sounds.
        push_to_talk: Open only between press and release.
        looks_back: A local detector may call for `hold`: send late by `LOOK_BACK_MS` while the assistant sounds.
    """

    def __init__(self, *, half_duplex: bool, push_to_talk: bool, looks_back: bool = False) -> None:
        self.muted = False
        self.half_duplex = half_duplex
        self._push_to_talk = push_to_talk
        self._looks_back = looks_back
        self._talked_ms: float | None = None
        self._tail_ms = 0.0
        self._late: deque[bytes] = deque()
        self._holding = False
        self._before: deque[bytes] = deque()

    def pass_through(self, pcm: bytes, *, sounding: bool) -> list[bytes]:
        """What to send now that a chunk has come, oldest first.

        Args:
            pcm: 24 kHz mono PCM16.
            sounding: The assistant is heard now.
        """
        ms = WIRE.ms(pcm)
        self._tail_ms = TAIL_MS if sounding else max(0.0, self._tail_ms - ms)
        shut = self.muted or (self.half_duplex and self._tail_ms > 0)
        if self._push_to_talk:
            return self._while_key_is(pcm, ms, shut=shut)
        if shut:
            return [*self.silence(), bytes(len(pcm))]
        if not (sounding and self._looks_back):
            return [*self.release(), pcm]
        self._late.append(pcm)
        return [] if self._holding else _take_older(self._late, LOOK_BACK_MS)

    def hold(self) -> None:
        """Send nothing until `release` or `silence`: it may be the user's voice."""
        self._holding = True

    def release(self) -> list[bytes]:
        """All that has not left yet, as it was."""
        late, self._late, self._holding = [*self._late], deque(), False
        return late

    def silence(self) -> list[bytes]:
        """Silence in place of all that has not left yet."""
        return [bytes(len(pcm)) for pcm in self.release()]

    def talk(self) -> list[bytes]:
        """The key went down: what was said just before."""
        self._talked_ms = 0.0
        before, self._before = [*self._before], deque()
        return before

    def let_go(self) -> float | None:
        """The key came up: milliseconds that were talked; None when it was not down."""
        talked, self._talked_ms = self._talked_ms, None
        return talked

    def forget(self) -> None:
        """Send nothing of what has come so far; the key is up."""
        self.release()
        self._before.clear()
        self._talked_ms = None

    def _while_key_is(self, pcm: bytes, ms: float, *, shut: bool) -> list[bytes]:
        if self._talked_ms is not None:
            self._talked_ms += ms
            return [bytes(len(pcm)) if self.muted else pcm]
        self._before.append(pcm)
        if shut:
            self._before.clear()
        _take_older(self._before, PRE_ROLL_MS)
        return []


def _take_older(chunks: deque[bytes], ms: float) -> list[bytes]:
    """Take out what is not needed to have so much of the latest."""
    kept = sum(WIRE.ms(pcm) for pcm in chunks)
    older = []
    while chunks and kept - WIRE.ms(chunks[0]) >= ms:
        older.append(chunks.popleft())
        kept -= WIRE.ms(older[-1])
    return older
