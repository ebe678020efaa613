"""Sentences out of text that comes piece by piece, so that the voice can start with the first one."""

from __future__ import annotations

import re

LONGEST = 240
"""Characters after which a sentence without an end is cut: at a clause if there is one, else at a space."""
EARLY = 24
"""Characters of an answer's beginning, up to a clause, that are said before its first sentence is whole."""

_SHORT = (
    "mr mrs ms dr prof st sr jr vs etc no nos fig vol al approx dept est inc ltd co e.g i.e a.m p.m u.s u.k "
    "jan feb mar apr jun jul aug sep sept oct nov dec bzw ca z.b d.h usw nr str sra dra av"
)
_ABBREVIATIONS = frozenset(_SHORT.split())
_CLOSING = "\"'”’»)]*_`"
_QUOTES = re.escape(_CLOSING)
_END = re.compile(
    rf"[.!?…]+[{_QUOTES}]*(?=\s)"
    r"|[。！？｡]+[」』”’）]*(?=[^」』”’）])"
    r"|(?<=\S)(?=\n\s*\n|\n\s*(?:[-*•#]|\d+[.)])\s)"  # a paragraph, a list
)
_CLAUSE = re.compile(r"[,;:](?=\s)|\s[–—-](?=\s)|[、，；：]")
_WHOLE = re.compile(rf"\w(?:[.!?…]+[{_QUOTES}]*|[。！？｡]+[」』”’）]*)\s*$")


class Sentences:
    """Gathers pieces of one answer. Joined, what it gives is what it was given, but for white space at the end."""

    def __init__(self) -> None:
        self._held = ""
        self._first = True

    def feed(self, piece: str) -> list[str]:
        """The sentences that are whole by now, each with the space before it.

        A piece that begins or holds several words and ends as a sentence does is taken for whole; after a token
        like "." one more is waited for ("3.14", "e.g.", "...").
        """
        whole_words = not self._held.strip() or " " in piece.strip()
        self._held += piece
        found = []
        while (end := self._end()) is not None:
            found.append(self._take(end))
        if self._held and whole_words and _WHOLE.search(piece) and not _may_go_on(self._held.rstrip()):
            found.append(self._take(len(self._held)))
        elif self._first and (clause := _last_clause(self._held)) >= EARLY:
            found.append(self._take(clause))
        while len(self._held) > LONGEST:
            found.append(self._take(_last_clause(self._held[:LONGEST]) or _last_space(self._held[:LONGEST])))
        return found

    def rest(self) -> list[str]:
        """What is left when the answer ends."""
        return [self._take(len(self._held))] if self._held.strip() else []

    def _end(self) -> int | None:
        for match in _END.finditer(self._held):
            before, after = self._held[: match.end()], self._held[match.end() :].lstrip()
            if match.group().startswith(("..", "…")) and (not after or after[0].islower()):
                continue  # a pause, not an end
            if before.strip() and not _goes_on(before):
                return match.end()
        return None

    def _take(self, end: int) -> str:
        taken, self._held = self._held[:end], self._held[end:]
        self._first = False
        return taken


def _goes_on(text: str) -> bool:
    """Whether a full stop at its end ends no sentence: after an abbreviation, an initial, a list's number."""
    text = text.rstrip(_CLOSING)
    if not text.endswith(".") or text.endswith(".."):
        return False
    word = re.search(r"[^\s(\[\"'“‘]*$", text[:-1])
    assert word is not None  # it matches an empty word too
    last, before = word.group().lower(), text[: word.start()]
    begins = not before.strip() or before.rstrip(" ").endswith("\n")
    initial = len(last) == 1 and last.isalpha() and last != "i"
    return last in _ABBREVIATIONS or initial or (last.isdigit() and begins)


def _may_go_on(text: str) -> bool:
    return _goes_on(text) or re.search(r"\d\.$", text) is not None


def _last_clause(text: str) -> int:
    return max((match.end() for match in _CLAUSE.finditer(text)), default=0)


def _last_space(text: str) -> int:
    at = text.rstrip().rfind(" ")
    return at if at > 0 else len(text)
