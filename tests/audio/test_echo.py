import numpy as np
import pytest
from rooms import RATE, Room, dbfs, devices, from_wire, missing, synthetic, to_wire

from rtchat.audio.clock import DeviceClock
from rtchat.audio.echo import LEAD_SECONDS, TAIL_SECONDS, Echo

pytestmark = pytest.mark.skipif(bool(missing()), reason=f"not installed: {', '.join(missing())}")


def canceller():
    pytest.importorskip("livekit.rtc")
    from rtchat.audio.canceller import load_canceller

    return load_canceller().process


def assistant(seconds: float, begins: float) -> np.ndarray:
    """Something said, and silence around it."""
    said = np.concatenate([utterance.samples for utterance in synthetic("flite slt")])
    far = np.zeros(int(RATE * seconds), np.float32)
    begin = int(begins * RATE)
    far[begin:] = said[: len(far) - begin]
    return far


def through(
    room: Room, echo: Echo, far: np.ndarray, near: np.ndarray, *, off: float = 0.0, after: float = 0.0
) -> tuple[np.ndarray, np.ndarray]:
    """What the microphone heard, and what `echo` made of it; the loudspeaker's times are late by `off`."""
    clocks = {"loudspeaker": DeviceClock(RATE), "microphone": DeviceClock(RATE)}
    raw, given = [], []
    for block in devices(room, far, near, block_ms=20):
        at, pcm = clocks[block.side].begins(len(block.samples), block.at + after), to_wire(block.samples)
        if block.side == "microphone":
            raw.append(pcm)
            given.append(echo.feed(at, pcm))
        elif any(pcm):
            echo.played(at + off, pcm)
    return from_wire(b"".join(raw)), from_wire(b"".join(given))


def test_while_nothing_plays_the_microphone_is_left_as_it_is():
    def never(near: bytes, far: bytes) -> bytes:
        raise AssertionError

    echo = Echo(never)
    chunk = np.random.default_rng(1).integers(-9999, 9999, 480).astype("<i2").tobytes()
    assert [echo.feed(5 + 0.02 * n, chunk) for n in range(100)] == [chunk] * 100
    assert not echo.active
    assert echo.gain_db == 0
    assert echo.verdict == "measuring"


@pytest.mark.parametrize("seed", [0, 2, 5])
def test_the_echo_is_taken_out(seed):
    room = Room(seed, auto_gain=False)
    echo = Echo(canceller())
    raw, given = through(room, echo, assistant(12, begins=1), np.zeros(12 * RATE, np.float32))
    late = slice(6 * RATE, 12 * RATE)
    assert dbfs(raw[late]) - dbfs(given[late]) > 15
    assert echo.active
    assert echo.verdict == "cancelling"
    assert echo.erle_db > 15


@pytest.mark.parametrize("off", [-0.08, 0.05])
def test_a_loudspeaker_that_says_wrong_times_does_not_matter(off):
    room = Room(0, auto_gain=False, delay_ms=30)
    echo = Echo(canceller())
    raw, given = through(room, echo, assistant(9, begins=1), np.zeros(9 * RATE, np.float32), off=off)
    late = slice(6 * RATE, 9 * RATE)
    assert dbfs(raw[late]) - dbfs(given[late]) > 25


class Talk:
    """A loudspeaker and a microphone that hears it, 20 ms after 20 ms, on one clock from second 10 on."""

    def __init__(self) -> None:
        self.echo = Echo(lambda near, far: near)
        self.far_at = self.near_at = 10.0
        noise = 0.1 * np.random.default_rng(1).standard_normal(480)
        self.chunk = to_wire(noise.astype(np.float32))

    def go_on(self, seconds: float) -> bool:
        """Whether the canceller is taken to know the room at the end."""
        for _ in range(round(seconds / 0.02)):
            self.echo.played(self.far_at + 0.06, self.chunk)
            self.echo.feed(self.near_at, self.chunk)
            self.far_at, self.near_at = self.far_at + 0.02, self.near_at + 0.02
        return self.echo.converged


@pytest.mark.parametrize(
    ("far", "near"), [(0.07, 0), (0.008, 0), (-0.02, 0), (0, 0.06)], ids=("ran dry", "a block", "back", "lost")
)
def test_after_a_jump_of_one_stream_the_canceller_is_not_taken_to_know_the_delay(far, near):
    talk = Talk()
    assert not talk.go_on(2.5)
    assert talk.go_on(1.5)
    talk.far_at, talk.near_at = talk.far_at + far, talk.near_at + near
    assert not talk.go_on(1.8)
    assert talk.go_on(0.4)


def test_a_pause_of_the_assistant_is_no_jump():
    talk = Talk()
    assert talk.go_on(4)
    for _ in range(75):
        talk.echo.feed(talk.near_at, talk.chunk)
        talk.far_at, talk.near_at = talk.far_at + 0.02, talk.near_at + 0.02
    assert talk.go_on(0.2)


def test_the_users_voice_is_kept_while_the_assistant_is_silent():
    room = Room(3)
    voice = room.near(synthetic("flite rms")[1].samples)[: 3 * RATE]
    near = np.zeros(10 * RATE, np.float32)
    near[6 * RATE : 6 * RATE + len(voice)] = voice
    far = assistant(10, begins=1)
    far[5 * RATE :] = 0
    raw, given = through(room, Echo(canceller()), far, near)
    assert np.array_equal(raw[6 * RATE : 9 * RATE], given[6 * RATE : 9 * RATE])


def test_the_far_end_is_ahead_and_after_the_tail_the_microphone_is_left_alone_again():
    fars = []
    echo = Echo(lambda near, far: fars.append(far) or bytes(len(near)))
    chunk = b"\x00\x10" * 480
    echo.played(10.0, b"\x00\x20" * 480)
    given = [echo.feed(10 - LEAD_SECONDS + 0.02 * n, chunk) for n in range(60)]
    assert any(fars[0])
    assert not any(fars[1])
    silent = round((LEAD_SECONDS + 0.02 + TAIL_SECONDS) / 0.02)
    assert given[1 : silent - 1] == [bytes(960)] * (silent - 2)
    assert given[silent + 1 :] == [chunk] * (59 - silent)


def test_it_fades_in_and_out():
    echo = Echo(lambda near, far: bytes(len(near)))
    chunk = b"\x00\x10" * 480
    echo.played(10.0, bytes(960))
    given = from_wire(b"".join(echo.feed(10 + 0.02 * n, chunk) for n in range(60)))
    assert np.abs(np.diff(given)).max() < 0.001


def test_with_headphones_the_voice_is_left_as_it_is_until_an_echo_comes():
    echo = Echo(canceller())
    far, silence = assistant(14, begins=0), np.zeros(14 * RATE, np.float32)
    raw, given = through(Room(3, echo_db=-90, noise_dbfs=-60, drift_ppm=0), echo, far, silence)
    assert (echo.verdict, echo.active) == ("no echo", True)
    last = slice(12 * RATE, None)
    assert np.array_equal(raw[last], given[last])
    # The headphones are pulled out.
    raw, given = through(Room(3, echo_db=-10, noise_dbfs=-60, drift_ppm=0), echo, far, silence, after=14.0)
    assert echo.verdict == "cancelling"
    assert dbfs(raw[last]) - dbfs(given[last]) > 15
