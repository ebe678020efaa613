"""Does the user mean to speak while the assistant sounds? A policy over the detector's windows. Pure.

::

                 probable speech, not echo                     it went on
    quiet ─────────────────────────────> suspected ─────────────────────────> confirmed
      ^                                      │                                   │
      └───── it stopped, or was echo ────────┴──────── silent for a while ───────┘

What goes on is weighed, not timed: each window of 32 ms adds as much as it is speech for sure (a cough or a knock
rarely is) and as the mouth is open (a "mhm" has hardly any sound over 1 kHz, a word has some within two or three
windows). What is left of the assistant's own voice is told by likeness: it is the far end again, delayed, and the
user's voice is not. And the microphone as it is, before the canceller dulls a voice, is asked too: what it has more
than the echo makes a voice likelier, and is no echo where it is much more.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field
from enum import Enum
from typing import Literal

import numpy as np

from rtchat.audio.excess import Excess
from rtchat.audio.likeness import Likeness
from rtchat.audio.speech import WINDOW_MS, Speech, Window
from rtchat.audio.timbre import Timbre, Tone
from rtchat.chunk import WIRE, level_dbfs
from rtchat.conversation.signals import VoiceConfirmed, VoiceDismissed, VoiceEnded, VoiceSuspected

Sensitivity = Literal["low", "medium", "high"]
Voice = VoiceSuspected | VoiceConfirmed | VoiceDismissed | VoiceEnded

ENDED_MS = 500.0
"""Confirmed speech that pauses this long has ended: longer than a stop or a breath between words."""

STOPPED_MS = 130.0
"""What was suspected has stopped after this long: longer than the closure in "stop" or "okay" (60 to 110 ms)."""

FAINT_DB = 22.0
"""A window so much weaker than the loudest one of the same sound is its echo in the room, not the sound."""

FAINTEST_DB = -60.0
"""Sound under this level has no timbre to speak of."""

BARELY_DB, CLEAR_DB = 1.0, 4.0
"""Excess (see `Excess`) under which a voice is doubted, and over which it is clear that something sounds here.

Of the echo alone 20 % of all chunks are over the first, 0.5 % over the second; of words 95 % and 77 %."""

LASTING_DB = 2.5
"""The same, of the mean over as long as likeness is measured: a word has its closures, in which little sounds."""

SOONER, SURER = 0.5, 0.1
"""What clear excess adds to the probability of what has a pitch or hisses: for a suspicion, which costs little, and
for the evidence after it, in which a cough has excess too."""

DOUBT = 0.2
"""What its lack takes from the probability, for a suspicion."""

NOBODY = 0.3
"""Under this probability nobody speaks, and the echo may be learnt; as it may from what is like the far end."""

UNSURE_UNDER, SURE_OVER = 0.5, 0.9
"""Probabilities between which a window weighs more and more."""

CLOSED_DB, OPEN_DB = -30.0, -20.0
"""Share of the sound over 1 kHz against all of it: under the first the lips are closed, over the second open."""

CLOSED_WEIGHT = 0.4
"""What a window of a closed mouth weighs: a hum, which does not move either, has to go on for long."""

STILL_DB, MOVED_DB = 1.2, 2.6
"""How far its tones differ (`Tone.unlike`): "uh-huh" is twice the same vowel and has to go on longer."""

SAME_DB, BREATH_DB = 3.5, 3.0
"""After a breath, so much weaker, tones hardly different begin anew: "huh" adds nothing to the "uh" before it."""

STILL_TIMES = 3.0
"""How much longer."""

LONG_MS = 560.0
"""Speech of any kind that goes on so long is meant: a "mhm" takes 300 to 500 ms."""

LEAKS, LEAK_MS = 0.3, 200.0
"""From which probability on echo that is left may be taken for speech by the server too, and for how long on."""

LEAKY_MS = 320.0
"""So much echo found lately, and the canceller is not to be trusted: twice the speech is needed then, and what is
`LEAKY_LIKE` times as like the far end is echo."""

PLAIN_LIKE = 0.26
"""From which likeness it is echo for sure: a voice is rarely over 0.2."""

LEAKY_LIKE = 0.65
LEAKED_KEPT = 0.996
"""Of what leaked, after each window: it is half forgotten after six seconds of the assistant's speech."""

ECHO_MS = 300.0
"""What would be confirmed but is so long like the far end is echo. Turned down, it mostly stops sooner."""

CANCELLED_DB = 16.0
"""What is so much weaker than the microphone's own sound is what the canceller has left of the echo."""


@dataclass(frozen=True, slots=True)
class Policy:
    """What one sensitivity means.

    Attributes:
        probability: From which speech is suspected.
        least_ms: From the window in which it was suspected, however sure it is: onset is 30 to 60 ms earlier.
        needed_ms: Sure, open speech that makes an interruption.
        like: Likeness to the far end over 256 ms from which it is echo (see `Likeness`).
    """

    probability: float
    least_ms: float
    needed_ms: float
    like: float


POLICIES: dict[Sensitivity, Policy] = {
    "low": Policy(probability=0.5, least_ms=224.0, needed_ms=160.0, like=0.17),
    "medium": Policy(probability=0.35, least_ms=128.0, needed_ms=80.0, like=0.20),
    "high": Policy(probability=0.3, least_ms=96.0, needed_ms=65.0, like=0.24),
}

UNSURE = 1.3
"""Until the canceller has converged, so much more speech is needed."""


class _State(Enum):
    QUIET = "quiet"
    SUSPECTED = "suspected"
    CONFIRMED = "confirmed"


@dataclass(slots=True)
class _Sound:
    """What is weighed since it was suspected."""

    begins: float = 0.0
    evidence_ms: float = 0.0
    sure_ms: float = 0.0
    silent_ms: float = 0.0
    echo_ms: float = 0.0
    moved: float = 0.0
    loudest: float = -96.0
    broken: bool = False
    tones: list[Tone] = field(default_factory=list)

    def add(self, tone: Tone) -> bool:
        """Is this window part of the sound, and not only its echo in the room?"""
        self.loudest = max(self.loudest, tone.level)
        if tone.level < self.loudest - FAINT_DB:
            return False
        if not tone.spoken or tone.level <= FAINTEST_DB:
            self.broken |= bool(self.tones) and tone.level < self.loudest - BREATH_DB
        else:
            if self.broken and tone.unlike(self.tones[-1]) < SAME_DB:
                self.evidence_ms = self.moved = 0.0
                self.tones.clear()
            self.broken = False
            self.moved = max([self.moved, *(tone.unlike(other) for other in self.tones)])
            self.tones.append(tone)
        return True


class BargeIn:
    """The policy, fed chunk by chunk; it runs the detector only while there is something to tell.

    Args:
        sensitivity: How easily a voice interrupts.
        speech: The detector.

    Raises:
        EngineError: The detector's package is missing.
    """

    def __init__(self, sensitivity: Sensitivity = "medium", speech: Speech | None = None) -> None:
        self._policy = POLICIES[sensitivity]
        self._speech = speech or Speech()
        self._likeness = Likeness()
        self._excess = Excess()
        self._over: deque[float] = deque([0.0, 0.0], maxlen=12)
        self._probability = 0.0
        self._timbre = Timbre()
        self._state = _State.QUIET
        self._sound = _Sound()
        self._echo_ms = 0.0
        self._leaked_ms = 0.0
        self._running = False
        self._raw: deque[float] = deque(maxlen=4)  # one more chunk than a window needs: the resampler is late
        self._before: deque[Tone] = deque(maxlen=4)  # "stop" begins with a hiss that the detector waits behind

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
                self._clear()
            return []
        self._running = True
        self._likeness.feed(pcm, far)
        self._raw.append(level_dbfs(raw))
        nobody = self._state is _State.QUIET and (self._probability < NOBODY or self._echo_ms > 0)
        self._over.append(self._excess.feed(raw, far, learn=nobody))
        told: list[Voice] = []
        for window in self._speech.feed(pcm, at):
            told += self._judge(window, at + WIRE.ms(pcm) / 1000, converged)
        if not sounding and self._state is _State.SUSPECTED:
            self._state, self._sound = _State.CONFIRMED, _Sound()
            told.append(VoiceConfirmed())
        return told

    @property
    def echo(self) -> bool:
        """What was just heard is the assistant's own voice, plain enough that a server would answer to it.

        The canceller has not taken it away: its delay has jumped, say. Silence should be sent in its place.
        """
        return self._state is _State.QUIET and self._echo_ms > 0

    # --- inside -------------------------------------------------------------------------------------------

    def _clear(self) -> None:
        self._state = _State.QUIET
        self._running = False
        self._echo_ms = 0.0
        self._timbre = Timbre()
        self._raw.clear()
        self._before.clear()
        self._speech.reset()
        self._likeness.reset()

    def _judge(self, window: Window, now: float, converged: bool) -> list[Voice]:
        tone = self._timbre.feed(window.samples, window.probability)
        self._leaked_ms *= LEAKED_KEPT
        self._probability = window.probability
        match self._state:
            case _State.QUIET:
                told = self._begin(window, now, tone)
                self._before.append(tone)
                return told
            case _State.SUSPECTED:
                return self._weigh(window, tone, converged)
            case _State.CONFIRMED:
                return self._wait(window)

    def _begin(self, window: Window, now: float, tone: Tone) -> list[Voice]:
        self._echo_ms = max(0.0, self._echo_ms - WINDOW_MS)
        probability = window.probability + SOONER * self._clear_excess(tone) - DOUBT * self._lack
        if max(probability, window.probability) < min(self._policy.probability, LEAKS):
            return []
        if self._is_echo(tone.level, 128):
            self._echo_ms = LEAK_MS
            return []
        if probability < self._policy.probability:
            return []
        self._state, self._sound, self._echo_ms = _State.SUSPECTED, _Sound(window.begins), 0.0
        for before in self._before:
            self._sound.add(before)
        return [VoiceSuspected(since_ms=(now - window.begins) * 1000), *self._weigh(window, tone, True)]

    def _weigh(self, window: Window, tone: Tone, converged: bool) -> list[Voice]:
        sound = self._sound
        probability = window.probability + SURER * self._clear_excess(tone)
        if probability < 0.35 or not sound.add(tone):
            sound.silent_ms += WINDOW_MS
            if sound.silent_ms > STOPPED_MS:
                return self._dismiss()
            return []
        sound.silent_ms = 0.0
        if self._is_echo(tone.level, 256):
            # Ducking ends what is left of an echo, and its last windows are like nothing: all counts anew.
            sound.evidence_ms = sound.sure_ms = 0.0
            sound.echo_ms += WINDOW_MS
            return self._dismiss() if sound.echo_ms > ECHO_MS else []
        sure = float(np.clip((probability - UNSURE_UNDER) / (SURE_OVER - UNSURE_UNDER), 0, 1))
        sound.evidence_ms += sure * _openness(tone) * WINDOW_MS
        sound.sure_ms += sure * WINDOW_MS
        lasted_ms = (window.begins - sound.begins) * 1000 + WINDOW_MS
        if sure == 0 or lasted_ms < self._policy.least_ms or not self._enough(sound, converged):
            return []
        self._state, self._sound = _State.CONFIRMED, _Sound()
        return [VoiceConfirmed()]

    def _enough(self, sound: _Sound, converged: bool) -> bool:
        still = float(np.clip((MOVED_DB - sound.moved) / (MOVED_DB - STILL_DB), 0, 1))
        needed = (
            self._policy.needed_ms
            * (1 + still * (STILL_TIMES - 1))
            * max(1 if converged else UNSURE, 1 + self._leaky)
        )
        return sound.evidence_ms >= needed or sound.sure_ms >= LONG_MS

    def _dismiss(self) -> list[Voice]:
        self._state = _State.QUIET
        return [VoiceDismissed()]

    def _wait(self, window: Window) -> list[Voice]:
        self._sound.silent_ms = 0.0 if window.probability >= 0.35 else self._sound.silent_ms + WINDOW_MS
        if self._sound.silent_ms < ENDED_MS:
            return []
        self._state = _State.QUIET
        return [VoiceEnded()]

    @property
    def _exceeds(self) -> float:
        return (self._over[-1] + self._over[-2]) / 2

    @property
    def _lack(self) -> float:
        """How far the microphone has nothing but echo, 0 to 1."""
        return max(0.0, 1 - self._exceeds / BARELY_DB) if self._excess.learnt else 0.0

    def _clear_excess(self, tone: Tone) -> float:
        """How clear it is that something voiced sounds here, 0 to 1."""
        if not tone.spoken or tone.level <= FAINTEST_DB:
            return 0.0
        return float(np.clip((self._exceeds - BARELY_DB) / (CLEAR_DB - BARELY_DB), 0, 1))

    def _is_echo(self, level: float, ms: int) -> bool:
        lasting = list(self._over)[-(ms // 20) :]
        clear = self._exceeds > CLEAR_DB or sum(lasting) / len(lasting) > LASTING_DB
        if not clear and level < max(self._raw) - CANCELLED_DB:
            return True
        likeness = self._likeness.measure(ms) / math.sqrt(256 / ms)
        if likeness > PLAIN_LIKE:
            self._leaked_ms += WINDOW_MS
        trusted = self._policy.like * (1 - (1 - LEAKY_LIKE) * self._leaky)
        return likeness > (PLAIN_LIKE if clear else trusted)

    @property
    def _leaky(self) -> float:
        """How far the canceller is not to be trusted, 0 to 1."""
        return min(1.0, self._leaked_ms / LEAKY_MS)


def _openness(tone: Tone) -> float:
    return float(np.clip((tone.open_db - CLOSED_DB) / (OPEN_DB - CLOSED_DB), CLOSED_WEIGHT, 1))
