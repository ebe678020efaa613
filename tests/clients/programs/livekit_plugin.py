"""LiveKit's OpenAI plugin: a `RealtimeModel`, and its session used without a room."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from heard import ERRAND, KEY, QUESTION, STORY, URL, Board, tell
from livekit import rtc
from livekit.agents import function_tool, llm
from livekit.plugins import openai
from openai.types.realtime import AudioTranscription
from openai.types.realtime.realtime_audio_input_turn_detection import ServerVad

CALLED: list[str] = []


@function_tool
async def get_weather(city: str) -> str:
    """The weather in a city."""
    CALLED.append(city)
    return '{"temperature_c": 17}'


class Answer(Board):
    """What one generation brings."""

    def __init__(self, generation: llm.GenerationCreatedEvent, board: Board) -> None:
        super().__init__()
        self.board = board
        self.item = ""
        self.text = ""
        self.sound = 0
        self.calls: list[llm.FunctionCall] = []
        self.whole = False
        self.task = asyncio.create_task(self.take(generation))

    async def take(self, generation: llm.GenerationCreatedEvent) -> None:
        await asyncio.gather(self.messages(generation), self.functions(generation))
        self.whole = True
        self.board.changed()

    async def functions(self, generation: llm.GenerationCreatedEvent) -> None:
        async for call in generation.function_stream:
            self.calls.append(call)
            self.board.changed()

    async def messages(self, generation: llm.GenerationCreatedEvent) -> None:
        async for message in generation.message_stream:
            self.item = message.message_id
            await asyncio.gather(self.words(message), self.frames(message))

    async def words(self, message: llm.MessageGeneration) -> None:
        async for piece in message.text_stream:
            self.text += piece
            self.board.changed()

    async def frames(self, message: llm.MessageGeneration) -> None:
        async for frame in message.audio_stream:
            self.sound += len(frame.data) * 2
            self.board.changed()


class Talk(Board):
    """A session, and all that it told."""

    def __init__(self, session: Any) -> None:
        super().__init__()
        self.session = session
        self.heard: list[str] = []
        self.errors: list[str] = []
        self.raw: list[dict[str, Any]] = []
        self.answers: list[Answer] = []
        self.speech_started = 0
        session.on("error", self.on_error)
        session.on("generation_created", self.on_generation)
        session.on("input_audio_transcription_completed", self.on_heard)
        session.on("input_speech_started", self.on_speech)
        session.on("openai_server_event_received", self.on_event)

    def on_error(self, event: Any) -> None:
        self.errors.append(str(event.error))
        self.changed()

    def on_generation(self, generation: llm.GenerationCreatedEvent) -> None:
        self.answers.append(Answer(generation, self))
        self.changed()

    def on_heard(self, event: Any) -> None:
        if event.is_final:
            self.heard.append(event.transcript)
        self.changed()

    def on_speech(self, _event: Any) -> None:
        self.speech_started += 1
        self.changed()

    def on_event(self, event: dict[str, Any]) -> None:
        self.raw.append(event)
        self.changed()

    def events(self, kind: str) -> list[dict[str, Any]]:
        return [event for event in self.raw if event["type"] == kind]

    def hear(self, pcm: bytes) -> None:
        for at in range(0, len(pcm), 4800):
            piece = pcm[at : at + 4800]
            self.session.push_audio(rtc.AudioFrame(piece, 24_000, 1, len(piece) // 2))

    async def type(self, text: str) -> None:
        context = self.session.chat_ctx.copy()
        context.add_message(role="user", content=text)
        await self.session.update_chat_ctx(context)
        # `generate_reply` resolves to the generation that `generation_created` has told as well.
        await self.session.generate_reply()

    async def answered(self, number: int) -> Answer:
        await self.until(lambda: len(self.answers) > number and self.answers[number].whole, f"answer {number}")
        return self.answers[number]


@asynccontextmanager
async def talking(**settings: Any):
    async with aiohttp.ClientSession() as http:
        model = openai.realtime.RealtimeModel(
            model="gpt-realtime-2.1",
            base_url=URL.replace("ws", "http", 1),
            api_key=KEY,
            http_session=http,
            input_audio_transcription=AudioTranscription(model="gpt-4o-mini-transcribe"),
            turn_detection=ServerVad(type="server_vad", create_response=True, interrupt_response=True),
            **settings,
        )
        session = model.session()
        try:
            yield Talk(session)
        finally:
            await session.aclose()
            await model.aclose()


async def text() -> dict[str, Any]:
    async with talking(modalities=["text"]) as talk:
        await talk.type("What is two plus three?")
        answer = await talk.answered(0)
        return {"said": answer.text, "errors": talk.errors}


async def voice() -> dict[str, Any]:
    async with talking() as talk:
        talk.hear(QUESTION)
        answer = await talk.answered(0)
        await talk.until(lambda: talk.heard, "what was heard")
        return {"said": answer.text, "heard": talk.heard[0], "bytes": answer.sound, "errors": talk.errors}


async def tool() -> dict[str, Any]:
    async with talking() as talk:
        await talk.session.update_tools([get_weather])
        talk.hear(ERRAND)
        (call,) = (await talk.answered(0)).calls
        done = await llm.execute_function_call(call, talk.session.tools)
        context = talk.session.chat_ctx.copy()
        context.items.append(done.fnc_call_out)
        await talk.session.update_chat_ctx(context)
        await talk.session.generate_reply()
        answer = await talk.answered(1)
        return {"said": answer.text, "called": CALLED, "errors": talk.errors}


async def barge_in() -> dict[str, Any]:
    async with talking() as talk:
        await talk.type(STORY)
        story = talk.answers[0]
        await talk.until(lambda: story.sound, "sound")
        talk.hear(QUESTION)
        await talk.until(lambda: talk.speech_started, "speech started")
        talk.session.truncate(message_id=story.item, modalities=["audio"], audio_end_ms=30)
        cut = (await talk.until(lambda: talk.events("conversation.item.truncated"), "truncated"))[0]
        done = (await talk.until(lambda: talk.events("response.done"), "response.done"))[0]
        answer = await talk.answered(1)
        return {
            "status": done["response"]["status"],
            "cut_ms": cut["audio_end_ms"],
            "said": answer.text,
            "errors": talk.errors,
        }


async def cancel() -> dict[str, Any]:
    async with talking() as talk:
        await talk.type(STORY)
        await talk.until(lambda: talk.answers[0].sound, "sound")
        talk.session.interrupt()
        done = (await talk.until(lambda: talk.events("response.done"), "response.done"))[0]
        details = done["response"]["status_details"]
        return {"status": done["response"]["status"], "reason": details["reason"], "errors": talk.errors}


async def main() -> None:
    tell({scenario.__name__: await scenario() for scenario in (text, voice, tool, barge_in, cancel)})


asyncio.run(main())
