import asyncio

import pytest

from rtchat.audio import microphone_side
from rtchat.audio.echo import Echo
from rtchat.audio.microphone import Microphone
from rtchat.audio.microphone_side import MicrophoneSide
from rtchat.audio.near_end_loader import NearEndLoader
from rtchat.audio.tape import Tape
from rtchat.chunk import WIRE, AudioFormat
from rtchat.conversation.signals import Captured, VoiceSuspected

BLOCK = b"\1\1" * WIRE.samples_in(8)


class Suspicious:
    """A barge-in policy that suspects a voice in every chunk."""

    spurious = False

    def feed(self, at, pcm, **_):
        return [VoiceSuspected(20.0)]


class Side(MicrophoneSide):
    """A microphone without a device: what it wants done on the event loop waits for `run`."""

    def __init__(self) -> None:
        self.near = NearEndLoader(lambda told: None)
        self.wanted, self.cautions, self.noted, self.asked = [], [], [], []
        super().__init__(
            self.near,
            Tape(lambda *piece: self.noted.append(piece)),
            played=lambda: self.asked.append(len(self.noted)),
            caution=self.cautions.append,
            name=lambda: "Desk",
            soon=self.wanted.append,
        )

    def run(self) -> None:
        while self.wanted:
            self.wanted.pop(0)()

    async def heard(self) -> list:
        self.close()
        return [signal async for signal in self.signals()]


async def test_the_event_loop_is_woken_when_a_chunk_is_complete_and_not_before():
    side = Side()
    put = side.capture(WIRE)
    woken = []
    for n in range(10):
        put(BLOCK, 5.0 + 0.008 * n)
        woken.append(len(side.wanted))
        side.run()
    assert woken == [0, 0, 1, 0, 1, 0, 0, 1, 0, 1]  # after 24, 40, 64 and 80 ms
    assert await side.heard() == [Captured(b"\1\1" * 480)] * 4
    assert [at for _, at, _ in side.noted] == [120_000, 120_480, 120_960, 121_440]


async def test_a_busy_event_loop_gets_all_of_it_later():
    side = Side()
    put = side.capture(AudioFormat(48_000, 1))
    for n in range(50):
        put(BLOCK * 2, 0.008 * n)
    assert len(side.wanted) == 1
    side.run()
    assert len(side.noted) == 19
    assert len(await side.heard()) == 19


async def test_what_the_loudspeaker_has_taken_is_passed_on_first():
    side = Side()
    put = side.capture(WIRE)
    for n in range(5):
        put(BLOCK, 0.008 * n)
        side.run()
    assert side.asked == [0, 1]


async def test_who_does_not_read_loses_old_sound_but_nothing_that_was_told(monkeypatch):
    monkeypatch.setattr(microphone_side, "KEPT_CHUNKS", 4)
    side = Side()
    put = side.capture(WIRE)
    for n in range(3):
        put(b"\1\1" * 480, 0.02 * n)
        side.run()
    side.near.near_end.barge_in = Suspicious()
    side.near.near_end.echo = Echo(lambda near, far: near)
    for n in range(3, 6):
        put(b"\1\1" * 480, 0.02 * n)
        side.run()
    heard = await side.heard()
    assert sum(isinstance(signal, VoiceSuspected) for signal in heard) == 3
    assert sum(isinstance(signal, Captured) for signal in heard) < 6


async def test_nothing_but_zeros_is_a_caution():
    side = Side()
    put = side.capture(WIRE)
    for n in range(101):
        put(bytes(960), 0.02 * n)
        side.run()
    assert side.cautions[0].message == "The microphone 'Desk' gives nothing but digital silence."
    assert side.level == -96.0


async def test_after_the_end_nothing_is_heard():
    side = Side()
    put = side.capture(WIRE)
    put(b"\1\1" * 480, 0.0)
    side.close()
    put(b"\1\1" * 480, 0.02)
    side.run()
    async with asyncio.timeout(60):
        assert await side.heard() == []


@pytest.mark.parametrize("rate", [8_000, 16_000, 44_100, 48_000])
async def test_no_chunk_is_later_for_it_than_block_by_block(rate):
    form = AudioFormat(rate, 1)
    block = bytes(form.bytes_in(8))
    eager, side = Microphone(form), Side()
    put = side.capture(form)
    for n in range(500):
        made = eager.feed(block, n * 0.008)
        before = len(side.noted)
        put(block, n * 0.008)
        side.run()
        assert len(side.noted) - before == len(made)
