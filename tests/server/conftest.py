"""Small scripted engines behind the real contracts, and a client that reads events."""

import asyncio
import base64
import json
import re
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
import websockets
from openai.types.realtime import RealtimeServerEvent, RealtimeTranslationServerEvent
from pydantic import TypeAdapter

from rtchat.errors import EngineError
from rtchat.server.engines.base import Prompt, TextPiece, ToolCall, Transcript, WordMark

ORACLE: TypeAdapter[Any] = TypeAdapter(RealtimeServerEvent)
TRANSLATION_ORACLE: TypeAdapter[Any] = TypeAdapter(RealtimeTranslationServerEvent)


class LoudnessDetector:
    """Any window that is not silent is speech."""

    rate = 16_000
    window_samples = 512

    def probability(self, window: bytes) -> float:
        return 0.9 if max(window) > 0 else 0.1

    def reset(self) -> None:
        pass


@dataclass
class ScriptedEars:
    """Hears what it is told to, once it may."""

    name = "scripted"
    says: str | Exception = ""
    may: asyncio.Event = field(default_factory=asyncio.Event)
    grammars: list[str | None] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.may.set()

    async def transcribe(
        self, pcm: bytes, rate: int, *, language: str | None = None, grammar: str | None = None
    ) -> Transcript:
        await self.may.wait()
        self.grammars.append(grammar)
        if isinstance(self.says, Exception):
            raise self.says
        return Transcript(self.says)


@dataclass
class ScriptedModel:
    """Says what it is told to; repeats the user when there is nothing left."""

    name = "scripted"
    answers: list[Sequence[TextPiece | ToolCall | Exception]] = field(default_factory=list)
    prompts: list[Prompt] = field(default_factory=list)

    async def respond(self, prompt: Prompt) -> AsyncIterator[TextPiece | ToolCall]:
        self.prompts.append(prompt)
        last = prompt.messages[-1].text if prompt.messages else "nothing"
        for piece in self.answers.pop(0) if self.answers else [TextPiece(f"You said {last}.")]:
            if isinstance(piece, Exception):
                raise piece
            yield piece

    def grammar(self, prompt: Prompt) -> str | None:
        return "#JSGF V1.0; grammar it; public <it> = hello;"


@dataclass
class ScriptedVoice:
    """100 ms of sound for each word; `endless` never stops; `broken` never starts; `marks` tells of words."""

    name = "scripted"
    rate = 24_000
    endless: bool = False
    broken: bool = False
    marks: bool = False
    stopped: int = 0
    quiet: asyncio.Event = field(default_factory=asyncio.Event)
    made: int = 0
    spoken: list[tuple[str, str, float, str]] = field(default_factory=list)

    async def speak(
        self, text: str, *, voice: str, speed: float = 1.0, language: str = "en"
    ) -> AsyncIterator[bytes | WordMark]:
        if self.broken:
            raise EngineError("The voice is hoarse.", hint="Give it tea.")
        self.spoken.append((text, voice, speed, language))
        try:
            for number, word in enumerate(re.finditer(r"\S+", text), 1):
                if self.marks:
                    yield WordMark(word.end(), number * 100)
                yield b"\x01\x00" * 2400
            while self.endless:
                await asyncio.sleep(0)
                self.made += 1
                yield b"\x01\x00" * 2400
        finally:
            self.stopped += 1
            self.quiet.set()


class ScriptedTranslator:
    """Shouts; only into Spanish."""

    name = "scripted"

    def pairs(self) -> Sequence[tuple[str, str]]:
        return [("en", "es")]

    async def translate(self, text: str, *, source: str, target: str) -> str:
        if (source, target) not in self.pairs():
            raise EngineError(f"No translation from {source} to {target}.", hint="Install apertium-something.")
        return text.upper()


@dataclass
class Scripted:
    """A set of engines, like the registry's."""

    llm: ScriptedModel = field(default_factory=ScriptedModel)
    stt: ScriptedEars = field(default_factory=ScriptedEars)
    tts: ScriptedVoice = field(default_factory=ScriptedVoice)
    translator: ScriptedTranslator = field(default_factory=ScriptedTranslator)
    new_vad: type[LoudnessDetector] = LoudnessDetector
    end_of_turn: Any = None


class Client:
    """A WebSocket client that checks every event against the openai package's types."""

    def __init__(self, socket: websockets.ClientConnection, oracle: TypeAdapter[Any] = ORACLE) -> None:
        self.socket = socket
        self.oracle = oracle
        self.created: dict[str, Any] = {}

    async def send(self, kind: str, **fields: Any) -> None:
        await self.socket.send(json.dumps({"type": kind, **fields}))

    async def say(self, text: str) -> None:
        content = [{"type": "input_text", "text": text}]
        await self.send("conversation.item.create", item={"type": "message", "role": "user", "content": content})

    async def append(self, ms: int, *, silent: bool = False) -> None:
        sound = base64.b64encode((b"\0\0" if silent else b"\1\1") * (ms * 24)).decode()
        await self.send("input_audio_buffer.append", audio=sound)

    async def sound(self, pcm: bytes) -> None:
        await self.send("input_audio_buffer.append", audio=base64.b64encode(pcm).decode())

    async def event(self) -> dict[str, Any]:
        frame = await asyncio.wait_for(self.socket.recv(), 60)
        event = json.loads(frame)
        self.oracle.validate_python(event)
        return event

    async def closed(self) -> tuple[int | None, str | None]:
        await asyncio.wait_for(self.socket.wait_closed(), 60)
        return self.socket.close_code, self.socket.close_reason

    async def until(self, kind: str) -> list[dict[str, Any]]:
        """Events up to and with the first of that kind."""
        events = [await self.event()]
        while events[-1]["type"] != kind:
            events.append(await self.event())
        return events


@pytest.fixture
def engines() -> Scripted:
    return Scripted()


@pytest.fixture
def connect():
    """`async with connect(url) as client`: past `session.created`."""

    @asynccontextmanager
    async def connecting(url: str, *, path: str = "/realtime?model=gpt-realtime-2.1", **options: Any):
        async with websockets.connect(f"{url}{path}", max_size=None, compression=None, **options) as socket:
            client = Client(socket, TRANSLATION_ORACLE if "translations" in path else ORACLE)
            client.created = await client.event()
            yield client

    return connecting


@pytest.fixture
def answered():
    """`await answered(http, path, wanted)`: asks until the answer is as wanted."""

    async def asking(http: Any, path: str, wanted: Callable[[Any], bool]) -> Any:
        async with asyncio.timeout(60):
            while True:
                answer = await http.get(path)
                if wanted(answer):
                    return answer
                await asyncio.sleep(0.01)

    return asking
