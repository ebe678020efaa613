"""What uvicorn does not do by itself: end a connection whose client reads nothing any more."""

import asyncio
import socket

import httpx
import websockets

from rtchat.server.limits import Limits
from rtchat.server.run import ServerConfig, embedded


async def test_a_client_that_reads_nothing_is_cut_off(engines, answered, monkeypatch):
    """It asks for more than its buffers hold and reads none of it; the server must not keep it for ever."""
    monkeypatch.setattr("rtchat.server.pace.FASTER_THAN_REAL_TIME", 1e9)
    monkeypatch.setattr("rtchat.server.sending.GOODBYE_S", 0.2)
    engines.tts.endless = True
    config = ServerConfig(limits=Limits(slow_s=0.4))
    async with embedded(config, engines=engines) as url, httpx.AsyncClient() as http:
        base = url.replace("ws", "http", 1).removesuffix("/v1")
        small = socket.create_connection(("127.0.0.1", int(base.rsplit(":", 1)[1])))
        small.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        path = f"{url}/realtime?model=gpt-realtime-2.1"
        client = await websockets.connect(path, sock=small, max_queue=1, ping_interval=None, compression=None)
        await client.send('{"type":"response.create"}')
        await asyncio.wait_for(engines.tts.quiet.wait(), 60)
        await answered(http, f"{base}/metrics", lambda answer: "rtchat_slow_readers_total 1" in answer.text)
        assert (await http.get(f"{base}/healthz")).json()["sessions"] == 0
        client.transport.abort()
