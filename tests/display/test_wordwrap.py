from __future__ import annotations

import random

import pytest

from rtchat.display.wordwrap import WordWrap


def wrapped(text, columns=10, pieces=None):
    wrap = WordWrap()
    return "".join(wrap.feed(piece, columns) for piece in (pieces or [text])) + wrap.end(columns)


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("one two three four", "one two\nthree four"),
        ("one two\nthree", "one two\nthree"),
        ("one\n\n  two", "one\n\n  two"),
        ("a supercalifragilistic b", "a\nsupercalifragilistic\nb"),
        ("0123456789 next", "0123456789\nnext"),
        ("日本語の文字列を折り返す", "日本語の文\n字列を折り\n返す"),
        ("", ""),
        ("ends with space ", "ends with\nspace"),
    ],
)
def test_rows_break_between_words(text, rows):
    assert wrapped(text) == rows


def test_a_word_that_comes_in_pieces_is_not_broken():
    assert wrapped("", pieces=["one t", "wo thr", "ee fo", "ur"]) == "one two\nthree four"


def test_how_text_is_cut_makes_no_difference():
    random.seed(1)
    text = "The quick brown 日本語 fox\njumps over a considerably lazy dog and rests. " * 5
    for _ in range(50):
        cuts = sorted(random.sample(range(len(text)), 20))
        pieces = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
        assert wrapped("", 17, pieces) == wrapped(text, 17)


def test_a_row_starts_after_a_newline_and_after_the_end():
    wrap = WordWrap()
    assert wrap.at_row_start
    wrap.feed("word", 10)
    assert not wrap.at_row_start
    wrap.feed("\n", 10)
    assert wrap.at_row_start
    wrap.feed("more words", 10)
    wrap.end(10)
    assert wrap.at_row_start
