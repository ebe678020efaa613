import asyncio

import pytest

from rtchat.server.clock import EPOCH, REAL, VirtualClock


async def test_the_machine_s_clock():
    called = asyncio.Event()
    REAL.call_later(0, called.set)
    await asyncio.wait_for(called.wait(), 60)
    before = REAL.monotonic()
    await REAL.sleep(0.001)
    assert REAL.monotonic() > before
    assert REAL.time() > EPOCH
    REAL.reach(5)
    with REAL.resting():
        await REAL.settle(lambda: 5)


class Work:
    """Tasks, and what they did when."""

    def __init__(self):
        self.clock = VirtualClock()
        self.tasks = set()
        self.done = []

    def start(self, work):
        task = asyncio.create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        return task

    def note(self, what):
        self.done.append((self.clock.monotonic(), what))

    async def settle(self):
        await asyncio.wait_for(self.clock.settle(lambda: len(self.tasks)), 60)


async def test_delays_take_no_time_and_keep_their_order():
    work = Work()

    async def walk(name, *steps):
        for step in steps:
            await work.clock.sleep(step)
            work.note(name)

    work.start(walk("slow", 3000, 3000))
    work.start(walk("quick", 1000, 0, 2000))
    work.clock.call_later(3000, work.note, "timer")
    await work.settle()
    assert work.done == [
        (1000, "quick"), (1000, "quick"), (3000, "timer"), (3000, "slow"), (3000, "quick"), (6000, "slow"),
    ]  # fmt: skip
    assert work.clock.time() == EPOCH + 6000


async def test_what_is_not_work_waits_for_its_time():
    work = Work()
    work.clock.call_later(2, work.note, "expiry", work=False)
    cancelled = work.clock.call_later(1, work.note, "cancelled")
    cancelled.cancel()
    await work.settle()
    assert work.done == []
    for heard in (0.5, 1.5, 1.5):
        work.clock.reach(heard)
    await work.settle()
    assert (work.done, work.clock.monotonic()) == ([], 1.5)
    work.clock.call_later(1, work.note, "work")
    await work.settle()
    assert work.done == [(2, "expiry"), (2.5, "work")]


async def test_who_waits_for_something_to_do_is_not_working():
    work, queue = Work(), asyncio.Queue()

    async def serve():
        while True:
            with work.clock.resting():
                order = await queue.get()
            await work.clock.sleep(order)
            work.note(order)

    task = work.start(serve())
    await work.settle()
    queue.put_nowait(5)
    queue.put_nowait(7)
    await work.settle()
    assert work.done == [(5, 5), (12, 7)]
    task.cancel()
    await asyncio.wait([task])


async def test_work_that_takes_real_time_is_waited_for():
    work = Work()

    async def compute():
        await asyncio.to_thread(sum, range(1000))
        work.note("computed")

    work.start(compute())
    await work.settle()
    assert work.done == [(0, "computed")]


async def test_a_sleep_that_is_cancelled_leaves_nothing_behind():
    work = Work()
    task = work.start(work.clock.sleep(10))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await work.settle()
    assert work.clock.monotonic() == 0


async def test_time_that_is_let_pass():
    work = Work()
    work.clock.call_later(2, work.note, "expiry", work=False)
    await work.clock.advance(1)
    assert (work.done, work.clock.monotonic()) == ([], 1)
    await work.clock.advance(1)
    assert work.done == [(2, "expiry")]
