"""The OpenAI Agents SDK: a `RealtimeAgent` with a tool, in a `RealtimeSession`."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import Any

from agents import function_tool
from agents.realtime import RealtimeAgent, RealtimeRunner
from heard import ERRAND, KEY, QUESTION, STORY, URL, Board, tell

CALLED: list[str] = []


@function_tool
def get_weather(city: str) -> str:
    """The weather in a city."""
    CALLED.append(city)
    return '{"temperature_c": 17}'


class Talk(Board):
    """A session, and all that it told."""

    def __init__(self, session: Any) -> None:
        super().__init__()
        self.session = session
        self.sound = b""
        self.history: list[Any] = []
        self.errors: list[str] = []
        self.raw: list[dict[str, Any]] = []
        self.interrupted = 0
        self.ended = 0

    async def listen(self) -> None:
        async for event in self.session:
            if event.type == "audio":
                self.sound += event.audio.data
            elif event.type == "audio_interrupted":
                self.interrupted += 1
            elif event.type == "error":
                self.errors.append(str(event.error))
            elif event.type == "history_updated":
                self.history = list(event.history)
            elif event.type == "history_added":
                self.history = [*(it for it in self.history if it.item_id != event.item.item_id), event.item]
            elif event.type == "agent_end":
                self.ended += 1
            elif event.type == "raw_model_event" and event.data.type == "raw_server_event":
                self.raw.append(event.data.data)
            self.changed()

    def said(self, role: str) -> list[str]:
        """Text or transcript of each message."""
        messages = [item for item in self.history if item.type == "message" and item.role == role]
        return [
            "".join(getattr(part, "text", None) or getattr(part, "transcript", None) or "" for part in item.content)
            for item in messages
        ]

    def events(self, kind: str) -> list[dict[str, Any]]:
        return [event for event in self.raw if event["type"] == kind]

    async def hear(self, pcm: bytes) -> None:
        for at in range(0, len(pcm), 4800):
            await self.session.send_audio(pcm[at : at + 4800])

    async def answered(self, word: str) -> str:
        """The answer that holds a word: its last, for it comes word by word."""
        return await self.until(
            lambda: next((text for text in self.said("assistant") if word in text), None), f"an answer with {word}"
        )


@asynccontextmanager
async def talking(**settings: Any):
    agent = RealtimeAgent(name="Assistant", instructions="Help.", tools=[get_weather])
    model_settings = {
        "model_name": "gpt-realtime-2.1",
        "input_audio_transcription": {"model": "gpt-4o-mini-transcribe"},
        "turn_detection": {"type": "server_vad", "interrupt_response": True},
        **settings,
    }
    runner = RealtimeRunner(agent, config={"model_settings": model_settings, "tracing_disabled": True})
    config = {"api_key": KEY, "url": f"{URL}/realtime?model=gpt-realtime-2.1"}
    async with await runner.run(model_config=config) as session:
        talk = Talk(session)
        listener = asyncio.create_task(talk.listen())
        try:
            yield talk
        finally:
            listener.cancel()


async def text() -> dict[str, Any]:
    async with talking(output_modalities=["text"]) as talk:
        await talk.session.send_message("What is two plus three?")
        return {"said": await talk.answered("5."), "errors": talk.errors}


async def voice() -> dict[str, Any]:
    async with talking() as talk:
        await talk.hear(QUESTION)
        said = await talk.answered("5.")
        await talk.until(lambda: any(talk.said("user")), "what was heard")
        await talk.until(lambda: talk.events("response.done"), "response.done")
        return {"said": said, "heard": talk.said("user")[0], "bytes": len(talk.sound), "errors": talk.errors}


async def tool() -> dict[str, Any]:
    async with talking() as talk:
        await talk.hear(ERRAND)
        return {"said": await talk.answered("degrees."), "called": CALLED, "errors": talk.errors}


async def barge_in() -> dict[str, Any]:
    async with talking() as talk:
        await talk.session.send_message(STORY)
        await talk.until(lambda: talk.sound, "sound")
        await talk.hear(QUESTION)
        done = (await talk.until(lambda: talk.events("response.done"), "response.done"))[0]
        await talk.until(lambda: talk.events("conversation.item.truncated"), "truncated")
        said = await talk.answered("5.")
        return {
            "status": done["response"]["status"],
            "said": said,
            "interrupted": talk.interrupted,
            "errors": talk.errors,
        }


async def cancel() -> dict[str, Any]:
    """`interrupt()` cancels the response and truncates what was not heard of it."""
    async with talking(turn_detection=None) as talk:
        await talk.session.send_message(STORY)
        await talk.until(lambda: talk.sound, "sound")
        await talk.session.interrupt()
        done = (await talk.until(lambda: talk.events("response.done"), "response.done"))[0]
        cut = (await talk.until(lambda: talk.events("conversation.item.truncated"), "truncated"))[0]
        return {
            "status": done["response"]["status"],
            "reason": done["response"]["status_details"]["reason"],
            "cut_ms": cut["audio_end_ms"],
            "errors": talk.errors,
        }


async def main() -> None:
    tell({scenario.__name__: await scenario() for scenario in (text, voice, tool, barge_in, cancel)})


asyncio.run(main())
