"""Each fault of answers and transcripts, through a real socket."""

import base64

from rtchat.testing.babbling import babble

TRANSCRIBES = {"type": "realtime", "audio": {"input": {"transcription": {"model": "whisper-1"}}}}
KIND = "conversation.item.input_audio_transcription"


async def spoken(one):
    """A turn of speech, and its answer."""
    await one.send("session.update", session=TRANSCRIBES)
    await one.send("input_audio_buffer.append", audio=base64.b64encode(babble()).decode())
    await one.until("response.done")


async def test_late_transcripts(guest):
    async with guest("late-transcript:by=60") as one:
        await spoken(one)
        await one.until(f"{KIND}.completed")
        types = one.types()
        assert types.index(f"{KIND}.completed") > types.index("response.done")
        assert one.of(f"{KIND}.completed")[0]["transcript"] == "a room please"


async def test_no_transcripts(guest):
    async with guest("no-transcript") as one:
        await spoken(one)
        assert not [kind for kind in one.types() if kind.startswith(KIND)]


async def test_failed_transcripts(guest):
    async with guest("failed-transcript") as one:
        await spoken(one)
        (failed,) = [event for event in one.events if event["type"].startswith(KIND)]
        assert failed["type"] == f"{KIND}.failed"
        assert failed["error"]["code"] == "transcription_failed"
        assert one.of("response.done")[0]["response"]["status"] == "completed"


async def test_a_race_is_refused_once(guest):
    async with guest("race") as one:
        await one.answer()
        await one.answer(times=2)
        assert one.types().count("response.created") == 2
        (error,) = one.of("error")
        assert error["error"]["code"] == "conversation_already_has_active_response"


async def test_an_answer_that_never_ends_can_be_cancelled(guest):
    async with guest("never-ends:response=2") as one:
        await one.answer()
        await one.send("response.create")
        await one.send("response.cancel")
        await one.until("response.done", 2)
        assert [event["response"]["status"] for event in one.of("response.done")] == ["completed", "cancelled"]
        assert (await one.answer(times=3))["status"] == "completed"


async def test_rate_limits(guest):
    async with guest("rate-limit:reset=7") as one:
        failed = await one.answer()
        assert failed["status"] == "failed"
        assert failed["status_details"]["error"] == {
            "type": "tokens",
            "code": "rate_limit_exceeded",
            "message": "Rate limit reached. Please try again in 7s.",
        }
        (limit,) = one.of("rate_limits.updated")[0]["rate_limits"]
        assert (limit["remaining"], limit["reset_seconds"]) == (0, 7)
        done = await one.answer(times=2)
        assert done["output"][0]["content"][0]["transcript"] == "For how many nights? We have many."
        assert one.of("rate_limits.updated")[1]["rate_limits"][0]["remaining"] > 0
