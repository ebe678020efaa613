"""The rest of an answer that was broken off for nothing: it is said again, not forgotten."""

from __future__ import annotations

import json
import re

from rtchat.conversation.items import Entry
from rtchat.conversation.responses import Want
from rtchat.protocol.config import RealtimeSession, ResponseParams, TranscriptionSession

GO_ON = """\
Your answer was broken off, but not by the user.
Heard so far: {heard}
Not heard yet: {unheard}
Go on right after the words heard, in the same tone, to the end of the answer: repeat nothing, explain nothing."""
"""Asks for the rest; both texts are JSON strings, so that their quotes cannot end them."""

_MARKS = re.compile(r"\[[^\]]*\]|\([^)]*\)|<[^>]*>|\*[^*]*\*|\+\+[^+]*\+\+")
"""How recognisers write what is not speech: [noise], (coughs), <sil>, *sighs*, ++BREATH++."""


def says_nothing(transcript: str) -> bool:
    """No word was written down: nothing, punctuation, or marks for noises."""
    return not any(letter.isalnum() for letter in _MARKS.sub("", transcript))


class Resumption:
    """What an interruption took from an answer, until it is known whether somebody spoke.

    Attributes:
        broken: An answer ended early.
        due: Nobody did: ask for the rest as soon as it can be had.
        user_item: The turn that will tell; None where no server has heard one.
    """

    def __init__(self) -> None:
        self.due = False
        self.user_item: str | None = None
        self.broken = False
        self._entries: list[Entry] = []

    def broke_off(self, entries: list[Entry]) -> None:
        """An answer ended early; `entries` is what of it was not heard to its end, in order."""
        self.broken = True
        self._entries += [entry for entry in entries if entry not in self._entries]

    def answered(self) -> None:
        """Something else is heard or read: it is too late for the rest, unless that is due."""
        if not self.due:
            self.forget()

    def doubt(self, user_item: str) -> None:
        """The server hears speech: whether it is some will be known by what is written down of this item."""
        self.due, self.user_item = False, user_item

    def false_alarm(self) -> None:
        """Nobody spoke."""
        self.due, self.user_item = self.broken, None

    def forget(self) -> None:
        """The user means it, or something else has been answered since."""
        self.due = self.broken = False
        self.user_item = None
        self._entries = []

    def take(self, session: RealtimeSession | TranscriptionSession) -> Want:
        """The request for the rest, once."""
        entries = self._entries
        self.forget()
        heard = " ".join(entry.heard_text for entry in entries if entry.heard_text)
        unheard = " ".join(rest for entry in entries if (rest := entry.text[len(entry.heard_text) :].strip()))
        if not (heard or unheard):
            return Want()
        quoted = {
            name: json.dumps(text, ensure_ascii=False) for name, text in (("heard", heard), ("unheard", unheard))
        }
        own = session.instructions if isinstance(session, RealtimeSession) else None
        go_on = GO_ON.format(**quoted)
        return Want(params=ResponseParams(instructions=f"{own}\n\n{go_on}" if own else go_on))
