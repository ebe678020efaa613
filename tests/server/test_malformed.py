"""Frames that no honest server sends, through a real socket."""

import asyncio

import pytest
from websockets.exceptions import ConnectionClosedError

from rtchat.server.dialogue import Dialogue
from rtchat.server.dialogue.signals import Cut, Raw
from rtchat.server.run import embedded


@pytest.fixture
async def sent(engines, connect, monkeypatch):
    """`await sent(effect)`: a client, to whose first frame the server answers with it."""
    stack = []

    async def ask(effect):
        monkeypatch.setattr(Dialogue, "receive", lambda *_: [effect])
        server = embedded(engines=engines)
        client = connect(await server.__aenter__())
        stack.extend([server, client])
        opened = await client.__aenter__()
        await opened.send("anything")
        return opened.socket

    yield ask
    for one in reversed(stack):
        await one.__aexit__(None, None, None)


async def test_a_frame_of_text_or_of_bytes(sent):
    socket = await sent(Raw("not an event"))
    assert await asyncio.wait_for(socket.recv(), 60) == "not an event"
    socket = await sent(Raw(b"\x00\x01"))
    assert await asyncio.wait_for(socket.recv(), 60) == b"\x00\x01"


@pytest.mark.parametrize("size", [20, 1_000, 100_000])
async def test_a_cut_is_no_close(sent, size):
    socket = await sent(Cut("x" * size))
    with pytest.raises(ConnectionClosedError) as lost:
        await asyncio.wait_for(socket.recv(), 60)
    assert lost.value.rcvd is None and lost.value.sent is None
