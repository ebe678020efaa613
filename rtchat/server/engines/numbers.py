"""Numbers in words and in digits, both ways: "two hundred and five" <-> 205."""

from __future__ import annotations

import re
from fractions import Fraction

UNITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
TEENS = (
    *("ten", "eleven", "twelve", "thirteen", "fourteen"),
    *("fifteen", "sixteen", "seventeen", "eighteen", "nineteen"),
)
TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
SCALES = {"thousand": 10**3, "million": 10**6, "billion": 10**9}

_SMALL = {word: n for n, word in enumerate(UNITS + TEENS)} | {word: 10 * n for n, word in enumerate(TENS, 2)}


def number_words(n: int) -> str:
    """A whole number below 10^12 in words, without "and": 123 -> "one hundred twenty three"."""
    if n < 0:
        return "minus " + number_words(-n)
    if n < 20:
        return (UNITS + TEENS)[n]
    if n < 100:
        return TENS[n // 10 - 2] + (f" {UNITS[n % 10]}" if n % 10 else "")
    for word, size in (*reversed(SCALES.items()), ("hundred", 100)):
        if n >= size:
            rest = f" {number_words(n % size)}" if n % size else ""
            return f"{number_words(n // size)} {word}{rest}"
    raise AssertionError(n)


def words_to_digits(text: str) -> str:
    """Lower-case `text` with each number in words written in digits: "twenty-three cats" -> "23 cats".

    A row of digits stays one ("one two" -> "1 2"), and "point" joins decimals ("two point five" -> "2.5").
    """
    text = re.sub(r"(?<=[a-z])-(?=[a-z])", " ", text) if _has_hyphenated_number(text) else text
    words = text.split(" ")
    out: list[str] = []
    at = 0
    while at < len(words):
        value, after, tail = _number(words, at)
        if value is None:
            out.append(words[at])
            at += 1
        else:
            out.append(value + tail)
            at = after
    return " ".join(out)


def spoken(value: Fraction | float) -> str:
    """A result for the voice: whole numbers in full, others to four places, "about" where cut."""
    if isinstance(value, Fraction) and value.denominator == 1:
        return str(value.numerator)
    number = float(value)
    if number and not 1e-4 <= abs(number) < 1e15:
        return f"about {number:.3g}"
    short = f"{number:.4f}".rstrip("0").rstrip(".")
    exact = Fraction(short) == (value if isinstance(value, Fraction) else Fraction(number))
    return short if exact else f"about {short}"


def _has_hyphenated_number(text: str) -> bool:
    return any(re.search(rf"\b{ten}-[a-z]", text) for ten in TENS)


def _split_tail(word: str) -> tuple[str, str]:
    """A word and the punctuation behind it."""
    match = re.fullmatch(r"([a-z]+)([,.?!:;)]*)", word)
    return (match[1], match[2]) if match else (word, "")


def _number(words: list[str], at: int) -> tuple[str | None, int, str]:
    """The number that starts at `at`: its digits, the index behind it, the punctuation it ended with."""
    value, after, tail = _whole(words, at)
    if value is None:
        return None, at, ""
    if not tail and after < len(words) - 1 and words[after] == "point":
        digits = ""
        place = after + 1
        while place < len(words) and not tail:
            word, tail_here = _split_tail(words[place])
            if word not in UNITS:
                break
            digits += str(UNITS.index(word))
            tail, place = tail_here, place + 1
        if digits:
            return f"{value}.{digits}", place, tail
        tail = ""
    return str(value), after, tail


def _whole(words: list[str], at: int) -> tuple[int | None, int, str]:
    total = current = 0
    seen, room, tail = False, 10**12, ""  # room: what comes next must be smaller than this
    while at < len(words) and not tail:
        word, tail_here = _split_tail(words[at])
        following = _split_tail(words[at + 1])[0] if at + 1 < len(words) and not tail_here else ""
        if word == "a" and not seen and (following == "hundred" or following in SCALES):
            current, room = 1, 1
        elif word in _SMALL and _SMALL[word] < room and (_SMALL[word] or not seen):
            small = _SMALL[word]
            current += small
            room = 10 if small >= 20 else 1
        elif word == "hundred" and seen and 0 < current < 10:
            current, room = current * 100, 100
        elif word in SCALES and seen and current and (not total or SCALES[word] < total):
            total, current, room = total + current * SCALES[word], 0, 1000
        elif word == "and" and seen and room >= 100 and _joins(words, at + 1, room):
            pass
        else:
            break
        seen, tail, at = True, tail_here, at + 1
    return (total + current, at, tail) if seen else (None, at, "")


def _joins(words: list[str], at: int, room: int) -> bool:
    """Whether the number after "and" belongs to the one before it: "200 and 5", but not "200 and 300"."""
    if at >= len(words) or _split_tail(words[at])[0] not in _SMALL:
        return False
    value, _, _ = _whole(words, at)
    return value is not None and 0 < value < room
