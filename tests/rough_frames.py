"""What no client should send: broken events, broken frames, broken requests, out of a die."""

from __future__ import annotations

import base64
import copy
import json
import random
import struct
from collections.abc import Iterator
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

TOOL = {"type": "function", "name": "f", "description": "", "parameters": {"type": "object"}}
ITEM = {"type": "message", "id": "A", "role": "user", "content": [{"type": "input_text", "text": "hi"}]}
SOUND = {"type": "message", "role": "user", "content": [{"type": "input_audio", "audio": "AAAA"}]}
PIXELS = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\2\x80\0\0\1\xe0"
IMAGE = {"type": "input_image", "image_url": f"data:image/png;base64,{base64.b64encode(PIXELS).decode()}"}
RATIO = {"type": "retention_ratio", "retention_ratio": 0.5, "token_limits": {"post_instructions": 20}}
SEMANTIC = {"type": "semantic_vad", "eagerness": "high", "interrupt_response": False}
VAD = {"type": "server_vad", "threshold": 0.5, "silence_duration_ms": 200, "idle_timeout_ms": 5000}
AUDIO = {
    "input": {
        "format": {"type": "audio/pcm", "rate": 24000},
        "turn_detection": VAD,
        "transcription": {"model": "gpt-live-transcribe"},
    },
    "output": {"voice": "ash", "speed": 1.1, "format": {"type": "audio/pcmu"}},
}
SHOP = {"type": "mcp", "server_label": "shop", "server_url": "http://127.0.0.1:9/mcp", "require_approval": "never"}
APPROVAL = {"type": "mcp_approval_response", "approval_request_id": "mcpr_1", "approve": True}
EVENTS = [
    {
        "type": "session.update",
        "session": {"type": "realtime", "audio": AUDIO, "tools": [TOOL], "tool_choice": "auto"},
    },
    {
        "type": "session.update",
        "session": {"type": "realtime", "output_modalities": ["text"], "truncation": "auto"},
    },
    {
        "type": "session.update",
        "session": {
            "type": "realtime",
            "truncation": RATIO,
            "parallel_tool_calls": False,
            "include": ["item.input_audio_transcription.logprobs"],
            "audio": {"input": {"turn_detection": SEMANTIC, "format": {"type": "audio/pcma"}}},
        },
    },
    {"type": "session.update", "session": {"type": "realtime", "tools": [SHOP, TOOL]}},
    {"type": "conversation.item.create", "item": APPROVAL},
    {"type": "input_audio_buffer.append", "audio": "AAEAAQ" * 2000},
    {"type": "input_audio_buffer.commit"},
    {"type": "input_audio_buffer.clear"},
    {"type": "conversation.item.create", "item": ITEM, "previous_item_id": "root"},
    {"type": "conversation.item.create", "item": SOUND},
    {"type": "conversation.item.create", "item": {"type": "message", "role": "user", "content": [IMAGE]}},
    {
        "type": "conversation.item.create",
        "item": {
            "type": "message",
            "id": "S",
            "role": "assistant",
            "content": [{"type": "output_audio", "audio": "AAAA" * 400, "transcript": "One two."}],
        },
    },
    {"type": "conversation.item.truncate", "item_id": "S", "content_index": 0, "audio_end_ms": 5},
    {"type": "response.create", "response": {"conversation": "none", "input": [SOUND, ITEM]}},
    {
        "type": "conversation.item.create",
        "item": {"type": "function_call", "name": "f", "arguments": "{}", "call_id": "c"},
    },
    {"type": "conversation.item.create", "item": {"type": "function_call_output", "call_id": "c", "output": "x"}},
    {"type": "conversation.item.truncate", "item_id": "A", "content_index": 0, "audio_end_ms": 10},
    {"type": "conversation.item.delete", "item_id": "A"},
    {"type": "conversation.item.retrieve", "item_id": "A"},
    {"type": "response.create", "response": {"metadata": {"a": "b"}, "max_output_tokens": 9, "tools": [TOOL]}},
    {
        "type": "response.create",
        "response": {"conversation": "none", "input": [ITEM, {"type": "item_reference", "id": "A"}]},
    },
    {"type": "response.cancel", "response_id": "resp_1"},
    {"type": "response.cancel"},
    {
        "type": "session.update",
        "session": {"audio": {"output": {"language": "es"}, "input": {"noise_reduction": None}}},
    },
    {"type": "session.input_audio_buffer.append", "audio": "AAEAAQ" * 2000},
    {"type": "session.close"},
]
ODD = [
    None,
    True,
    -1,
    0,
    1e308,
    10**30,
    "",
    "x",
    "A",
    "\ud800",
    [],
    [None],
    {},
    {"type": "x"},
    [[]],
    "null",
    "AAA=",
]


def mangled(event: Any, dice: random.Random) -> Any:
    """The event with one thing in it changed, added or taken away."""
    event = copy.deepcopy(event)
    at = event
    while True:
        keys = list(at) if isinstance(at, dict) else list(range(len(at)))
        if not keys:
            return event
        key = dice.choice(keys)
        if isinstance(at[key], dict | list) and at[key] and dice.random() < 0.7:
            at = at[key]
            continue
        if dice.random() < 0.2:
            del at[key]
        elif dice.random() < 0.1 and isinstance(at, dict):
            at["surplus"] = dice.choice(ODD)
        else:
            at[key] = dice.choice(ODD)
        return event


def torn(frame: str, dice: random.Random) -> str:
    """The text of a frame, broken: cut, doubled keys, deep nesting, huge numbers, odd base64, lone surrogates."""
    at = dice.randrange(len(frame) + 1)
    match dice.randrange(8):
        case 0:
            return frame[:at]
        case 1:
            return frame[:at] + dice.choice('{}[]",:\0\ud800\U0001f642') + frame[at:]
        case 2:
            return frame.replace("{", '{"type":"session.update",', 1)
        case 3:
            return frame.replace(":", ":" + "[" * dice.choice([10, 1000, 100_000]), 1)
        case 4:
            return frame.replace("0", dice.choice(["1e999", "-0", "9" * 400, "NaN", "Infinity"]), 1)
        case 5:
            return frame[at:] + frame[:at]
        case 6:
            return json.dumps(
                {"type": "input_audio_buffer.append", "audio": dice.choice(["=", "A", "AA=A", "é", "A" * 9])}
            )
        case _:
            return frame + dice.choice([" ", "{}", ",", "\n\n", "\ufeff"])


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
    event = dice.choice(EVENTS)
    if dice.random() < 0.01:
        event = large(dice)
    frame = json.dumps(mangled(event, dice) if dice.random() < 0.6 else event, ensure_ascii=dice.random() < 0.9)
    if dice.random() < 0.3:
        frame = torn(frame, dice)
    return frame.encode(errors="surrogatepass" if dice.random() < 0.03 else "replace")


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
