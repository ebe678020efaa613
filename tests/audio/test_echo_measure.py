import numpy as np
import pytest
from rooms import RATE, Room, Samples, missing, people, synthetic, to_wire

from rtchat.audio.echo_measure import Measure
from rtchat.chunk import level_dbfs

pytestmark = pytest.mark.skipif(bool(missing()), reason=f"not installed: {', '.join(missing())}")

SECONDS = 12
FAINT_DBFS = -38


def said(utterances) -> Samples:
    whole = np.concatenate([utterance.samples for utterance in utterances])
    return np.resize(whole, SECONDS * RATE)


def assistant() -> Samples:
    return said(synthetic("flite slt"))


def measured(microphone: Samples, taken_db: float) -> Measure:
    """The assistant speaks for twelve seconds, and the canceller takes so much away from all that is heard."""
    measure = Measure()
    listen(measure, microphone, taken_db)
    return measure


def listen(
    measure: Measure,
    microphone: Samples,
    taken_db: float,
    seconds: float = SECONDS,
    *,
    faint_db: float | None = None,
) -> None:
    """`faint_db` is what is taken from faint sound, as a suppressor of noise does; None for the same."""
    far = assistant()
    for begin in range(0, int(seconds * RATE), 480):
        raw = to_wire(microphone[begin : begin + 480])
        level = level_dbfs(raw)
        taken = faint_db if faint_db is not None and level < FAINT_DBFS else taken_db
        measure.note(to_wire(far[begin : begin + 480]), raw, level, level - taken)


def heard(seed: int = 1, user: Samples | None = None, **explicit) -> Samples:
    return Room(seed, auto_gain=False, noise_dbfs=-60, **explicit).pass_on(assistant(), user)


def test_nothing_is_known_before_the_assistant_has_spoken():
    measure = Measure()
    for _ in range(500):
        measure.quiet(-60)
    assert (measure.verdict, measure.erle_db, measure.converged) == ("measuring", None, False)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_what_is_taken_from_an_echo_is_told(seed):
    measure = measured(heard(seed), taken_db=25)
    assert measure.verdict == "cancelling"
    assert measure.erle_db == pytest.approx(25, abs=0.5)
    assert measure.converged


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_an_echo_that_is_not_taken_away_is_a_failure(seed):
    assert measured(heard(seed), taken_db=1).verdict == "failing"


def test_a_failure_takes_seconds_to_be_one():
    measure = Measure()
    listen(measure, heard(), taken_db=0, seconds=4)
    assert measure.verdict == "measuring"


def test_what_is_taken_away_at_first_and_from_faint_sound_does_not_hide_a_failure():
    """As WebRTC's canceller does where the echo comes too late for it."""
    measure = Measure()
    listen(measure, heard(echo_db=-12), taken_db=40, seconds=2.5)
    listen(measure, heard(echo_db=-12), taken_db=1, faint_db=20, seconds=7)
    assert measure.verdict == "failing"
    assert measure.erle_db < 3


def test_headphones_have_no_echo():
    measure = measured(heard(echo_db=-90), taken_db=12)
    assert (measure.verdict, measure.erle_db) == ("no echo", None)


def test_a_user_who_talks_all_the_time_is_no_echo_and_no_failure():
    measure = measured(heard(echo_db=-90, user=said(people())), taken_db=0)
    assert (measure.verdict, measure.erle_db) == ("measuring", None)


def test_a_canceller_that_recovers_is_trusted_again():
    measure = measured(heard(), taken_db=0)
    assert measure.verdict == "failing"
    listen(measure, heard(), taken_db=25)
    assert measure.verdict == "cancelling"
