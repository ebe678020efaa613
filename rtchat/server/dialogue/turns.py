"""Turns of the user: which stretch of the microphone's sound is one.

Positions are milliseconds of all sound appended in the session. The detector's windows are 32 ms, so what it
decides lies on multiples of 32 ms, as in every recording of the real service.
"""

from __future__ import annotations

from dataclasses import dataclass

from rtchat.chunk import WIRE
from rtchat.protocol.config import SemanticVad, ServerVad

WINDOW_MS = 32
ONSET_WINDOWS = 2
"""Windows in a row that must be speech: a click or a cough's first 32 ms is not a turn."""
PAUSE_WINDOWS = 3
"""Windows of silence (96 ms) after which a turn may well be over."""
HYSTERESIS = 0.15
"""Speech goes on while its probability is above the threshold less this, as Silero's authors do it."""
SEMANTIC_WAITS_MS = {"low": (600, 8000), "medium": (400, 4000), "high": (300, 2000), "auto": (400, 4000)}
"""Eagerness -> silence after a turn that is surely over, and after one that surely is not (docs: 8, 4 and 2 s)."""
KEPT_MS = 30_000
"""Sound kept from before the speech when turns are detected."""

LONGEST_MS = 600_000
"""Sound that the input buffer holds (29 MB): of a turn that is longer, the end."""


@dataclass(frozen=True, slots=True)
class Started:
    """Speech began; `at_ms` has the padding subtracted."""

    at_ms: int


@dataclass(frozen=True, slots=True)
class Stopped:
    """The turn ended, silence included."""

    at_ms: int


@dataclass(frozen=True, slots=True)
class Paused:
    """Silence that may become the end of the turn."""

    at_ms: int


@dataclass(frozen=True, slots=True)
class Resumed:
    """It did not: the user goes on."""


class Segmenter:
    """Probabilities in, turns out.

    Args:
        detection: The session's turn detection.
        at_ms: Position of the first window, a multiple of 32.
    """

    def __init__(self, detection: ServerVad | SemanticVad, *, at_ms: int = 0) -> None:
        self.position_ms = at_ms
        self.speaking = False
        self._run = 0  # windows in a row that speak for a change
        if isinstance(detection, SemanticVad):
            self._threshold, self._padding_ms = 0.5, 300
            self._shortest_ms, self._longest_ms = SEMANTIC_WAITS_MS[detection.eagerness or "auto"]
        else:
            self._threshold = 0.5 if detection.threshold is None else detection.threshold
            self._padding_ms = 300 if detection.prefix_padding_ms is None else detection.prefix_padding_ms
            self._longest_ms = 500 if detection.silence_duration_ms is None else detection.silence_duration_ms
            self._shortest_ms = self._longest_ms
        self._silence_ms = self._longest_ms
        self._floor = min(self._threshold, max(self._threshold - HYSTERESIS, 0.01))

    def feed(self, probability: float) -> Started | Paused | Resumed | Stopped | None:
        """The next window."""
        self.position_ms += WINDOW_MS
        if self.speaking:
            return self._silent() if probability < self._floor else self._loud()
        self._run = self._run + 1 if probability >= self._threshold else 0
        if self._run < ONSET_WINDOWS:
            return None
        began = self.position_ms - self._run * WINDOW_MS
        self.speaking, self._run = True, 0
        return Started(max(0, began - self._padding_ms))

    def expect(self, over: float) -> None:
        """What is known of the present pause: probability that the turn is over. Only semantic_vad listens.

        Until it is known the pause is waited out. The square keeps a turn of which it is unclear from being waited
        out half of the longest wait: a pause itself says that it may be over.
        """
        self._silence_ms = round(self._shortest_ms + (self._longest_ms - self._shortest_ms) * (1 - over) ** 2)

    def _silent(self) -> Paused | Stopped | None:
        self._run += 1
        if self._run * WINDOW_MS >= self._silence_ms:
            self.rest()
            return Stopped(self.position_ms)
        return Paused(self.position_ms) if self._run == PAUSE_WINDOWS else None

    def _loud(self) -> Resumed | None:
        paused, self._run = self._run >= PAUSE_WINDOWS, 0
        self._silence_ms = self._longest_ms
        return Resumed() if paused else None

    def changed(self, detection: ServerVad | SemanticVad) -> Segmenter:
        """Under other rules from here on."""
        other = Segmenter(detection, at_ms=self.position_ms)
        other.speaking = self.speaking
        return other

    def rest(self) -> None:
        """The turn is over, by whoever's decision."""
        self.speaking, self._run = False, 0
        self._silence_ms = self._longest_ms


class InputBuffer:
    """The sound appended and not yet committed, addressed by position; 24 kHz mono PCM16."""

    def __init__(self) -> None:
        self._sound = bytearray()
        self._start = 0  # position of the first byte kept, in bytes
        self._pending = 0  # position from which sound is uncommitted, in bytes

    @property
    def total_ms(self) -> float:
        """All that was ever appended."""
        return WIRE.ms(self._start + len(self._sound))

    @property
    def pending_ms(self) -> float:
        """What a commit would take."""
        return WIRE.ms(self._start + len(self._sound) - self._pending)

    def append(self, pcm: bytes) -> None:
        """More sound; of more than the longest, the beginning goes."""
        self._sound += pcm
        self.forget_before(self.total_ms - LONGEST_MS)

    def forget_before(self, ms: float) -> None:
        """Let go of all sound before a position; it counts as committed."""
        at = min(WIRE.bytes_in(max(0.0, ms)), self._start + len(self._sound))
        if at > self._start:
            del self._sound[: at - self._start]
            self._start = at
            self._pending = max(self._pending, at)

    def take(self, start_ms: float, end_ms: float) -> bytes:
        """Commit everything before `end_ms`; the sound from `start_ms` on of it."""
        end = min(WIRE.bytes_in(end_ms), self._start + len(self._sound))
        self._pending = max(self._pending, end)
        return self.peek(start_ms, end_ms)

    def peek(self, start_ms: float, end_ms: float) -> bytes:
        """The sound between two positions, as far as it is kept."""
        start = max(WIRE.bytes_in(start_ms) - self._start, 0)
        end = min(max(WIRE.bytes_in(end_ms) - self._start, start), len(self._sound))
        return bytes(self._sound[start:end])

    def pending(self) -> bytes:
        """What a commit would take."""
        return bytes(self._sound[self._pending - self._start :])

    def take_pending(self) -> bytes:
        """Commit all there is."""
        sound = self.pending()
        self.clear()
        return sound

    def clear(self) -> None:
        """Forget all there is; positions go on."""
        self._start += len(self._sound)
        self._pending = self._start
        self._sound.clear()
