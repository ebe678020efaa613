from rtchat.audio.echo_measure import Measure


def test_nothing_is_known_before_the_assistant_has_spoken():
    measure = Measure()
    for _ in range(500):
        measure.note(-96, -60, -60, active=False)
    assert (measure.verdict, measure.erle_db) == ("measuring", None)
