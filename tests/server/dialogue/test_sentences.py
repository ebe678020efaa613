import random
import re

import pytest

from rtchat.server.dialogue.sentences import LONGEST, Sentences


def gathered(text: str, size: int | None = None) -> list[str]:
    """Fed in tokens, a word or a mark each, or in pieces of a size."""
    pieces = re.findall(r"\s?\w+|\s?[^\w\s]|\s", text) if size is None else _cut(text, size)
    sentences = Sentences()
    return [found for piece in pieces for found in sentences.feed(piece)] + sentences.rest()


def _cut(text: str, size: int) -> list[str]:
    return [text[at : at + size] for at in range(0, len(text), size)]


@pytest.mark.parametrize(
    "text",
    [
        "It is noon.| And you?| I am here!",
        "Dr. Smith of the U.S. Army e.g. J. R. Tolkien came.| He left.",
        "It costs 3.14 dollars.| In 1984.| Done.",
        "Hmm... let me think.| Well… yes.| So…| Yes.",
        '"Stop!"| he said.| (Really?)| Yes.',
        "今日は。|「はい！」|行きます？|はい",
        "1. Wash the rice.|\n2. Boil it.|\n- Serve",
        "A line without an end|\n\nAnother",
        "See example.com or a.b.c for more.| Bye.",
        "Is it I.| Yes",
    ],
)
@pytest.mark.parametrize("size", [None, 1, 3])
def test_where_sentences_end(text, size):
    assert gathered(text.replace("|", ""), size) == text.split("|")


def test_a_sentence_in_one_piece_is_not_waited_for():
    sentences = Sentences()
    assert sentences.feed("Hello there.") == ["Hello there."]
    assert sentences.feed(" It costs 3.") == []
    assert sentences.feed("14 dollars.") == [" It costs 3.14 dollars."]
    assert sentences.feed(" Ask Dr.") == []


def test_only_the_first_clause_goes_early():
    long = "Once upon a time in the mountains, there lived a fox, who was clever."
    assert gathered(f"{long} {long}") == [
        "Once upon a time in the mountains,",
        " there lived a fox, who was clever.",
        f" {long}",
    ]
    assert gathered("Well, that is so.") == ["Well, that is so."]


def test_text_without_an_end_is_cut_at_a_clause_or_a_space():
    words = "word " * 100
    assert all(len(part) <= LONGEST for part in gathered(words))
    clauses = gathered("a" * 30 + " " + "one and two, " * 40)
    assert all(part.endswith(",") for part in clauses[:-1])
    assert gathered("x" * 1000, 7) == ["x" * LONGEST] * 4 + ["x" * 40]


def test_nothing_is_lost():
    chance = random.Random(7)
    for _ in range(300):
        text = "".join(chance.choices('ab Mr. 12,!?…。\n"-:', k=chance.randrange(600)))
        assert "".join(gathered(text, chance.randrange(1, 9))).rstrip() == text.rstrip()
