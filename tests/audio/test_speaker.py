import numpy as np
import pytest

from rtchat.audio.speaker import FADE_MS, PREBUFFER_MS, Speaker
from rtchat.chunk import WIRE, AudioFormat
from rtchat.conversation.signals import Drained, Heard

LATENCY = 0.03


def sound(ms: float, value: int = 1000) -> bytes:
    return np.full(int(ms * 24), value, dtype="<i2").tobytes()


class Device:
    """A device of a fixed latency that asks for 10 ms at a time."""

    def __init__(self, speaker: Speaker) -> None:
        self.speaker = speaker
        self.time = 0.0
        self.played = b""

    def run(self, ms: int) -> bytes:
        start = len(self.played)
        for _ in range(ms // 10):
            frames = self.speaker.device.rate // 100
            self.played += self.speaker.read(frames, self.time + LATENCY)
            self.time += 0.01
        return self.played[start:]


@pytest.fixture
def speaker() -> Speaker:
    return Speaker(WIRE)


@pytest.fixture
def device(speaker) -> Device:
    return Device(speaker)


def test_an_idle_speaker_gives_silence_and_tells_nothing(speaker, device):
    assert device.run(20) == bytes(960)
    assert speaker.heard(1.0) == []
    assert not speaker.busy
    assert speaker.level == -96.0


def test_playing_waits_for_a_small_prebuffer(speaker, device):
    speaker.play("A", 0, sound(PREBUFFER_MS - 1))
    assert device.run(50) == bytes(2400)
    speaker.play("A", 0, sound(1))
    assert device.run(PREBUFFER_MS) == sound(PREBUFFER_MS)


def test_a_short_item_plays_once_it_is_drained(speaker, device):
    speaker.play("A", 0, sound(10))
    assert device.run(50) == bytes(2400)
    speaker.drain("A")
    assert device.run(20) == sound(10) + bytes(480)


def test_heard_follows_the_device_clock_and_ends_with_all_of_it(speaker, device):
    speaker.play("A", 0, sound(100))
    speaker.drain("A")
    device.run(200)  # taken long before it is heard
    assert speaker.heard(LATENCY - 0.001) == []
    assert speaker.heard(LATENCY + 0.0501) == [Heard("A", 0, 50)]
    assert speaker.heard(LATENCY + 0.0501) == []
    assert speaker.heard(LATENCY + 0.0999) == [Heard("A", 0, 99)]
    assert speaker.heard(LATENCY + 0.101) == [Heard("A", 0, 100), Drained()]
    assert speaker.heard(9.0) == []
    assert not speaker.busy


def test_parts_are_heard_one_after_the_other_each_from_its_own_start(speaker, device):
    speaker.play("A", 0, sound(30, 1))
    speaker.play("A", 1, sound(30, 2))
    speaker.play("B", 0, sound(40, 3))
    speaker.drain("A")
    speaker.drain("B")
    assert device.run(100) == sound(30, 1) + sound(30, 2) + sound(40, 3)
    assert speaker.heard(LATENCY + 0.0801) == [Heard("A", 0, 30), Heard("A", 1, 30), Heard("B", 0, 20)]
    assert speaker.heard(1.0) == [Heard("B", 0, 40), Drained()]


def test_half_a_sample_waits_for_its_other_half(speaker, device):
    whole = sound(100, 0x1234)
    speaker.play("A", 0, whole[:1])
    speaker.play("A", 0, whole[1:2001])
    speaker.play("A", 0, whole[2001:])
    assert device.run(100) == whole
    assert speaker.heard(1.0)[0] == Heard("A", 0, 100)


def test_a_gap_in_the_middle_of_an_item_is_an_underrun_and_waits_for_a_prebuffer_again(speaker, device):
    speaker.play("A", 0, sound(70))
    assert device.run(100) == sound(70) + bytes(1440)
    assert speaker.underruns == 0  # it may have been the end
    speaker.play("A", 0, sound(30))
    assert speaker.underruns == 1
    assert device.run(20) == bytes(960)
    speaker.play("A", 0, sound(30))
    assert device.run(60) == sound(60)
    assert speaker.underruns == 1
    # Heard is the sound, not the time: the silence in the middle does not count.
    assert speaker.heard(9.0)[0] == Heard("A", 0, 130)


def test_waiting_for_an_items_first_sound_is_no_underrun(speaker, device):
    speaker.play("A", 0, sound(70))
    device.run(100)
    speaker.drain("A")
    speaker.play("B", 0, sound(70))
    device.run(100)
    assert speaker.underruns == 0


def test_drained_is_told_again_when_an_item_is_drained_after_its_sound_was_heard(speaker, device):
    speaker.play("A", 0, sound(70))
    device.run(100)
    assert speaker.heard(1.0) == [Heard("A", 0, 70), Drained()]
    speaker.drain("A")
    assert speaker.heard(1.0) == [Drained()]


def test_sound_that_waits_for_its_prebuffer_is_not_drained(speaker, device):
    speaker.play("A", 0, sound(10))
    device.run(100)
    assert speaker.heard(1.0) == []
    assert speaker.busy


def test_flush_fades_out_and_forgets_the_rest(speaker, device):
    speaker.play("A", 0, sound(500))
    speaker.play("B", 0, sound(500))
    device.run(100)
    speaker.flush()
    after = np.frombuffer(device.run(50), dtype="<i2")
    assert after[0] == 1000
    assert np.all(np.diff(after[: FADE_MS * 24]) <= 0)
    assert not after[FADE_MS * 24 :].any()
    assert speaker.heard(9.0) == [Heard("A", 0, 100 + FADE_MS // 2), Drained()]


def test_cut_points_tell_what_a_flush_now_would_let_be_heard(speaker, device):
    speaker.play("A", 0, sound(500))
    speaker.play("B", 0, sound(500))
    device.run(100)
    speaker.heard(0.05)
    expected = [Heard("A", 0, 100 + FADE_MS // 2), Heard("B", 0, 0)]
    assert speaker.cut_points() == expected
    speaker.flush()
    assert speaker.cut_points() == expected[:1]


def test_what_the_device_took_is_heard_to_its_end(speaker, device):
    speaker.play("A", 0, sound(100))
    speaker.drain("A")
    speaker.play("B", 0, sound(500))
    device.run(110)
    assert speaker.cut_points() == [Heard("A", 0, 100), Heard("B", 0, 10 + FADE_MS // 2)]
    speaker.heard(LATENCY + 0.105)
    assert speaker.cut_points() == [Heard("B", 0, 10 + FADE_MS // 2)]


def test_nothing_of_an_item_that_never_began_is_heard(speaker, device):
    speaker.play("A", 0, sound(20))
    device.run(20)
    assert speaker.cut_points() == [Heard("A", 0, 0)]
    speaker.flush()
    assert device.run(50) == bytes(2400)
    assert speaker.heard(9.0) == [Drained()]


def test_an_item_shorter_than_the_fade_is_cut_at_no_more_than_was_given(speaker, device):
    speaker.play("A", 0, sound(103))
    speaker.drain("A")
    device.run(100)
    assert speaker.cut_points() == [Heard("A", 0, 101)]
    speaker.flush()
    device.run(50)
    assert speaker.heard(9.0) == [Heard("A", 0, 101), Drained()]


def test_a_new_item_plays_after_a_flush(speaker, device):
    speaker.play("A", 0, sound(500))
    device.run(100)
    speaker.flush()
    speaker.play("B", 0, sound(100))
    assert device.run(120)[len(sound(FADE_MS)) :] == sound(100) + bytes(len(sound(20 - FADE_MS)))
    assert speaker.heard(9.0)[-2:] == [Heard("B", 0, 100), Drained()]


def test_a_second_flush_changes_nothing(speaker, device):
    speaker.play("A", 0, sound(500))
    device.run(100)
    speaker.flush()
    speaker.flush()
    assert speaker.cut_points() == [Heard("A", 0, 106)]
    device.run(100)
    assert speaker.heard(9.0) == [Heard("A", 0, 106), Drained()]


@pytest.mark.parametrize("form", [AudioFormat(48_000, 1), AudioFormat(44_100, 2), AudioFormat(16_000, 1)])
def test_any_device_format_gives_the_same_positions(form):
    speaker = Speaker(form)
    device = Device(speaker)
    for _ in range(20):
        speaker.play("A", 0, sound(50))
    assert len(device.run(500)) == form.bytes_in(500)
    assert speaker.cut_points() == [Heard("A", 0, pytest.approx(500 + FADE_MS // 2, abs=1))]
    assert speaker.heard(LATENCY + 0.25)[-1].ms == pytest.approx(250, abs=1)
    speaker.drain("A")
    device.run(600)
    assert speaker.heard(9.0) == [Heard("A", 0, 1000), Drained()]
    assert speaker.underruns == 0


def test_stereo_carries_the_same_sound_on_both_sides():
    speaker = Speaker(AudioFormat(24_000, 2))
    speaker.play("A", 0, sound(100, 7))
    assert Device(speaker).run(100) == sound(200, 7)


def test_the_tap_gets_what_was_heard_with_its_times(speaker, device):
    speaker.play("A", 0, sound(70, 1))
    device.run(100)
    speaker.play("A", 0, sound(70, 2))
    device.run(30)
    speaker.flush()
    device.run(50)
    speaker.heard(9.0)
    spans = speaker.take_heard()
    assert [round(at, 3) for at, _ in spans] == [0.03 + 0.01 * n for n in range(7)] + [
        pytest.approx(0.13 + 0.01 * n) for n in range(5)
    ]
    tapped = b"".join(pcm for _, pcm in spans)
    assert tapped[: len(sound(100))] == sound(70, 1) + sound(30, 2)
    assert len(tapped) == len(sound(100 + FADE_MS))
    assert speaker.take_heard() == []


def test_the_end_is_known_once_everything_was_taken(speaker, device):
    speaker.play("A", 0, sound(100))
    device.run(50)
    assert speaker.ends_at is None
    device.run(50)
    assert speaker.ends_at == pytest.approx(LATENCY + 0.1)


def test_parts_that_were_heard_are_forgotten(speaker, device):
    for n in range(50):
        speaker.play(f"item {n}", 0, sound(20))
        speaker.drain(f"item {n}")
        device.run(30)
        speaker.heard(device.time)
    assert len(speaker.cut_points()) <= 3


def test_the_level_is_that_of_what_plays(speaker, device):
    speaker.play("A", 0, sound(100, 16384))
    device.run(10)
    assert speaker.level == pytest.approx(-6.02, abs=0.01)
