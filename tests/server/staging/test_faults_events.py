"""Each fault of the events, through a real socket."""

import json

from rtchat.server.staging import faults_events


async def test_duplicates(guest):
    async with guest("duplicate:share=1") as one:
        await one.answer(times=2)
        ids = [event["event_id"] for event in one.events]
        assert ids[::2] == ids[1::2]


async def test_unknown_events_in_between(guest):
    async with guest("unknown-event:share=1") as one:
        await one.answer()
        unknown = set(one.types()[1::2])
        assert unknown and unknown <= set(faults_events._OF_TOMORROW)
        assert "response.done" in one.types()[::2]


async def test_unknown_fields_everywhere(guest):
    async with guest("unknown-field") as one:
        done = await one.answer()
        assert all("x_of_tomorrow" in event for event in one.events)
        assert "x_of_tomorrow" in done["output"][0]["content"][0]


async def test_garbage_in_between(guest):
    async with guest("garbage:share=1") as one:
        await one.answer()
        garbage = one.frames[1::2]
        assert set(garbage) <= set(faults_events._GARBAGE)
        assert any(isinstance(frame, bytes) for frame in garbage)
        assert all(json.loads(frame)["type"] for frame in one.frames[::2])


async def test_empty_audio(guest):
    async with guest("empty-audio") as one:
        await one.answer()
        deltas = [event["delta"] for event in one.of("response.output_audio.delta")]
        assert "" in deltas and any(deltas)


async def test_the_same_seed_makes_the_same_faults(guest):
    seen = []
    for seed in (3, 3, 4):
        async with guest("garbage,duplicate,unknown-event", seed=seed) as one:
            await one.answer()
            seen.append(one.frames)
    assert seen[0] == seen[1]
    assert [len(frame) for frame in seen[0]] != [len(frame) for frame in seen[2]]
