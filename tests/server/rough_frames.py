"""What no client should send: broken JSON, broken frames, broken requests, out of a die."""

from __future__ import annotations

import importlib.util
import json
import random
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

CONT, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
PATHS = ["/v1/realtime?model=gpt-realtime"] * 6 + [
    "/v1/realtime?intent=transcription",
    "/v1/realtime/translations?model=gpt-realtime-translate",
]
ODD_PATHS = [
    "/v1/realtime",
    "/v1/realtime?model=%ff%00%F0%9F%99%82",
    "/v1/realtime?model=gpt-realtime&chaos=nonsense",
    "/v1/realtime?model=gpt-realtime&api-key=%ed%a0%80",
    "/v1/nowhere",
    "/v1/realtime/client_secrets",
    "/%2e%2e/%00?%",
]
ODD_HEADERS = [
    b"Origin: http://[::1",
    b"Origin: null",
    b"Origin: \xff\xfe",
    b"Origin: https://evil.example",
    b"Authorization: Bearer \xff\xfe\x80",
    b"Authorization: Bearer ek_nothing",
    b"OpenAI-Beta: realtime=v1",
    b"Sec-WebSocket-Protocol: realtime, openai-beta.realtime-v1, openai-insecure-api-key.\xe9",
    b"Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits=x",
    b"Sec-WebSocket-Version: 7",
    b"Content-Length: 5",
    b"Transfer-Encoding: chunked",
    b"X: " + b"x" * 70_000,
]


def _grammar() -> Any:
    """The events and their mangling, of the dialogue's tests."""
    path = Path(__file__).with_name("dialogue") / "test_garbage.py"
    spec = importlib.util.spec_from_file_location("garbage", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


GRAMMAR = _grammar()


def framed(payload: bytes, opcode: int = TEXT, *, fin: bool = True, bits: int = 0, masked: bool = True) -> bytes:
    """A WebSocket frame, right or wrong."""
    size, mask = len(payload), 0x80 * masked
    head = bytes([0x80 * fin | bits | opcode])
    if size < 126:
        head += bytes([mask | size])
    elif size < 1 << 16:
        head += struct.pack("!BH", mask | 126, size)
    else:
        head += struct.pack("!BQ", mask | 127, size)
    return head + (bytes(4) + payload if masked else payload)  # the mask 0 is one, too


def text(dice: random.Random) -> bytes:
    """An event, whole or not, as the bytes of a text frame; a lone surrogate makes them no UTF-8."""
    event = dice.choice(GRAMMAR.EVENTS)
    if dice.random() < 0.01:
        event = dice.choice([translation(), large(dice)])
    frame = json.dumps(
        GRAMMAR.mangled(event, dice) if dice.random() < 0.6 else event, ensure_ascii=dice.random() < 0.9
    )
    if dice.random() < 0.3:
        frame = GRAMMAR.torn(frame, dice)
    return frame.encode(errors="surrogatepass" if dice.random() < 0.03 else "replace")


def translation() -> dict[str, Any]:
    """An event of the other kind of session."""
    return {"type": "session.input_audio_buffer.append", "audio": "AAEAAQ" * 2000}


def large(dice: random.Random) -> dict[str, Any]:
    """An event of a megabyte."""
    if dice.random() < 0.5:
        return {"type": "input_audio_buffer.append", "audio": "A" * 2**20 + dice.choice(["", "=", "é"])}
    item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "x" * 2**20}]}
    return {"type": "conversation.item.create", "item": item}


def fragments(payload: bytes, dice: random.Random) -> Iterator[bytes]:
    """A message in pieces, cut where letters need not end, with a ping between some."""
    cuts = sorted(dice.randrange(len(payload) + 1) for _ in range(dice.randrange(1, 6)))
    parts = [payload[a:b] for a, b in zip([0, *cuts], [*cuts, len(payload)], strict=True)]
    for number, part in enumerate(parts):
        yield framed(part, CONT if number else TEXT, fin=number == len(parts) - 1)
        if dice.random() < 0.3:
            yield framed(b"", dice.choice([PING, PONG]))


def broken(dice: random.Random) -> bytes:
    """What breaks the WebSocket protocol, so that the connection ends."""
    some = dice.randbytes(dice.choice([0, 1, 125, 126, 2000]))
    return dice.choice(
        [
            framed(b'{"type":', masked=False),
            framed(some, bits=dice.choice([0x40, 0x20, 0x10])),
            framed(some, dice.choice([3, 7, 11, 15])),
            framed(b"x" * 126, PING),
            framed(b"", PING, fin=False),
            framed(some, CONT),
            framed(b"{", fin=False) + framed(b"}", TEXT),
            framed(b"\x03", CLOSE),
            framed(struct.pack("!H", dice.choice([0, 999, 1005, 1006, 1015, 5000, 65535])), CLOSE),
            framed(b"\x03\xe8\xff\xfe", CLOSE),
            framed(b"\xff\xfe\xed\xa0\x80"),
            framed(b"\xf0\x9f", fin=False) + framed(b"\x99", CONT),  # a letter that never ends
            b"\x81\xff" + b"\xff" * 8 + some,  # 2**64 - 1 bytes
            b"\x81\xff" + struct.pack("!Q", 1 << 40) + some,
            b"\x81\xfe\x03\xe8" + bytes(4) + b"{" * 300 + dice.randbytes(3000),  # garbage in the middle of a frame
            dice.randbytes(500),
            b"GET / HTTP/1.1\r\n\r\n",
            framed(b"x" * (32 * 2**20 + 1)) if dice.random() < 0.02 else framed(b"x" * 70_000, BINARY),
        ]
    )
