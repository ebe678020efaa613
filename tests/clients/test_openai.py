"""The `openai` package for Python, sync and async: every event goes through its own types on the way in."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from openai import AsyncOpenAI, OpenAI

MODEL = "gpt-realtime-2.1"
WEATHER = {
    "type": "function",
    "name": "get_weather",
    "description": "The weather in a city.",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}
HEARING = {"audio": {"input": {"transcription": {"model": "gpt-4o-mini-transcribe"}}}}


def message(text: str) -> Any:
    return {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}


def pieces(pcm: bytes) -> Iterator[str]:
    for at in range(0, len(pcm), 4800):
        yield base64.b64encode(pcm[at : at + 4800]).decode()


class Async:
    """Reads events; an `error` among them is a failure of the test."""

    def __init__(self, connection: Any) -> None:
        self.it = connection
        self.events: list[Any] = []

    async def until(self, *kinds: str) -> dict[str, Any]:
        """The next event of each type; it waits for all."""
        seen: dict[str, Any] = {}
        while not seen.keys() >= set(kinds):
            event = await asyncio.wait_for(self.it.recv(), 60)
            assert event.type != "error", event
            self.events.append(event)
            seen.setdefault(event.type, event)
        return seen

    async def hear(self, pcm: bytes) -> None:
        for piece in pieces(pcm):
            await self.it.input_audio_buffer.append(audio=piece)


@pytest.fixture
async def talk(served):
    async with (
        AsyncOpenAI(base_url=served.http, api_key="none") as client,
        client.realtime.connect(model=MODEL) as connection,
    ):
        await connection.session.update(session={"type": "realtime", **HEARING})
        talk = Async(connection)
        await talk.until("session.updated")
        yield talk


def of(events: list[Any], kind: str) -> list[Any]:
    return [event for event in events if event.type == kind]


async def test_text(talk: Async) -> None:
    await talk.it.conversation.item.create(item=message("What is two plus three?"))
    await talk.it.response.create(response={"output_modalities": ["text"]})
    done = (await talk.until("response.done"))["response.done"]
    assert "5" in "".join(event.delta for event in of(talk.events, "response.output_text.delta"))
    assert done.response.usage.output_tokens > 0


async def test_voice(talk: Async, spoken: Callable[[str], bytes]) -> None:
    await talk.hear(spoken("What is two plus three?"))
    seen = await talk.until("conversation.item.input_audio_transcription.completed", "response.done")
    assert seen["conversation.item.input_audio_transcription.completed"].transcript == "what is two plus three"
    assert "5" in seen["response.done"].response.output[0].content[0].transcript
    sound = b"".join(base64.b64decode(event.delta) for event in of(talk.events, "response.output_audio.delta"))
    assert len(sound) > 24_000  # half a second


async def test_a_tool(talk: Async, spoken: Callable[[str], bytes]) -> None:
    await talk.it.session.update(session={"type": "realtime", "tools": [WEATHER]})
    await talk.hear(spoken("What is the weather in London?"))
    (call,) = (await talk.until("response.done"))["response.done"].response.output
    assert (call.name, json.loads(call.arguments)) == ("get_weather", {"city": "London"})
    output = json.dumps({"temperature_c": 17})
    await talk.it.conversation.item.create(
        item={"type": "function_call_output", "call_id": call.call_id, "output": output}
    )
    await talk.it.response.create()
    (said,) = (await talk.until("response.done"))["response.done"].response.output
    assert "17" in said.content[0].transcript


async def test_barge_in_and_truncation(talk: Async, spoken: Callable[[str], bytes]) -> None:
    await talk.it.conversation.item.create(item=message("Tell me a long story."))
    await talk.it.response.create()
    delta = (await talk.until("response.output_audio.delta"))["response.output_audio.delta"]
    await talk.hear(spoken("What is two plus three?"))
    cut = (await talk.until("response.done"))["response.done"].response
    assert (cut.status, cut.status_details.reason) == ("cancelled", "turn_detected")
    await talk.it.conversation.item.truncate(item_id=delta.item_id, content_index=0, audio_end_ms=30)
    seen = await talk.until("conversation.item.truncated", "response.done")
    assert seen["conversation.item.truncated"].audio_end_ms == 30
    assert "5" in seen["response.done"].response.output[0].content[0].transcript


async def test_cancel(talk: Async) -> None:
    await talk.it.conversation.item.create(item=message("Tell me a long story."))
    await talk.it.response.create()
    await talk.until("response.output_audio.delta")
    await talk.it.response.cancel()
    response = (await talk.until("response.done"))["response.done"].response
    assert (response.status, response.status_details.reason) == ("cancelled", "client_cancelled")


async def test_an_ephemeral_key(served) -> None:
    async with AsyncOpenAI(base_url=served.http, api_key="none") as client:
        made = await client.realtime.client_secrets.create(
            session={"type": "realtime", "model": MODEL, "instructions": "Say 'Ahoy'."}
        )
    assert made.value.startswith("ek_")
    async with (
        AsyncOpenAI(base_url=served.http, api_key=made.value) as client,
        client.realtime.connect(model=MODEL) as connection,
    ):
        created = await asyncio.wait_for(connection.recv(), 60)
    assert created.type == "session.created"
    assert created.session.instructions == "Say 'Ahoy'."


# This client calls the package below it in a way that its newest version warns about.
@pytest.mark.filterwarnings("ignore:connect.. must be used as a context manager:DeprecationWarning")
def test_the_sync_client(served, spoken: Callable[[str], bytes]) -> None:
    """One conversation: typed, spoken, cut short, cancelled."""
    with (
        OpenAI(base_url=served.http, api_key="none") as client,
        client.realtime.connect(model=MODEL) as connection,
    ):

        def until(*kinds: str) -> dict[str, Any]:
            seen: dict[str, Any] = {}
            for event in connection:
                assert event.type != "error", event
                seen.setdefault(event.type, event)
                if seen.keys() >= set(kinds):
                    return seen
            raise AssertionError(f"the connection ended before {kinds}")

        def done() -> Any:
            return until("response.done")["response.done"].response

        until("session.created")
        connection.conversation.item.create(item=message("What is two plus three?"))
        connection.response.create(response={"output_modalities": ["text"]})
        assert "5" in done().output[0].content[0].text
        connection.session.update(session={"type": "realtime", "tools": [WEATHER]})
        for piece in pieces(spoken("What is the weather in London?")):
            connection.input_audio_buffer.append(audio=piece)
        (call,) = done().output
        assert call.name == "get_weather"
        output = json.dumps({"temperature_c": 17})
        connection.conversation.item.create(
            item={"type": "function_call_output", "call_id": call.call_id, "output": output}
        )
        connection.response.create()
        assert "17" in done().output[0].content[0].transcript
        connection.conversation.item.create(item=message("Tell me a long story."))
        connection.response.create()
        delta = until("response.output_audio.delta")["response.output_audio.delta"]
        for piece in pieces(spoken("What is two plus three?")):
            connection.input_audio_buffer.append(audio=piece)
        assert done().status == "cancelled"
        connection.conversation.item.truncate(item_id=delta.item_id, content_index=0, audio_end_ms=30)
        seen = until("conversation.item.truncated", "response.done")
        assert "5" in seen["response.done"].response.output[0].content[0].transcript
        connection.conversation.item.create(item=message("Tell me a long story."))
        connection.response.create()
        until("response.output_audio.delta")
        connection.response.cancel()
        assert done().status_details.reason == "client_cancelled"
