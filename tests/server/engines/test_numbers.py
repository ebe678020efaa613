from fractions import Fraction

import pytest

from rtchat.server.engines.numbers import number_words, spoken, words_to_digits


@pytest.mark.parametrize(
    ("words", "digits"),
    [
        ("seventeen times twenty three", "17 times 23"),
        ("twenty-three cats", "23 cats"),
        ("two hundred and five", "205"),
        ("two hundred and three hundred", "200 and 300"),
        ("three thousand four hundred and fifty six", "3456"),
        ("one million and one", "1000001"),
        ("a hundred cats and a dog", "100 cats and a dog"),
        ("one two three", "1 2 3"),
        ("nineteen eighty four", "19 84"),
        ("two point five, please", "2.5, please"),
        ("forty two.", "42."),
        ("what is the point", "what is the point"),
        ("zero", "0"),
        ("", ""),
        ("well-known seventy-one", "well known 71"),
    ],
)
def test_words_become_digits(words: str, digits: str):
    assert words_to_digits(words) == digits


@pytest.mark.parametrize("n", [0, 7, 13, 20, 99, 100, 101, 999, 1000, 12_345, 1_000_000, 987_654_321])
def test_there_and_back(n: int):
    assert words_to_digits(number_words(n)) == str(n)


def test_below_zero():
    assert number_words(-21) == "minus twenty one"


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (Fraction(391), "391"),
        (Fraction(12, 5), "2.4"),
        (Fraction(1, 3), "about 0.3333"),
        (Fraction(1, 10**6), "about 1e-06"),
        (2**0.5, "about 1.4142"),
        (2.5, "2.5"),
        (Fraction(0), "0"),
        (1e20, "about 1e+20"),
    ],
)
def test_results_are_said_as_exactly_as_they_are(value: Fraction | float, said: str):
    assert spoken(value) == said
