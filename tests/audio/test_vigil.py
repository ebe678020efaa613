from rtchat.audio.vigil import LOOK_SECONDS, MOST_PATIENCE_SECONDS, PATIENCE_SECONDS, Vigil


def looks(vigil: Vigil, seconds: float, *, calls: int, begin: float = 0.0) -> list[bool]:
    """What is said at each look while the stream does not call back."""
    return [vigil.stalled(calls, begin + n * LOOK_SECONDS) for n in range(round(seconds / LOOK_SECONDS) + 1)]


def test_a_stream_that_calls_back_has_not_stalled():
    vigil = Vigil()
    assert not any(vigil.stalled(n, n * LOOK_SECONDS) for n in range(50))


def test_silence_for_as_long_as_the_patience_is_a_stall():
    said = looks(Vigil(), 1.0, calls=7)
    assert said.index(True) in (5, 6)
    assert all(said[6:])


def test_a_watcher_that_was_late_counts_anew():
    # A busy machine, a stopped program and a sleeping computer keep the watcher from looking, too.
    vigil = Vigil()
    assert not any(looks(vigil, 0.4, calls=7))
    assert not vigil.stalled(7, 5.0)
    assert not any(looks(vigil, 0.3, calls=7, begin=5.1))
    assert vigil.stalled(7, 5.6)


def test_a_stream_that_was_opened_in_vain_is_given_more_time():
    vigil = Vigil()
    assert looks(vigil, 1.0, calls=7)[-1]
    vigil.renew()
    assert not any(looks(vigil, 2 * PATIENCE_SECONDS - LOOK_SECONDS, calls=0, begin=2.0))
    for _ in range(9):
        vigil.renew()
    assert vigil.patience == MOST_PATIENCE_SECONDS
