"""The language model over HTTP, before llama.cpp's own server, with the package of the group `llama`.

Its model (`tiny_gguf.py`) says "Hello there.", counts for ever when it reads "count", thinks at "think", and calls
a function at "call" or when it must.
"""

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import httpx
import pytest

from rtchat.errors import EngineError
from rtchat.server.engines.base import AT_WORK, BrokenOff, Message, Prompt, TextPiece
from rtchat.server.engines.finding import Options
from rtchat.server.engines.http_llm import HttpLanguageModel
from rtchat.server.engines.upstream import Upstream
from rtchat.server.run import ServerConfig, build, embedded

absent = "the package of the group llama is not installed"
pytestmark = pytest.mark.skipif(find_spec("xllamacpp") is None, reason=absent)

CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
TOOLS = [
    {"type": "function", "name": "weather", "description": "The weather", "parameters": CITY},
    {"type": "function", "name": "time", "description": "The time", "parameters": {"type": "object"}},
]
HELLO = [TextPiece("Hello"), TextPiece(" there"), TextPiece(".")]
TEXT = {"output_modalities": ["text"]}


@contextmanager
def running(folder: Path, *options: str) -> Iterator[str]:
    """The server, with one slot; its address."""
    program = Path(__file__).with_name("llama_server.py")
    command = (sys.executable, program, folder, "n_parallel=1", "endpoint_slots=1", *options)
    pipe, nowhere = subprocess.PIPE, subprocess.DEVNULL
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=nowhere, text=True) as process:
        try:
            url = next((line.strip() for line in process.stdout if line.startswith("http")), None)
            assert url, "it did not start"
            yield url
        finally:
            process.kill()


@pytest.fixture(scope="module")
def llama(tmp_path_factory):
    """It goes on past the end of its window, so it can count for ever."""
    with running(tmp_path_factory.mktemp("llama"), "n_ctx=2048", "ctx_shift=1") as url:
        yield url


async def at_work(url: str, wanted: bool) -> None:
    """Until its slot computes, or does not."""
    async with asyncio.timeout(60), httpx.AsyncClient(trust_env=False) as http:
        while (await http.get(f"{url}/slots")).json()[0]["is_processing"] is not wanted:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


@asynccontextmanager
async def model(url: str, **options: Any) -> AsyncIterator[HttpLanguageModel]:
    llm = HttpLanguageModel(Upstream(url, kind="llm", **options))
    try:
        yield llm
    finally:
        await llm.close()


async def answer(llm: HttpLanguageModel, *said: str, choice: str = "auto", tools: Sequence[Any] = ()) -> list[Any]:
    roles = ("user", "assistant")
    messages = [Message(roles[n % 2], text) for n, text in enumerate(said)]
    return [piece async for piece in llm.respond(Prompt("Be kind.", messages, tools, choice))]


def config(url: str, *kinds: str) -> ServerConfig:
    return ServerConfig(**dict.fromkeys(kinds or ("llm",), url), options=Options(timeout_s=600))


async def ask(client, text: str, **response: Any) -> dict[str, Any]:
    await client.say(text)
    await client.send("response.create", response=TEXT | response)
    return (await client.until("response.done"))[-1]["response"]


async def test_its_answers(llama):
    async with model(llama) as llm:
        assert await llm.check() is None
        for _ in range(10):  # one right behind the other: it closes the connection behind each
            assert await answer(llm, "hello") == HELLO
        assert await answer(llm, "hello", "Hello.") == HELLO  # after its own words
        assert await answer(llm) == HELLO
        assert await answer(llm, "think") == [AT_WORK, *HELLO]  # it tells thoughts apart, by the template
        seeing = Prompt("", [Message("user", "What is it?", images=("data:image/png;base64,AA==",))])
        assert [piece async for piece in llm.respond(seeing)] == HELLO
    async with model(llama, model="other") as llm:
        assert "does not list the model other: it has tiny." in (await llm.check() or "")


async def test_each_form_of_tool_choice(llama):
    async with model(llama) as llm:
        assert await answer(llm, "hello", tools=TOOLS) == HELLO
        assert await answer(llm, "hello", choice="none", tools=TOOLS) == HELLO
        *said, call = await answer(llm, "hello", choice="weather", tools=TOOLS)
        assert (said, call.name, list(json.loads(call.arguments))) == (HELLO, "weather", ["city"])
        assert [piece.name for piece in (await answer(llm, "hello", choice="time", tools=TOOLS))[3:]] == ["time"]
        called = [piece.name for piece in (await answer(llm, "hello", choice="required", tools=TOOLS))[3:]]
        assert called
        assert set(called) <= {"weather", "time"}
        (call, *_) = await answer(llm, "call", tools=TOOLS)
        assert call.name in {"weather", "time"}


async def test_a_conversation_with_a_call(llama, connect):
    async with embedded(config(llama)) as url, connect(url) as client:
        await client.send("session.update", session={"type": "realtime", "tools": TOOLS})
        done = await ask(client, "hello", tool_choice={"type": "function", "name": "time"})
        message, call = done["output"]
        assert (message["content"][0]["text"], call["name"]) == ("Hello there.", "time")
        output = {"type": "function_call_output", "call_id": call["call_id"], "output": "noon"}
        await client.send("conversation.item.create", item=output)
        assert (await ask(client, "and now?"))["output"][0]["content"][0]["text"] == "Hello there."


async def test_a_conversation_that_outgrows_the_window(llama, connect):
    async with embedded(config(llama)) as url, connect(url) as client:
        for _ in range(8):
            assert (await ask(client, "hello" * 80))["status"] == "completed"  # 3,400 tokens in the end
        await client.send("session.update", session={"type": "realtime", "truncation": "disabled"})
        done = await ask(client, "hello")
        assert "exceeds the available context size" in done["status_details"]["error"]["message"]


async def test_nobody_waits_for_an_answer_that_is_not_wanted_any_more(llama, connect):
    """Cancelled, long enough, left, or talked over: it stops computing."""
    async with embedded(config(llama)) as url:
        async with connect(url) as client, connect(url) as other:
            done = await ask(client, "count", max_output_tokens=20)
            assert (done["status"], done["status_details"]["reason"]) == ("incomplete", "max_output_tokens")
            await at_work(llama, False)
            await client.say("count")
            await client.send("response.create", response=TEXT)
            await client.until("response.output_text.delta")
            await other.say("hello")
            await other.send("response.create", response=TEXT)  # there is one slot, so it waits
            await at_work(llama, True)
            await client.send("response.cancel")
            assert (await other.until("response.done"))[-1]["response"]["status"] == "completed"
            assert (await client.until("response.done"))[-1]["response"]["status"] == "cancelled"
            await client.say("count")
            await client.send("response.create", response=TEXT)
            await client.until("response.output_text.delta")
            await at_work(llama, True)
            client.socket.transport.abort()
        await at_work(llama, False)


async def test_a_barge_in_stops_it(llama, connect, engines):
    used = replace(build(config(llama)), new_vad=engines.new_vad, tts=engines.tts, stt=engines.stt)
    async with embedded(engines=used) as url, connect(url) as client:
        await client.say("count")
        await client.send("response.create")
        await client.until("response.output_audio.delta")
        await at_work(llama, True)
        await client.append(320)
        done = (await client.until("response.done"))[-1]["response"]
        assert done["status_details"]["reason"] == "turn_detected"
        await at_work(llama, False)
    await used.close()


async def test_it_goes_and_comes_again(tmp_path, connect):
    async with AsyncExitStack() as stack:
        with running(tmp_path, "n_ctx=2048", "ctx_shift=1") as llama:
            url = await stack.enter_async_context(embedded(config(llama)))
            client = await stack.enter_async_context(connect(url))
            await client.say("count")
            await client.send("response.create", response=TEXT)
            await client.until("response.output_text.delta")
        broken = (await client.until("response.done"))[-1]["response"]
        assert "broke" in broken["status_details"]["error"]["message"]
        assert "Nothing answers" in (await ask(client, "hello"))["status_details"]["error"]["message"]
        with running(tmp_path, f"port={llama.rpartition(':')[2]}"):
            assert (await ask(client, "hello"))["status"] == "completed"


async def test_a_key_and_the_end_of_the_window(tmp_path):
    with running(tmp_path, "n_ctx=256", "api_keys=sk-secret") as llama:
        async with model(llama, key="sk-wrong") as llm:
            with pytest.raises(EngineError, match=r"401: Invalid API Key. .*RTCHAT_LLM_API_KEY"):
                await answer(llm, "hello")
        async with model(llama, key="sk-secret") as llm:
            assert await answer(llm, "hello") == HELLO
            assert (await answer(llm, "count"))[-1] == BrokenOff("max_output_tokens")
            with pytest.raises(EngineError, match=r"exceeds the available context size .*larger context"):
                await answer(llm, "x" * 300)
