import random

import pytest

from rtchat.audio.jitter import LEAST_MS, MEMORY_SECONDS, MOST_MS, SPARE_MS, STEP_MS, USUAL_MS, Jitter


def paced(jitter: Jitter, seconds: float, late=lambda: 0.0, size_ms: float = 20) -> None:
    """A part that is spoken as fast as it is made, over a network that is `late` by so many milliseconds."""
    jitter.begin()
    at = 0.0
    for n in range(int(seconds * 1000 / size_ms)):
        at = max(at, (n + 1) * size_ms + late())
        jitter.arrived(at / 1000, size_ms, dry=False)


def test_it_starts_small():
    assert Jitter().target_ms == LEAST_MS <= 60


def test_calm_deltas_leave_it_small():
    jitter = Jitter()
    paced(jitter, 60)
    assert jitter.target_ms == pytest.approx(LEAST_MS)


@pytest.mark.parametrize("size_ms", [20, 50, 100, 200])
def test_what_is_needed_is_the_jitter_and_a_delta(size_ms):
    jitter, rng = Jitter(), random.Random(1)
    paced(jitter, 300, lambda: rng.uniform(0, 150), size_ms)
    assert jitter.target_ms == pytest.approx(150 + size_ms + SPARE_MS, abs=25)


def test_deltas_far_ahead_of_the_loudspeaker_may_be_late():
    jitter = Jitter()
    for n in range(100):
        jitter.arrived(n * 0.01, 100, dry=False)
    jitter.arrived(3.0, 100, dry=False)  # two seconds later, with eight in hand
    assert jitter.target_ms == pytest.approx(LEAST_MS)


def test_a_wait_before_a_part_is_no_jitter():
    jitter = Jitter()
    for part in range(10):
        jitter.begin()
        jitter.arrived(part * 7.0, 500, dry=False)
    assert jitter.target_ms == pytest.approx(LEAST_MS)


@pytest.mark.parametrize("size_ms", [20, 200])
def test_an_underrun_makes_room_for_more_than_was_seen(size_ms):
    jitter = Jitter()
    jitter.arrived(0.0, size_ms, dry=False)
    jitter.arrived((size_ms + 41) / 1000, size_ms, dry=True)
    assert jitter.target_ms >= size_ms + 150 + SPARE_MS


def test_underruns_make_it_grow_to_its_bound_and_no_further():
    jitter, targets = Jitter(), []
    for n in range(20):
        jitter.arrived(n * 0.1, 20, dry=True)
        targets.append(jitter.target_ms)
    assert targets == sorted(targets)
    assert targets[1] - targets[0] == STEP_MS
    assert targets[-1] == MOST_MS


def test_a_stall_that_no_buffer_would_have_bridged_counts_as_usual_jitter():
    jitter = Jitter()
    jitter.arrived(0.0, 20, dry=False)
    jitter.arrived(3600.0, 20, dry=True)  # the laptop was asleep
    jitter.begin()
    assert jitter.target_ms == 20 + USUAL_MS + SPARE_MS


def test_a_part_that_had_a_gap_waits_for_more_than_those_after_it():
    jitter = Jitter()
    jitter.arrived(0.0, 20, dry=False)
    jitter.arrived(0.1, 20, dry=True)
    after_the_gap = jitter.target_ms
    jitter.begin()
    assert jitter.target_ms == after_the_gap - STEP_MS


@pytest.mark.parametrize("ahead", [True, False])
def test_deltas_of_many_lengths_are_no_jitter(ahead):
    """Whether a server sends a delta when its sound begins, or when it is made."""
    jitter, rng, media = Jitter(), random.Random(1), 0
    for _ in range(1000):
        ms = rng.choice([20, 60, 200])
        jitter.arrived((media + (0 if ahead else ms) + rng.uniform(0, 50)) / 1000, ms, dry=False)
        media += ms
    assert jitter.target_ms == pytest.approx(200 + 50 + SPARE_MS, abs=10)


def test_a_stream_slower_than_it_is_spoken_asks_for_the_bound():
    jitter = Jitter()
    for n in range(1000):
        jitter.arrived(n * 0.022, 20, dry=False)
    assert jitter.target_ms == pytest.approx(MOST_MS, abs=5)


def test_it_shrinks_in_calm_and_only_then():
    jitter, rng = Jitter(), random.Random(1)
    paced(jitter, 60, lambda: rng.uniform(0, 150))
    bad = jitter.target_ms
    paced(jitter, MEMORY_SECONDS - 100)
    assert jitter.target_ms == bad
    paced(jitter, MEMORY_SECONDS + 100)
    assert jitter.target_ms == pytest.approx(LEAST_MS)


def test_a_fixed_buffer_is_one_with_equal_bounds():
    jitter = Jitter(400, 400)
    jitter.arrived(0.0, 20, dry=False)
    jitter.arrived(0.5, 20, dry=True)
    assert jitter.target_ms == 400
