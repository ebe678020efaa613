import asyncio
import json
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from starlette.responses import JSONResponse

from rtchat.server.engines.finding import Options
from rtchat.server.run import ServerConfig, build, embedded

TOOLS = [
    {"type": "function", "name": "weather", "description": "The weather", "parameters": {"type": "object"}},
    {"type": "function", "name": "time", "description": "The time", "parameters": {}},
]


def over_http(stack, *kinds, **options):
    return ServerConfig(**dict.fromkeys(kinds, stack.url), options=Options(**options))


@asynccontextmanager
async def closed_behind(engines):
    yield
    await engines.close()


async def ask(client, **response):
    await client.say("hello")
    await client.send("response.create", response=response)
    return await client.until("response.done")


async def test_a_session_s_answer_is_streamed_token_by_token(stack, said, connect):
    stack.chat = said("Hel", "lo.", " I am", " here.")
    async with embedded(over_http(stack, "llm")) as url, connect(url) as client:
        events = await ask(client, output_modalities=["text"])
    deltas = [event["delta"] for event in events if event["type"] == "response.output_text.delta"]
    assert deltas == ["Hel", "lo.", " I", " am", " here."]
    assert events[-1]["response"]["output"][0]["content"][0]["text"] == "Hello. I am here."


async def test_the_voice_starts_with_the_first_sentence_and_a_barge_in_cuts_the_rest(stack, said, connect, engines):
    stack.chat = [*said("It", " is", " noon", ".", " And", " then")[:6], "stall"]
    used = replace(build(over_http(stack, "llm", "tts", timeout_s=600)), new_vad=engines.new_vad)
    async with closed_behind(used), embedded(engines=used) as url, connect(url) as client:
        await client.say("hello")
        await client.send("response.create")
        await client.until("response.output_audio.delta")
        assert stack.asked[-1]["input"] == "It is noon."
        assert not stack.left.is_set()
        await client.append(320)  # a barge-in
        done = (await client.until("response.done"))[-1]
        assert done["response"]["status_details"]["reason"] == "turn_detected"
        await asyncio.wait_for(stack.left.wait(), 60)


@pytest.mark.parametrize(
    ("reason", "told"), [("length", "max_output_tokens"), ("content_filter", "content_filter")]
)
async def test_what_stops_early_is_incomplete(stack, said, connect, reason, told):
    stack.chat = [*said("Once", " upon")[:2], {"choices": [{"delta": {}, "finish_reason": reason}]}]
    async with embedded(over_http(stack, "llm", "tts")) as url, connect(url) as client:
        for modality, kind in (("text", "text"), ("audio", "transcript")):
            done = (await ask(client, output_modalities=[modality]))[-1]["response"]
            assert (done["status"], done["status_details"]["reason"]) == ("incomplete", told)
            assert done["output"][0]["content"][0][kind] == "Once upon"


async def test_what_is_said_enough_is_not_thought_on(stack, said, connect):
    stack.chat = [*said("Once upon a time.", " There was a fox.")[:2], "stall"]
    stack.sound = [bytes(4800), "stall"]
    async with embedded(over_http(stack, "llm", "tts", timeout_s=600)) as url, connect(url) as client:
        await client.send("response.create", response={"max_output_tokens": 28})
        await asyncio.wait_for(stack.left.wait(), 60)  # the model's connection: the voice still speaks
        await client.until("response.output_audio.delta")
        await client.send("response.cancel")
        done = (await client.until("response.done"))[-1]["response"]
    assert done["output"][0]["content"][0]["transcript"] == "Once upon a time."


async def test_a_client_that_vanishes_cuts_the_connection(stack, said, connect):
    stack.chat = [*said("Once")[:1], "stall"]
    async with embedded(over_http(stack, "llm", timeout_s=600)) as url:
        async with connect(url) as client:
            await client.send("response.create", response={"output_modalities": ["text"]})
            await client.until("response.output_text.delta")
            client.socket.transport.abort()
        await asyncio.wait_for(stack.left.wait(), 60)


async def test_what_fails_ends_its_response_and_not_the_session(stack, said, called, connect):
    async with embedded(over_http(stack, "llm")) as url, connect(url) as client:
        for chat, reason in (
            (JSONResponse({"error": {"message": "no memory"}}, status_code=500), "no memory"),
            ([*said("Well")[:1], "cut"], "broke"),
            (called({"index": 0, "id": "a", "function": {"name": "fly", "arguments": "{}"}}), "'fly'"),
        ):
            stack.chat = chat
            done = (await ask(client, output_modalities=["text"]))[-1]["response"]
            assert (done["status"], done["status_details"]["error"]["code"]) == ("failed", "engine_error")
            assert reason in done["status_details"]["error"]["message"]
        stack.chat = said("Fine.")
        assert (await ask(client, output_modalities=["text"]))[-1]["response"]["status"] == "completed"


async def test_what_stalls_ends_its_response(stack, said, connect):
    async with embedded(over_http(stack, "llm", timeout_s=1)) as url, connect(url) as client:
        for chat in (["stall"], [*said("Well")[:1], "stall"]):
            stack.chat = chat
            done = (await ask(client, output_modalities=["text"]))[-1]["response"]
            assert "has given nothing for" in done["status_details"]["error"]["message"]
            await asyncio.wait_for(stack.left.wait(), 60)  # and the connection is cut
            stack.left.clear()


async def test_thoughts_are_no_part_of_a_session_s_answer(stack, said, connect, engines):
    thoughts = [{"choices": [{"index": 0, "delta": {"reasoning_content": "Hm"}}]}] * 3
    stack.chat = [*thoughts, *said("Noon", ".")]
    used = replace(build(over_http(stack, "llm")), tts=engines.tts)
    async with closed_behind(used), embedded(engines=used) as url, connect(url) as client:
        for modality, field in (("text", "text"), ("audio", "transcript")):
            done = (await ask(client, output_modalities=[modality]))[-1]["response"]
            assert done["output"][0]["content"][0][field] == "Noon."


@pytest.mark.parametrize(("truncation", "status"), [("auto", "completed"), ("disabled", "failed")])
async def test_a_session_that_wants_no_truncation_gets_none(stack, said, connect, truncation, status):
    stack.window, stack.chat = 100, said("Hi.")
    async with embedded(over_http(stack, "llm")) as url, connect(url) as client:
        session = {"type": "realtime", "truncation": truncation, "instructions": "Be kind."}
        await client.send("session.update", session=session)
        await client.say("x" * 90)
        assert (await ask(client, output_modalities=["text"]))[-1]["response"]["status"] == status


async def test_a_tool_call_of_a_session(stack, said, called, connect):
    stack.chat = [*said("Let", " me see.")[:2], *called({"index": 0, "id": "z", "function": {"name": "time"}})]
    async with embedded(over_http(stack, "llm")) as url, connect(url) as client:
        await client.send("session.update", session={"type": "realtime", "tools": TOOLS, "tool_choice": "required"})
        message, call = (await ask(client, output_modalities=["text"]))[-1]["response"]["output"]
        assert message["content"][0]["text"] == "Let me see."
        assert (call["name"], json.loads(call["arguments"])) == ("time", {})
        output = {"type": "function_call_output", "call_id": call["call_id"], "output": "noon"}
        await client.send("conversation.item.create", item=output)
        stack.chat = said("Noon.")
        await ask(client, output_modalities=["text"])
    assert [body["tool_choice"] for body in stack.asked] == ["required"] * 2
    roles = [message["role"] for message in stack.asked[1]["messages"]]
    assert roles == ["system", "user", "assistant", "tool", "user"]
