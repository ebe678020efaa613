import threading
import time
from itertools import pairwise

import pytest

from rtchat.audio import devices, duplex, stream
from rtchat.audio.duplex import Duplex
from rtchat.audio.keeper import CLOSE_SECONDS
from rtchat.chunk import AudioFormat
from rtchat.errors import DeviceError


class Ends:
    """Both ends of a duplex, counting what passes."""

    def __init__(self) -> None:
        self.forms: dict[str, AudioFormat] = {}
        self.captured: list[tuple[int, float]] = []
        self.filled: list[tuple[int, float]] = []
        self.late = 0.0
        self.enough = {"microphone": threading.Event(), "loudspeaker": threading.Event()}

    def capture(self, form: AudioFormat):
        self.forms["microphone"] = form
        return self.on_capture

    def playback(self, form: AudioFormat):
        self.forms["loudspeaker"] = form
        return self.fill

    def on_capture(self, block: bytes, at: float) -> None:
        self.captured.append((self.forms["microphone"].samples(block), at))
        if len(self.captured) >= 50:
            self.enough["microphone"].set()

    def fill(self, frames: int, at: float) -> bytes:
        self.filled.append((frames, at))
        if len(self.filled) >= 50:
            self.enough["loudspeaker"].set()
        return bytes(frames * self.forms["loudspeaker"].frame_bytes)

    def wait(self) -> None:
        """Until both have passed enough; notes for how long, at most, this program was kept from working."""
        deadline = duplex.now() + 60
        while not all(event.is_set() for event in self.enough.values()):
            before = duplex.now()
            assert before < deadline
            time.sleep(0.01)
            self.late = max(self.late, duplex.now() - before - 0.01)


def wait_for_failure(opened: Duplex) -> DeviceError:
    deadline = duplex.now() + 60
    while (failure := opened.failure()) is None and duplex.now() < deadline:
        threading.Event().wait(0.02)
    assert failure is not None
    return failure


def leave(opened: Duplex) -> None:
    """Close it as `Keeper` does: after its sound server was killed PortAudio may never come back from that."""
    closing = threading.Thread(target=opened.close, daemon=True)
    closing.start()
    closing.join(CLOSE_SECONDS)


def check_times(calls: list[tuple[int, float]], rate: int, late: float) -> None:
    """Each block's time is where the block before it ended, within 20 ms and `late` s, once the device runs."""
    for (frames, at), (_, following) in pairwise(calls[20:]):
        assert following == pytest.approx(at + frames / rate, abs=0.02 + late)


@pytest.mark.sound
def test_a_software_device_gets_a_stream_for_each_direction(pulse):
    ends = Ends()
    opened = Duplex(ends.capture, ends.playback)
    try:
        opened.open(None, "headset")
        assert (opened.input_name, opened.output_name) == ("default", "test_headset")
        ends.wait()
        assert opened.streams == 2
        assert opened.failure() is None
        assert ends.forms["loudspeaker"].channels == 1
        check_times(ends.captured, ends.forms["microphone"].rate, ends.late)
        check_times(ends.filled, ends.forms["loudspeaker"].rate, ends.late)
        assert ends.captured[-1][1] < duplex.now() < ends.filled[-1][1] + 0.2
    finally:
        opened.close()


@pytest.mark.sound
def test_one_piece_of_hardware_gets_one_stream(pulse, monkeypatch):
    # There is no hardware here, so a software device is said to be hardware. Through ALSA's pulse plugin such a
    # stream starts in some four of five tries, which is why a software device never gets one otherwise.
    monkeypatch.setattr(devices.Device, "is_hardware", property(lambda device: True))
    counts = []
    while 1 not in counts and len(counts) < 10:
        ends = Ends()
        opened = Duplex(ends.capture, ends.playback)
        try:
            opened.open(None, None)
            ends.wait()
            counts.append(opened.streams)
        finally:
            opened.close()
    assert counts[-1] == 1


@pytest.mark.sound
def test_one_stream_that_does_not_run_becomes_two(pulse, monkeypatch):
    monkeypatch.setattr(devices.Device, "is_hardware", property(lambda device: True))
    monkeypatch.setattr(stream, "_PROVEN_CALLS", 1_000_000)
    monkeypatch.setattr(stream, "_PROVEN_SECONDS", 0.05)
    ends = Ends()
    opened = Duplex(ends.capture, ends.playback)
    try:
        opened.open(None, None)
        ends.wait()
        assert opened.streams == 2
    finally:
        opened.close()


@pytest.mark.sound
def test_a_device_without_anything_behind_it_is_one_sentence(pulse):
    for module in pulse.pactl("list", "short", "modules").splitlines():
        if "module-null-sink" in module:
            pulse.pactl("unload-module", module.split()[0])
    opened = Duplex(None, Ends().playback)
    try:
        with pytest.raises(DeviceError) as caught:
            opened.open(None, None)
        assert caught.value.message == "The loudspeaker 'default' is listed but does not work."
        assert "rtchat devices" in caught.value.hint
    finally:
        opened.close()
        pulse.unplug()  # the next test starts it anew


@pytest.mark.sound
def test_the_last_loudspeaker_being_taken_away_has_failed(pulse):
    ends = Ends()
    opened = Duplex(None, ends.playback)
    try:
        opened.open(None, None)
        assert ends.enough["loudspeaker"].wait(60)
        for module in pulse.pactl("list", "short", "modules").splitlines():
            if "module-null-sink" in module:
                pulse.pactl("unload-module", module.split()[0])
        assert "unplugged" in wait_for_failure(opened).message
    finally:
        opened.close()
        pulse.unplug()


@pytest.mark.sound
def test_closing_twice_or_without_opening_is_nothing(pulse):
    opened = Duplex(None, Ends().playback)
    opened.close()
    opened.open(None, None)
    assert opened.streams == 1
    opened.close()
    opened.close()
    assert opened.streams == 0


@pytest.mark.sound
def test_a_fault_in_a_callback_stops_the_stream_and_is_told(pulse):
    called = threading.Event()

    def fill(frames: int, at: float) -> bytes:
        called.set()
        raise ZeroDivisionError("oh")

    opened = Duplex(None, lambda form: fill)
    try:
        opened.open(None, None)
        assert called.wait(60)
        assert isinstance(opened.failure(), DeviceError)
    finally:
        opened.close()


@pytest.mark.sound
def test_an_unplugged_device_has_failed(pulse):
    ends = Ends()
    opened = Duplex(None, ends.playback)
    try:
        opened.open(None, None)
        assert ends.enough["loudspeaker"].wait(60)
        pulse.unplug()
        assert (
            wait_for_failure(opened).message
            == "The loudspeaker 'default' has stopped: it was unplugged, or its sound server ended."
        )
    finally:
        leave(opened)


@pytest.mark.sound
def test_without_a_sound_server_opening_is_one_sentence(pulse):
    pulse.unplug()
    opened = Duplex(None, Ends().playback)
    try:
        with pytest.raises(DeviceError) as caught:
            opened.open(None, None)
        assert caught.value.hint
    finally:
        opened.close()


@pytest.mark.sound
def test_what_was_dropped_is_mended_and_flows_only_once_it_is_attached(pulse, monkeypatch):
    monkeypatch.setattr(stream, "_PROVEN_SECONDS", 10.0)
    ends = Ends()
    opened = Duplex(ends.capture, ends.playback)
    try:
        opened.open(None, None)
        ends.wait()
        other = opened.running["microphone"]
        opened.drop(opened.running["loudspeaker"])
        assert list(opened.running) == ["microphone"]
        before = len(ends.filled)
        assert opened.mend() == []
        assert opened.running["microphone"] is other
        assert opened.running["loudspeaker"].calls > 0 and len(ends.filled) == before
        assert opened.gone_at["loudspeaker"] < duplex.now()
        opened.attach()
        ends.enough["loudspeaker"].clear()
        assert ends.enough["loudspeaker"].wait(60)
    finally:
        opened.close()


@pytest.mark.sound
def test_what_is_missing_is_found_once_the_sound_server_is_back(pulse, monkeypatch):
    monkeypatch.setattr(stream, "_PROVEN_SECONDS", 10.0)
    ends = Ends()
    opened = Duplex(ends.capture, ends.playback)
    opened.wanted = {"microphone": None, "loudspeaker": None}
    pulse.unplug()
    try:
        assert sorted(opened.mend()) == ["loudspeaker", "microphone"]
        pulse.start()
        assert opened.mend() == []
        opened.attach()
        ends.wait()
        assert opened.failure() is None
    finally:
        opened.close()


@pytest.mark.sound
def test_what_opens_for_nobody_is_closed(pulse):
    opened = Duplex(None, Ends().playback)
    opened.wanted = {"loudspeaker": None}
    opened.end()
    opened.mend()
    assert opened.running == {}
