import pytest

from rtchat.server.dialogue.completeness import CERTAIN, HANGING, NOTHING, UNCLEAR
from rtchat.server.dialogue.pause import Pause
from rtchat.server.dialogue.signals import Judged, NotRecognised, Recognised


def over(*told, recognised=True):
    pause = Pause("A", recognised=recognised)
    for result in told:
        pause.told(result)
    return pause.over


def test_nothing_is_known_at_first():
    assert over() is None
    assert over(recognised=False) == UNCLEAR


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
