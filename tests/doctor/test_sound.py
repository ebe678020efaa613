"""What is said of devices and of figures."""

import asyncio
import sys
from dataclasses import replace

import pytest
from rooms import Room, Shape, to_wire, utter

from rtchat.audio import soundchecks
from rtchat.audio.places import Place
from rtchat.audio.soundcheck import SoundCheck
from rtchat.audio.sweep import test_sound
from rtchat.doctor import sound
from rtchat.doctor.findings import Mark
from rtchat.settings import Settings

GOOD = SoundCheck(
    "m", "l", 48_000, 48_000, noise_dbfs=-60, peak_dbfs=-30, echo_db=-20, echo_ms=30, round_trip_ms=70,
    erle_db=30, drift_ppm=12.0, echo="aec",
)  # fmt: skip
NO_ECHO = replace(GOOD, echo_db=None, echo_ms=None, round_trip_ms=None, erle_db=None, drift_ppm=None, echo="none")


def said(check, *, canceller=True):
    found = [*sound.figures(check, canceller=canceller), *sound.advise(check, canceller=canceller)]
    return {each.check: each for each in found}


def test_all_is_well():
    found = said(GOOD)
    assert list(found) == ["level", "echo", "timing", "advice"]
    assert {each.mark for each in found.values()} == {Mark.OK}
    assert "noise of the room -60 dBFS" in found["level"].text
    assert (
        "-20 dB" in found["echo"].text
        and "ERLE 30 dB" in found["echo"].text
        and "full duplex" in found["echo"].text
    )
    assert "round trip 70 ms" in found["timing"].text and "12 ppm" in found["timing"].text


def test_a_stand_in_for_a_device_is_a_problem():
    works = Place("Built-in Audio", works=True)
    assert sound.placed({"microphone": works, "loudspeaker": works}) == []
    (found,) = sound.placed({"microphone": works, "loudspeaker": Place("Dummy Output", works=False)})
    assert (found.check, found.mark, found.code) == ("loudspeaker", Mark.PROBLEM, 5)
    assert "Dummy Output" in found.text


def test_a_headset_in_telephone_quality_is_said():
    headset = Place("WH-1000", works=True, telephony=True, others=("Built-in Microphone",))
    (found,) = sound.placed({"microphone": headset, "loudspeaker": headset})
    assert found.mark is Mark.NOTE and "telephone quality" in found.text and "Built-in Microphone" in found.hint
    (found,) = sound.placed({"loudspeaker": headset})
    assert "WH-1000" in found.text


def test_headphones():
    found = said(NO_ECHO)
    assert found["echo"].mark is Mark.OK and "headphones" in found["echo"].text
    assert found["advice"].mark is Mark.OK


def test_a_canceller_that_does_not_help():
    found = said(replace(GOOD, erle_db=1.0, echo="half-duplex"))
    assert found["echo"].mark is Mark.NOTE and "half duplex" in found["echo"].text
    assert "headphones" in found["advice"].text and "--echo half-duplex" in found["advice"].text


def test_an_echo_that_the_noise_hides():
    found = said(replace(GOOD, erle_db=None))
    assert found["echo"].mark is Mark.OK and "hides in the noise: full duplex" in found["echo"].text


async def test_the_canceller_of_this_machine_takes_an_echo_away():
    pytest.importorskip("livekit")
    trial = await sound.canceller()
    made = test_sound()
    echo = Room(1, shape=Shape(delay_ms=40, echo_db=-12)).pass_on(made.samples)
    assert trial(made.samples, echo).erle_db > 15


async def test_without_the_package_there_is_no_canceller(monkeypatch):
    monkeypatch.setitem(sys.modules, "livekit", None)
    assert await sound.canceller() is None


def test_no_canceller():
    found = said(replace(GOOD, erle_db=None, echo="half-duplex"), canceller=False)
    assert found["echo"].mark is Mark.NOTE and "no canceller works here" in found["echo"].text
    assert "rtchat[echo]" in found["advice"].text


def test_zeros_are_a_problem_of_sound():
    found = said(replace(NO_ECHO, silent=True, peak_dbfs=None))
    assert list(found) == ["level"]
    assert (found["level"].mark, found["level"].code) == (Mark.PROBLEM, 5) and "muted" in found["level"].hint


def test_clipping_and_dropouts_are_notes():
    found = said(replace(GOOD, clipped=0.02, dropouts=2))
    assert found["level"].mark is Mark.NOTE and "2.0% clipped" in found["level"].text
    assert found["timing"].mark is Mark.NOTE and "sound was lost 2 times" in found["timing"].text


def test_one_side_alone():
    assert list(said(replace(NO_ECHO, output_rate=None))) == ["level", "advice"]
    assert said(SoundCheck("", "l", output_rate=48_000)) == {}


async def test_a_state_folder_that_cannot_be_written_is_a_note(monkeypatch, tmp_path):
    (tmp_path / "state").write_text("")
    monkeypatch.setattr(soundchecks.platformdirs, "user_state_path", lambda *a, **k: tmp_path / "state")
    (found,) = await sound.keep(GOOD)
    assert found.mark is Mark.NOTE and "cannot be written" in found.text


async def test_only_what_is_about_two_working_devices_is_kept(monkeypatch, tmp_path):
    monkeypatch.setattr(soundchecks.platformdirs, "user_state_path", lambda *a, **k: tmp_path / "state")
    for check in (replace(GOOD, silent=True), replace(GOOD, output_rate=None), replace(GOOD, input_rate=None)):
        assert await sound.keep(check) == []
        assert not soundchecks.path().exists()
    assert await sound.keep(GOOD) == []
    assert soundchecks.load("m", "l") == GOOD


@pytest.mark.sound
async def test_the_devices_that_would_be_used(pulse):
    chosen, found = await sound.devices(Settings(output_device="headset"))
    assert chosen["microphone"].name == "default" and chosen["loudspeaker"].name == "test_headset"
    assert [each.check for each in found] == ["microphone", "loudspeaker"]
    assert found[0].text.startswith("default (microphone), ALSA, ")


@pytest.mark.sound
async def test_a_device_that_is_not_there_is_a_problem_and_the_other_is_looked_at(pulse):
    chosen, found = await sound.devices(Settings(input_device="trumpet"))
    assert chosen["microphone"] is None and chosen["loudspeaker"] is not None
    assert [each.mark for each in found] == [Mark.PROBLEM, Mark.OK] and found[0].code == 5


@pytest.mark.sound
@pytest.mark.needs("flite")
async def test_a_voice_is_heard_and_silence_is_not(pulse, monkeypatch):
    chosen, _ = await sound.devices(Settings())
    talking = asyncio.create_task(
        asyncio.to_thread(pulse.speak, to_wire(utter("flite rms", "one two three").samples))
    )
    with monkeypatch.context() as patient:
        patient.setattr(sound, "VOICE_SECONDS", 6.0)  # a busy machine's voice may begin late
        check, found = await sound.voice(chosen, GOOD, lambda share: None)
    await talking
    assert found[0].mark is Mark.OK and check.voice_dbfs == pytest.approx(-20, abs=4)
    check, found = await sound.voice(chosen, GOOD, lambda share: None)
    assert found[0].mark is Mark.NOTE and found[0].text == "none was heard" and check == GOOD
