import math

import pytest

from rtchat.tools.arithmetic import evaluate


@pytest.mark.parametrize(
    ("expression", "result"),
    [
        ("17 * 23", 391),
        ("2 + 3 * 4", 14),
        ("4 / 2", 2),
        ("10 / 4", 2.5),
        ("7 // 2 + 7 % 4", 6),
        ("-(2 ** 3)", -8),
        ("2^10", 1024),
        ("6 × 7 ÷ 2 − 1", 20),
        ("√(16)", 4),
        ("2 * π", 2 * math.pi),
        ("sqrt(2) ** 2", pytest.approx(2)),
        ("round(2.567, 2)", 2.57),
        ("round(2.5)", 2),
        ("max(1, 2, 3) + min(4, 5)", 7),
        ("factorial(5)", 120),
        ("0.1 + 0.2", pytest.approx(0.3)),
        ("12 * 12 =", 144),
        ("2 ** 900", 2**900),
        ("1e3", 1000),
    ],
)
def test_results(expression, result):
    assert evaluate(expression) == result


def test_whole_results_are_whole():
    assert repr(evaluate("4 / 2")) == "2"
    assert repr(evaluate("1e200")) == "1e+200"


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("1 / 0", "division by zero has no result"),
        ("0 ** -1", "division by zero has no result"),
        ("9 ** 9 ** 9 ** 9", "more than 300 digits"),
        ("10 ** 299 * 10", "more than 300 digits"),
        ("1e299 * 1e299", "finite"),
        ("factorial(1000)", "factorial needs a whole number from 0 to 170"),
        ("factorial(2.5)", "factorial needs a whole number"),
        ("(-8) ** 0.5", "not a real number"),
        ("sqrt(-1)", ""),
        ("exp(100000)", "cannot be worked out"),
        ("round(1, -999999999)", "round takes at most 20 digits"),
        ("sqrt()", "cannot be worked out"),
        ("__import__('os').system('true')", "is not arithmetic"),
        ("(1).__class__", "is not arithmetic"),
        ("x + 1", "'x' is not arithmetic"),
        ("[1] * 3", "is not arithmetic"),
        ("'a' * 3", "is not arithmetic"),
        ("True + 1", "is not arithmetic"),
        ("max(*[1])", "is not arithmetic"),
        ("round(1.5, ndigits=0)", "is not arithmetic"),
        ("1 << 9", "is not arithmetic"),
        ("2 +", "is not arithmetic"),
        ("(" * 150 + "1" + ")" * 150, "1 to 300 characters"),
        ("-" * 299 + "1", ""),
        ("", "1 to 300 characters"),
        ("1\0", "not"),
    ],
)
def test_refusals_are_sentences(expression, message):
    try:
        result = evaluate(expression)
    except ValueError as error:
        assert message in str(error)
    else:
        assert (expression, result) == ("-" * 299 + "1", -1)
