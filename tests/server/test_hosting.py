"""What uvicorn does not do by itself: end a connection whose client reads nothing, or never says what it wants."""

import asyncio
import socket
from contextlib import asynccontextmanager

import httpx
import pytest
import websockets
from starlette.websockets import WebSocket, WebSocketDisconnect

from rtchat.server.hosting import Host, abort
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


UPGRADE = (
    "GET /v1/realtime?model=gpt-realtime HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
)


def told(caplog) -> list[str]:
    """What was logged, but for asyncio's complaint that a busy machine took long over a step."""
    return [message for message in caplog.messages if not message.startswith("Executing ")]


@asynccontextmanager
async def raw(url: str):
    """A plain connection to the server: what is read, and what is written."""
    port = int(url.rsplit(":", 1)[1].split("/")[0])
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield reader, writer
    finally:
        writer.close()


@pytest.mark.parametrize("header", ["Content-Length: 5", "Transfer-Encoding: chunked", f"X: {'x' * 9000}"])
async def test_an_upgrade_that_cannot_be_read_is_refused(engines, monkeypatch, header):
    monkeypatch.setattr("rtchat.server.hosting.REQUEST_S", 600)  # it is refused, and not given up
    async with embedded(engines=engines) as url, raw(url) as (reader, writer):
        writer.write(f"{UPGRADE}{header[:9000]}\r\n\r\n".encode())
        answer = await asyncio.wait_for(reader.read(), 60)
    assert answer.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert b"cannot be upgraded" in answer


async def test_broken_text_and_a_close_in_one_breath_end_as_any_close(engines, caplog):
    broken, close = b"\x81\x82\0\0\0\0\xff\xfe", b"\x88\x82\0\0\0\0\x03\xe8"
    async with embedded(engines=engines) as url, raw(url) as (reader, writer):
        writer.write(f"{UPGRADE}\r\n".encode())
        await asyncio.wait_for(reader.readuntil(b"session.created"), 60)
        writer.write(broken + close)
        assert (await asyncio.wait_for(reader.read(), 60)).endswith(b"\x88\x02\x03\xe8")
    assert told(caplog) == []


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"GET /healthz HT",
        b"POST /v1/realtime/client_secrets HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{",
    ],
)
async def test_who_never_says_what_they_want_is_sent_home(engines, monkeypatch, said):
    async with embedded(engines=engines) as url, raw(url) as (reader, writer):
        for seconds in (600, 0.5):  # also on a connection that was used; the time runs from the last answer
            monkeypatch.setattr("rtchat.server.hosting.REQUEST_S", seconds)
            writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            await asyncio.wait_for(reader.readuntil(b"}"), 60)
        writer.write(said)
        assert await asyncio.wait_for(reader.read(), 60) == b""


async def test_who_says_what_they_want_is_given_time(engines, connect, monkeypatch):
    monkeypatch.setattr("rtchat.server.hosting.REQUEST_S", 1.5)
    async with embedded(engines=engines) as url, connect(url) as client, raw(url) as (reader, _):
        assert await asyncio.wait_for(reader.read(), 60) == b""  # came later and said nothing: has gone already
        await client.say("still here")
        assert (await client.event())["type"] == "conversation.item.added"


async def test_at_the_end_no_connection_is_left_though_its_client_reads_nothing():
    async def app(scope, receive, send):
        client = WebSocket(scope, receive, send)
        await client.accept()
        while True:
            await client.send_bytes(bytes(1_000_000))

    host = Host(app, max_frame=1000)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        serving = asyncio.create_task(host.serve(sockets=[listener]))
        await host.ready.wait()
        async with raw(f"ws://127.0.0.1:{listener.getsockname()[1]}/v1") as (_, writer):
            writer.write(f"{UPGRADE}\r\n".encode())
            async with asyncio.timeout(60):
                connections = host.server_state.connections
                while not any(one.transport.get_write_buffer_size() for one in connections):  # noqa: ASYNC110 - no event
                    await asyncio.sleep(0.01)
            host.should_exit = True
            await serving
            assert host.server_state.connections == set()


async def test_nothing_is_written_to_a_connection_that_was_cut(caplog):
    """asyncio warns of every such write, and a response in progress makes hundreds."""
    over = asyncio.Event()

    async def app(scope, receive, send):
        client = WebSocket(scope, receive, send)
        await client.accept()
        abort(client)
        with pytest.raises(WebSocketDisconnect):
            for _ in range(20):
                await client.send_text("{}")
        over.set()

    host = Host(app, max_frame=1000)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        serving = asyncio.create_task(host.serve(sockets=[listener]))
        await host.ready.wait()
        with pytest.raises(websockets.ConnectionClosed):
            async with websockets.connect(f"ws://127.0.0.1:{listener.getsockname()[1]}/") as client:
                await client.recv()
        await asyncio.wait_for(over.wait(), 60)
        host.should_exit = True
        await serving
    assert told(caplog) == []
