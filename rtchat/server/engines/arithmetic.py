"""Arithmetic as people say it, evaluated safely: a small parser, never `eval`."""

from __future__ import annotations

import math
import re
from fractions import Fraction

Number = Fraction | float

_MAX_BITS = 2_000
"""Longer numbers are refused: "nine to the power of nine to the power of nine" must not take the machine."""

_PHRASES = (
    (r"\badd (\S+) (?:and|to) (\S+)", r"\1 + \2"),
    (r"\bsubtract (\S+) from (\S+)", r"\2 - \1"),
    (r"\bmultiply (\S+) (?:by|and|with) (\S+)", r"\1 * \2"),
    (r"\bdivide (\S+) (?:by|into) (\S+)", r"\1 / \2"),
    (r"\bsum of (\S+) and (\S+)", r"\1 + \2"),
    (r"\bdifference (?:of|between) (\S+) and (\S+)", r"\1 - \2"),
    (r"\bproduct of (\S+) and (\S+)", r"\1 * \2"),
    (r"(\d)\s*(?:%|\bper ?cent\b) of ", r"\1 / 100 * "),
    (r"\b(?:the )?square root of ", " sqrt "),
    (r"\bhalf of ", " 1 / 2 * "),
    (r"\b(?:divided by|over)\b", " / "),
    (r"\b(?:multiplied by|times)\b", " * "),
    (r"\b(?:to the power of|raised to)\b", " ^ "),
    (r"\bsquared\b", " ^ 2 "),
    (r"\bcubed\b", " ^ 3 "),
    (r"\bplus\b", " + "),
    (r"\b(?:minus|negative)\b", " - "),
    (r"\b(?:modulo|mod)\b", " % "),
    (r"(?<=\d)\s*x\s*(?=\d)", " * "),
    (r"[×·]", " * "),
    (r"÷", " / "),
    (r"\*\*", " ^ "),
)
_TOKEN = re.compile(r"\d+(?:\.\d+)?|[-+*/^%()]|sqrt|[^\s]+")
_PART = re.compile(r"\d+(?:\.\d+)?|[-+*/^%()]|sqrt")


class Impossible(ValueError):
    """There is no answer; the message says why, as a sentence to speak."""


def find_expression(text: str) -> str | None:
    """The arithmetic in normalised `text` as an expression, for example "17 * 23"; None when there is none."""
    text = re.sub(r"(?<=\d),(?=\d{3}\b)", "", text)
    for phrase, symbols in _PHRASES:
        text = re.sub(phrase, symbols, text)
    run: list[str] = []
    best: list[str] = []
    for token in [*_TOKEN.findall(text), ""]:
        if _PART.fullmatch(token):
            run.append(token)
        else:
            best = max(best, _trimmed(run), key=len)
            run = []
    sums = len(best) >= 2 and any(t[0].isdigit() for t in best) and any(not t[0].isdigit() for t in best)
    return " ".join(best).replace("( ", "(").replace(" )", ")") if sums else None


def in_words(expression: str) -> str:
    """An expression for the voice: "17 * 23" -> "17 times 23"."""
    for symbol, words in (
        ("*", " times "),
        ("/", " divided by "),
        ("^", " to the power of "),
        ("%", " modulo "),
        ("+", " plus "),
        ("-", " minus "),
        ("sqrt", " the square root of "),
    ):
        expression = expression.replace(symbol, words)
    return " ".join(expression.split())


def evaluate(expression: str) -> Number:
    """The value of an expression; exact where it can be.

    Raises:
        Impossible: Division by zero, a root of a negative number, too large, or not an expression.
    """
    parser = _Parser(_TOKEN.findall(expression))
    try:
        value = parser.sum()
    except (ZeroDivisionError, OverflowError, RecursionError) as error:
        zero = isinstance(error, ZeroDivisionError)
        raise Impossible(
            "Nothing can be divided by zero." if zero else "That number is too large for me."
        ) from None
    if parser.tokens:
        raise Impossible("I do not understand that calculation.")
    return value


def _trimmed(run: list[str]) -> list[str]:
    """Without operators that have nothing to work on at the ends."""
    while run and run[-1] in "+-*/^%(":
        run = run[:-1]
    while run and run[0] in "+*/^%)":
        run = run[1:]
    return run


class _Parser:
    """Recursive descent: sum > product > sign > power > atom."""

    def __init__(self, tokens: list[str]) -> None:
        self.tokens = tokens

    def _take(self, *wanted: str) -> str | None:
        return self.tokens.pop(0) if self.tokens and self.tokens[0] in wanted else None

    def sum(self) -> Number:
        value = self._product()
        while sign := self._take("+", "-"):
            right = self._product()
            value = value + right if sign == "+" else value - right
        return value

    def _product(self) -> Number:
        value = self._signed()
        while sign := self._take("*", "/", "%"):
            right = self._signed()
            value = value * right if sign == "*" else value / right if sign == "/" else value % right
            _check(value)
        return value

    def _signed(self) -> Number:
        return -self._signed() if self._take("-") else self._power()

    def _power(self) -> Number:
        base = self._atom()
        return _power(base, self._signed()) if self._take("^") else base

    def _atom(self) -> Number:
        if self._take("sqrt"):
            return _root(self._signed())
        if self._take("("):
            value = self.sum()
            if not self._take(")"):
                raise Impossible("I do not understand that calculation.")
            return value
        if self.tokens and self.tokens[0][0].isdigit():
            return _check(Fraction(self.tokens.pop(0)))
        raise Impossible("I do not understand that calculation.")


def _check(value: Number) -> Number:
    if isinstance(value, Fraction) and value.numerator.bit_length() + value.denominator.bit_length() > _MAX_BITS:
        raise Impossible("That number is too large for me.")
    return value


def _power(base: Number, exponent: Number) -> Number:
    if isinstance(exponent, Fraction) and exponent.denominator == 1 and isinstance(base, Fraction):
        size = max(base.numerator.bit_length(), base.denominator.bit_length())
        if size > 1 and abs(exponent) * size > _MAX_BITS:
            raise Impossible("That number is too large for me.")
        return Fraction(base ** int(exponent))
    if base < 0:
        raise Impossible("That has no real answer.")
    return math.pow(base, exponent)


def _root(value: Number) -> Number:
    if value < 0:
        raise Impossible("A negative number has no real square root.")
    if isinstance(value, Fraction):
        top, bottom = math.isqrt(value.numerator), math.isqrt(value.denominator)
        if (top * top, bottom * bottom) == (value.numerator, value.denominator):
            return Fraction(top, bottom)
    return math.sqrt(value)
