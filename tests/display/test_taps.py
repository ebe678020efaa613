from __future__ import annotations

import pytest

from rtchat.display.taps import REPEAT_SECONDS, Taps

FOLLOWED = object()


def counted(times):
    """When the key counts as pressed, for the times at which it was sent."""
    taps, found, pending = Taps(), [], None
    for at in times:
        if pending is not None and at > pending:
            found.append(pending)
        pending = None
        wait = taps.press(at)
        if wait == 0:
            found.append(at)
        elif wait is not None:
            pending = at + wait
    return found if pending is None else [*found, pending]


def test_taps_far_apart_count_at_once():
    assert counted([1.0, 3.0, 5.5]) == [1.0, 3.0, 5.5]


def test_a_second_tap_that_might_be_a_repeat_counts_a_little_later():
    assert counted([1.0, 1.6]) == [1.0, 1.6 + REPEAT_SECONDS]


@pytest.mark.parametrize(("delay", "period"), [(0.25, 0.033), (0.66, 0.04), (0.375, 0.09), (1.0, 0.09)])
def test_a_key_that_is_held_counts_once(delay, period):
    held = [1.0, *(1.0 + delay + n * period for n in range(50))]
    assert counted(held) == [1.0]
    later = held[-1] + 2.0
    assert counted([*held, later]) == [1.0, later]
