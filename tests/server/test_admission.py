import asyncio

import pytest

from rtchat.server.admission import Admission
from rtchat.server.limits import Limits


def test_as_many_as_may_come_and_no_more():
    admission = Admission(Limits(max_sessions=2))
    with admission.visit("realtime"):
        assert admission.refusal() is None
        with admission.visit("translation"):
            assert (admission.refusal().reason, len(admission)) == ("full", 2)
            assert "(2)" in admission.refusal().sentence
        assert admission.refusal() is None
    assert len(admission) == 0


def test_without_a_limit_all_come():
    admission = Admission(Limits())
    for _ in range(1000):
        admission.visit("realtime").__enter__()
    assert admission.refusal() is None


def test_the_pool_tells_ages_and_kinds_eldest_first():
    now = 10.0
    admission = Admission(Limits(max_sessions=5), lambda: now)
    with admission.visit("translation") as eldest:
        eldest.model = "gpt-realtime-translate"
        now = 12.5
        with admission.visit("transcription"):
            now = 13.0
            assert admission.pool() == {
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
    admission = Admission(Limits(drain_s=600))
    with admission.visit("realtime"):
        draining = asyncio.create_task(admission.drain())
        await asyncio.sleep(0)
        assert admission.refusal().reason == "draining"
        assert not draining.done()
    await asyncio.wait_for(draining, 60)


@pytest.mark.parametrize("seconds", [0, 0.01])
async def test_draining_does_not_wait_for_ever(seconds):
    admission = Admission(Limits(drain_s=seconds))
    with admission.visit("realtime"):
        await asyncio.wait_for(admission.drain(), 60)
        assert len(admission) == 1
