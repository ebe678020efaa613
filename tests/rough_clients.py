"""Clients that no server deserves, on real sockets: broken JSON, broken frames, broken requests, broken manners.

Each client's life comes from its own seed, so that client 17 of seed 3 does the same alone as in a crowd.
"""

from __future__ import annotations

import asyncio
import base64
import json
import random
import socket
import struct
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import rough_frames as of

LAST = "the.last"
"""An event that does not exist: its refusal comes when all before it is done."""
PATIENCE_S = 60
"""A server that has not answered by then does not answer."""


class Wrong(Exception):
    """The server did what no server may."""


@dataclass
class Told:
    """What happened, all clients together.

    Attributes:
        sent: Frames and requests by kind.
        got: Events of the server by type, and statuses.
        wrong: What the server may not do, with the client that saw it.
        held: Connections that are left open and never read again.
    """

    sent: Counter[str] = field(default_factory=Counter)
    got: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    held: list[Any] = field(default_factory=list)


class Rough:
    """One client.

    Args:
        host: Where the server is.
        port: Its port.
        seed: Of its life.
        told: Where it says what happened.
        hold: May it leave connections open for ever?
    """

    def __init__(self, host: str, port: int, seed: str, told: Told, *, hold: bool = False) -> None:
        self._where = host, port
        self._seed = seed
        self._dice = random.Random(seed)
        self._told = told
        self._hold = hold
        self._reader: asyncio.StreamReader
        self._writer: asyncio.StreamWriter
        self._last = asyncio.Event()

    async def live(self) -> None:
        """From the first byte to the last."""
        life = self._dice.choices(
            [self._talk, self._flood, self._mute, self._stranger, self._post], [70, 4, 6, 10, 10]
        )[0]
        try:
            async with asyncio.timeout(PATIENCE_S):
                self._reader, self._writer = await asyncio.open_connection(*self._where, limit=2**26)
                await life()
        except TimeoutError:
            self._told.wrong.append(f"client {self._seed}: {life.__name__} waited {PATIENCE_S} s in vain")
        except (Wrong, ValueError, KeyError) as wrong:  # or it said what cannot be read
            self._told.wrong.append(f"client {self._seed}: {wrong!r}")
        except (OSError, asyncio.IncompleteReadError):  # the server has closed, as it may
            self._told.got["connection lost"] += 1
        finally:
            if (writer := getattr(self, "_writer", None)) is not None and writer not in self._told.held:
                writer.transport.abort()

    # --- lives ----------------------------------------------------------------------------------------------

    async def _talk(self) -> None:
        """Events, mangled, torn, in pieces and in between; read what is answered."""
        if not await self._upgrade():
            return
        reading = asyncio.create_task(self._read())
        try:
            for _ in range(self._dice.randrange(1, 60)):
                await self._send(self._piece())
                if self._dice.random() < 0.05:
                    await asyncio.sleep(self._dice.random() / 50)
            await self._leave(reading)
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
        if not reading.cancelled() and (error := reading.exception()) is not None:
            raise error

    async def _flood(self) -> None:
        """Ask and ask, and read nothing."""
        if not await self._upgrade():
            return
        asked = of.framed(json.dumps({"type": self._dice.choice(["nothing", "response.create"])}).encode())
        with suppress(TimeoutError):
            for _ in range(self._dice.choice([20, 50, 50, 50, 1000])):
                self._told.sent["flood"] += 1
                self._write(asked)
                async with asyncio.timeout(0.2):
                    await self._writer.drain()
        self._vanish()

    async def _mute(self) -> None:
        """Open, and never speak."""
        if await self._upgrade(odd=0.5):
            self._told.sent["mute"] += 1
            await asyncio.sleep(self._dice.random() / 5)
            self._vanish()

    async def _stranger(self) -> None:
        """No request at all, or a torn one."""
        request = self._request(self._dice.choice(of.PATHS + of.ODD_PATHS))
        at = self._dice.randrange(len(request))
        said = self._dice.choice(
            [
                b"",
                request[:at],
                request[:at] + self._dice.randbytes(20) + request[at:],
                self._dice.randbytes(2000),
                b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + self._dice.randbytes(300),  # TLS
                b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
                b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n" * 50,
                request + of.framed(of.text(self._dice)) * 3,  # frames before the upgrade
                b"x" * 100_000,
            ]
        )
        self._told.sent["stranger"] += 1
        self._write(said)
        await self._writer.drain()
        if self._dice.random() < 0.5:
            self._writer.write_eof()
        with suppress(TimeoutError):
            async with asyncio.timeout(0.1):
                await self._status()
        self._vanish()

    async def _post(self) -> None:
        """Ask for a client secret, badly."""
        session = self._dice.choice(of.EVENTS)
        body = of.mangled({"session": session.get("session", {}), "expires_after": {"seconds": 10}}, self._dice)
        raw = json.dumps(body).encode()
        if self._dice.random() < 0.3:
            raw = of.torn(raw.decode(), self._dice).encode(errors="surrogatepass")
        if self._dice.random() < 0.02:
            raw *= 2**20 // len(raw) + 1
        between = self._dice.choice(["", "", "translations/"])
        head = (
            f"POST /v1/realtime/{between}client_secrets HTTP/1.1\r\nHost: x\r\nContent-Length: {len(raw)}\r\n\r\n"
        )
        self._told.sent["post"] += 1
        if self._dice.random() < 0.1:  # half a body
            self._write(head.encode() + raw[: len(raw) // 2])
            await self._writer.drain()
            self._vanish()
            return
        self._write(head.encode() + raw)
        await self._writer.drain()
        await self._status()

    # --- pieces ---------------------------------------------------------------------------------------------

    def _piece(self) -> tuple[str, list[bytes]]:
        """What is sent next: its kind, and its frames."""
        dice = self._dice
        match dice.choices(["text", "pieces", "binary", "ping", "broken"], [70, 15, 5, 5, 1.5])[0]:
            case "text":
                return "text", [of.framed(of.text(dice))]
            case "pieces":
                return "fragmented", list(of.fragments(of.text(dice), dice))
            case "binary":
                return "binary", [of.framed(dice.randbytes(dice.choice([0, 1, 100, 5000])), of.BINARY)]
            case "ping":
                return "ping", [of.framed(dice.randbytes(dice.randrange(126)), dice.choice([of.PING, of.PONG]))]
            case _:
                return "broken", [of.broken(dice)]

    async def _send(self, piece: tuple[str, list[bytes]]) -> None:
        kind, frames = piece
        self._told.sent[kind] += 1
        for frame in frames:
            if len(frame) > 2 and self._dice.random() < 0.05:  # in two halves on the wire
                half = len(frame) // 2
                self._write(frame[:half])
                await self._writer.drain()
                await asyncio.sleep(0)
                frame = frame[half:]
            self._write(frame)
        await self._writer.drain()

    async def _leave(self, reading: asyncio.Task[None]) -> None:
        """With a word, or without one."""
        dice = self._dice
        match dice.choices(["close", "end", "vanish", "half", "shut"], [5, 2, 2, 1, 1])[0]:
            case "close":
                self._write(of.framed(json.dumps({"type": LAST}).encode()))
                answered = asyncio.create_task(self._last.wait())  # all that was sent is worked through then
                await asyncio.wait([answered, reading], return_when=asyncio.FIRST_COMPLETED)
                answered.cancel()
                self._write(of.framed(struct.pack("!H", 1000), of.CLOSE))
                await self._writer.drain()
                await reading
            case "end":
                self._writer.close()
                await self._writer.wait_closed()
            case "vanish":
                self._vanish()
            case "half":
                self._write(of.framed(of.text(dice))[: dice.randrange(1, 9)])
                await self._writer.drain()
                self._vanish()
            case _:
                self._writer.write_eof()
                await reading

    def _vanish(self) -> None:
        """A reset; or nothing at all, ever again."""
        if self._hold and self._dice.random() < 0.02:
            self._told.held.append(self._writer)
            self._writer.transport.pause_reading()
            return
        raw = self._writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()

    # --- wire -----------------------------------------------------------------------------------------------

    def _write(self, some: bytes) -> None:
        if self._writer.transport.is_closing():
            raise ConnectionResetError
        self._writer.write(some)

    def _request(self, path: str, *more: bytes) -> bytes:
        key = base64.b64encode(self._dice.randbytes(16))
        lines = [
            f"GET {path} HTTP/1.1".encode(),
            b"Host: 127.0.0.1",
            b"Upgrade: websocket",
            b"Connection: Upgrade",
            b"Sec-WebSocket-Version: 13",
            b"Sec-WebSocket-Key: " + key,
            *more,
        ]
        return b"\r\n".join([*lines, b"", b""])

    async def _upgrade(self, odd: float = 0.05) -> bool:
        """Is it a WebSocket now?"""
        path = self._dice.choice(of.ODD_PATHS if self._dice.random() < odd else of.PATHS)
        more = [self._dice.choice(of.ODD_HEADERS)] if self._dice.random() < odd else []
        beta = [b"OpenAI-Beta: realtime=v1"] if self._dice.random() < 0.1 else []
        self._write(self._request(path, *more, *beta))
        return await self._status() == 101

    async def _status(self) -> int:
        """Of an HTTP answer, which is one."""
        head = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        status = int(head.split()[1])
        self._told.got[str(status)] += 1
        if status >= 500 and status != 503:
            raise Wrong(f"HTTP {status}")
        return status

    async def _read(self) -> None:
        """Events, until the server closes: each is right, and none a mistake of the server's."""
        with suppress(OSError, asyncio.IncompleteReadError):
            while True:
                first, size = await self._reader.readexactly(2)
                if size >= 126:
                    wide = await self._reader.readexactly(2 if size == 126 else 8)
                    size = int.from_bytes(wide)
                payload = await self._reader.readexactly(size)
                match first & 15:
                    case 8:
                        self._told.got[f"close {int.from_bytes(payload[:2])}"] += 1
                        # It answers no ping, so that one which has to wait for its turn too long is rightly closed.
                        if payload[:2] == struct.pack("!H", 1011) and b"keepalive ping timeout" not in payload:
                            raise Wrong(f"closed with 1011: {payload[2:].decode()}")
                        return
                    case 1:
                        self._event(payload)

    def _event(self, payload: bytes) -> None:
        event = json.loads(payload)
        self._told.got[event["type"]] += 1
        if event["type"] == "error" and LAST in event["error"]["message"]:
            self._last.set()
        if event["type"] == "error" and event["error"]["type"] == "server_error" and not event["error"]["code"]:
            raise Wrong(event["error"]["message"])


async def crowd(
    host: str, port: int, *, frames: int, seed: int, at_once: int = 16, hold: bool = False, told: Told | None = None
) -> Told:
    """Clients, so many at once, until so many frames were sent."""
    told = told or Told()
    number = 0

    async def one_after_the_other() -> None:
        nonlocal number
        while told.sent.total() < frames:
            number += 1
            await Rough(host, port, f"{seed}.{number}", told, hold=hold).live()

    await asyncio.gather(*(one_after_the_other() for _ in range(at_once)))
    return told
