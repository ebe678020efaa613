from dataclasses import replace

import pytest

from rtchat.audio.soundcheck import SoundCheck, advice

GOOD = SoundCheck("m", "l", 48_000, 48_000, noise_dbfs=-60, echo_db=-20, erle_db=30, echo="aec")


@pytest.mark.parametrize(
    ("found", "said"),
    [
        ({}, None),
        ({"echo": "half-duplex", "erle_db": 1.0}, "headphones"),
        ({"input_rate": 8_000}, "telephone"),
        ({"noise_dbfs": -30.0}, "noise"),
        ({"dropouts": 1}, "lost"),
        ({"clipped": 0.01}, "clips"),
        ({"voice_dbfs": -50.0}, "gain"),
        ({"voice_dbfs": -30.0}, None),
        ({"voice_dbfs": -30.0, "noise_dbfs": -38.0}, "noise"),
    ],
)
def test_what_it_recommends(found, said):
    todo = advice(replace(GOOD, **found))
    assert (said is None and todo == []) or (len(todo) == 1 and said in todo[0])


def test_figures_are_rounded_to_what_was_measured():
    fine = replace(GOOD, echo_db=-20.04567, drift_ppm=-0.04, clipped=0.0123456, noise_dbfs=None)
    assert fine.rounded() == replace(GOOD, echo_db=-20.0, drift_ppm=-0.0, clipped=0.0123, noise_dbfs=None)
