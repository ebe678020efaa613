"""The sweep and its analysis, in rooms whose truth is known."""

import numpy as np
import pytest
from rooms import RATE, Room, Shape, dbfs

from rtchat.audio.sweep import drift, response
from rtchat.audio.sweep import test_sound as make_sound

SOUND = make_sound()
PLAYED = np.concatenate([SOUND.samples, np.zeros(RATE, np.float32)])
ORIGIN = 4800
LOUDSPEAKER_MS = 1.0
"""The delay of `rooms`' small loudspeaker itself."""


def recorded(shape: Shape, seed: int = 3) -> np.ndarray:
    """What a microphone gives that began `ORIGIN` samples before the loudspeaker."""
    quiet = np.zeros(ORIGIN, np.float32)
    return Room(seed, shape=shape).pass_on(np.concatenate([quiet, PLAYED]))


def true_level(shape: Shape, seed: int = 3) -> float:
    """Of the sweep's echo, with nothing else to be heard."""
    still = Room(seed, shape=shape, noise_dbfs=-200.0)
    echo = still.pass_on(PLAYED)[SOUND.sweep.start : SOUND.speech.start]
    played = PLAYED[SOUND.sweep.start : SOUND.speech.start]
    return dbfs(echo) - dbfs(played)


def test_it_is_short_and_not_loud_and_the_same_every_time():
    assert SOUND.seconds < 7.5
    assert np.abs(SOUND.samples).max() < 0.5
    assert dbfs(SOUND.samples[SOUND.sweep]) == pytest.approx(-26, abs=0.1)
    assert dbfs(SOUND.samples[SOUND.speech]) == pytest.approx(-23, abs=1.5)
    assert np.array_equal(SOUND.samples, make_sound().samples)
    assert not SOUND.samples[: SOUND.sweep.start].any()


@pytest.mark.parametrize("delay_ms", [5.0, 60.0, 250.0, 900.0])
@pytest.mark.parametrize("echo_db", [-3.0, -15.0, -30.0])
def test_delay_and_level_are_found_in_an_ordinary_room(delay_ms, echo_db):
    shape = Shape(delay_ms=delay_ms, echo_db=echo_db, noise_dbfs=-60)
    found = response(SOUND, recorded(shape), ORIGIN)
    assert found.lag * 1000 / RATE == pytest.approx(delay_ms + LOUDSPEAKER_MS, abs=1.0)
    assert found.level_db == pytest.approx(true_level(shape), abs=1.0)


@pytest.mark.parametrize("noise_dbfs", [-50.0, -40.0])
def test_echo_under_the_noise_is_found(noise_dbfs):
    shape = Shape(delay_ms=80, echo_db=-18, noise_dbfs=noise_dbfs)
    found = response(SOUND, recorded(shape), ORIGIN)
    assert found.lag * 1000 / RATE == pytest.approx(80 + LOUDSPEAKER_MS, abs=1.0)
    assert found.level_db == pytest.approx(true_level(shape), abs=2.0)


def test_an_echo_before_its_time_is_found():
    """A device's clock says that the sound left later than it did."""
    found = response(SOUND, recorded(Shape(delay_ms=20)), ORIGIN + RATE // 10)
    assert found.lag * 1000 / RATE == pytest.approx(20 + LOUDSPEAKER_MS - 100, abs=1.0)


@pytest.mark.parametrize("seed", range(5))
def test_in_noise_alone_nothing_is_found(seed):
    assert response(SOUND, recorded(Shape(echo_db=-90, noise_dbfs=-40), seed), ORIGIN) is None


def test_in_silence_nothing_is_found():
    assert response(SOUND, np.zeros(len(PLAYED), np.float32), ORIGIN) is None
    assert response(SOUND, np.zeros(0, np.float32), 0) is None


def test_a_loudspeaker_that_distorts_moves_nothing():
    found = response(SOUND, recorded(Shape(delay_ms=60, echo_db=-10, clip=0.05)), ORIGIN)
    assert found.lag * 1000 / RATE == pytest.approx(60 + LOUDSPEAKER_MS, abs=1.0)


@pytest.mark.parametrize("ppm", [-100.0, -20.0, 0.0, 60.0])
def test_clocks_that_drift_are_measured(ppm):
    recording = recorded(Shape(drift_ppm=ppm, noise_dbfs=-55))
    found = response(SOUND, recording, ORIGIN)
    measured = drift(SOUND, recording, ORIGIN, found)
    assert measured.jumps == 0
    assert measured.ppm == pytest.approx(-ppm, abs=8)  # the room's drift is of the loudspeaker's clock


def test_sound_that_is_lost_is_a_jump():
    at = (ORIGIN + (SOUND.speech.start + SOUND.speech.stop) / 2) / RATE
    recording = recorded(Shape(jump_at=at, jump_ms=20))
    found = response(SOUND, recording, ORIGIN)
    measured = drift(SOUND, recording, ORIGIN, found)
    assert measured.jumps == 1
    assert measured.ppm is None


def test_in_much_noise_the_drift_is_not_guessed():
    recording = recorded(Shape(echo_db=-35, noise_dbfs=-40))
    found = response(SOUND, recording, ORIGIN)
    assert found is None or drift(SOUND, recording, ORIGIN, found).jumps == 0
