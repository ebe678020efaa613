"""The order of things; the command itself is tested in tests/e2e/test_doctor.py."""

import asyncio

import pytest

from rtchat.doctor import examination, machine
from rtchat.doctor.examination import examine
from rtchat.doctor.machine import Package
from rtchat.doctor.report import Report

LOCAL = {"server": "local"}


@pytest.fixture
def no_device(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PULSE_SERVER", f"unix:{tmp_path}/none")


def names(report):
    return [found.check for found in report.findings]


async def test_everything_is_looked_at(no_device):
    report = Report(as_json=True)
    await examine(report, LOCAL, None, play=False, voice=False)
    told = names(report)
    assert told[:3] == ["system", "settings", "terminal"] and told[-1] == "network"
    assert {"PyAudio", "livekit", "espeak-ng", "key", "embedded"} <= set(told)
    assert "session" not in told


async def test_without_pyaudio_there_are_no_devices_to_look_at(monkeypatch):
    gone = Package("PyAudio", "rtchat_nothing", "x", "there is no sound", "pip install it", 5)
    monkeypatch.setattr(machine, "PACKAGES", (gone,))
    report = Report(as_json=True)
    await examine(report, LOCAL, None, play=True, voice=True)
    assert not {"devices", "microphone", "loudspeaker"} & set(names(report)) and report.close() == 5


async def test_a_session_that_cannot_be_is_a_problem_of_the_settings(no_device):
    report = Report(as_json=True)
    await examine(report, {"server": "openai"}, None, play=False, voice=False)
    assert report.has_problem("session") and report.close() == 2


async def test_cancelling_leaves_nothing_running(no_device, monkeypatch):
    waits = asyncio.Event()

    async def forever(plan):
        waits.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(examination, "_online", forever)
    running = asyncio.create_task(examine(Report(as_json=True), LOCAL, None, play=False, voice=False))
    await asyncio.wait_for(waits.wait(), 60)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert asyncio.all_tasks() == {asyncio.current_task()}


@pytest.mark.sound
@pytest.mark.slow
async def test_the_user_is_asked_to_speak_and_a_microphone_without_sound_is_told_after_that(pulse):
    report = Report(as_json=True)
    await examine(report, LOCAL, None, play=True, voice=True)
    told = names(report)
    assert told[told.index("level") :] == ["level", "voice", "network"]
    assert report.sound.silent and report.close() == 5
