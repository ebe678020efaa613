import asyncio

from rtchat.server.dialogue.signals import Close
from rtchat.server.outbox import FULL_FRAMES, Outbox


async def test_everything_comes_out_in_its_order():
    outbox = Outbox(1000)
    taken = asyncio.create_task(outbox.get())
    await asyncio.sleep(0)
    for item in ("one", "two", Close(1000, "")):
        outbox.put(item)
    assert [await taken, await outbox.get(), await outbox.get()] == ["one", "two", Close(1000, "")]
    assert outbox.bytes == 0


async def test_many_frames_stop_the_voice_and_few_let_it_go_on():
    outbox = Outbox(1000)
    for _ in range(FULL_FRAMES):
        outbox.put("a")
    assert (outbox.room.is_set(), outbox.attention.is_set()) == (False, True)
    await outbox.get()
    assert outbox.room.is_set()


async def test_many_bytes_stop_the_reading():
    outbox = Outbox(1000)
    outbox.put("a" * 1001)
    assert (outbox.room.is_set(), outbox.attention.is_set(), outbox.bytes) == (True, False, 1001)
    await outbox.get()
    assert outbox.attention.is_set()


async def test_clearing_lets_all_go_on():
    outbox = Outbox(10)
    for _ in range(FULL_FRAMES):
        outbox.put("abc")
    outbox.clear()
    assert (outbox.bytes, outbox.room.is_set(), outbox.attention.is_set()) == (0, True, True)
    outbox.put("next")
    assert await outbox.get() == "next"


async def test_once_shut_it_keeps_nothing():
    outbox = Outbox(10)
    outbox.put("abc")
    outbox.shut()
    for _ in range(FULL_FRAMES):
        outbox.put("abc")
    assert (outbox.bytes, outbox.room.is_set(), outbox.attention.is_set()) == (0, True, True)
