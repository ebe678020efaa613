"""The Realtime API as an ASGI application: who may come in, and what kind of session it gets."""

from __future__ import annotations

import asyncio
import hmac
import re
import secrets
import string
import time
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route, WebSocketRoute

from rtchat import catalog
from rtchat.protocol import wire
from rtchat.protocol.server_events import ErrorEvent
from rtchat.server import mcp_client
from rtchat.server.dialogue import Dialogue
from rtchat.server.dialogue.checks import Rejected
from rtchat.server.dialogue.settings import Kind
from rtchat.server.live import SESSION_SECONDS, Live
from rtchat.server.translation import Translation

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.websockets import WebSocket

    from rtchat.server.engines.registry import Engines

ASSISTANT = "rtchat-assistant"
"""The built-in assistant under its own name."""
MCP_OFF = "This server calls no MCP servers: it must be started with --allow-mcp, or listen on this machine only."
_KEY_PROTOCOL = "openai-insecure-api-key."
_PAIR = re.compile(r"apertium:\w+-\w+")
_LETTERS = string.ascii_letters + string.digits


def new_id(prefix: str) -> str:
    """An id as the API makes them: 21 random characters after the prefix, 16 after `call`."""
    random = secrets.token_bytes(16 if prefix == "call" else 21)
    return f"{prefix}_{''.join(_LETTERS[byte % len(_LETTERS)] for byte in random)}"


class Server:
    """The sessions of one server.

    Args:
        engines: What answers.
        api_key: What a client must show; None lets everybody in.
        mcp: Are MCP servers called that clients name?
    """

    def __init__(self, engines: Engines, *, api_key: str | None = None, mcp: bool = True) -> None:
        self._engines = engines
        self._api_key = api_key
        self._no_mcp = None if mcp and mcp_client.installed() else mcp_client.NOT_INSTALLED if mcp else MCP_OFF
        self._live: set[Live] = set()
        self.app = Starlette(
            routes=[
                Route("/healthz", self._health),
                WebSocketRoute("/v1/realtime", self._realtime),
                WebSocketRoute("/v1/realtime/translations", self._translations),
            ]
        )

    async def close(self) -> None:
        """Close every session, as a server does that goes away."""
        going = list(self._live)
        for live in going:
            live.close(1001, "server shutting down")
        if going:
            await asyncio.wait([asyncio.create_task(live.closed.wait()) for live in going], timeout=0.5)

    async def _health(self, _request: Request) -> JSONResponse:
        return JSONResponse({"status": "ok", "sessions": len(self._live)})

    async def _realtime(self, socket: WebSocket) -> None:
        # Measured: the upgrade is always 101; key and model are judged after it.
        await accept(socket)
        try:
            check_key(socket, self._api_key)
            transcribes = socket.query_params.get("intent") == "transcription"
            model = "" if transcribes else check_model(socket.query_params.get("model"))
        except Rejected as rejected:
            await refuse(socket, rejected)
            return
        expires_at = int(time.time()) + SESSION_SECONDS
        kind: Kind = "transcription" if transcribes else "realtime"
        dialogue = Dialogue(model=model, new_id=new_id, expires_at=expires_at, kind=kind, no_mcp=self._no_mcp)
        await self._serve(Live(socket, dialogue, self._engines))

    async def _translations(self, socket: WebSocket) -> None:
        await accept(socket)
        try:
            check_key(socket, self._api_key)
            model = check_translation_model(socket.query_params.get("model"))
        except Rejected as rejected:
            await refuse(socket, rejected)
            return
        expires_at = int(time.time()) + SESSION_SECONDS
        translation = Translation(model=model, new_id=new_id, expires_at=expires_at)
        await self._serve(Live(socket, translation, self._engines))

    async def _serve(self, live: Live) -> None:
        self._live.add(live)
        try:
            await live.run()
        finally:
            self._live.discard(live)


async def accept(socket: WebSocket) -> None:
    """Upgrade; a browser offers its key as a subprotocol beside `realtime`, and gets that one back."""
    offered = socket.scope.get("subprotocols", [])
    await socket.accept(subprotocol="realtime" if "realtime" in offered else None)


async def refuse(socket: WebSocket, rejected: Rejected) -> None:
    """An `error` event and a close, as the service does it."""
    await socket.send_text(wire.encode(ErrorEvent(event_id=new_id("event"), error=rejected.detail())))
    about_key = rejected.code in (None, "invalid_api_key")
    suffix = f".{rejected.code}" if rejected.code else ""
    await socket.close(3000 if about_key else 4000, f"{rejected.kind}{suffix}")


def check_key(socket: WebSocket, api_key: str | None) -> None:
    """The key, from any of the places that clients put it.

    Raises:
        Rejected: It is missing or wrong, or the client speaks the API's withdrawn beta.
    """
    if socket.headers.get("openai-beta", "").startswith("realtime="):
        message = (
            "The Realtime Beta API is no longer supported. Please use the GA API, without the OpenAI-Beta header."
        )
        raise Rejected("beta_api_shape_disabled", message)
    if api_key is None:
        _check_origin(socket)
        return
    scheme, _, shown = socket.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not shown:
        shown = socket.headers.get("api-key", "") or socket.query_params.get("api-key", "")
    if not shown:
        offered = socket.scope.get("subprotocols", [])
        shown = next((name.removeprefix(_KEY_PROTOCOL) for name in offered if name.startswith(_KEY_PROTOCOL)), "")
    if not shown:
        raise Rejected(None, "Missing bearer or basic authentication in header")
    if not hmac.compare_digest(shown.encode(), api_key.encode()):
        message = f"Incorrect API key provided: {_masked(shown)}. Use the key that the server was started with."
        raise Rejected("invalid_api_key", message)


def _check_origin(socket: WebSocket) -> None:
    """Any web page may open a socket to this machine; without a key, only pages of this machine are let in."""
    origin = urlsplit(socket.headers.get("origin", "")).hostname
    if origin not in (None, "localhost", "127.0.0.1", "::1"):
        message = f"Pages of {origin} cannot use this server. Start it with a key, and give them the key."
        raise Rejected("invalid_origin", message)


def check_model(model: str | None) -> str:
    """A model that this server can stand in for.

    Raises:
        Rejected: There is no such conversation model.
    """
    if not model:
        example = f"wss://api.openai.com/v1/realtime?model={catalog.DEFAULT_MODEL}"
        raise Rejected("missing_model", f"You must provide a model parameter, for example {example}")
    known = catalog.find_model(model)
    if model == ASSISTANT or _PAIR.fullmatch(model) or (known and known.kind == "conversation"):
        return model
    raise Rejected("invalid_model", f'Model "{model}" is not supported in realtime mode.', "model")


def check_translation_model(model: str | None) -> str:
    """A model that this server can stand in for, or `apertium:xx-yy` to say the source language too.

    Raises:
        Rejected: There is no such translation model.
    """
    model = model or catalog.DEFAULT_TRANSLATION_MODEL
    known = catalog.find_model(model)
    if _PAIR.fullmatch(model) or (known and known.kind == "translation"):
        return model
    raise Rejected("invalid_model", f'Model "{model}" is not supported in translation mode.', "model")


def _masked(key: str) -> str:
    return f"{key[:3]}…{key[-4:]}" if len(key) > 12 else "…"
