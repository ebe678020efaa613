import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable

import numpy as np
import pytest

from rtchat.audio import soundserver
from rtchat.audio.keeper import Keeper
from rtchat.audio.sound import Caution, Sound, SoundRequest
from rtchat.audio.stream import now
from rtchat.chunk import WIRE
from rtchat.conversation.signals import Captured, DeviceFound, DeviceLost, Drained
from rtchat.errors import DeviceError

RATE = 24_000
MOST_MS = 50
"""May be lost or said twice where one device takes over from another."""

pytestmark = pytest.mark.sound


def noise(seconds: float) -> np.ndarray:
    """Sound of which any 20 ms tell where in it they belong."""
    smooth = np.hanning(9) / np.hanning(9).sum()
    sound = np.convolve(np.random.default_rng(1).standard_normal(int(RATE * seconds)), smooth, "same")
    return (sound / np.abs(sound).max() * 20_000).astype("<i2")


def place(said: np.ndarray, pcm: bytes, order: int = 1) -> float:
    """Where in what was said (milliseconds) the first part of a recording belongs that is found there.

    Args:
        said: What was said.
        pcm: The recording.
        order: -1 for the last part.
    """
    size = 480
    length = 1 << (len(said) + size).bit_length()
    spectrum = np.fft.rfft(said, length)
    energy = np.sqrt(np.convolve(said.astype(float) ** 2, np.ones(size), "valid"))
    recorded = np.frombuffer(pcm, "<i2").astype(float)
    for at in range(0, len(recorded) - size, size // 4)[::order]:
        part = recorded[at : at + size]
        loud = np.sqrt(np.sum(part**2))
        if loud < 1000:
            continue
        match = np.fft.irfft(spectrum * np.conj(np.fft.rfft(part, length)), length)[: len(energy)]
        match /= energy * loud + 1
        if match.max() > 0.8:
            return float(np.argmax(match)) / 24
    raise AssertionError("nothing of it was recorded")


def seam(said: np.ndarray, before: bytes, after: bytes) -> float:
    """Milliseconds lost between two recordings; negative where some was heard twice."""
    lost = place(said, after) - (place(said, before, -1) + 20)
    print(f"seam: {lost:+.0f} ms")
    return lost


class Listening:
    """A `Sound` whose reports and chunks are noted."""

    def __init__(self, sound: Sound) -> None:
        self.sound = sound
        self.reports: list = []
        self.chunks: list[float] = []
        self._news = asyncio.Event()

    async def follow_reports(self) -> None:
        async for report in self.sound.reports():
            self.reports.append(report)
            self._news.set()

    async def follow_microphone(self) -> None:
        async for signal_ in self.sound.microphone():
            if isinstance(signal_, Captured):
                self.chunks.append(now())
                self._news.set()

    async def wait_for(self, *wanted: object) -> None:
        """Wait until all of these have been reported."""
        await self.until(lambda: all(one in self.reports for one in wanted))

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until this is so after a report or a chunk."""
        async with asyncio.timeout(60):
            while not condition():
                self._news.clear()
                await self._news.wait()

    def longest_gap(self, since: float) -> float:
        """Seconds, at most, in which the microphone gave nothing."""
        times = [at for at in self.chunks if at >= since]
        return max(np.diff(times), default=99.0)

    @property
    def moves(self) -> list:
        """Which devices were lost and found, in order."""
        return [report for report in self.reports if isinstance(report, DeviceLost | DeviceFound)]


@contextlib.asynccontextmanager
async def listening(request: SoundRequest):
    async with Sound(request) as sound:
        one = Listening(sound)
        tasks = [asyncio.create_task(one.follow_reports()), asyncio.create_task(one.follow_microphone())]
        try:
            yield one
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)


async def call(function, *args, **kwargs):
    """Do something to the sound server while the sound goes on."""
    return await asyncio.to_thread(function, *args, **kwargs)


@pytest.fixture
def changing(pulse):
    """A server that is not used again: its devices come and go."""
    yield pulse
    pulse.unplug()


SPEAK = SoundRequest(capture=False)
LONG = noise(4)


async def play_and(changing, one: Listening, *others: str, do, wait_for) -> list[bytes]:
    """Play; in the middle of it do something; what the loudspeakers carried until all was played."""
    with contextlib.ExitStack() as stack:
        recordings = [stack.enter_context(changing.listen(name)) for name in ("speaker", *others)]
        one.sound.play("A", 0, LONG.tobytes())
        one.sound.drain("A")
        await call(recordings[0].wait_for_ms, 1000)
        recordings += [stack.enter_context(changing.listen(name)) for name in await do() or ()]
        await one.wait_for(*wait_for, Drained())
        return [recording.pcm for recording in recordings]


async def test_another_default_is_moved_to_and_told_without_losing_a_word(changing, late):
    changing.plug_in("other")
    async with listening(SoundRequest()) as one:

        async def change() -> None:
            await call(changing.pactl, "set-default-sink", "other")

        found = DeviceFound("loudspeaker", "Test-Other")
        before, after = await play_and(changing, one, "other", do=change, wait_for=[found])
        assert one.sound.called("loudspeaker") == "Test-Other"
    assert one.moves == [found]
    assert abs(seam(LONG, before, after)) <= MOST_MS + 1000 * late()
    assert one.longest_gap(since=0) < 1 + late()


async def test_the_loudspeaker_in_use_taken_out_moves_to_the_one_that_is_there(changing, late):
    changing.pactl("load-module", "module-null-source", "source_name=lone")  # where the recording goes meanwhile
    changing.pactl("set-default-source", "lone")
    changing.take_out("mic_feed")
    changing.plug_in("other")
    async with listening(SPEAK) as one:

        async def unplug() -> None:
            await call(changing.take_out, "speaker")

        found = DeviceFound("loudspeaker", "Test-Other")
        before, after = await play_and(changing, one, "other", do=unplug, wait_for=[found])
    assert one.moves == [found]
    assert abs(seam(LONG, before, after)) <= MOST_MS + 1000 * late()


async def test_without_any_loudspeaker_the_sound_waits_and_the_microphone_goes_on(changing, late):
    changing.pactl("load-module", "module-null-source", "source_name=lone", "description=Lone")
    changing.pactl("set-default-source", "lone")
    async with listening(SoundRequest()) as one:
        begun = now()

        async def unplug_and_plug_in() -> list[str]:
            await call(changing.take_out, "mic_feed", "speaker")
            await one.wait_for(DeviceLost("loudspeaker"))
            await asyncio.sleep(1.2)  # long enough for several tries
            await call(changing.plug_in, "late")
            return ["late"]

        found = DeviceFound("loudspeaker", "Test-Late")
        before, after = await play_and(changing, one, do=unplug_and_plug_in, wait_for=[found])
        assert one.longest_gap(since=begun) < 1 + late()
    assert one.moves == [DeviceLost("loudspeaker"), found]
    assert abs(seam(LONG, before, after)) <= MOST_MS + 1000 * late()


async def test_a_dummy_is_no_loudspeaker_and_its_monitor_no_microphone(changing, late):
    # What a desktop's PulseAudio and PipeWire do when the last device goes.
    changing.pactl("load-module", "module-always-sink")
    async with listening(SoundRequest()) as one:
        took = []

        async def unplug_and_plug_in() -> list[str]:
            begun = now()
            await call(changing.take_out, "mic_feed", "speaker")
            took.append(now() - begun)
            await one.wait_for(DeviceLost("loudspeaker"), DeviceLost("microphone"))
            await call(changing.plug_in, "late")
            return ["late"]

        found = DeviceFound("loudspeaker", "Test-Late")
        _, after = await play_and(changing, one, do=unplug_and_plug_in, wait_for=[found])
        quiet_since = now()
        await asyncio.sleep(0.1)
        assert not [at for at in one.chunks if at > quiet_since]
    most = 1300 + 1000 * (took[0] + late())
    assert 900 < place(LONG, after) < most  # what went to the dummy is said again
    assert DeviceFound("microphone", "Monitor of Test-Late") not in one.moves


async def test_a_sound_server_that_is_killed_and_started_again_goes_on(changing, late):
    async with listening(SoundRequest()) as one:
        back = []

        async def kill_and_start() -> list[str]:
            await call(changing.unplug)
            await one.wait_for(DeviceLost("loudspeaker"), DeviceLost("microphone"))
            await call(changing.start)
            back.append(now())
            return ["speaker"]

        found = [DeviceFound("loudspeaker", "Test-Speaker"), DeviceFound("microphone", "Test-Microphone")]
        before, after = await play_and(changing, one, do=kill_and_start, wait_for=found)
        assert next(at for at in one.chunks if at > back[0]) - back[0] < 30
    assert one.moves == [DeviceLost("loudspeaker"), DeviceLost("microphone"), *found]
    assert abs(seam(LONG, before, after)) <= MOST_MS + 1000 * late()


@pytest.mark.slow
async def test_a_sound_server_that_hangs_is_left_and_found_again_when_it_goes_on(changing, monkeypatch):
    monkeypatch.setattr(soundserver, "_ASK_SECONDS", 1.0)
    async with listening(SoundRequest()) as one:
        os.kill(changing.process_id, signal.SIGSTOP)
        await one.wait_for(DeviceLost("loudspeaker"), DeviceLost("microphone"))
        os.kill(changing.process_id, signal.SIGCONT)
        await one.wait_for(DeviceFound("loudspeaker", "Test-Speaker"), DeviceFound("microphone", "Test-Microphone"))
        count = len(one.chunks)
        await one.until(lambda: len(one.chunks) > count + 10)


async def test_a_named_device_that_vanishes_gives_way_to_the_default_one(changing, tmp_path):
    # A device of its own is one that leads to another server.
    second = type(changing)()
    second.start()
    try:
        conf = changing.folder / "alsa.conf"
        usual = conf.read_text()
        server = second.env["PULSE_SERVER"]
        conf.write_text(f'{usual}\npcm.test_usb {{ type pulse server "{server}" hint {{ show on }} }}\n')
        async with listening(SoundRequest(capture=False, output_device="usb")) as one:
            assert one.sound.output_name == "test_usb"
            await call(second.unplug)
            await one.wait_for(DeviceFound("loudspeaker", "Test-Speaker"))
            assert one.sound.output_name == "default"
        assert one.moves == [DeviceFound("loudspeaker", "Test-Speaker")]
    finally:
        conf.write_text(usual)
        second.stop()


async def test_a_headset_that_is_a_telephone_is_told_once_with_what_to_do(changing):
    telephone = ["rate=16000", "channels=1"]
    changing.plug_in("headset", *telephone, properties="device.bus=bluetooth")
    async with listening(SPEAK) as one:
        await call(changing.pactl, "set-default-sink", "headset")
        await one.wait_for(DeviceFound("loudspeaker", "Test-Headset"))
        await call(changing.pactl, "set-default-sink", "speaker")
        await one.wait_for(DeviceFound("loudspeaker", "Test-Speaker"))
    cautions = [report for report in one.reports if isinstance(report, Caution)]
    assert [caution.message.split(" is in ")[0] for caution in cautions] == ["The Bluetooth headset 'Test-Headset'"]
    assert "Choose another microphone" in cautions[0].hint


async def test_beginning_with_a_dummy_is_a_caution(changing):
    changing.pactl("load-module", "module-always-sink")
    changing.take_out("speaker", "mic_feed")
    async with listening(SPEAK) as one:
        await one.until(lambda: bool(one.reports))
        assert one.reports[0].message.startswith("There is no loudspeaker: the sound server puts ")
        one.sound.play("A", 0, WIRE.silence(200))
        one.sound.drain("A")
        await one.wait_for(Drained())
        await call(changing.plug_in, "late")
        await one.wait_for(DeviceFound("loudspeaker", "Test-Late"))


async def test_a_fault_in_a_callback_is_no_device_that_is_lost(pulse):
    told: list = []
    keeper = Keeper(None, lambda form, since: lambda frames, at: 1 / 0, told.append)
    try:
        await keeper.open(None, None)
        with pytest.raises(DeviceError, match="division by zero"):
            await asyncio.wait_for(keeper.keep(), 60)
    finally:
        await keeper.close()
    assert told == []


STOPPED = """
import asyncio, time
from rtchat.audio.sound import Sound, SoundRequest

async def main():
    times = []
    async with Sound(SoundRequest(playback=False)) as sound:
        async for _ in sound.microphone():
            times.append(time.monotonic())
            if len(times) == 25:
                print("ready", flush=True)
            woken = next((at for at, before in zip(times[1:], times) if at - before > 1), None)
            if woken and len(times) - times.index(woken) == 50:
                break
    print(f"{times[-1] - woken:.2f}")

asyncio.run(main())
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_a_program_that_slept_hears_what_is_said_now(pulse):
    child = subprocess.Popen([sys.executable, "-c", STOPPED], stdout=subprocess.PIPE, text=True)
    try:
        assert child.stdout.readline() == "ready\n"
        child.send_signal(signal.SIGSTOP)
        with pytest.raises(subprocess.TimeoutExpired):
            child.wait(3)
        child.send_signal(signal.SIGCONT)
        took = float(child.communicate(timeout=60)[0])
    finally:
        child.kill()
        child.wait()
    assert took > 0.7  # 50 chunks are a second; the three seconds that the server kept would come at once
