from types import SimpleNamespace

import numpy as np
import pytest

from rtchat.audio.echo import Echo
from rtchat.audio.near_end import EchoNews, NearEnd
from rtchat.chunk import WIRE
from rtchat.conversation.signals import Captured, EchoChanged, VoiceConfirmed, VoiceSuspected

CHUNK = (1000 * np.ones(WIRE.samples_in(20))).astype("<i2").tobytes()


class Scripted:
    """A barge-in policy that tells what it was given to tell, and notes what it was fed."""

    def __init__(self, *script) -> None:
        self.script = list(script)
        self.fed: list[dict] = []
        self.spurious = False

    def feed(self, at, pcm, **known):
        self.fed.append({"at": at, "pcm": pcm, **known})
        return self.script.pop(0)


def test_what_is_told_of_the_voice_comes_before_its_chunk():
    near_end = NearEnd(Echo(lambda near, _: near), Scripted([], [VoiceSuspected(60.0)], [VoiceConfirmed()]))
    told = [near_end.feed(n * 0.02, CHUNK) for n in range(3)]
    captured = Captured(CHUNK)
    assert told == [[captured], [VoiceSuspected(60.0), captured], [VoiceConfirmed(), captured]]


def test_the_policy_knows_what_plays_and_gets_the_chunk_without_it():
    barge_in = Scripted([], [])
    near_end = NearEnd(Echo(lambda near, _: bytes(len(near))), barge_in)
    near_end.played(0.0, CHUNK * 5)
    for n in range(2):
        near_end.feed(n * 0.02, CHUNK)
    last = barge_in.fed[-1]
    assert last["sounding"]
    assert last["far"] == CHUNK
    assert last["pcm"] == bytes(len(CHUNK))
    assert last["raw"] == CHUNK
    assert not last["converged"]


def test_muted_is_silence_for_everybody():
    barge_in = Scripted([], [])
    near_end = NearEnd(Echo(lambda near, _: near), barge_in)
    near_end.muted = True
    assert near_end.feed(0.0, CHUNK) == [Captured(bytes(len(CHUNK)))]
    assert barge_in.fed[0]["pcm"] == barge_in.fed[0]["raw"] == bytes(len(CHUNK))
    near_end.muted = False
    assert near_end.feed(0.02, CHUNK) == [Captured(CHUNK)]
    assert NearEnd().feed(0.0, CHUNK) == [Captured(CHUNK)]


def test_the_assistants_own_voice_is_silence():
    barge_in = Scripted([], [])
    near_end = NearEnd(Echo(lambda near, _: near), barge_in)
    barge_in.spurious = True
    assert near_end.feed(0.0, CHUNK) == [Captured(bytes(len(CHUNK)))]
    assert barge_in.fed[0]["pcm"] == CHUNK
    barge_in.spurious = False
    assert near_end.feed(0.02, CHUNK) == [Captured(CHUNK)]


def test_another_canceller_may_take_over():
    barge_in = Scripted([], [])
    near_end = NearEnd(Echo(lambda near, _: bytes(len(near))), barge_in)
    near_end.muted = True
    near_end.feed(0.0, CHUNK)
    near_end.echo = Echo(lambda near, _: near)
    near_end.feed(0.02, CHUNK)
    assert [fed["sounding"] for fed in barge_in.fed] == [False, False]
    near_end.echo = None
    assert near_end.feed(0.04, CHUNK) == [Captured(bytes(len(CHUNK)))]


@pytest.mark.parametrize(
    ("verdict", "erle", "forced", "news"),
    [
        ("measuring", None, False, None),
        ("cancelling", 31.4, False, EchoChanged("aec", 31)),
        ("no echo", None, False, EchoChanged("none", None)),
        ("failing", 1.2, False, EchoChanged("half-duplex", None)),
        ("failing", 1.2, True, EchoChanged("aec", 1)),
    ],
)
def test_what_is_told_of_each_verdict_once(verdict, erle, forced, news):
    told = EchoNews(SimpleNamespace(verdict=verdict, erle_db=erle), forced=forced)
    assert told.look() == news
    assert told.look() is None


def test_a_new_figure_is_told_when_it_differs():
    echo = SimpleNamespace(verdict="cancelling", erle_db=20.0)
    news = EchoNews(echo, forced=False)
    assert news.look() == EchoChanged("aec", 20)
    echo.erle_db = 22.4
    assert news.look() is None
    echo.erle_db = 24.0
    assert news.look() == EchoChanged("aec", 24)
    echo.verdict = "failing"
    assert news.look() == EchoChanged("half-duplex", None)
    echo.verdict, echo.erle_db = "cancelling", 24.0
    assert news.look() == EchoChanged("aec", 24)
