import asyncio

import pytest

from rtchat.server.door import Door
from rtchat.server.limits import Limits


def test_as_many_as_may_come_and_no_more():
    door = Door(Limits(max_sessions=2))
    with door.visit("realtime"):
        assert door.refusal() is None
        with door.visit("translation"):
            assert (door.refusal().reason, len(door)) == ("full", 2)
            assert "(2)" in door.refusal().sentence
        assert door.refusal() is None
    assert len(door) == 0


def test_without_a_limit_all_come():
    door = Door(Limits())
    for _ in range(1000):
        door.visit("realtime").__enter__()
    assert door.refusal() is None


def test_the_pool_tells_ages_and_kinds_eldest_first():
    now = 10.0
    door = Door(Limits(max_sessions=5), lambda: now)
    with door.visit("translation") as eldest:
        eldest.model = "gpt-realtime-translate"
        now = 12.5
        with door.visit("transcription"):
            now = 13.0
            assert door.pool() == {
                "object": "realtime.pool",
                "capacity": 5,
                "live": 2,
                "draining": False,
                "sessions": [
                    {"id": None, "kind": "translation", "model": "gpt-realtime-translate", "age_seconds": 3.0},
                    {"id": None, "kind": "transcription", "model": None, "age_seconds": 0.5},
                ],
            }


async def test_draining_waits_for_the_last_one():
    door = Door(Limits(drain_s=600))
    with door.visit("realtime"):
        draining = asyncio.create_task(door.drain())
        await asyncio.sleep(0)
        assert door.refusal().reason == "draining"
        assert not draining.done()
    await asyncio.wait_for(draining, 60)


@pytest.mark.parametrize("seconds", [0, 0.01])
async def test_draining_does_not_wait_for_ever(seconds):
    door = Door(Limits(drain_s=seconds))
    with door.visit("realtime"):
        await asyncio.wait_for(door.drain(), 60)
        assert len(door) == 1
