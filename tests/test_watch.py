"""Finding out that a server is gone."""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
import subprocess
import sys
import time
from types import SimpleNamespace

import pytest

from rtchat import watch as watch_module
from rtchat.errors import ConnectionLost
from rtchat.watch import Watch


class Line:
    """A line that notes when it is checked."""

    def __init__(self) -> None:
        self.behind = False
        self.checked = asyncio.Event()

    async def check(self, limit: float) -> None:
        assert 1 < limit < 10
        self.checked.set()


@pytest.fixture(autouse=True)
def _in_haste(monkeypatch):
    monkeypatch.setattr(watch_module, "TICK_SECONDS", 0.01)
    monkeypatch.setattr(watch_module, "QUIET_SECONDS", 0.05)
    monkeypatch.setattr(watch_module, "IDLE_SECONDS", 600.0)


def fail(error):
    raise error


@pytest.fixture
async def watching():
    """Begin to watch a line; ended with the test."""
    tasks = []

    def begin(line, *, owed, stall_seconds=60.0, on_stall=fail, on_tick=lambda: None):
        watch = Watch(
            line, "the server", owed=owed, stall_seconds=stall_seconds, on_stall=on_stall, on_tick=on_tick
        )
        tasks.append(asyncio.create_task(watch.run()))
        return watch, tasks[-1]

    yield begin
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_a_server_that_owes_something_and_is_silent_is_asked_whether_it_is_there(watching):
    line = Line()
    began = time.monotonic()
    watching(line, owed=lambda: True)
    await asyncio.wait_for(line.checked.wait(), 60)
    assert time.monotonic() - began >= 0.05


async def test_a_server_that_owes_nothing_is_asked_less_often(watching, monkeypatch):
    monkeypatch.setattr(watch_module, "IDLE_SECONDS", 0.3)
    line = Line()
    began = time.monotonic()
    watching(line, owed=lambda: False)
    await asyncio.wait_for(line.checked.wait(), 60)
    assert time.monotonic() - began >= 0.3


async def test_a_server_that_owes_nothing_may_be_silent_for_a_while_and_one_that_talks_is_there(
    watching, monkeypatch
):
    now = 100.0
    monkeypatch.setattr(watch_module, "time", SimpleNamespace(time=lambda: now, monotonic=lambda: now))
    idle, busy, ticked = Line(), Line(), asyncio.Event()
    watching(idle, owed=lambda: False)
    talking, _ = watching(busy, owed=lambda: True, on_tick=ticked.set)
    for _ in range(10):
        talking.sign()
        now += 0.04
        ticked.clear()
        await ticked.wait()
    assert not idle.checked.is_set() and not busy.checked.is_set()


async def test_an_uplink_that_does_not_keep_up_is_looked_into_though_nothing_is_owed(watching):
    line = Line()
    line.behind = True
    watching(line, owed=lambda: False)
    await asyncio.wait_for(line.checked.wait(), 60)


async def test_a_server_that_only_answers_pings_has_stalled(watching):
    _, task = watching(Line(), owed=lambda: True, stall_seconds=0.2)
    with pytest.raises(ConnectionLost, match=r"the server has said nothing for 0\.2 seconds\."):
        await asyncio.wait_for(task, 60)


async def test_a_stall_that_is_forgiven_is_told_once_until_the_server_talks_again(watching):
    told = asyncio.Queue()
    line = Line()
    watch, task = watching(line, owed=lambda: True, stall_seconds=0.2, on_stall=told.put_nowait)
    async with asyncio.timeout(60):
        first = await told.get()
        line.checked.clear()
        await line.checked.wait()  # it is looked after all the same
        assert told.empty()
        watch.sign()
        assert (await told.get()).message == first.message == "the server has said nothing for 0.2 seconds."
    assert not task.done()


async def test_after_a_suspension_the_line_is_checked_at_once(watching, monkeypatch):
    """A wall clock that jumps by an hour, and a monotonic one that stood still: what Linux shows to who wakes."""
    line = Line()
    began = time.time()
    jump = [0.0]
    monkeypatch.setattr(time, "time", lambda: began + jump[0])
    watching(line, owed=lambda: False)
    await asyncio.sleep(0.05)
    assert not line.checked.is_set()
    jump[0] = 3600.0
    await asyncio.wait_for(line.checked.wait(), 60)


STOPPED = """
import asyncio, sys
from rtchat import watch
from rtchat.watch import Watch

watch.IDLE_SECONDS = 600.0

class Line:
    behind = False
    async def check(self, limit):
        print("checked", flush=True)

async def main():
    watch = Watch(Line(), "x", owed=lambda: False, stall_seconds=60.0, on_stall=None,
                  on_tick=lambda: print("tick", flush=True))
    await watch.run()

asyncio.run(main())
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="no SIGSTOP")
def test_a_process_that_was_stopped_checks_its_line_when_it_goes_on():
    process = subprocess.Popen([sys.executable, "-c", STOPPED], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout.readline() == "tick\n"
        os.kill(process.pid, signal.SIGSTOP)
        time.sleep(watch_module.WOKE_SECONDS + 1.5)  # this is what is tested
        os.kill(process.pid, signal.SIGCONT)
        assert "checked\n" in itertools.islice(process.stdout, 60)
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
