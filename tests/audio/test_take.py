"""Figures from takes: devices of many formats, in rooms whose truth is known."""

from dataclasses import replace

import numpy as np
import pytest
import soxr
from rooms import RATE, Room, Shape, devices, to_wire, utter

from rtchat.audio.rehearsal import Rehearsed
from rtchat.audio.soundcheck import SoundCheck, advice
from rtchat.audio.speech import Speech
from rtchat.audio.sweep import test_sound as make_sound
from rtchat.audio.take import Take, measure, with_voice
from rtchat.chunk import AudioFormat

SOUND = make_sound()
GOOD = SoundCheck("m", "l", 48_000, 48_000, noise_dbfs=-60, echo_db=-20, erle_db=30, echo="aec")


def take(shape: Shape, *, rate: int = RATE, channels: int = 1, gain: float = 1.0, flags: int = 0) -> Take:
    """What two devices of a room make of the test sound; the loudspeaker is called 24 ms early."""
    far = soxr.resample(np.concatenate([SOUND.samples, np.zeros(RATE, np.float32)]), RATE, rate)
    near = np.zeros(len(far), np.float32)
    recorded, played, position = [], [], 0
    for block in devices(Room(1, rate=rate, shape=shape), far, near):
        if block.side == "loudspeaker":
            played.append((block.arrives, block.at, position))
            position += len(block.samples)
        else:
            pcm = to_wire(np.repeat(block.samples * gain, channels))
            recorded.append((block.arrives, block.at, pcm))
    form = AudioFormat(rate, channels)
    return Take(form, AudioFormat(rate, 2), recorded, played, flags, "mic", "out")


def trial(verdict, erle_db):
    """A canceller that does so."""
    return lambda played, recorded: Rehearsed(verdict, erle_db)


@pytest.mark.parametrize(("rate", "channels"), [(24_000, 1), (44_100, 2), (48_000, 1), (16_000, 1)])
def test_the_figures_of_an_ordinary_room(rate, channels):
    shape = Shape(delay_ms=45, echo_db=-15, noise_dbfs=-60)
    check = measure(SOUND, take(shape, rate=rate, channels=channels), None)
    assert (check.input_name, check.output_name, check.input_rate, check.output_rate) == ("mic", "out", rate, rate)
    assert check.echo_ms == pytest.approx(46, abs=2)
    assert check.round_trip_ms == pytest.approx(46 + 24 + 10, abs=3)
    assert check.echo_db == pytest.approx(-16, abs=1.5)
    assert check.noise_dbfs == pytest.approx(-60, abs=1.5)
    assert -40 < check.peak_dbfs < -10
    assert (check.silent, check.clipped, check.dropouts) == (False, 0.0, 0)
    assert check.drift_ppm == pytest.approx(0, abs=10)


def test_headphones_are_no_echo():
    check = measure(SOUND, take(Shape(echo_db=-90, noise_dbfs=-55)), trial("no echo", None))
    assert (check.echo, check.echo_db, check.echo_ms, check.erle_db) == ("none", None, None, None)
    assert advice(check) == []


@pytest.mark.parametrize(
    ("verdict", "erle_db", "echo"),
    [
        ("failing", 1.5, "half-duplex"),
        ("cancelling", 28.0, "aec"),
        ("no echo", None, "aec"),
        ("measuring", None, "aec"),
    ],
)
def test_the_canceller_decides_what_is_done(verdict, erle_db, echo):
    check = measure(SOUND, take(Shape()), trial(verdict, erle_db))
    assert (check.erle_db, check.echo) == (erle_db, echo)


def test_without_a_canceller_it_is_half_duplex():
    check = measure(SOUND, take(Shape()), None)
    assert (check.erle_db, check.echo) == (None, "half-duplex")


def test_the_canceller_gets_both_sides_on_one_clock():
    seen = []

    def listens(played, recorded):
        seen[:] = [played, recorded]
        return Rehearsed("cancelling", 20.0)

    measure(SOUND, take(Shape(delay_ms=40, noise_dbfs=-80)), listens)
    played, recorded = seen
    assert len(played) == len(recorded)
    matched = np.fft.irfft(np.fft.rfft(recorded, 1 << 19) * np.conj(np.fft.rfft(played, 1 << 19)))
    assert int(np.argmax(np.abs(matched))) * 1000 / RATE == pytest.approx(41, abs=2)


def test_a_faint_echo_needs_nothing():
    check = measure(SOUND, take(Shape(echo_db=-58, noise_dbfs=-75)), None)
    assert check.echo_db < -50
    assert check.echo == "none"


def test_zeros():
    shape = Shape(echo_db=-90)
    check = measure(SOUND, take(shape, gain=0.0), None)
    assert check.silent and check.peak_dbfs is None and check.echo_db is None
    assert advice(check) == []  # it is no matter of advice


def test_clipping():
    check = measure(SOUND, take(Shape(echo_db=-3, noise_dbfs=-60), gain=8.0), None)
    assert check.clipped > 0.001 and check.peak_dbfs == pytest.approx(0, abs=0.1)
    assert "Lower the volume" in advice(check)[0]


def test_lost_sound_is_counted_from_the_devices_and_from_the_echo():
    at = (SOUND.speech.start + SOUND.speech.stop) / 2 / RATE
    check = measure(SOUND, take(Shape(jump_at=at, jump_ms=25), flags=2), None)
    assert check.dropouts == 3
    assert any("lost" in each for each in advice(check))


def test_a_microphone_alone():
    whole = take(Shape(echo_db=-90, noise_dbfs=-50))
    check = measure(SOUND, replace(whole, loudspeaker=None, played=[]), None)
    assert (check.output_rate, check.echo_db) == (None, None)
    assert check.noise_dbfs == pytest.approx(-50, abs=1.5)


def spoken(samples: np.ndarray, gain: float = 1.0) -> Take:
    """What a microphone alone gives."""
    quiet = np.zeros(RATE // 2, np.float32)
    pcm = to_wire(np.concatenate([quiet, samples * gain, quiet]))
    size = RATE // 50 * 2
    blocks = [(0.0, at / RATE / 2, pcm[at : at + size]) for at in range(0, len(pcm), size)]
    return Take(AudioFormat(RATE), None, blocks, [])


@pytest.mark.needs("flite")
@pytest.mark.parametrize("gain_db", [0.0, -30.0])
def test_a_voice_is_measured(gain_db):
    voice = utter("flite rms", "one two three four five six").samples
    check = with_voice(GOOD, spoken(voice, 10 ** (gain_db / 20)), Speech())
    assert check.voice_dbfs == pytest.approx(-20 + gain_db, abs=3)
    assert (not advice(check)) == (gain_db > -20)


@pytest.mark.needs("flite")
def test_a_voice_that_clips():
    voice = utter("flite rms", "one two three four five six").samples
    assert "clips" in advice(with_voice(GOOD, spoken(voice, 30.0), Speech()))[0]


@pytest.mark.needs("flite")
def test_a_microphone_that_gives_zeros_until_somebody_speaks_is_not_silent():
    voice = utter("flite rms", "one two three four five six").samples
    check = with_voice(replace(GOOD, silent=True), spoken(voice), Speech())
    assert not check.silent and check.voice_dbfs is not None


def test_noise_is_no_voice():
    noise = np.random.default_rng(1).standard_normal(2 * RATE).astype(np.float32) * 0.05
    assert with_voice(GOOD, spoken(noise), Speech()) == GOOD
    silent = replace(GOOD, silent=True)
    assert with_voice(silent, spoken(np.zeros(RATE, np.float32)), Speech()) == silent
    assert with_voice(GOOD, replace(spoken(noise), microphone=None), Speech()) == GOOD


def test_a_loudspeaker_alone():
    check = measure(SOUND, replace(take(Shape()), microphone=None, recorded=[], flags=1), None)
    assert (check.input_rate, check.output_rate, check.noise_dbfs, check.dropouts) == (None, RATE, None, 1)
