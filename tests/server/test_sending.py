"""A client that is too slow, and reads in the end why it was closed."""

import asyncio
import json

import pytest
import websockets

from rtchat.server.limits import Limits
from rtchat.server.run import ServerConfig, _running


async def test_a_slow_reader_is_told_why(engines, monkeypatch):
    monkeypatch.setattr("rtchat.server.sending.GOODBYE_S", 120)
    sound = "AAAA" * 250_000
    item = {"type": "message", "role": "user", "id": "loud", "content": [{"type": "input_audio", "audio": sound}]}
    config = ServerConfig(limits=Limits(slow_s=0.3, outbox_bytes=2_000_000))
    async with _running(config, engines) as (url, server, *_):
        path = f"{url}/realtime?model=gpt-realtime-2.1"
        async with websockets.connect(path, max_queue=1, max_size=None, compression=None) as client:
            await client.send(json.dumps({"type": "conversation.item.create", "item": item}))
            for _ in range(40):  # 40 MB; more than the buffers of both sides hold
                await client.send('{"type":"conversation.item.retrieve","item_id":"loud"}')
            async with asyncio.timeout(60):
                while not any(live.ended.code == 1008 for live in server.admission.live):  # noqa: ASYNC110
                    await asyncio.sleep(0.02)
            retrieved = 0
            with pytest.raises(websockets.ConnectionClosedError):
                while True:
                    retrieved += "item.retrieved" in await client.recv()
            assert (client.close_code, client.close_reason[:13]) == (1008, "slow reader: ")
            assert 0 < retrieved < 40
