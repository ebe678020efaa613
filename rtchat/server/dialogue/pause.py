"""A pause in the user's speech under semantic_vad: is the turn over?"""

from __future__ import annotations

from rtchat.server.dialogue.completeness import HANGING, NOTHING, UNCLEAR, completeness
from rtchat.server.dialogue.signals import Judged, NotRecognised, Recognised, SoFar


class Pause:
    """What becomes known of one pause.

    Args:
        key: Of the recognition and the judgement that were asked for.
        recognised: Its words were asked for; not of very long speech.
        spoken_ms: So much of the turn was speech: what a recogniser that listens heard of less says nothing.
    """

    def __init__(self, key: str, *, recognised: bool, spoken_ms: float = 0) -> None:
        self.key = key
        self._spoken_ms = spoken_ms
        self._by_words = None if recognised else UNCLEAR
        self._by_sound: float | None = None

    def told(self, result: Recognised | NotRecognised | SoFar | Judged) -> None:
        """An answer to what was asked."""
        if isinstance(result, Judged):
            self._by_sound = min(max(result.over, 0.0), 1.0)
        elif isinstance(result, SoFar):
            if result.partial.ms >= self._spoken_ms:
                self._by_words = completeness(result.partial.text)
        else:
            self._by_words = completeness(result.text) if isinstance(result, Recognised) else UNCLEAR

    @property
    def over(self) -> float | None:
        """Probability that the turn is over; None while nothing is known.

        The sound shows more than the words do, except where the sentence cannot end with these words.
        """
        words, sound = self._by_words, self._by_sound
        if words is None or sound is None:
            return words if sound is None else sound
        return min(words, sound) if NOTHING < words <= HANGING else sound
