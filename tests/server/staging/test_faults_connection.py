"""Each fault of the connection, through a real socket."""

import asyncio
import base64
import json

import pytest

from rtchat.testing.babbling import babble


@pytest.mark.parametrize("code", [1001, 1011])
async def test_a_close_at_an_event(guest, code):
    async with guest(f"close-{code}:event=4") as one:
        await one.send("response.create")
        assert (await one.rest()).code == code
        assert len(one.frames) == 3


async def test_a_close_after_a_while_of_real_time(guest):
    async with guest("close:after=0.05", virtual=False) as one:
        assert (await one.rest()).code == 1001
        assert one.types() == ["session.created"]


async def test_a_close_after_a_while_of_virtual_time_comes_with_the_sound(guest):
    async with guest("close:after=2") as one:
        await one.answer()
        for _ in range(3):
            await one.send("input_audio_buffer.append", audio="AAAA" * 16_000)  # a second
        assert (await one.rest()).code == 1001


@pytest.mark.parametrize("chaos", ["cut:event=9", "cut:after=0"])
async def test_a_cut_is_in_the_middle_of_a_frame(guest, chaos):
    async with guest(chaos, virtual=False) as one:
        await one.send("response.create")
        assert await one.rest() is None
        assert len(one.frames) < 9


async def test_a_stall_sends_all_of_it_later(guest):
    async with guest("stall:event=3:for=2") as stalled, guest("duplicate:share=0") as other:
        await stalled.answer()
        await other.answer()
        assert stalled.types() == other.types()


async def test_a_stall_is_silent_until_it_is_over(guest):
    async with guest("stall:event=2:for=30", virtual=False) as one:
        await one.send("response.create")
        await one.until("session.created")
        pong = await one.socket.ping()  # the server is alive, and has read the frame before
        await pong
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(one.socket.recv(), 0.1)


async def test_an_expiry(guest):
    async with guest("expire:event=5") as one:
        await one.send("response.create")
        assert (await one.rest()).code == 1001
        assert one.events[-1]["error"]["code"] == "session_expired"


@pytest.mark.parametrize("chaos", ["jitter:most=200", "burst:every=300", "jitter,burst"])
async def test_uneven_audio_keeps_its_order(guest, chaos):
    async with guest(chaos) as uneven, guest("duplicate:share=0") as even:
        await uneven.answer()
        await even.answer()
        assert list(map(without_ids, uneven.frames)) == list(map(without_ids, even.frames))


def without_ids(frame):
    event = json.loads(frame)
    return event["type"], event.get("delta")


async def test_a_burst_in_real_time(guest):
    async with guest("burst:every=50", virtual=False) as one:
        response = await one.answer()
        assert response["status"] == "completed"


async def test_speech_under_jitter(guest):
    async with guest("jitter:most=50") as one:
        await one.send("input_audio_buffer.append", audio=base64.b64encode(babble()).decode())
        await one.until("response.done")
        assert one.of("response.done")[0]["response"]["status"] == "completed"
