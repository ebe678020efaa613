import numpy as np
import pytest

from rtchat.audio.clues import CLUES, Clues
from rtchat.audio.excess import LEARNT_CHUNKS
from rtchat.audio.speech import WINDOW_MS, Speech
from rtchat.chunk import WIRE, to_pcm16

CHUNK = WIRE.bytes_in(20)
DRAW = np.random.default_rng(4)


class Deaf:
    """A detector to which nothing is speech."""

    said = 0.1

    def probability(self, window: bytes) -> float:
        return self.said

    def reset(self) -> None:
        self.said = 0.2


def noise(size: float) -> bytes:
    return to_pcm16(size * DRAW.standard_normal(WIRE.samples(CHUNK)).astype(np.float32))


def feed(clues: Clues, chunks: int, *, cancelled: float = 1.0, size: float = 0.01, far: float = 0.0):
    found = []
    for n in range(chunks):
        raw = noise(size)
        pcm = to_pcm16(np.frombuffer(raw, "<i2").astype(np.float32) / 32768 * cancelled)
        found += clues.feed(n / 50, pcm, raw=raw, far=noise(far) if far else bytes(CHUNK), converged=True)
    return found


def test_there_is_a_row_for_each_window_with_the_time_of_its_first_sample():
    found = feed(Clues(Speech(Deaf())), 50)
    assert len(found) == pytest.approx(1000 / WINDOW_MS, abs=1)
    assert np.diff([clue.begins for clue in found]) == pytest.approx(WINDOW_MS / 1000)
    assert all(clue.row.shape == (CLUES,) and clue.row.dtype == np.float32 for clue in found)
    assert {clue.probability for clue in found} == {0.1}


def test_the_numbers_of_a_row_are_of_about_the_same_size_however_loud_it_is():
    for size in (0.0, 0.001, 0.3):
        rows = np.stack([clue.row for clue in feed(Clues(Speech(Deaf())), 150, size=size, far=0.1)])
        assert np.isfinite(rows).all() and np.abs(rows).max() < 4


def test_what_the_canceller_took_is_known():
    clue = feed(Clues(Speech(Deaf())), 20, cancelled=0.05)[-1]
    assert clue.raw_dbfs == pytest.approx(-40, abs=1)
    assert clue.level < clue.raw_dbfs - 20


def test_nothing_exceeds_until_the_echo_is_learnt():
    clues = Clues(Speech(Deaf()))
    assert {clue.excess for clue in feed(clues, LEARNT_CHUNKS - 2, far=0.1)} == {0.0}
    feed(clues, 10, far=0.1)
    assert feed(clues, 4, size=0.3, far=0.1)[-1].excess > 4


def test_while_somebody_speaks_no_echo_is_learnt():
    detector = Deaf()
    clues = Clues(Speech(detector))
    detector.said = 0.9
    feed(clues, 2 * LEARNT_CHUNKS, far=0.1)
    assert {clue.excess for clue in feed(clues, 10, size=0.3, far=0.1)} == {0.0}


def test_after_a_reset_the_room_is_known_and_the_last_sound_is_not():
    detector = Deaf()
    clues = Clues(Speech(detector))
    feed(clues, LEARNT_CHUNKS + 10, far=0.1)
    clues.reset()
    found = feed(clues, 3, size=0.3)
    assert found[0].begins == pytest.approx(0, abs=0.01) and found[0].probability == 0.2
    assert found[-1].excess > 4
