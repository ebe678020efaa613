"""The test sound through real PortAudio, on a private PulseAudio."""

import asyncio

import numpy as np
import pytest
from live_room import live_room
from rooms import RATE, Room, Shape

from rtchat.audio.probe import probe
from rtchat.audio.stream import now
from rtchat.audio.sweep import test_sound as make_sound
from rtchat.audio.take import measure
from rtchat.errors import DeviceError

pytestmark = pytest.mark.sound

SOUND = make_sound()
SHORT = SOUND.samples[SOUND.sweep.start : SOUND.sweep.start + RATE // 2]


@pytest.mark.slow
@pytest.mark.alone
async def test_the_echo_of_a_room_is_measured(pulse, late):
    with live_room(pulse, Room(3, shape=Shape(delay_ms=20, rt60=0.25, echo_db=-15, noise_dbfs=-60))):
        take = await probe(SOUND.samples)
    check = measure(SOUND, take, None)
    if check.dropouts:
        pytest.skip("this machine is too busy to measure on: sound was lost")
    assert (take.input_name, take.output_name) == ("default", "default")
    assert check.echo_db == pytest.approx(-16, abs=2)
    assert check.noise_dbfs == pytest.approx(-60, abs=2)
    assert 20 < check.echo_ms < check.round_trip_ms < 500 + 1000 * late()


async def test_everything_is_played_and_progress_is_told(pulse, late):
    shares, begun = [], now()
    with pulse.listen() as recording:
        take = await probe(SHORT, progress=shares.append)
        most = 20 * (now() - begun) + 1
        recording.wait_for_ms(200)
    assert shares == sorted(shares) and 3 < len(shares) <= most and 0 <= shares[0] < 0.5
    loud = np.flatnonzero(np.abs(np.frombuffer(recording.pcm, "<i2")) > 100)
    assert (loud[-1] - loud[0]) / RATE == pytest.approx(0.5, abs=0.06 + late())
    seconds = sum(take.microphone.samples(block) for _, _, block in take.recorded) / take.microphone.rate
    assert seconds >= 0.5


@pytest.mark.parametrize("side", ["capture", "playback"])
async def test_one_side_alone(pulse, side):
    take = await probe(SHORT, **{"capture": False, "playback": False, side: True})
    assert (take.microphone is not None) == bool(take.recorded) == (side == "capture")
    assert (take.loudspeaker is not None) == bool(take.played) == (side == "playback")


async def test_a_device_that_does_not_exist(pulse):
    with pytest.raises(DeviceError, match="no microphone 'trumpet'"):
        await probe(SHORT, input_device="trumpet")


async def test_cancelling_lets_the_devices_go(pulse, monkeypatch):
    monkeypatch.setattr("rtchat.audio.probe.CLOSE_SECONDS", 30.0)
    for _ in range(2):
        playing = asyncio.create_task(probe(SOUND.samples))
        await asyncio.wait([playing], timeout=0.8)
        playing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await playing

    def left() -> str:  # the private server's own microphone is a source-output of its own
        return pulse.pactl("list", "sink-inputs") + pulse.pactl("list", "source-outputs")

    async with asyncio.timeout(60):
        while "application.process.id" in left():  # noqa: ASYNC110 - the server may not have read all it was told
            await asyncio.sleep(0.05)


@pytest.mark.slow
async def test_a_sound_server_that_dies_is_an_error(pulse):
    playing = asyncio.create_task(probe(SOUND.samples))
    await asyncio.wait([playing], timeout=1.0)
    pulse.unplug()
    with pytest.raises(DeviceError):
        await asyncio.wait_for(playing, 60)
