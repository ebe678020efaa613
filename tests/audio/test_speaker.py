import random
from itertools import pairwise

import numpy as np
import pytest

from rtchat.audio.gain import DUCK_MS, DUCKED, FADE_MS, RESTORE_MS
from rtchat.audio.jitter import LEAST_MS, MOST_MS, Jitter
from rtchat.audio.speaker import Speaker
from rtchat.audio.taken import KEPT_SECONDS
from rtchat.chunk import WIRE, AudioFormat
from rtchat.conversation.signals import Drained, Heard

LATENCY = 0.03


def sound(ms: float, value: int = 1000) -> bytes:
    return np.full(int(ms * 24), value, dtype="<i2").tobytes()


def tone(seconds: float, hertz: float = 1000) -> bytes:
    return (
        (0.3 * 32767 * np.sin(2 * np.pi * hertz * np.arange(int(24_000 * seconds)) / 24_000))
        .astype("<i2")
        .tobytes()
    )


def levels(pcm: bytes) -> np.ndarray:
    return np.frombuffer(pcm, dtype="<i2").astype(int)


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
    speaker.play("A", 0, sound(LEAST_MS - 1), 0.0)
    assert device.run(50) == bytes(2400)
    speaker.play("A", 0, sound(1), 0.0)
    assert device.run(40) == sound(40)


def test_a_short_item_plays_once_it_is_drained(speaker, device):
    speaker.play("A", 0, sound(10), 0.0)
    assert device.run(50) == bytes(2400)
    speaker.drain("A")
    assert device.run(20) == sound(10) + bytes(480)


def test_heard_follows_the_device_clock_and_ends_with_all_of_it(speaker, device):
    speaker.play("A", 0, sound(100), 0.0)
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
    speaker.play("A", 0, sound(30, 1), 0.0)
    speaker.play("A", 1, sound(30, 2), 0.0)
    speaker.play("B", 0, sound(40, 3), 0.0)
    speaker.drain("A")
    speaker.drain("B")
    assert device.run(100) == sound(30, 1) + sound(30, 2) + sound(40, 3)
    assert speaker.heard(LATENCY + 0.0801) == [Heard("A", 0, 30), Heard("A", 1, 30), Heard("B", 0, 20)]
    assert speaker.heard(1.0) == [Heard("B", 0, 40), Drained()]


def test_half_a_sample_waits_for_its_other_half(speaker, device):
    whole = sound(100, 0x1234)
    speaker.play("A", 0, whole[:1], 0.0)
    speaker.play("A", 0, whole[1:2001], 0.0)
    speaker.play("A", 0, whole[2001:], 0.0)
    speaker.drain("A")
    assert device.run(100) == whole
    assert speaker.heard(1.0)[0] == Heard("A", 0, 100)


def test_a_gap_in_the_middle_of_an_item_is_an_underrun_and_waits_for_more_than_before(speaker, device):
    speaker.play("A", 0, sound(70), device.time)
    assert device.run(100)[-1440:] == bytes(1440)
    assert speaker.underruns == 0  # it may have been the end
    speaker.play("A", 0, sound(30), device.time)
    assert speaker.underruns == 1
    more = int(speaker.target_ms)
    assert more >= 200
    assert device.run(20) == bytes(960)
    speaker.play("A", 0, sound(more - 30), device.time)
    assert any(device.run(60)[-48:])
    assert speaker.underruns == 1
    device.run(more)
    # Heard is the sound, not the time: the silence in the middle does not count.
    assert speaker.heard(9.0)[0] == Heard("A", 0, 70 + more)


def test_no_sound_waits_for_ever(speaker, device):
    speaker.play("A", 0, sound(20), device.time)
    assert not any(device.run(MOST_MS))
    assert any(device.run(10))


def test_it_is_known_how_much_waits_and_what_for(speaker, device):
    assert (speaker.buffered_ms, speaker.target_ms) == (0, LEAST_MS)
    speaker.play("A", 0, sound(100), device.time)
    speaker.play("B", 0, sound(50), device.time)
    assert speaker.buffered_ms == 150
    device.run(30)
    assert speaker.buffered_ms == 120
    speaker.flush()
    assert speaker.buffered_ms == FADE_MS


@pytest.mark.parametrize("size_ms", [20, 200])
def test_the_jitter_of_one_underrun_causes_no_second_one(size_ms):
    rng = random.Random(1)
    speaker = Speaker(WIRE)
    device = Device(speaker)
    due = 0.0
    for n in range(30_000 // size_ms):
        # The server speaks as it thinks; the network is calm at first, then up to 150 ms late, and keeps the order.
        due = max(due, (n + 1) * size_ms / 1000 + (rng.uniform(0, 0.15) if n > 20 else 0))
        while device.time < due:
            device.run(10)
        speaker.play("A", 0, sound(size_ms), due)
    assert speaker.underruns == 1
    assert speaker.target_ms < size_ms + 400


def test_waiting_for_an_items_first_sound_is_no_underrun(speaker, device):
    speaker.play("A", 0, sound(70), 0.0)
    device.run(100)
    speaker.drain("A")
    speaker.play("B", 0, sound(70), 0.0)
    device.run(100)
    assert speaker.underruns == 0


def test_drained_is_told_again_when_an_item_is_drained_after_its_sound_was_heard(speaker, device):
    speaker.play("A", 0, sound(70), 0.0)
    device.run(100)
    assert speaker.heard(1.0) == [Heard("A", 0, 70), Drained()]
    speaker.drain("A")
    assert speaker.heard(1.0) == [Drained()]


def test_sound_that_waits_for_its_prebuffer_is_not_drained(speaker, device):
    speaker.play("A", 0, sound(10), 0.0)
    device.run(100)
    assert speaker.heard(1.0) == []
    assert speaker.busy


def test_flush_fades_out_and_forgets_the_rest(speaker, device):
    speaker.play("A", 0, sound(500), 0.0)
    speaker.play("B", 0, sound(500), 0.0)
    device.run(100)
    speaker.flush()
    after = np.frombuffer(device.run(50), dtype="<i2")
    assert after[0] == 1000
    assert np.all(np.diff(after[: FADE_MS * 24]) <= 0)
    assert not after[FADE_MS * 24 :].any()
    assert speaker.heard(9.0) == [Heard("A", 0, 100 + FADE_MS // 2), Drained()]


def test_cut_points_tell_what_a_flush_now_would_let_be_heard(speaker, device):
    speaker.play("A", 0, sound(500), 0.0)
    speaker.play("B", 0, sound(500), 0.0)
    device.run(100)
    speaker.heard(0.05)
    expected = [Heard("A", 0, 100 + FADE_MS // 2), Heard("B", 0, 0)]
    assert speaker.cut_points() == expected
    speaker.flush()
    assert speaker.cut_points() == expected[:1]


def test_what_the_device_took_is_heard_to_its_end(speaker, device):
    speaker.play("A", 0, sound(100), 0.0)
    speaker.drain("A")
    speaker.play("B", 0, sound(500), 0.0)
    device.run(110)
    assert speaker.cut_points() == [Heard("A", 0, 100), Heard("B", 0, 10 + FADE_MS // 2)]
    speaker.heard(LATENCY + 0.105)
    assert speaker.cut_points() == [Heard("B", 0, 10 + FADE_MS // 2)]


def test_nothing_of_an_item_that_never_began_is_heard(speaker, device):
    speaker.play("A", 0, sound(20), 0.0)
    device.run(20)
    assert speaker.cut_points() == [Heard("A", 0, 0)]
    speaker.flush()
    assert device.run(50) == bytes(2400)
    assert speaker.heard(9.0) == [Drained()]


def test_an_item_shorter_than_the_fade_is_cut_at_no_more_than_was_given(speaker, device):
    speaker.play("A", 0, sound(103), 0.0)
    speaker.drain("A")
    device.run(100)
    assert speaker.cut_points() == [Heard("A", 0, 101)]
    speaker.flush()
    device.run(50)
    assert speaker.heard(9.0) == [Heard("A", 0, 101), Drained()]


def test_a_new_item_plays_after_a_flush(speaker, device):
    speaker.play("A", 0, sound(500), 0.0)
    device.run(100)
    speaker.flush()
    speaker.play("B", 0, sound(100), 0.0)
    speaker.drain("B")
    assert device.run(120)[len(sound(FADE_MS)) :] == sound(100) + bytes(len(sound(20 - FADE_MS)))
    assert speaker.heard(9.0)[-2:] == [Heard("B", 0, 100), Drained()]


def test_a_second_flush_changes_nothing(speaker, device):
    speaker.play("A", 0, sound(500), 0.0)
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
        speaker.play("A", 0, sound(50), 0.0)
    assert len(device.run(500)) == form.bytes_in(500)
    assert speaker.cut_points() == [Heard("A", 0, pytest.approx(500 + FADE_MS // 2, abs=1))]
    assert speaker.heard(LATENCY + 0.25)[-1].ms == pytest.approx(250, abs=1)
    speaker.drain("A")
    device.run(600)
    assert speaker.heard(9.0) == [Heard("A", 0, 1000), Drained()]
    assert speaker.underruns == 0


def test_stereo_carries_the_same_sound_on_both_sides():
    speaker = Speaker(AudioFormat(24_000, 2))
    speaker.play("A", 0, sound(100, 7), 0.0)
    speaker.drain("A")
    assert Device(speaker).run(100) == sound(200, 7)


def test_what_was_played_is_told_as_soon_as_the_device_took_it_with_its_times():
    speaker = Speaker(WIRE, jitter=Jitter(most_ms=LEAST_MS))
    device = Device(speaker)
    speaker.play("A", 0, sound(70, 1000), 0.0)
    carried = device.run(100)
    spans = speaker.take_played()
    assert [at for at, _ in spans] == [pytest.approx(LATENCY + 0.01 * n) for n in range(7)]
    assert b"".join(pcm for _, pcm in spans) == carried[: len(sound(70))]  # its fade into the gap included
    speaker.play("A", 0, sound(70, 2000), 0.0)
    carried = device.run(30)
    speaker.flush()
    carried += device.run(50)
    spans = speaker.take_played()
    assert [at for at, _ in spans] == [pytest.approx(LATENCY + 0.1 + 0.01 * n) for n in range(5)]
    assert b"".join(pcm for _, pcm in spans) == carried[: len(sound(30 + FADE_MS))]
    assert speaker.take_played() == []


@pytest.mark.parametrize("form", [AudioFormat(48_000, 1), AudioFormat(44_100, 2), AudioFormat(16_000, 1)])
def test_what_was_played_has_no_gap_on_any_device(form):
    speaker = Speaker(form)
    device = Device(speaker)
    whole = tone(1.0)
    speaker.play("A", 0, whole, 0.0)
    speaker.drain("A")
    device.run(1020)
    spans = speaker.take_played()
    assert b"".join(pcm for _, pcm in spans) == whole
    for (at, pcm), (following, _) in pairwise(spans):
        assert following - at == pytest.approx(len(pcm) / 48_000, abs=1e-9)


# --- ducking --------------------------------------------------------------------------------------------------


def test_ducking_is_down_when_it_said_and_restoring_brings_it_back(speaker, device):
    speaker.play("A", 0, sound(1000, 10_000), 0.0)
    device.run(100)
    down = speaker.duck()
    assert down == pytest.approx(device.time + LATENCY + DUCK_MS / 1000)
    ramp = levels(device.run(DUCK_MS))
    assert np.all(np.diff(ramp) < 0)
    ducked = 10_000 * DUCKED
    assert ramp[-1] == levels(device.run(100))[0] == pytest.approx(ducked, abs=1)
    speaker.restore()
    ramp = levels(device.run(RESTORE_MS))
    assert np.all(np.diff(ramp) > 0)
    assert device.run(10) == sound(10, 10_000)
    assert speaker.heard(9.0) == [Heard("A", 0, 100 + DUCK_MS + 100 + RESTORE_MS + 10)]


def test_what_was_played_is_as_loud_as_it_was_played(speaker, device):
    speaker.play("A", 0, tone(1.0), 0.0)
    carried = device.run(100)
    speaker.duck()
    carried += device.run(100)
    speaker.restore()
    carried += device.run(200)
    assert b"".join(pcm for _, pcm in speaker.take_played()) == carried


def test_ducking_silence_is_at_no_time_and_holds_for_what_comes(speaker, device):
    assert speaker.duck() is None
    device.run(50)
    speaker.play("A", 0, sound(200, 10_000), 0.0)
    assert speaker.duck() is None  # it waits for its prebuffer to be seen by the device
    assert levels(device.run(100)).max() == pytest.approx(10_000 * DUCKED, abs=1)


def test_ducking_again_changes_nothing(speaker, device):
    speaker.play("A", 0, sound(1000, 10_000), 0.0)
    device.run(100)
    down = speaker.duck()
    device.run(10)
    assert speaker.duck() == pytest.approx(down)
    device.run(20)
    assert speaker.duck() <= device.time + LATENCY
    assert levels(device.run(10)).min() == pytest.approx(10_000 * DUCKED, abs=1)


def test_flush_ends_ducking(speaker, device):
    speaker.play("A", 0, sound(500, 10_000), 0.0)
    device.run(100)
    speaker.duck()
    device.run(100)
    speaker.flush()
    speaker.play("B", 0, sound(100, 10_000), 0.0)
    speaker.drain("B")
    after = device.run(120)
    assert levels(after[: len(sound(FADE_MS))]).max() == pytest.approx(10_000 * DUCKED, abs=1)
    assert after[len(sound(FADE_MS)) :] == sound(100, 10_000) + bytes(len(sound(20 - FADE_MS)))


# --- another device -------------------------------------------------------------------------------------------


FORMS = [WIRE, AudioFormat(48_000, 2), AudioFormat(44_100, 1), AudioFormat(16_000, 1), AudioFormat(8_000, 1)]


def told_in_order(speaker: Speaker, device: Device, ms: int) -> list:
    """Reports while the device runs."""
    told = []
    for _ in range(ms // 10):
        device.run(10)
        told += speaker.heard(device.time)
    return told


@pytest.mark.parametrize("form", FORMS)
def test_an_answer_goes_on_at_another_device(form, speaker, device):
    for n in range(20):
        speaker.play("A", 0, sound(50), n / 1000)
    told = told_in_order(speaker, device, 200)
    speaker.move(form, since=device.time)
    assert (speaker.device, speaker.busy) == (form, True)
    speaker.drain("A")
    told += told_in_order(speaker, device, 1000)
    positions = [report.ms for report in told if isinstance(report, Heard)]
    assert positions == sorted(set(positions))
    assert told[-2:] == [Heard("A", 0, 1000), Drained()]
    assert speaker.underruns == 0


@pytest.mark.parametrize("told_late", [True, False])
def test_what_a_device_took_and_never_played_is_played_again(told_late):
    speaker = Speaker(WIRE)
    device = Device(speaker)
    whole = np.arange(24_000, dtype="<i2").tobytes()
    speaker.play("A", 0, whole, 0.0)
    speaker.drain("A")
    before = device.run(300)
    gone = device.time - 0.003
    device.time += 1.0
    if not told_late:
        # Nobody knew yet: by the clock it has all been heard.
        assert speaker.heard(device.time)[-1] == Heard("A", 0, 300)
    speaker.move(WIRE, since=gone)
    after = levels(device.run(1000))
    played = int((gone - LATENCY) * 24_000)
    again = after[: 24_000 - played]
    faded = FADE_MS * 24
    assert again[faded:] == pytest.approx(levels(whole)[played:][faded:], abs=1)
    assert np.all(again[:faded] <= levels(whole)[played:][:faded])
    assert before[: 2 * played] == whole[: 2 * played]
    assert speaker.heard(9.0)[-2:] == [Heard("A", 0, 1000), Drained()]


def test_parts_that_were_over_by_the_clock_are_played_again_in_their_order():
    speaker = Speaker(WIRE)
    device = Device(speaker)
    for n, item in enumerate("ABC"):
        speaker.play(item, 0, sound(20, 1000 * (n + 1)), 0.0)
        speaker.drain(item)
    speaker.play("D", 0, sound(100, 9000), 0.0)
    device.run(70)
    assert len(speaker.heard(9.0)) == 4
    speaker.move(WIRE, since=LATENCY + 0.01)
    after = levels(device.run(200))
    blocks = [after[at : at + 240].max() for at in range(0, 7 * 240, 240)]
    assert blocks == [pytest.approx(417, abs=5), 2000, 2000, 3000, 3000, 9000, 9000]  # A's last 10 ms rise and fall
    speaker.drain("D")
    device.run(50)
    assert speaker.heard(99.0) == [Heard("D", 0, 100), Drained()]


def test_nothing_is_played_again_once_all_was_told(speaker, device):
    speaker.play("A", 0, sound(100), 0.0)
    speaker.drain("A")
    device.run(120)
    assert speaker.heard(9.0)[-1] == Drained()
    speaker.move(WIRE, since=0.05)
    assert not any(device.run(200))
    assert not speaker.busy


def test_what_was_flushed_stays_so_at_another_device(speaker, device):
    speaker.play("A", 0, sound(500), 0.0)
    device.run(100)
    speaker.flush()
    cut = speaker.cut_points()
    speaker.move(AudioFormat(48_000, 1), since=device.time)
    assert speaker.cut_points() == cut
    assert not any(device.run(100))
    assert speaker.heard(9.0) == [Heard("A", 0, 100), Drained()]  # nobody heard the fade
    speaker.play("B", 0, sound(100), 9.0)
    speaker.drain("B")
    device.run(200)
    assert speaker.heard(99.0) == [Heard("B", 0, 100), Drained()]


def test_without_a_time_all_that_was_taken_counts_as_heard(speaker, device):
    speaker.play("A", 0, sound(500, 1000), 0.0)
    device.run(100)
    speaker.move(WIRE)
    assert speaker.heard(9.0) == [Heard("A", 0, 100)]
    device.run(410)
    assert speaker.heard(9.0) == [Heard("A", 0, 500), Drained()]


def test_a_device_that_was_gone_longer_than_sound_is_kept_plays_on_from_there(speaker, device):
    speaker.play("A", 0, sound(3000), 0.0)
    device.run(2500)
    speaker.heard(device.time + 1)
    speaker.move(WIRE, since=0.0)
    assert speaker.buffered_ms == pytest.approx(3000 - 2500 + 1000 * KEPT_SECONDS, abs=20)


def test_ducking_holds_at_another_device(speaker, device):
    speaker.play("A", 0, sound(1000, 10_000), 0.0)
    device.run(100)
    speaker.duck()
    device.run(100)
    speaker.move(AudioFormat(48_000, 1), since=device.time)
    assert levels(device.run(200)).max() == pytest.approx(10_000 * DUCKED, abs=10)


@pytest.mark.parametrize("seed", range(10))
def test_whatever_happens_all_is_heard_in_order_and_nothing_twice(seed):
    """Deltas, devices, ducking and flushes in any order: positions rise, end with what was given, and `Drained`."""
    rng = random.Random(seed)
    speaker = Speaker(rng.choice(FORMS))
    device = Device(speaker)
    given: dict[str, int] = {}
    told = []
    for _ in range(100):
        item = str(len(given)) if not given or rng.random() < 0.1 else str(len(given) - 1)
        match rng.randrange(9):
            case 0 | 1 | 2 | 3:
                ms = rng.randrange(1, 200)
                speaker.play(item, 0, sound(ms), device.time)
                given[item] = given.get(item, 0) + ms
            case 4 | 5 | 6:
                told += told_in_order(speaker, device, rng.randrange(10, 300))
            case 7:
                speaker.move(rng.choice(FORMS), since=device.time + rng.choice([0, LATENCY / 2, LATENCY]))
            case 8:
                rng.choice([speaker.duck, speaker.restore])()
    speaker.drain(str(len(given) - 1))
    while speaker.busy:
        told += told_in_order(speaker, device, 100)
    assert told[-1] == Drained()
    for item, ms in given.items():
        positions = [report.ms for report in told if isinstance(report, Heard) and report.item_id == item]
        assert positions == sorted(set(positions))
        assert positions[-1] == ms


# --- no clicks ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(8))
def test_nothing_that_is_done_to_a_tone_steps_further_than_the_tone_and_a_fade(seed):
    """Late deltas, ducking and restoring at any time, and at last a flush: the loudspeaker never jumps."""
    rng = random.Random(seed)
    speaker = Speaker(WIRE, jitter=Jitter(most_ms=LEAST_MS))
    device = Device(speaker)
    whole, at = tone(20.0, 200), 0
    while at < len(whole):
        size = 2 * rng.randrange(1, 3000)
        speaker.play("A", 0, whole[at : at + size], 0.0)
        at += size
        device.run(rng.choice([0, 20, 60, 100, 150]))
        rng.choice([speaker.duck, speaker.restore, bool])()
    speaker.flush()
    device.run(50)
    assert speaker.underruns > 3
    own = np.abs(np.diff(levels(whole))).max()
    fade = np.abs(levels(whole)).max() / WIRE.samples_in(FADE_MS)
    assert np.abs(np.diff(levels(device.played))).max() <= own + 2 * fade + 2
    assert not any(device.played[-2:])


def test_sound_that_goes_on_while_it_fades_rises_again_from_there(speaker, device):
    speaker.play("A", 0, sound(65, 10_000), 0.0)
    device.run(60)  # 7 ms of the fade have been taken
    speaker.play("A", 0, sound(100, 10_000), 0.0)
    after = levels(device.run(40))
    assert np.abs(np.diff(after)).max() <= 10_000 / WIRE.samples_in(FADE_MS) + 1
    assert 3000 < after.min() < after[-1] == 10_000
    assert speaker.underruns == 0


def test_the_end_is_known_once_everything_was_taken(speaker, device):
    speaker.play("A", 0, sound(100), 0.0)
    device.run(50)
    assert speaker.ends_at is None
    device.run(50)
    assert speaker.ends_at == pytest.approx(LATENCY + 0.1)


def test_parts_that_were_heard_are_forgotten(speaker, device):
    for n in range(50):
        speaker.play(f"item {n}", 0, sound(20), 0.0)
        speaker.drain(f"item {n}")
        device.run(30)
        speaker.heard(device.time)
    assert len(speaker.cut_points()) <= 3


def test_the_level_is_that_of_what_plays(speaker, device):
    speaker.play("A", 0, sound(100, 16384), 0.0)
    device.run(10)
    assert speaker.level == pytest.approx(-6.02, abs=0.01)
