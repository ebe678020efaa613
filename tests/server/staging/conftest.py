"""A server with a scenario, to which every client asks for the faults that it wants."""

import asyncio
import json
from contextlib import asynccontextmanager

import pytest
import websockets

from rtchat.server.run import ServerConfig, embedded
from rtchat.server.staging.scenario import made
from rtchat.server.staging.stage import Stage

HOTEL = [
    {"hear": "a room please", "say": ["For how many nights?", "We have many."]},
    {"say": "One moment."},
    {"say": "That is done."},
]
TRANSCRIBES = {"type": "realtime", "audio": {"input": {"transcription": {"model": "whisper-1"}}}}


class Guest:
    """A client that notes every frame; `events` are those that are JSON objects."""

    def __init__(self, socket):
        self.socket = socket
        self.frames = []

    @property
    def events(self):
        return [event for event in map(_read, self.frames) if isinstance(event, dict)]

    def types(self):
        return [event.get("type") for event in self.events]

    def of(self, kind):
        return [event for event in self.events if event.get("type") == kind]

    async def send(self, kind, **fields):
        await self.socket.send(json.dumps({"type": kind, **fields}))

    async def until(self, kind, times=1):
        """Read until that many events of the kind have come."""
        async with asyncio.timeout(60):
            while self.types().count(kind) < times:
                self.frames.append(await self.socket.recv())

    async def answer(self, times=1):
        await self.send("response.create")
        await self.until("rate_limits.updated", times)
        return self.of("response.done")[-1]["response"]

    async def rest(self):
        """Read until the connection is over; how it was."""
        with pytest.raises(websockets.ConnectionClosed) as closed:
            async with asyncio.timeout(60):
                while True:
                    self.frames.append(await self.socket.recv())
        return closed.value.rcvd


def _read(frame):
    try:
        return json.loads(frame)
    except ValueError:
        return None


@pytest.fixture
def guest():
    """`async with guest("stall:event=3") as guest`: with a scenario and the tone voice, in virtual time."""

    @asynccontextmanager
    async def visiting(chaos, *, virtual=True, seed=1):
        stage = Stage(scenario=made(HOTEL, loop=True), seed=seed, virtual=virtual)
        async with embedded(ServerConfig(tts="tone", stage=stage)) as url:
            address = f"{url}/realtime?model=gpt-realtime-2.1&chaos={chaos}"
            async with websockets.connect(address, max_size=None) as socket:
                yield Guest(socket)

    return visiting
