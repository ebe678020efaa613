"""When a client has been waited for long enough; the clock is the test's."""

import pytest

from rtchat.server.client_timeouts import ClientTimeouts
from rtchat.server.dialogue.signals import Close
from rtchat.server.limits import Limits


class Session:
    def __init__(self, **limits):
        self.now = 100.0
        self.timeouts = ClientTimeouts(Limits(**limits), lambda: self.now)

    def after(self, seconds, *, waiting=0, busy=False):
        self.now += seconds
        return self.timeouts.verdict(waiting, busy=busy)


def test_a_frame_that_does_not_leave():
    session = Session(slow_s=30)
    session.timeouts.sending()
    assert session.after(29) is None
    assert session.after(1, waiting=7) == Close(1008, "slow reader: 7 bytes unread for 30 s")


def test_frames_that_leave_keep_it_going():
    session = Session(slow_s=30, outbox_bytes=100)
    for _ in range(5):
        session.timeouts.sending()
        assert session.after(20, waiting=100) is None
        session.timeouts.sent(100)


def test_one_that_reads_slower_than_it_asks():
    session = Session(slow_s=30, outbox_bytes=100)
    assert session.after(0, waiting=101) is None
    session.timeouts.sent(101)
    assert session.after(29, waiting=500) is None
    assert session.after(1, waiting=101).code == 1008


def test_one_that_catches_up_starts_anew():
    session = Session(slow_s=30, outbox_bytes=100)
    session.after(0, waiting=101)
    session.timeouts.sent(100)
    assert session.after(40, waiting=101) is None
    assert session.after(29, waiting=101) is None


def test_silence_is_no_reason_by_default():
    assert Session().after(1e9) is None


def test_silence_where_it_is_one():
    session = Session(idle_s=60)
    assert session.after(50) is None
    session.timeouts.heard()
    assert session.after(50) is None
    assert session.after(20, busy=True) is None  # it listens to an answer
    assert session.after(0) == Close(1000, "idle for 60 s")


@pytest.mark.parametrize(("limits", "every"), [({}, 7.5), ({"idle_s": 4}, 1), ({"slow_s": 2, "idle_s": 4}, 0.5)])
def test_it_looks_four_times_in_the_shortest_wait(limits, every):
    assert Session(**limits).timeouts.every_s == every
