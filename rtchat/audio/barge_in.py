"""Does the user mean to speak while the assistant sounds? A policy over the windows' scores. Pure.

::

                  the score rises, no echo                    sure for long enough
    quiet ─────────────────────────────> suspected ─────────────────────────> confirmed
      ^                                      │                                   │
      └───── it stopped, or was echo ────────┴──────── silent for a while ───────┘

The perceptron weighs a window and those before it: what is speech, and no cough, knock, "mhm" or echo. What is left
of the assistant's own voice is told once more by likeness: it is the far end again, delayed, and the user's voice
is not.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from enum import Enum
from typing import Literal

from rtchat.audio.clues import Clue, Clues
from rtchat.audio.likeness import Likeness
from rtchat.audio.perceptron import Perceptron
from rtchat.audio.speech import WINDOW_MS
from rtchat.chunk import WIRE
from rtchat.conversation.signals import VoiceConfirmed, VoiceDismissed, VoiceEnded, VoiceSuspected

Sensitivity = Literal["low", "medium", "high"]
Voice = VoiceSuspected | VoiceConfirmed | VoiceDismissed | VoiceEnded

ENDED_MS = 500.0
"""Confirmed speech that pauses this long has ended: longer than a stop or a breath between words."""

STOPPED_MS = 130.0
"""What was suspected has stopped after this long: longer than the closure in "stop" or "okay" (60 to 110 ms)."""

SPEECH = 0.35
"""Probability under which the detector hears a pause in what was confirmed."""

CLEAR_DB, LASTING_DB = 4.0, 2.5
"""Excess (see `Excess`) over which it is clear that something sounds here: of a window, and of 256 ms on average,
as a word has closures in which little sounds. Of the echo alone 0.5 % of all chunks are over the first."""

SPEECH_LIKE, SPEECH_LIKE_MS = 0.3, 200.0
"""From which probability on a server too may take nobody's voice for speech, and for how long on."""

PLAIN_LIKE = 0.26
"""From which likeness it is echo however clear: a voice is rarely over 0.2."""

ECHO_MS = 300.0
"""What is suspected but is so long like the far end is echo. Turned down, it mostly stops sooner."""

CANCELLED_DB = 16.0
"""What is so much weaker than the microphone's own sound is what the canceller has left of the echo."""

UNSURE_UNDER, SURE_OVER, LONG_MS = 0.5, 0.9, 560.0
"""Probabilities between which the detector is more and more sure; so long sure, and it is meant, whatever it is: a
"mhm" takes 300 to 500 ms."""

UNCONVERGED_MS = 256.0
"""How long it must last while the canceller does not know the room yet: up to five windows of the assistant's first
words come through while it looks for the delay."""

_AGREE = 2  # windows whose scores are averaged for a confirmation


@dataclass(frozen=True, slots=True)
class Policy:
    """What one sensitivity means.

    Attributes:
        suspect: Score from which speech is suspected; under half of it there is a pause.
        confirm: Score from which it is an interruption.
        least_ms: From the window in which it was suspected, however sure it is.
        like: Likeness to the far end over 256 ms from which it is echo (see `Likeness`).
    """

    suspect: float
    confirm: float
    least_ms: float
    like: float


POLICIES: dict[Sensitivity, Policy] = {
    "low": Policy(suspect=0.4, confirm=0.95, least_ms=224.0, like=0.17),
    "medium": Policy(suspect=0.2, confirm=0.8, least_ms=96.0, like=0.20),
    "high": Policy(suspect=0.12, confirm=0.6, least_ms=64.0, like=0.24),
}


class _State(Enum):
    QUIET = "quiet"
    SUSPECTED = "suspected"
    CONFIRMED = "confirmed"


class BargeIn:
    """The policy, fed chunk by chunk; it runs the detector only while there is something to tell.

    Args:
        sensitivity: How easily a voice interrupts.
        clues: What the windows are judged by.
        perceptron: What scores them.

    Raises:
        EngineError: The detector's package is missing.
    """

    def __init__(
        self,
        sensitivity: Sensitivity = "medium",
        clues: Clues | None = None,
        perceptron: Perceptron | None = None,
    ) -> None:
        self._policy = POLICIES[sensitivity]
        self._clues = clues or Clues()
        self._perceptron = perceptron or Perceptron()
        self._likeness = Likeness()
        self._running = False
        self._clear()

    def feed(
        self, at: float, pcm: bytes, *, raw: bytes, sounding: bool, far: bytes, converged: bool
    ) -> list[Voice]:
        """What the next chunk of the microphone tells.

        When the assistant stops by itself while speech is suspected, the user has taken the word: it is confirmed
        at once, since nothing is left that a cough could end. What was confirmed is followed to its end whether or
        not the assistant sounds.

        Args:
            at: Seconds of its first sample.
            pcm: The chunk after the canceller, 24 kHz mono PCM16.
            raw: The same chunk before the canceller.
            sounding: The assistant is heard, or may be: its last echo has not died away.
            far: What left the loudspeaker while it was recorded, as long, silence included.
            converged: The canceller knows the room by now.
        """
        if not sounding and self._state is _State.QUIET:
            if self._running:
                self._running = False
                self._clear()
            return []
        self._running = True
        self._likeness.feed(pcm, far)
        told: list[Voice] = []
        for clue in self._clues.feed(at, pcm, raw=raw, far=far, converged=converged):
            told += self._judge(clue, at + WIRE.ms(pcm) / 1000, converged)
        if not sounding and self._state is _State.SUSPECTED:
            told.append(self._confirm())
        return told

    @property
    def spurious(self) -> bool:
        """What was just heard is nobody's voice, but a server may take it for one; silence should go out instead.

        It is a cough, say, or the assistant's own voice, left over by a canceller whose delay has jumped.
        """
        return self._state is _State.QUIET and self._speech_like_ms > 0

    # --- inside -------------------------------------------------------------------------------------------

    def _clear(self) -> None:
        self._state = _State.QUIET
        self._speech_like_ms = 0.0  # what is left of the time for which the last spurious sound counts
        self._begin(0.0)
        self._excesses: deque[float] = deque([0.0], maxlen=8)
        self._scores: deque[float] = deque([0.0] * _AGREE, maxlen=_AGREE)
        self._clues.reset()
        self._perceptron.reset()
        self._likeness.reset()

    def _begin(self, at: float) -> None:
        """Something new is followed."""
        self._since = at
        self._silent_ms = self._sure_ms = self._echo_ms = self._clear_ms = 0.0

    def _judge(self, clue: Clue, now: float, converged: bool) -> list[Voice]:
        self._excesses.append(clue.excess)
        self._scores.append(self._perceptron.feed(clue.row))
        match self._state:
            case _State.QUIET:
                return self._suspect(clue, now, converged)
            case _State.SUSPECTED:
                return self._weigh(clue, converged)
            case _State.CONFIRMED:
                return self._wait(clue)

    def _suspect(self, clue: Clue, now: float, converged: bool) -> list[Voice]:
        self._speech_like_ms = max(0.0, self._speech_like_ms - WINDOW_MS)
        likely = self._scores[-1] >= self._policy.suspect
        if not likely and clue.probability < SPEECH_LIKE:
            return []
        if not likely or self._is_echo(clue, 128):
            self._speech_like_ms = SPEECH_LIKE_MS
            return []
        self._state, self._speech_like_ms = _State.SUSPECTED, 0.0
        self._begin(clue.begins)
        return [VoiceSuspected(since_ms=(now - clue.begins) * 1000), *self._weigh(clue, converged)]

    def _weigh(self, clue: Clue, converged: bool) -> list[Voice]:
        if self._scores[-1] < self._policy.suspect / 2 and clue.probability < UNSURE_UNDER:
            self._silent_ms += WINDOW_MS
            return self._dismiss() if self._silent_ms > STOPPED_MS else []
        self._silent_ms = 0.0
        if self._is_echo(clue, 256):
            self._echo_ms += WINDOW_MS
            return self._dismiss() if self._echo_ms > ECHO_MS else []
        self._clear_ms += WINDOW_MS
        self._sure_ms += WINDOW_MS * min(1, max(0, (clue.probability - UNSURE_UNDER) / (SURE_OVER - UNSURE_UNDER)))
        lasted_ms = (clue.begins - self._since) * 1000 + WINDOW_MS
        least_ms = self._policy.least_ms if converged else max(self._policy.least_ms, UNCONVERGED_MS)
        if lasted_ms < least_ms or self._clear_ms <= self._echo_ms:
            return []
        sure = sum(self._scores) / _AGREE >= self._policy.confirm or self._sure_ms >= LONG_MS
        return [self._confirm()] if sure else []

    def _confirm(self) -> VoiceConfirmed:
        self._state = _State.CONFIRMED
        self._silent_ms = 0.0
        return VoiceConfirmed()

    def _dismiss(self) -> list[Voice]:
        self._state = _State.QUIET
        return [VoiceDismissed()]

    def _wait(self, clue: Clue) -> list[Voice]:
        self._silent_ms = 0.0 if clue.probability >= SPEECH else self._silent_ms + WINDOW_MS
        if self._silent_ms < ENDED_MS:
            return []
        self._state = _State.QUIET
        return [VoiceEnded()]

    def _is_echo(self, clue: Clue, ms: int) -> bool:
        clear = clue.excess > CLEAR_DB or sum(self._excesses) / len(self._excesses) > LASTING_DB
        if not clear and clue.level < clue.raw_dbfs - CANCELLED_DB:
            return True
        likeness = self._likeness.measure(ms) / math.sqrt(256 / ms)
        return likeness > (PLAIN_LIKE if clear else self._policy.like)
