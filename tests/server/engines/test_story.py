from rtchat.server.engines.espeak import NORMAL_WPM
from rtchat.server.engines.story import JOKES, STORY, sentences


def test_the_story_lasts_long_enough_to_be_interrupted():
    assert len(STORY.split()) / NORMAL_WPM * 60 > 90


def test_sentences():
    assert sentences("One. Two?\nThree, still three! 3.5 is a number.") == [
        "One.",
        "Two?",
        "Three, still three!",
        "3.5 is a number.",
    ]
    assert sentences("  ") == []
    assert all(len(sentence) < 300 for sentence in sentences(STORY))


def test_jokes_begin_differently():
    assert len({sentences(joke)[0] for joke in JOKES}) == len(JOKES) > 3
