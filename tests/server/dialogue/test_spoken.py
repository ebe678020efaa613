import random

import pytest

from rtchat.server.dialogue.spoken import spoken


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("It is **very** _good_, ***really***.", "It is very good , really ."),
        ("Type `ls -l` in ~~bash~~ zsh.", "Type ls -l in bash zsh."),
        ("2 * 3 is 6, 2*3 too, and a_b_c stays.", "2 * 3 is 6, 2*3 too, and a_b_c stays."),
        ("# Cake\n> said\n- eggs\n* milk\n1. Stir", "Cake said eggs milk 1. Stir"),
        ("See [the page](https://example.org/a) ![a cat](cat.png).", "See the page a cat ."),
        ("| a | b |\n|---|:-:|\n| 1 | 2 |", "a b 1 2"),
        ("Well done! 🎉👍🏽 ☀️", "Well done!"),
        ("one\n---\ntwo", "one two"),
        ("```python\nx = 1\n```", "python x = 1"),
        ("minus -5 and a-b - so", "minus -5 and a-b - so"),
    ],
)
def test_what_is_said(written, said):
    assert " ".join(spoken(written).split()) == said


def test_every_word_stays_where_it_was():
    chance = random.Random(3)
    for _ in range(300):
        text = "".join(chance.choices("ab *_`~#>|-[]()!\n🎉", k=60))
        assert len(spoken(text)) == len(text)
        assert all(after in (before, " ") for before, after in zip(text, spoken(text), strict=True))
