import pytest

from rtchat.server.engines.turn import has, normalise


@pytest.mark.parametrize(
    ("said", "normal"),
    [
        ("What’s the time?", "what is the time?"),
        ("WHATS  UP", "what is up"),
        ("It's seventeen o'clock, please!", "it is 17 , !"),
        ("I can't, they're out", "i cannot, they are out"),
        ("17 × 23 ÷ 2", "17 × 23 ÷ 2"),
        ('say "hi" [[x]] <b>', "say hi x b"),
        ("one hour and ten minutes", "1 hour 10 minutes"),
    ],
)
def test_normalise(said: str, normal: str):
    assert normalise(said) == normal


def test_has_looks_for_whole_words():
    assert has("tell me the time", "time")
    assert not has("sometimes", "time")
