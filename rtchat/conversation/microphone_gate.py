"""What of the microphone the server gets: everything, silence, or nothing."""

from __future__ import annotations

from rtchat.chunk import WIRE

TAIL_MS = 250.0
"""After the assistant's last sound the room still rings; the gate stays shut this long in half duplex."""


class MicrophoneGate:
    """Mute, half duplex and push to talk, in one place.

    Silence is sent in place of what must not be heard: the server's voice activity detector counts time by the
    sound that it gets, and silence is not billed. In push to talk nothing is sent between two presses.

    Args:
        half_duplex: Shut while the assistant sounds.
        push_to_talk: Open only between press and release.
    """

    def __init__(self, *, half_duplex: bool, push_to_talk: bool) -> None:
        self.muted = False
        self._half_duplex = half_duplex
        self._push_to_talk = push_to_talk
        self._talked_ms: float | None = None
        self._tail_ms = 0.0

    def pass_through(self, pcm: bytes, *, sounding: bool) -> bytes:
        """What to send of a chunk; empty for nothing.

        Args:
            pcm: 24 kHz mono PCM16.
            sounding: The assistant is heard now.
        """
        ms = WIRE.ms(pcm)
        if self._push_to_talk:
            if self._talked_ms is None:
                return b""
            self._talked_ms += ms
            return bytes(len(pcm)) if self.muted else pcm
        self._tail_ms = TAIL_MS if sounding else max(0.0, self._tail_ms - ms)
        shut = self.muted or (self._half_duplex and self._tail_ms > 0)
        return bytes(len(pcm)) if shut else pcm

    def talk(self) -> None:
        """The key went down."""
        self._talked_ms = 0.0

    def release(self) -> float | None:
        """The key came up: milliseconds that were talked; None when it was not down."""
        talked, self._talked_ms = self._talked_ms, None
        return talked
