import pytest

from rtchat.server.dialogue.completeness import CERTAIN, HANGING, NOTHING, UNCLEAR
from rtchat.server.dialogue.pause import Pause
from rtchat.server.dialogue.signals import Judged, NotRecognised, Recognised, SoFar
from rtchat.server.engines.base import Partial


def over(*told, recognised=True, spoken_ms=0):
    pause = Pause("A", recognised=recognised, spoken_ms=spoken_ms)
    for result in told:
        pause.told(result)
    return pause.over


def test_nothing_is_known_at_first():
    assert over() is None
    assert over(recognised=False) == UNCLEAR


def test_what_was_heard_of_less_than_the_speech_says_nothing():
    early, late = (SoFar("I", Partial(text, ms)) for text, ms in [("What time is", 899), ("What time is it?", 900)])
    assert over(early, spoken_ms=900) is None
    assert over(early, late, spoken_ms=900) == CERTAIN
    assert over(late, early, spoken_ms=900) == CERTAIN


@pytest.mark.parametrize(
    ("told", "probability"),
    [
        ([Recognised("A", "What time is it?")], CERTAIN),
        ([Recognised("A", "and")], HANGING),
        ([Recognised("A", "")], NOTHING),
        ([NotRecognised("A", "It broke.")], UNCLEAR),
        ([Judged("A", 0.7)], 0.7),
        ([Judged("A", -1.0)], 0.0),
        ([Judged("A", 0.7), Recognised("A", "What time is it?")], 0.7),
        ([Recognised("A", "and"), Judged("A", 0.7)], HANGING),
        ([Recognised("A", ""), Judged("A", 0.7)], 0.7),
    ],
)
def test_words_and_sound_together(told, probability):
    assert over(*told) == probability
