import asyncio
import threading

import pytest

from rtchat.audio.worker import Worker


@pytest.fixture
def worker():
    worker = Worker("test worker")
    yield worker
    worker.end()


def named() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "test worker"]


async def test_calls_are_made_in_order_on_one_thread_and_answered(worker):
    async def call(number: int) -> tuple[int, str]:
        return await worker.call(lambda n: (n, threading.current_thread().name), number)

    assert await asyncio.gather(*map(call, range(5))) == [(n, "test worker") for n in range(5)]
    assert [thread.daemon for thread in named()] == [True]


async def test_what_a_call_raises_is_raised_and_the_next_one_is_made(worker):
    with pytest.raises(ValueError, match="invalid literal"):
        await worker.call(int, "x")
    assert await worker.call(int, "10", base=2) == 2


async def test_a_cancelled_call_that_has_begun_goes_on_and_the_next_one_waits_for_it(worker):
    begun, go_on, done = threading.Event(), threading.Event(), []

    def work() -> None:
        begun.set()
        assert go_on.wait(60)
        done.append("first")

    first = asyncio.create_task(worker.call(work))
    await asyncio.to_thread(begun.wait, 60)
    second = asyncio.create_task(worker.call(done.append, "second"))
    third = asyncio.create_task(worker.call(done.append, "third"))
    await asyncio.sleep(0)
    first.cancel()
    second.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    with pytest.raises(asyncio.CancelledError):
        await second
    go_on.set()
    await third
    assert done == ["first", "third"]


async def test_an_ended_worker_has_made_its_calls_and_its_thread_is_gone():
    worker = Worker("test worker")
    made: list[int] = []
    call = asyncio.create_task(worker.call(made.append, 1))
    await asyncio.sleep(0)
    worker.end()
    assert (made, named()) == ([1], [])
    await call


async def test_a_hanging_call_does_not_hold_up_the_end():
    worker, go_on = Worker("test worker"), threading.Event()
    hanging = asyncio.create_task(worker.call(go_on.wait))
    await asyncio.sleep(0)
    worker.end()
    assert len(named()) == 1
    go_on.set()
    assert await hanging
    for thread in named():
        thread.join(60)
    assert named() == []


async def test_a_worker_that_is_left_makes_one_last_call_when_the_hanging_one_comes_back():
    worker, go_on, last = Worker("test worker"), threading.Event(), threading.Event()
    hanging = asyncio.create_task(worker.call(go_on.wait))
    await asyncio.sleep(0)
    worker.leave(last.set)
    assert not last.is_set()
    go_on.set()
    assert await asyncio.to_thread(last.wait, 60)
    assert await hanging
    for thread in named():
        thread.join(60)
    assert named() == []
