"""Step by step to real ports of this machine."""

import asyncio
import contextlib
import socket
import threading
import time

import pytest

from rtchat.errors import ConnectFailed
from rtchat.link.dialers import url
from rtchat.link.reach import reach


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    for name in ("http", "https", "all", "ws", "wss", "socks", "no"):
        monkeypatch.delenv(f"{name}_proxy", raising=False)
        monkeypatch.delenv(f"{name.upper()}_PROXY", raising=False)


@contextlib.asynccontextmanager
async def port_that(answers: bytes | None):
    """A TCP port that answers the first bytes with these, or not at all."""
    peers = []

    async def handle(reader, writer):
        peers.append(writer)
        if answers is not None and await reader.read(1):
            writer.write(answers)

    async with await asyncio.start_server(handle, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]
        for peer in peers:
            peer.close()


@pytest.fixture
def closed_port():
    """A port at which nobody listens, nor can anybody begin to."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


async def test_a_port_that_is_open():
    async with port_that(None) as port:
        reached = await reach(url(f"ws://127.0.0.1:{port}/v1"), 60)
    assert reached.proxy == "" and reached.tls_ms is None
    assert 0 <= reached.name_ms < 60_000 and 0 <= reached.connect_ms < 60_000


async def test_a_name_that_nobody_has():
    with pytest.raises(ConnectFailed, match=r"host name no-such-host\.invalid cannot be resolved"):
        await reach(url("wss://no-such-host.invalid/v1"), 60)


def test_a_name_server_that_is_dead_holds_nothing_up(monkeypatch):
    ended = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *a, **k: ended.wait(120))
    began = time.monotonic()
    try:
        with pytest.raises(ConnectFailed, match=r"did not answer within 0\.2 seconds"):
            asyncio.run(reach(url("wss://api.example.com/v1"), 0.2))
        assert time.monotonic() - began < 60
    finally:
        ended.set()


async def test_a_port_that_is_closed(closed_port):
    with pytest.raises(ConnectFailed, match="Nothing answers"):
        await reach(url(f"ws://127.0.0.1:{closed_port}/v1"), 60)


async def test_what_speaks_no_tls():
    async with port_that(b"HTTP/1.1 400 Bad Request\r\n\r\n") as port:
        with pytest.raises(ConnectFailed, match="does not speak TLS"):
            await reach(url(f"wss://127.0.0.1:{port}/v1"), 60)


async def test_what_never_answers_is_given_up():
    async with port_that(None) as port:
        with pytest.raises(ConnectFailed, match=r"did not answer within 0\.2 seconds"):
            await reach(url(f"wss://127.0.0.1:{port}/v1"), 0.2)


async def test_a_proxy_is_what_is_reached(monkeypatch):
    async with port_that(None) as port:
        monkeypatch.setenv("HTTPS_PROXY", f"http://user:secret@127.0.0.1:{port}")
        reached = await reach(url("wss://no-such-host.invalid/v1"), 60)
    assert reached.proxy == f"127.0.0.1:{port}"
    assert reached.tls_ms is None


async def test_a_proxy_that_is_not_there(monkeypatch, closed_port):
    monkeypatch.setenv("HTTPS_PROXY", f"http://user:secret@127.0.0.1:{closed_port}")
    with pytest.raises(ConnectFailed, match="The proxy that the environment names cannot be reached") as failed:
        await reach(url("wss://api.example.com/v1"), 60)
    assert "secret" not in str(failed.value)


async def test_a_proxy_that_is_none(monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "nonsense://")
    with pytest.raises(ConnectFailed, match="proxy"):
        await reach(url("wss://api.example.com/v1"), 60)


async def test_this_machine_needs_no_proxy(monkeypatch, closed_port):
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{closed_port}")
    async with port_that(None) as port:
        assert (await reach(url(f"ws://127.0.0.1:{port}/v1"), 60)).proxy == ""
