from rtchat.server.pace import Pace


def test_the_first_seconds_are_sent_at_once_and_the_rest_paced():
    now = 100.0
    pace, second = Pace(lambda: now), bytes(48_000)
    assert [pace.wait_s(second) for _ in range(8)] == [0, 0, 0, 0, 0, 0, 0.25, 0.5]
    now += 0.75
    assert pace.wait_s(second) == 0
