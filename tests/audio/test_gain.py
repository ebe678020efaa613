import numpy as np
import pytest

from rtchat.audio.gain import DUCK_DB, DUCKED, Fade, Ramp, at_volume, both


def of(*values: float) -> np.ndarray:
    return np.array(values, dtype=np.float32)


def whole(blocks) -> np.ndarray:
    """Blocks of volumes one after the other; full volume is three ones here."""
    return np.concatenate([of(1, 1, 1) if block is None else block for block in blocks])


def test_ducking_is_by_eighteen_decibels():
    assert DUCK_DB == -18
    assert pytest.approx(0.126, abs=0.001) == DUCKED


def test_a_ramp_is_a_straight_line_over_any_blocks_and_ends_where_it_was_told():
    ramp = Ramp()
    assert ramp.take(3) is None
    ramp.go(0.0, 8)
    line = whole(ramp.take(3) for _ in range(4))
    assert line == pytest.approx([*np.arange(7, -1, -1) / 8, 0, 0, 0, 0], abs=1e-6)
    ramp.go(1.0, 4)
    assert whole(ramp.take(3) for _ in range(3)) == pytest.approx([0.25, 0.5, 0.75, 1, 1, 1, 1, 1, 1])
    assert ramp.take(3) is None


def test_a_ramp_that_is_told_otherwise_turns_where_it_is():
    ramp = Ramp()
    ramp.go(0.0, 4)
    assert ramp.take(2) == pytest.approx([0.75, 0.5])
    ramp.go(1.0, 5)
    assert ramp.take(5) == pytest.approx([0.6, 0.7, 0.8, 0.9, 1.0])


def test_a_ramp_that_is_told_the_same_again_goes_on():
    ramp = Ramp()
    ramp.go(0.0, 4)
    ramp.take(2)
    ramp.go(0.0, 4)
    assert ramp.left == 2


def test_a_fade_is_silent_at_the_end_of_what_is_in_hand_and_rises_after_it():
    fade = Fade(4)
    assert fade.take(3, 9, closing=True) is None
    assert whole(fade.take(3, in_hand, closing=True) for in_hand in (6, 3)) == pytest.approx(
        [1, 1, 1, 0.75, 0.5, 0.25]
    )
    assert fade.level == 0
    assert whole(fade.take(3, 50, closing=True) for _ in range(2)) == pytest.approx([0, 0.25, 0.5, 0.75, 1, 1])


def test_what_comes_in_the_middle_of_a_fade_turns_it():
    fade = Fade(4)
    assert fade.take(3, 5, closing=True) == pytest.approx([1, 1, 0.75])
    assert fade.take(3, 50, closing=True) == pytest.approx([0.5, 0.75, 1])


def test_a_part_that_ends_by_itself_does_not_fade():
    assert Fade(4).take(3, 3, closing=False) is None


def test_the_short_rest_of_a_part_after_a_gap_rises_and_falls():
    fade = Fade(4)
    fade.level = 0.0
    assert whole(fade.take(3, in_hand, closing=False) for in_hand in (6, 3)) == pytest.approx(
        [0, 0.25, 0.5, 0.75, 0.5, 0.25]
    )
    assert fade.take(2, 2, closing=False) == pytest.approx([0, 0.25])


def test_a_flush_only_falls_from_the_volume_that_it_has():
    fade = Fade(4)
    fade.fall(0.5)
    assert whole(fade.take(2, in_hand, closing=False) for in_hand in (4, 2)) == pytest.approx(
        [0.5, 0.375, 0.25, 0.125]
    )


@pytest.mark.parametrize("level", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("in_hand", [1, 2, 3, 4, 5, 6, 20])
def test_no_fade_steps_further_than_it_must(level, in_hand):
    fade = Fade(8)
    fade.level = level
    line = fade.take(in_hand, in_hand, closing=True)
    steps = np.abs(np.diff([level, *line, 0.0]))
    assert steps.max() <= max(1 / 8, level / in_hand) + 1e-6


def test_two_volumes_are_one_upon_the_other():
    assert both(None, None) is None
    assert both(of(0.5), None) == both(None, of(0.5)) == of(0.5)
    assert both(of(0.5), of(0.5)) == of(0.25)


def test_sound_at_full_volume_is_the_same_bytes():
    pcm = np.arange(-32768, 32767, 111, dtype="<i2").tobytes()
    assert at_volume(pcm, None) is pcm
    assert at_volume(pcm, np.ones(len(pcm) // 2, dtype=np.float32)) == pcm
    assert at_volume(b"", of(0.5)) == b""


def test_both_channels_have_the_same_volume():
    pcm = np.array([100, -100, 200, -200], dtype="<i2").tobytes()
    assert at_volume(pcm, of(1, 0.5), channels=2) == np.array([100, -100, 100, -100], dtype="<i2").tobytes()


@pytest.mark.parametrize("samples", [3, 6, 12])
def test_volumes_are_stretched_over_sound_of_another_rate(samples):
    pcm = np.full(samples, 6000, dtype="<i2").tobytes()
    line = np.arange(6, 0, -1, dtype=np.float32) / 6
    out = np.frombuffer(at_volume(pcm, line), dtype="<i2")
    expected = 6000 - 6000 * np.arange(samples) / samples
    assert out == pytest.approx(np.maximum(expected, 1000), abs=1)
