"""Who comes in, by every door, and the openai package's own client as the guest."""

from contextlib import asynccontextmanager

import httpx
import pytest
from openai import AsyncOpenAI

from rtchat.server.app import check_model, new_id
from rtchat.server.dialogue.checks import Rejected
from rtchat.server.engines.base import TextPiece, ToolCall
from rtchat.server.run import ServerConfig, embedded

KEY = "sk-the-right-key-0001"
LOCKED = ServerConfig(api_key=KEY)


@asynccontextmanager
async def visiting(engines, key: str = KEY):
    """A connection of the openai package's client to a server that wants `KEY`."""
    async with embedded(LOCKED, engines=engines) as url:
        guest = AsyncOpenAI(api_key=key, base_url=url.replace("ws://", "http://"), max_retries=0)
        async with guest, guest.realtime.connect(model="gpt-realtime-2.1") as connection:
            yield connection


@pytest.mark.parametrize(
    ("path", "headers", "code", "close"),
    [
        (
            "/realtime?model=gpt-realtime",
            {"Authorization": "Bearer sk-wrong-key-0000001"},
            "invalid_api_key",
            (3000, "invalid_request_error.invalid_api_key"),
        ),
        ("/realtime?model=gpt-realtime", {}, None, (3000, "invalid_request_error")),
        ("/realtime", {"api-key": KEY}, "missing_model", (4000, "invalid_request_error.missing_model")),
        (
            "/realtime?model=gpt-nope",
            {"api-key": KEY},
            "invalid_model",
            (4000, "invalid_request_error.invalid_model"),
        ),
        (
            "/realtime?model=gpt-realtime",
            {"api-key": KEY, "OpenAI-Beta": "realtime=v1"},
            "beta_api_shape_disabled",
            (4000, "invalid_request_error.beta_api_shape_disabled"),
        ),
        (
            "/realtime/translations?model=gpt-realtime",
            {"api-key": KEY},
            "invalid_model",
            (4000, "invalid_request_error.invalid_model"),
        ),
    ],
)
async def test_refusals_come_after_the_upgrade(engines, connect, path, headers, code, close):
    async with (
        embedded(LOCKED, engines=engines) as url,
        connect(url, path=path, additional_headers=headers) as client,
    ):
        assert client.created["type"] == "error"
        assert client.created["error"]["code"] == code
        assert KEY not in client.created["error"]["message"]
        assert await client.closed() == close


@pytest.mark.parametrize(
    "options",
    [
        {"additional_headers": {"Authorization": f"Bearer {KEY}"}},
        {"additional_headers": {"api-key": KEY}},
        {"path": f"/realtime?model=gpt-realtime&api-key={KEY}"},
        {"subprotocols": ["realtime", f"openai-insecure-api-key.{KEY}"]},
        {"path": "/realtime?intent=transcription", "additional_headers": {"api-key": KEY}},
    ],
)
async def test_the_key_may_come_from_anywhere(engines, connect, options):
    async with embedded(LOCKED, engines=engines) as url, connect(url, **options) as client:
        assert client.created["type"] == "session.created"
        assert client.socket.subprotocol == ("realtime" if "subprotocols" in options else None)


@pytest.mark.parametrize("model", ["rtchat-assistant", "apertium:en-es", "gpt-realtime-2.1-mini"])
def test_models_that_are_served(model):
    assert check_model(model) == model


@pytest.mark.parametrize("model", ["gpt-4", "gpt-realtime-translate", "whisper-1", "apertium:", "apertium:en"])
def test_models_that_hold_no_conversation(model):
    with pytest.raises(Rejected, match=model):
        check_model(model)


def test_ids_look_like_the_apis():
    assert new_id("item").startswith("item_")
    assert (len(new_id("event")), len(new_id("call"))) == (27, 21)
    assert new_id("item") != new_id("item")


@pytest.mark.parametrize(
    ("origin", "first"), [("https://evil.example", "error"), ("http://localhost:3000", "session.created")]
)
async def test_without_a_key_only_pages_of_this_machine_come_in(engines, connect, origin, first):
    async with embedded(engines=engines) as url, connect(url, origin=origin) as client:
        assert client.created["type"] == first


async def test_health(engines, connect):
    async with embedded(LOCKED, engines=engines) as url, httpx.AsyncClient() as http:
        health = f"{url.removesuffix('/v1')}/healthz".replace("ws://", "http://")
        assert (await http.get(health)).json() == {"status": "ok", "sessions": 0}
        async with connect(url, additional_headers={"api-key": KEY}):
            assert (await http.get(health)).json()["sessions"] == 1


async def test_sessions_side_by_side_know_nothing_of_each_other(engines, connect):
    async with embedded(engines=engines) as url, connect(url) as one, connect(url) as other:
        await one.say("one")
        await other.say("other")
        for client in (one, other):
            await client.send("response.create", response={"output_modalities": ["text"]})
        for client, word in ((one, "one"), (other, "other")):
            done = (await client.until("response.done"))[-1]
            assert done["response"]["output"][0]["content"][0]["text"] == f"You said {word}."


async def test_the_openai_client_types_and_hears(engines):
    async with visiting(engines) as connection:
        assert (await connection.recv()).type == "session.created"
        await connection.session.update(session={"type": "realtime", "instructions": "Be brief."})
        assert (await connection.recv()).session.instructions == "Be brief."
        await connection.conversation.item.create(
            item={"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hi"}]}
        )
        await connection.response.create(response={"output_modalities": ["audio"]})
        sound, words = 0, ""
        async for event in connection:
            assert event.type != "error"
            if event.type == "response.output_audio.delta":
                sound += len(event.delta)
            elif event.type == "response.output_audio_transcript.delta":
                assert sound == 0  # the words lead
                words += event.delta
            elif event.type == "response.done":
                break
        assert words == "You said hi."
        assert sound == 3 * 6400  # three words of 100 ms, in base64
        item = event.response.output[0].id
        await connection.conversation.item.truncate(item_id=item, content_index=0, audio_end_ms=100)
        assert (await connection.recv()).type == "rate_limits.updated"
        assert (await connection.recv()).audio_end_ms == 100


async def test_the_openai_client_calls_tools(engines):
    engines.llm.answers = [
        [ToolCall("look", '{"at":"sky"}'), ToolCall("look", '{"at":"sea"}')],
        [TextPiece("Blue.")],
    ]
    async with visiting(engines) as connection:
        tool = {"type": "function", "name": "look", "parameters": {"type": "object", "properties": {}}}
        session = {"type": "realtime", "tools": [tool], "output_modalities": ["text"]}
        await connection.session.update(session=session)
        await connection.response.create()
        async for event in connection:
            if event.type == "response.done":
                break
        calls = event.response.output
        assert [call.arguments for call in calls] == ['{"at":"sky"}', '{"at":"sea"}']
        for call in calls:
            await connection.conversation.item.create(
                item={"type": "function_call_output", "call_id": call.call_id, "output": "blue"}
            )
        await connection.response.create()
        async for event in connection:
            assert event.type != "error"
            if event.type == "response.done":
                break
        assert event.response.output[0].content[0].text == "Blue."
    assert [m.role for m in engines.llm.prompts[1].messages] == ["call", "call", "tool", "tool"]


async def test_the_openai_client_cancels(engines):
    engines.tts.endless = True
    async with visiting(engines) as connection:
        await connection.response.create()
        async for event in connection:
            if event.type == "response.output_audio.delta":
                await connection.response.cancel()
                break
        async for event in connection:
            if event.type == "response.done":
                break
        assert event.response.status == "cancelled"
        assert event.response.status_details.reason == "client_cancelled"


async def test_the_openai_client_is_refused(engines):
    async with visiting(engines, "sk-some-other-key-0001") as connection:
        event = await connection.recv()
        assert event.error.code == "invalid_api_key"
