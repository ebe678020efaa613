import numpy as np
import pytest

from rtchat.audio.gain import FADE_MS
from rtchat.audio.part import Part, ms_of
from rtchat.chunk import WIRE, AudioFormat

FADE = WIRE.samples_in(FADE_MS)


def sound(samples: int, value: int = 1000) -> bytes:
    return np.full(samples, value, dtype="<i2").tobytes()


def given(pcm: bytes, device: AudioFormat = WIRE, *, complete: bool = False) -> Part:
    part = Part("A", 0, device)
    part.put(*part.convert(pcm))
    if complete:
        part.put(b"", part.convert_last())
        part.complete = True
    part.rolling = True
    return part


def test_half_a_sample_waits_for_its_other_half():
    part = Part("A", 0, WIRE)
    assert part.convert(b"\x34") == (b"", b"")
    assert part.convert(b"\x12\x78") == (b"\x34\x12", b"\x34\x12")


@pytest.mark.parametrize("form", [WIRE, AudioFormat(48_000, 1), AudioFormat(44_100, 2), AudioFormat(16_000, 1)])
def test_spans_follow_each_other_through_the_whole_part(form):
    whole = np.arange(24_000, dtype="<i2").tobytes()
    part = given(whole, form, complete=True)
    spans, at = [], 5.0
    while part.in_hand:
        frames = min(part.in_hand, 441)
        block, span = part.take(frames, at, None)
        assert len(block) == frames * form.frame_bytes
        spans.append(span)
        at += frames / form.rate
    assert b"".join(span.pcm for span in spans) == whole
    assert [span.start for span in spans] == [0, *(span.end for span in spans[:-1])]
    assert all(span.begins == pytest.approx(5 + span.start / 24_000, abs=1e-9) for span in spans)
    assert spans[-1].ends == pytest.approx(6.0, abs=0.001)
    assert not part.starved


def test_what_runs_dry_has_faded_and_says_so():
    part = given(sound(2 * FADE))
    _, span = part.take(2 * FADE, 0.0, None)
    played = np.frombuffer(span.played, dtype="<i2")
    assert (played[0], played[FADE], played[-1]) == (1000, 1000, 1000 // FADE)
    assert span.pcm == sound(2 * FADE)
    assert (part.starved, part.rolling) == (True, False)


def test_a_flush_leaves_a_fade_of_which_half_counts():
    part = given(sound(10 * FADE))
    part.take(FADE, 0.0, None)
    assert part.cut_ms() == ms_of(FADE + FADE // 2)
    part.flush(1.0)
    assert part.in_hand == FADE
    assert (part.limit, part.cut_ms()) == (FADE + FADE // 2, ms_of(FADE + FADE // 2))
    block, _ = part.take(FADE, 0.0, None)
    assert np.all(np.diff(np.frombuffer(block, dtype="<i2")) <= 0)


def test_a_flush_while_it_is_turned_down_fades_from_there():
    part = given(sound(10 * FADE))
    part.flush(0.25)
    block, _ = part.take(FADE, 0.0, None)
    assert np.frombuffer(block, dtype="<i2")[0] == 250


def test_nothing_of_a_part_that_waits_is_left_by_a_flush():
    part = given(sound(10 * FADE))
    part.rolling = False
    assert part.cut_ms() == 0
    part.flush(1.0)
    assert (part.in_hand, part.limit, part.begun) == (0, 0, False)


@pytest.mark.parametrize("form", [WIRE, AudioFormat(48_000, 2), AudioFormat(44_100, 1), AudioFormat(16_000, 1)])
@pytest.mark.parametrize("complete", [True, False])
def test_the_rest_goes_on_at_another_device(form, complete):
    whole = (8000 * np.sin(np.arange(24_000) / 20)).astype("<i2").tobytes()
    part = given(whole, AudioFormat(48_000, 1), complete=complete)
    part.take(4800, 0.0, None)
    _, span = part.take(4800, 0.1, None)
    part.take_back(span.after(0.15).pcm)
    part.move(form)
    assert (part.rolling, part.begun, part.starved) == (False, True, False)
    assert part.cut_ms() in (149, 150)
    if not complete:
        part.put(b"", part.convert_last())
        part.complete = True
    assert part.in_hand == pytest.approx(0.85 * form.rate, abs=2)
    block, span = part.take(part.in_hand, 9.0, None)
    assert span.pcm == whole[2 * span.start :]
    assert (span.start, span.end) == (pytest.approx(3600, abs=1), 24_000)
    assert block[: form.frame_bytes] == bytes(form.frame_bytes)  # it fades in


def test_nothing_of_a_flushed_part_goes_on_at_another_device():
    part = given(sound(10 * FADE))
    part.take(FADE, 0.0, None)
    part.flush(1.0)
    part.move(AudioFormat(48_000, 1))
    assert (part.in_hand, part.limit) == (0, FADE + FADE // 2)
