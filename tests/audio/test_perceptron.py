import numpy as np
import pytest
import rooms
from rooms import RATE, Room, Shape, to_wire

from rtchat.audio.clues import CLUES, Clues
from rtchat.audio.echo import Echo
from rtchat.audio.perceptron import WINDOWS, Perceptron

ROW = np.linspace(-1, 1, CLUES, dtype=np.float32)


def test_the_same_rows_have_the_same_score_between_0_and_1():
    one, other = Perceptron(), Perceptron()
    scores = [one.feed(ROW * n) for n in range(20)]
    assert scores == [other.feed(ROW * n) for n in range(20)]
    assert all(0 <= score <= 1 for score in scores) and len(set(scores)) > 1


def test_it_looks_back_a_third_of_a_second_and_no_further():
    one, other = Perceptron(), Perceptron()
    for _ in range(50):
        one.feed(ROW)
    for n in range(WINDOWS):
        one.feed(ROW * n)
        other.feed(ROW * n)
    assert one.feed(ROW) == other.feed(ROW)


def test_a_reset_forgets():
    one = Perceptron()
    fresh = one.feed(ROW)
    one.feed(ROW * 3)
    one.reset()
    assert one.feed(ROW) == fresh


def test_rows_beyond_all_measure_still_have_a_score():
    assert 0 <= Perceptron().feed(np.full(CLUES, 1e6, np.float32)) <= 1


@pytest.mark.skipif(bool(rooms.missing()), reason=f"nobody to speak: {', '.join(rooms.missing())}")
def test_a_voice_over_an_echo_scores_high_and_the_echo_low():
    """In a room and from voices that it has not learnt from."""
    canceller = pytest.importorskip("rtchat.audio.canceller")
    pytest.importorskip("livekit")
    room = Room(77, shape=Shape(delay_ms=60, rt60=0.3, echo_db=-12, noise_dbfs=-60))
    far = np.concatenate([one.samples for one in rooms.synthetic("flite rms")])[: 14 * RATE]
    said = rooms.utter("espeak en-us", "wait a moment").samples
    near = np.zeros_like(far)
    near[10 * RATE : 10 * RATE + len(said)] = said
    echo, clues, perceptron = Echo(canceller.load_canceller().process), Clues(), Perceptron()
    before, during = [], []
    for at in range(0, len(far) - 480, 480):
        pcm = to_wire(room.pass_on(far[at : at + 480], near[at : at + 480]))
        echo.played(at / RATE, to_wire(far[at : at + 480]))
        given = echo.feed(at / RATE, pcm)
        for clue in clues.feed(at / RATE, given, raw=pcm, far=echo.far, converged=echo.converged):
            score = perceptron.feed(clue.row)
            if 3 < clue.begins < 9.9:
                before.append(score)
            elif 10 < clue.begins < 10 + len(said) / RATE:
                during.append(score)
    assert np.mean(before) < 0.05
    assert sorted(during)[-5] > 0.9
