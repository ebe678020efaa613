"""Which words of the assistant's speech somebody has heard who heard so much of its sound."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from rtchat.chunk import WIRE
from rtchat.server.engines.base import WordMark

CHARACTERS_PER_SECOND = 15
"""Of speech at normal speed: how long a text is taken to last whose end has not been spoken yet."""


@dataclass(slots=True)
class Said:
    """A stretch of the assistant's speech: one piece of text and its sound.

    Attributes:
        text: As it stands in the transcript; a space before it joins it to the one before.
        bytes: Of its sound so far: 24 kHz mono PCM16.
        marks: When its words end, where the voice tells; they count from the text without that space.
        whole: All of its sound is there.
    """

    text: str
    bytes: int = 0
    marks: list[WordMark] = field(default_factory=list)
    whole: bool = False


def heard(said: Sequence[Said], heard_bytes: int) -> list[Said]:
    """The stretches that were heard; the last one ends with the last word that was heard to its end.

    The voice's own marks say when a word ends. Without them words are taken to be spread evenly over the sound.
    """
    kept = []
    for stretch in said:
        if stretch.whole and heard_bytes >= stretch.bytes:
            kept.append(stretch)
            heard_bytes -= stretch.bytes
            continue
        heard_bytes = min(heard_bytes, stretch.bytes)
        text = _marked(stretch, heard_bytes) if stretch.marks else _shared(stretch, heard_bytes)
        if text.strip():
            kept.append(Said(text, heard_bytes, stretch.marks, whole=True))
        break
    return kept


def _marked(stretch: Said, heard_bytes: int) -> str:
    heard_ms = WIRE.ms(heard_bytes)
    lead = len(stretch.text) - len(stretch.text.lstrip())
    end = max((mark.end for mark in stretch.marks if mark.ms <= heard_ms), default=0)
    return stretch.text[: lead + end] if end else ""


def _shared(stretch: Said, heard_bytes: int) -> str:
    words = stretch.text.split()
    lasts = stretch.bytes
    if not stretch.whole:
        lasts = max(lasts, WIRE.bytes_in(len(stretch.text) * 1000 / CHARACTERS_PER_SECOND))
    share = " ".join(words[: int(len(words) * heard_bytes / lasts)]) if lasts else ""
    return f" {share}" if stretch.text[:1].isspace() else share
