from fractions import Fraction

import pytest

from rtchat.server.engines.arithmetic import Impossible, evaluate, find_expression, in_words


@pytest.mark.parametrize(
    ("text", "expression", "value"),
    [
        ("what is 17 times 23", "17 * 23", 391),
        ("12 divided by 5?", "12 / 5", Fraction(12, 5)),
        ("how much is 15% of 80", "15 / 100 * 80", 12),
        ("15 percent of 80", "15 / 100 * 80", 12),
        ("the square root of 16", "sqrt 16", 4),
        ("2^10", "2 ^ 10", 1024),
        ("what is 3 squared plus 4 squared", "3 ^ 2 + 4 ^ 2", 25),
        ("(3+4)*5", "(3 + 4) * 5", 35),
        ("what is -3 plus 5", "- 3 + 5", 2),
        ("add 5 to 7", "5 + 7", 12),
        ("subtract 2 from 10", "10 - 2", 8),
        ("multiply 6 by 7", "6 * 7", 42),
        ("the sum of 1 and 2", "1 + 2", 3),
        ("half of 9", "1 / 2 * 9", Fraction(9, 2)),
        ("1,000 + 2", "1000 + 2", 1002),
        ("5 x 3", "5 * 3", 15),
        ("10 minus 3 minus 2", "10 - 3 - 2", 5),
        ("17 modulo 5", "17 % 5", 2),
        ("2 ^ 3 ^ 2", "2 ^ 3 ^ 2", 512),
        ("2 ** 3", "2 ^ 3", 8),
        ("0.1 + 0.2", "0.1 + 0.2", Fraction(3, 10)),
        ("4 ^ 0.5", "4 ^ 0.5", 2),
        ("6 ÷ 4", "6 / 4", Fraction(3, 2)),
    ],
)
def test_finds_and_evaluates(text: str, expression: str, value: Fraction):
    assert find_expression(text) == expression
    assert evaluate(expression) == value


@pytest.mark.parametrize("text", ["what is 5", "tell me a story", "x = 3", "", "in 2026", "plus", "5 and 3"])
def test_no_arithmetic_there(text: str):
    assert find_expression(text) is None


@pytest.mark.parametrize(
    ("expression", "why"),
    [
        ("5 / 0", "divided by zero"),
        ("5 % 0", "divided by zero"),
        ("0 ^ - 1", "divided by zero"),
        ("9 ^ 9 ^ 9", "too large"),
        ("9 ^ 9.5 ^ 9", "too large"),
        ("(" * 5000 + "1", "too large"),
        ("9" * 1000, "too large"),
        ("sqrt - 4", "negative"),
        ("- 8 ^ 0.5 + (- 8) ^ 0.5", "no real answer"),
        ("(1 + 2", "do not understand"),
        ("1 + ", "do not understand"),
        ("1 2", "do not understand"),
        ("__import__('os')", "do not understand"),
    ],
)
def test_the_impossible_is_a_sentence(expression: str, why: str):
    with pytest.raises(Impossible, match=why):
        evaluate(expression)


def test_an_expression_in_words():
    assert in_words("17 * 23 + sqrt 4") == "17 times 23 plus the square root of 4"
