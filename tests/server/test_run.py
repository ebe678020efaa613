import time

import pytest

from rtchat.errors import UsageError
from rtchat.server.run import ServerConfig, embedded

TEXT_TURN = [
    "conversation.item.added",
    "conversation.item.done",
    "response.created",
    "response.output_item.added",
    "conversation.item.added",
    "response.content_part.added",
    *["response.output_text.delta"] * 3,
    "response.output_text.done",
    "response.content_part.done",
    "conversation.item.done",
    "response.output_item.done",
    "response.done",
    "rate_limits.updated",
]


async def test_a_text_turn_in_the_recorded_order(engines, connect):
    async with embedded(engines=engines) as url, connect(url) as client:
        await client.say("hello")
        await client.send("response.create", response={"output_modalities": ["text"]})
        events = await client.until("rate_limits.updated")
    assert [event["type"] for event in events] == TEXT_TURN
    assert events[-2]["response"]["output"][0]["content"] == [{"type": "output_text", "text": "You said hello."}]


async def test_stopping_closes_what_is_open_with_1001(engines, connect):
    async with embedded(engines=engines) as url:
        connection = connect(url)
        client = await connection.__aenter__()
        began = time.monotonic()
    assert time.monotonic() - began < 1
    assert await client.closed() == (1001, "server shutting down")


async def test_a_port_in_use(engines):
    async with embedded(engines=engines) as url:
        port = int(url.rsplit(":", 1)[1].split("/")[0])
        with pytest.raises(UsageError, match=f"Cannot listen on 127.0.0.1:{port}"):
            async with embedded(ServerConfig(port=port), engines=engines):
                pass


async def test_the_network_needs_a_key(engines):
    with pytest.raises(UsageError, match="without a key"):
        async with embedded(ServerConfig(host="0.0.0.0"), engines=engines):
            pass


async def test_an_engine_that_does_not_exist():
    with pytest.raises(UsageError, match="nope"):
        async with embedded(ServerConfig(llm="nope")):
            pass
