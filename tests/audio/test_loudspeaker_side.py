import asyncio

import pytest

from rtchat.audio import loudspeaker_side
from rtchat.audio.loudspeaker_side import REPORT_SECONDS, LoudspeakerSide
from rtchat.audio.stream import now
from rtchat.chunk import WIRE
from rtchat.conversation.signals import Drained, Heard

SOUND = b"\1\1" * WIRE.samples_in(300)


class Listening:
    """A loudspeaker without a device: what it tells and what it passes on."""

    def __init__(self) -> None:
        self.told: asyncio.Queue[Heard | Drained] = asyncio.Queue()
        self.taken: list[tuple[float, bytes]] = []
        self.side = LoudspeakerSide(
            tell=self.told.put_nowait, taken=lambda begins, pcm: self.taken.append((begins, pcm))
        )

    async def until_drained(self) -> list[Heard | Drained]:
        got = []
        async with asyncio.timeout(60):
            while not got or got[-1] != Drained():
                got.append(await self.told.get())
        return got


@pytest.fixture
def still(monkeypatch):
    """Time stands still, at the second that this is."""
    monkeypatch.setattr(loudspeaker_side, "now", lambda: 100.0)
    return 100.0


@pytest.fixture
async def listening():
    one = Listening()
    task = asyncio.create_task(one.side.follow())
    yield one
    task.cancel()
    await asyncio.wait([task])


async def test_what_the_device_takes_is_passed_on_and_told_when_it_is_heard(listening, late):
    read = listening.side.source(WIRE)
    listening.side.play("A", 0, SOUND)
    listening.side.drain("A")
    at = now() + 0.02
    assert read(WIRE.samples_in(300), at) == SOUND
    listening.side.pass_on()
    assert listening.taken == [(at, SOUND)]
    got = await listening.until_drained()
    assert got[-2:] == [Heard("A", 0, 300), Drained()]
    assert now() >= at + 0.3
    assert len(got) + late() / REPORT_SECONDS > 3  # it is told on the way, too
    assert listening.side.level > -96


async def test_it_says_when_it_is_silent_and_when_it_is_turned_down(listening, still):
    read = listening.side.source(WIRE)
    assert (listening.side.flush(), listening.side.duck()) == (0.0, 0.0)
    listening.side.restore()
    listening.side.play("A", 0, SOUND)
    listening.side.drain("A")
    read(WIRE.samples_in(10), still + 1)
    assert 1 < listening.side.duck() < 1.1
    (cut,) = listening.side.cut_points()
    assert (cut.item_id, cut.ms) == ("A", 16)
    assert 1 < listening.side.flush() < 1.1


async def test_another_device_goes_on_with_what_is_queued(listening, still):
    read = listening.side.source(WIRE)
    listening.side.play("A", 0, SOUND)
    listening.side.drain("A")
    read(WIRE.samples_in(100), still)
    read = listening.side.source(WIRE, still + 1)
    assert len(read(WIRE.samples_in(500), still).rstrip(b"\0")) == pytest.approx(WIRE.bytes_in(200), abs=10)
