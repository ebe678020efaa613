import asyncio
import subprocess
import sys
import threading
import wave
from itertools import pairwise

import numpy as np
import pytest

from rtchat.audio.canceller import Canceller
from rtchat.audio.sound import Caution, Sound, SoundRequest
from rtchat.chunk import WIRE, level_dbfs
from rtchat.conversation.signals import Captured, DeviceFound, Drained, EchoChanged, Heard
from rtchat.errors import DeviceError, UsageError

RATE = 24_000
SPEAK = SoundRequest(capture=False)
LISTEN = SoundRequest(playback=False)


def tone(seconds: float, hertz: float = 1000) -> bytes:
    return (0.3 * 32767 * np.sin(2 * np.pi * hertz * np.arange(int(RATE * seconds)) / RATE)).astype("<i2").tobytes()


def sounding_ms(pcm: bytes) -> int:
    """Milliseconds in which there is at least half the tone's amplitude: gaps of a busy machine do not count."""
    samples = np.frombuffer(pcm, dtype="<i2").astype(int)
    return int(np.sum(np.max(np.abs(samples[: len(samples) // 24 * 24].reshape(-1, 24)), axis=1) > 0.15 * 32767))


def pitch(pcm: bytes) -> float:
    """Hertz of the strongest sound."""
    spectrum = np.abs(np.fft.rfft(np.frombuffer(pcm, dtype="<i2")))
    return float(np.argmax(spectrum)) * RATE / (len(pcm) // 2)


async def reports_until(sound: Sound, *, drained: bool = False, ms: int | None = None) -> list:
    """Reports until `Drained`, or until so much of an item has been heard."""
    got = []
    async with asyncio.timeout(60):
        async for report in sound.reports():
            got.append(report)
            if drained and isinstance(report, Drained):
                break
            if ms is not None and isinstance(report, Heard) and report.ms >= ms:
                break
    return got


@pytest.mark.sound
async def test_what_is_played_leaves_the_loudspeaker_and_is_told_as_heard(pulse, late):
    async with Sound(SPEAK) as sound:
        assert (sound.input_name, sound.output_name) == ("", "default")
        with pulse.listen() as recording:
            pcm = tone(0.8)
            for at in range(0, len(pcm), 4801):
                sound.play("A", 0, pcm[at : at + 4801])
            sound.drain("A")
            got = await reports_until(sound, drained=True)
            await asyncio.to_thread(recording.wait_for_ms, 100)
            carried = recording.pcm
    positions = [report.ms for report in got if isinstance(report, Heard)]
    assert got[-2:] == [Heard("A", 0, 800), Drained()]
    assert positions == sorted(set(positions))
    assert all(after - before <= 300 + 1000 * late() for before, after in pairwise(positions))
    assert sounding_ms(carried) == pytest.approx(800, abs=5 + 1000 * late())
    assert pitch(carried) == pytest.approx(1000, abs=20)
    assert sound.underruns == 0


@pytest.mark.sound
async def test_flush_is_silence_after_what_the_cut_point_said(pulse, late):
    async with Sound(SPEAK) as sound:
        with pulse.listen() as recording:
            sound.play("A", 0, tone(3))
            sound.play("B", 0, tone(3))
            await reports_until(sound, ms=300)
            cut = sound.cut_points()
            sound.flush()
            got = await reports_until(sound, drained=True)
            await asyncio.to_thread(recording.wait_for_ms, 200)
            carried = recording.pcm
    assert [(point.item_id, point.content_index) for point in cut] == [("A", 0), ("B", 0)]
    assert cut[1].ms == 0
    assert 300 <= cut[0].ms <= 600 + 1000 * late()
    assert sounding_ms(carried) == pytest.approx(cut[0].ms, abs=20 + 1000 * late())
    assert cut[0].ms <= got[-2].ms <= cut[0].ms + 20 + 1000 * late()
    assert got[-1] == Drained()
    assert level_dbfs(carried[-4800:]) == -96.0


@pytest.mark.sound
async def test_the_next_item_plays_after_a_flush(pulse):
    async with Sound(SPEAK) as sound:
        sound.play("A", 0, tone(3))
        await reports_until(sound, ms=100)
        sound.flush()
        sound.play("B", 0, tone(0.2))
        sound.drain("B")
        got = await reports_until(sound, drained=True)
    assert got[-2:] == [Heard("B", 0, 200), Drained()]


@pytest.mark.sound
async def test_what_is_said_arrives_in_chunks_of_twenty_milliseconds(pulse, late):
    async with Sound(LISTEN) as sound:
        speaking = asyncio.create_task(asyncio.to_thread(pulse.speak, tone(0.5, 700)))
        heard, loudest, quiet = b"", -96.0, 0
        async with asyncio.timeout(60):
            async for captured in sound.microphone():
                chunk = captured.pcm
                assert len(chunk) == 960
                quiet += 1
                if level_dbfs(chunk) > -60:
                    heard, quiet = heard + chunk, 0
                    loudest = max(loudest, sound.levels[0])
                elif heard and quiet >= 25 and speaking.done():  # a gap of a busy machine is shorter
                    break
        await speaking
    most = 120 + 1000 * late()  # a busy machine loses sound, or waits within it
    assert WIRE.ms(heard) == pytest.approx(500, abs=most)
    assert pitch(heard) == pytest.approx(700, abs=5)
    assert loudest > -60


@pytest.mark.sound
async def test_both_sides_are_tapped_on_one_clock(pulse, late):
    # The microphone hears the loudspeaker, as on a laptop, but through no air.
    pulse.pactl("set-default-source", "speaker.monitor")
    tapped: dict[str, list[tuple[int, bytes]]] = {"microphone": [], "loudspeaker": []}
    echoed = asyncio.Event()

    def tap(side: str, at: int, pcm: bytes) -> None:
        tapped[side].append((at, pcm))
        if side == "microphone" and level_dbfs(pcm) > -30:
            echoed.set()

    async with Sound(SoundRequest(), tap) as sound:
        sound.play("A", 0, tone(0.3))
        sound.drain("A")
        await reports_until(sound, drained=True)
        await asyncio.wait_for(echoed.wait(), 60)
    said_at = tapped["loudspeaker"][0][0]
    assert b"".join(pcm for _, pcm in tapped["loudspeaker"]) == tone(0.3)
    heard = np.zeros(max(at for at, _ in tapped["microphone"]) + 480, dtype="<i2")
    for at, pcm in tapped["microphone"]:
        heard[at : at + 480] = np.frombuffer(pcm, dtype="<i2")
    heard_at = int(np.nonzero(np.abs(heard.astype(int)) > 1000)[0][0])
    assert abs(heard_at - said_at) / 24 < 40 + 1000 * late()


@pytest.mark.sound
async def test_a_microphone_of_zeros_is_a_caution_and_no_error(pulse):
    async with Sound(LISTEN) as sound:
        async with asyncio.timeout(60):
            report = await anext(sound.reports())
    assert isinstance(report, Caution)
    assert report.message == "The microphone 'Test-Microphone' gives nothing but digital silence."
    assert ("Privacy & Security" in report.hint) == (sys.platform == "darwin")


@pytest.mark.sound
@pytest.mark.parametrize(
    ("request_", "sentence"),
    [
        (SoundRequest(input_device="kettle"), "There is no microphone 'kettle'; there are "),
        (SoundRequest(output_device="test_"), "'test_' fits 2 loudspeakers: "),
    ],
)
async def test_a_wrong_device_is_one_sentence_and_nothing_stays_open(pulse, request_, sentence):
    with pytest.raises(DeviceError) as caught:
        async with Sound(request_):
            pass
    assert caught.value.message.startswith(sentence)
    assert "portaudio" not in [thread.name for thread in threading.enumerate()]


@pytest.mark.sound
async def test_another_loudspeaker_is_another_echo_and_muted_stays(pulse):
    pulse.plug_in("other")
    try:
        async with Sound(SoundRequest(echo="while it works")) as sound:
            assert sound.called("loudspeaker") == "Test-Speaker"
            sound.mute(True)
            before = sound._near_end.near_end.echo
            assert before is not None
            await asyncio.to_thread(pulse.pactl, "set-default-sink", "other")
            async with asyncio.timeout(60):
                async for report in sound.reports():
                    if isinstance(report, DeviceFound):
                        break
                async for captured in sound.microphone():
                    assert captured.pcm == bytes(960)
                    if sound._near_end.near_end.echo is not before:
                        break
            assert sound.called("loudspeaker") == "Test-Other"
    finally:
        pulse.take_out("other")


@pytest.mark.sound
async def test_a_canceller_that_fails_is_told_and_the_microphone_goes_on_half_duplex(pulse, monkeypatch):
    def fails(canceller: Canceller, near: bytes, far: bytes) -> bytes:
        raise DeviceError("The echo canceller failed: oh.", hint="Use headphones.")

    monkeypatch.setattr(Canceller, "process", fails)
    async with Sound(SoundRequest(echo="while it works", barge_in=True)) as sound:
        sound.play("A", 0, tone(1))
        got = []
        async with asyncio.timeout(60):
            async for report in sound.reports():
                if isinstance(report, Caution | EchoChanged):
                    got.append(report)
                if isinstance(report, EchoChanged):
                    break
            assert got[-2:] == [
                Caution("The echo canceller failed: oh.", "Use headphones."),
                EchoChanged("half-duplex", None),
            ]
            chunks = sound.microphone()
            for _ in range(5):
                assert isinstance(await anext(chunks), Captured)


UNPLUGGED = """
import asyncio
from rtchat.audio.sound import Sound, SoundRequest

async def main():
    async with Sound(SoundRequest()) as sound:
        sound.play("A", 0, bytes(480_000))
        async for report in sound.reports():
            print(type(report).__name__, report, flush=True)
            if type(report).__name__ == "DeviceLost":
                break
    print("closed")

asyncio.run(main())
"""


@pytest.mark.sound
def test_a_sound_server_that_died_is_told_and_the_sound_still_closes(pulse):
    child = subprocess.Popen([sys.executable, "-c", UNPLUGGED], stdout=subprocess.PIPE, text=True)
    try:
        assert child.stdout.readline().startswith("Heard ")
        pulse.unplug()
        *_, told, closed = child.communicate(timeout=60)[0].splitlines()
    finally:
        child.kill()
        child.wait()
    assert told.startswith("DeviceLost ")
    assert (closed, child.returncode) == ("closed", 0)


@pytest.mark.sound
async def test_giving_up_while_it_opens_leaves_nothing_open(pulse):
    opening = asyncio.create_task(Sound(SoundRequest()).__aenter__())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    opening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await opening
    assert "portaudio" not in [thread.name for thread in threading.enumerate()]


HANGING = """
import asyncio, threading
from rtchat.audio import keeper, sound, stream

keeper.CLOSE_SECONDS = 0.5
stream.Stream.close = lambda stream: threading.Event().wait()  # as PortAudio does once PulseAudio has died

async def main():
    async with sound.Sound(sound.SoundRequest()) as it:
        async for _ in it.microphone():
            break
    print("closed")

asyncio.run(main())
"""


@pytest.mark.sound
def test_devices_that_never_close_hold_up_neither_the_sound_nor_the_end_of_the_program(pulse):
    # Nor do their streams, which still run, call into the interpreter while it ends: that would crash it.
    done = subprocess.run([sys.executable, "-c", HANGING], capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout, done.stderr, done.returncode) == ("closed\n", "", 0)


async def test_files_serve_as_both_ends_without_any_device(tmp_path):
    said, answered = tmp_path / "in.wav", tmp_path / "out.wav"
    with wave.open(str(said), "wb") as file:
        file.setparams((1, 2, RATE, 0, "NONE", ""))
        file.writeframes(tone(0.1))
    async with Sound(SoundRequest(input_wav=said, output_wav=answered)) as sound:
        assert (sound.input_name, sound.output_name) == (str(said), str(answered))
        sound.play("A", 0, tone(0.3))
        sound.drain("A")
        got = await reports_until(sound, drained=True)
        heard = b"".join([captured.pcm async for captured in sound.microphone()])
    assert got[-2:] == [Heard("A", 0, 300), Drained()]
    assert heard == tone(0.1) + WIRE.silence(1500)
    with wave.open(str(answered)) as file:
        written = file.readframes(file.getnframes())
    assert written.strip(b"\0").strip(b"\0") in tone(0.3)
    assert WIRE.ms(written) > 1800  # in real time, silence included


async def test_a_bad_file_is_refused_before_anything_opens(tmp_path):
    (tmp_path / "in.wav").write_bytes(b"no")
    with pytest.raises(UsageError, match="not a WAV file"):
        async with Sound(SoundRequest(input_wav=tmp_path / "in.wav", playback=False)):
            pass


@pytest.mark.skipif(sys.platform != "linux", reason="/dev/full")
async def test_a_full_disk_is_a_device_error():
    with pytest.raises(UsageError, match="no space left"):
        async with Sound(SoundRequest(capture=False, output_wav="/dev/full")):
            pass


async def test_without_a_microphone_there_is_nothing_to_hear_and_without_a_loudspeaker_nothing_plays():
    async with Sound(SoundRequest(capture=False, playback=False)) as sound:
        assert [chunk async for chunk in sound.microphone()] == []
        sound.play("A", 0, tone(0.1))
        sound.drain("A")
        assert sound.cut_points() == []
        assert sound.levels == (-96.0, -96.0)


async def test_reports_and_microphone_end_when_the_sound_is_closed(tmp_path):
    async with Sound(SoundRequest(capture=False, output_wav=tmp_path / "out.wav")) as sound:
        pass
    assert [report async for report in sound.reports()] == []


async def test_what_was_played_before_the_end_is_tapped_to_the_last_sample(tmp_path):
    tapped = bytearray()
    out = tmp_path / "out.wav"
    async with Sound(SoundRequest(capture=False, output_wav=out), lambda *piece: tapped.extend(piece[2])) as sound:
        sound.play("A", 0, tone(60))
        await reports_until(sound, ms=1)
        size = out.stat().st_size
        while out.stat().st_size == size:  # noqa: ASYNC110 - a file tells nobody
            await asyncio.sleep(0.001)
    with wave.open(str(out)) as wav:
        played = wav.readframes(wav.getnframes()).lstrip(b"\0")
    assert len(played) > 100 and tapped.lstrip(b"\0") == played


async def test_a_fault_in_the_tap_reaches_the_reader_of_reports(tmp_path):
    faults = iter([ZeroDivisionError("oh")])

    def tap(side: str, at: int, pcm: bytes) -> None:
        for fault in faults:
            raise fault

    async with Sound(SoundRequest(capture=False, output_wav=tmp_path / "out.wav"), tap) as sound:
        sound.play("A", 0, tone(0.2))
        with pytest.raises(ZeroDivisionError):
            await reports_until(sound, drained=True)
