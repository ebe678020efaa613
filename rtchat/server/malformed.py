"""Sending what no honest server sends: frames that are no events, half a frame, a reset instead of a close.

`serve --chaos` does it on purpose. A frame can be cut only below the WebSocket.
"""

from __future__ import annotations

import asyncio
import socket as sockets
import struct
import sys
from typing import TYPE_CHECKING

from rtchat.server.dialogue.signals import Cut, Raw
from rtchat.server.hosting import CUT

if TYPE_CHECKING:
    from starlette.websockets import WebSocket

_FIN_TEXT = 0x81
_LONG = 126
_LINGER = "hh" if sys.platform == "win32" else "ii"
_TAKEN_S = 0.05
"""Time for the half to be read by the client: a reset throws away what its machine still holds."""


async def send(socket: WebSocket, what: Raw | Cut) -> None:
    """Send a frame that is no event, or half a frame and then break the connection."""
    if isinstance(what, Cut):
        await _cut(socket.scope["extensions"][CUT]["transport"], what.frame.encode())
    elif isinstance(what.data, bytes):
        await socket.send_bytes(what.data)
    else:
        await socket.send_text(what.data)


async def _cut(transport: asyncio.Transport, payload: bytes) -> None:
    size = len(payload)
    short = struct.pack("!BB", _FIN_TEXT, size & 0x7F)
    head = short if size < _LONG else struct.pack("!BBH", _FIN_TEXT, _LONG, min(size, 0xFFFF))
    transport.write(head + payload[: size // 2])
    await asyncio.sleep(_TAKEN_S)
    raw = transport.get_extra_info("socket")
    if raw is not None:
        # Lingering for no time makes the close a reset.
        raw.setsockopt(sockets.SOL_SOCKET, sockets.SO_LINGER, struct.pack(_LINGER, 1, 0))
    transport.abort()
