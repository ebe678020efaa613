"""One turn of the user, as the built-in assistant's skills see it."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from rtchat.server.engines.base import Message, ToolCall
from rtchat.server.engines.numbers import words_to_digits
from rtchat.server.engines.toolbox import Tool

Answer = list[str | ToolCall]
"""Sentences to say and functions to call, in order."""


@dataclass(frozen=True, slots=True)
class Turn:
    """One thing that the user asked.

    Attributes:
        text: Normalised words, see `normalise`.
        raw: The same as it was said or typed.
        before: The conversation before this turn, oldest first.
        tools: The function tools that may be called now.
        now: The time.
    """

    text: str
    raw: str
    before: Sequence[Message]
    tools: Sequence[Tool]
    now: datetime

    def said(self, role: str) -> list[str]:
        """What `role` said before, oldest first."""
        return [message.text for message in self.before if message.role == role and message.text.strip()]


Skill = Callable[[Turn], Answer | None]


_SHORT_FORMS = (
    (r"[\u2018\u2019`]", "'"),
    (r"\b(what|where|who|that|it|how|there|name)'?s\b(?!')", r"\1 is"),
    (r"\bits\b", "it is"),
    (r"\bst\. ", "st "),
    (r"\bi'm\b", "i am"),
    (r"\b(you|we|they)'re\b", r"\1 are"),
    (r"\bcan't\b", "cannot"),
    (r"\b(do|does|did|is|was|are|would|could)n't\b", r"\1 not"),
    (r"\b(o'?clock|please)\b", " "),
    (r"[^\w\s'+\-*/^().,?!:;%×÷·=&]", " "),
)


_LONG = r"((?:\d+|an?|half an) (?:hours?|minutes?)) and ((?:\d+|an?) (?:minutes?|seconds?))"
"""One length of time in two units, whose "and" does not join two requests."""


def normalise(text: str) -> str:
    """Lower case, short forms spelt out, numbers in digits, single spaces."""
    text = text.lower()
    for form, full in _SHORT_FORMS:
        text = re.sub(form, full, text)
    text = words_to_digits(" ".join(text.split()))
    return re.sub(_LONG, r"\1 \2", text)


def has(text: str, *patterns: str) -> re.Match[str] | None:
    """Whether one of the patterns is in `text`, as whole words."""
    return next((match for pattern in patterns if (match := re.search(rf"\b(?:{pattern})\b", text))), None)
