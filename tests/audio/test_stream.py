import pytest

from rtchat.audio.stream import StreamClock


def test_a_late_callback_does_not_move_the_clock():
    clock = StreamClock()
    assert clock.seconds(100.0, 5.0) == 5.0
    assert clock.seconds(100.01, 5.014) == pytest.approx(5.01, abs=1e-4)  # 4 ms late
    assert clock.seconds(100.02, 5.0199) == pytest.approx(5.0199)  # earlier than all before: that is the truth
    assert clock.seconds(100.03, 5.04) == pytest.approx(5.0299, abs=1e-4)


def test_a_clock_that_was_set_is_followed():
    clock = StreamClock()
    clock.seconds(100.0, 5.0)
    assert clock.seconds(4000.01, 5.01) == pytest.approx(5.01)
    assert clock.seconds(4000.02 - 3600, 5.02) == pytest.approx(5.02)
