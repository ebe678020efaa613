"""Many clients of a Realtime server in one process, light enough to leave the server its machine.

    python server_load.py URL '{"sessions": 100, ...}' < sound.pcm

Each client is a bare asyncio protocol: every frame that it sends was made once for all of them (masked with zeros,
which changes nothing), and of what it reads it looks at the first bytes. Prints one line of JSON.
"""

from __future__ import annotations

import asyncio
import base64
import json
import sys
import time
from typing import Any
from urllib.parse import urlsplit

CHUNK = 960  # bytes of 20 ms
TICK = 0.02
_TYPE = b'{"type":"'


def masked(text: str) -> bytes:
    """A client's text frame."""
    body = text.encode()
    size = len(body)
    if size < 126:
        return bytes((0x81, 0x80 | size, 0, 0, 0, 0)) + body
    if size < 65_536:
        return bytes((0x81, 0x80 | 126)) + size.to_bytes(2, "big") + bytes(4) + body
    return bytes((0x81, 0x80 | 127)) + size.to_bytes(8, "big") + bytes(4) + body


def append(pcm: bytes) -> bytes:
    """The frame that appends this sound."""
    return masked(f'{{"type":"input_audio_buffer.append","audio":"{base64.b64encode(pcm).decode()}"}}')


class Client(asyncio.Protocol):
    """One session. `heard(client, kind, payload, now)` is told of every event."""

    transport: asyncio.Transport

    def __init__(self, path: str, heard: Any) -> None:
        self._path = path
        self._heard = heard
        self._buffer = bytearray()
        self._upgraded = False
        self.open: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]
        self.transport.write(
            f"GET {self._path} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )

    def data_received(self, data: bytes) -> None:
        now = time.perf_counter()
        buffer = self._buffer
        buffer += data
        if not self._upgraded:
            end = buffer.find(b"\r\n\r\n")
            if end < 0:
                return
            if not buffer.startswith(b"HTTP/1.1 101"):
                return self.transport.abort()
            del buffer[: end + 4]
            self._upgraded = True
            self.open.set_result(None)
        at = 0
        while len(buffer) - at >= 2:
            size, head = buffer[at + 1], 2
            if size == 126:
                size, head = int.from_bytes(buffer[at + 2 : at + 4], "big"), 4
            elif size == 127:
                size, head = int.from_bytes(buffer[at + 2 : at + 10], "big"), 10
            if len(buffer) - at < head + size:
                break
            if buffer[at] == 0x81:
                body = at + head
                start = body + len(_TYPE)
                self._heard(self, bytes(buffer[start : buffer.find(b'"', start)]), buffer, body, size, now)
            at += head + size
        del buffer[:at]
        return None

    def connection_lost(self, _error: Exception | None) -> None:
        if not self.closed.done():
            self.closed.set_result(None)


async def connect(url: str, heard: Any) -> Client:
    """A session of `ws://host:port/path`."""
    parts = urlsplit(url)
    path = f"{parts.path}?{parts.query}"
    _, client = await asyncio.get_running_loop().create_connection(
        lambda: Client(path, heard), parts.hostname, parts.port
    )
    await client.open
    return client


class Turns:
    """Sessions that ask again and again, in real time, and when their answers came."""

    def __init__(self, frames: list[bytes]) -> None:
        self.frames = frames
        self.from_event: list[float] = []
        self.from_sound: list[float] = []
        self.lag: list[float] = []
        self.failed = 0
        self._began: dict[Client, float] = {}
        self._stopped: dict[Client, tuple[float, float]] = {}

    def heard(self, client: Client, kind: bytes, buffer: bytearray, body: int, size: int, now: float) -> None:
        if kind == b"input_audio_buffer.speech_stopped":
            event = json.loads(buffer[body : body + size])
            self._stopped[client] = (now, self._began[client] + event["audio_end_ms"] / 1000)
        elif kind == b"response.output_audio.delta" and client in self._stopped:
            stopped, sound = self._stopped.pop(client)
            self.from_event.append((now - stopped) * 1000)
            self.from_sound.append((now - sound) * 1000)
        elif kind in (b"error", b"response.done"):
            event = json.loads(buffer[body : body + size])
            if kind == b"error" or event["response"]["status"] == "failed":
                self.failed += 1
                print(event, file=sys.stderr)

    async def talk(self, url: str, sessions: int, seconds: float) -> None:
        """All of them, their questions spread evenly over the time between two."""
        clients = [await connect(url, self.heard) for _ in range(sessions)]
        period = len(self.frames)
        began = time.perf_counter()
        # positions of a session's sound count from its first frame
        for client in clients:
            self._began[client] = began
        quiet = self.frames[-1]
        for tick in range(int(seconds / TICK)):
            wait = began + (tick + 1) * TICK - time.perf_counter()  # a chunk is sent when it has been recorded
            if wait > 0:
                await asyncio.sleep(wait)
            else:
                self.lag.append(-wait * 1000)
                await asyncio.sleep(0)
            for index, client in enumerate(clients):
                at = tick - index * period // sessions
                client.transport.write(self.frames[at % period] if at >= 0 else quiet)
        for client in clients:
            client.transport.abort()


async def main() -> None:
    url, asked = sys.argv[1], json.loads(sys.argv[2])
    sound = sys.stdin.buffer.read()
    turns = Turns([append(sound[at : at + CHUNK]) for at in range(0, len(sound), CHUNK)])
    used = time.process_time()
    await turns.talk(url, asked["sessions"], asked["seconds"])
    print(
        json.dumps(
            {
                "from_event": turns.from_event,
                "from_sound": turns.from_sound,
                "failed": turns.failed,
                "late_ticks": len(turns.lag),
                "worst_lag": max(turns.lag, default=0.0),
                "cpu": time.process_time() - used,
            }
        )
    )


if __name__ == "__main__":
    asyncio.run(main())
