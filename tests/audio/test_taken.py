import numpy as np
import pytest

from rtchat.audio.part import Part
from rtchat.audio.taken import KEPT_SECONDS, Span, Taken
from rtchat.chunk import WIRE

A, B = Part("A", 0, WIRE), Part("B", 0, WIRE)


def span(start: int, begins: float, *, part: Part = A, volumes=None) -> Span:
    """A hundredth of a second."""
    pcm = np.arange(start, start + 240, dtype="<i2").tobytes()
    return Span(part, start, start + 240, begins, begins + 0.01, pcm, volumes)


def taken(*spans: Span) -> Taken:
    it = Taken()
    for one in spans:
        it.add(one)
    return it


@pytest.mark.parametrize(("at", "start"), [(0.5, 0), (1.0, 0), (1.0025, 60), (1.01, 240), (2.0, 240)])
def test_a_span_is_cut_in_two_at_any_time(at, start):
    whole = span(0, 1.0)
    before, after = whole.before(at), whole.after(at)
    assert before.end == after.start == pytest.approx(start, abs=1)
    assert before.pcm + after.pcm == whole.pcm
    assert (before.start, after.end) == (0, 240)
    assert len(before.pcm) == 2 * before.end


def test_what_is_played_is_as_loud_as_it_is_played():
    assert span(0, 1.0).played == span(0, 1.0).pcm
    assert span(0, 1.0, volumes=np.zeros(480, dtype=np.float32)).played == bytes(480)


def test_what_was_taken_is_told_as_played_once_and_at_once():
    it = taken(span(0, 1.0), span(240, 1.01))
    assert [one.start for one in it.take_played()] == [0, 240]
    assert it.take_played() == []


def test_what_has_left_is_told_by_part_and_only_when_it_is_more():
    it = taken(span(0, 1.0), span(240, 1.01), span(0, 1.02, part=B))
    assert it.parts == {A, B}
    assert it.ends == pytest.approx(1.03)
    assert it.heard(1.0) == {}
    assert it.heard(1.0151) == {A: 362}
    assert it.heard(1.0251) == {A: 480, B: 122}
    assert it.parts == {B}
    assert it.heard(1.03) == {B: 240}
    assert (bool(it), it.ends, it.heard(9.0)) == (False, None, {})


def test_what_a_device_never_played_is_lost_whether_it_was_told_or_not():
    it = taken(*[span(240 * n, 1 + n / 100) for n in range(5)])
    it.heard(1.03)
    lost = it.lost(1.0151)
    assert [one.start for one in lost] == [362, 480, 720, 960]
    assert b"".join(one.pcm for one in lost) == np.arange(362, 1200, dtype="<i2").tobytes()
    assert not it
    assert it.lost(0.0) == []


def test_what_had_left_before_is_still_to_be_told():
    it = taken(*[span(240 * n, 1 + n / 100) for n in range(5)])
    assert [one.start for one in it.lost(1.0151)] == [362, 480, 720, 960]
    assert it.heard(9.0) == {A: 362}


def test_nothing_that_was_settled_or_flushed_is_lost():
    it = taken(span(0, 1.0), span(240, 1.01))
    it.heard(1.01)
    it.settle()
    assert [one.start for one in it.lost(0.0)] == [240]
    flushed = Part("C", 0, WIRE)
    flushed.limit = 100
    it = taken(span(0, 1.0, part=flushed))
    assert it.lost(0.0) == []
    assert it.heard(9.0) == {flushed: 240}


def test_what_was_heard_long_ago_is_forgotten():
    it = taken(*[span(240 * (n % 100), n / 100) for n in range(300)])
    it.heard(9.0)
    assert len(it.lost(0.0)) == pytest.approx(100 * KEPT_SECONDS, abs=2)
