"""Pipecat's `OpenAIRealtimeLLMService`, with its context aggregators; frames take the place of a transport."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import Any

from heard import ERRAND, KEY, QUESTION, STORY, URL, Board, tell
from loguru import logger
from pipecat.adapters.llm.schemas.function_schema import FunctionSchema
from pipecat.adapters.llm.schemas.tools_schema import ToolsSchema
from pipecat.frames.frames import (
    EndFrame,
    ErrorFrame,
    Frame,
    InputAudioRawFrame,
    InterruptionFrame,
    LLMFullResponseEndFrame,
    LLMRunFrame,
    LLMTextFrame,
    TranscriptionFrame,
    TTSAudioRawFrame,
    TTSTextFrame,
)
from pipecat.observers.base_observer import BaseObserver, FramePushed
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.aggregators.llm_response_universal import LLMContextAggregatorPair
from pipecat.services.llm_service import FunctionCallParams
from pipecat.services.openai.realtime.events import (
    AudioConfiguration,
    AudioInput,
    InputAudioTranscription,
    SessionProperties,
    TurnDetection,
)
from pipecat.services.openai.realtime.llm import OpenAIRealtimeLLMService
from pipecat.workers.runner import WorkerRunner

WEATHER = FunctionSchema("get_weather", "The weather in a city.", {"city": {"type": "string"}}, ["city"])
CALLED: list[str] = []
COMPLAINTS: list[str] = []


async def get_weather(params: FunctionCallParams) -> None:
    CALLED.append(params.arguments["city"])
    await params.result_callback({"temperature_c": 17})


class Seen(Board, BaseObserver):
    """Every frame that the service pushes."""

    def __init__(self, service: Any) -> None:
        Board.__init__(self)
        BaseObserver.__init__(self)
        self.service = service
        self.frames: list[Frame] = []
        self.known: set[int] = set()
        self.errors: list[str] = []

    async def on_push_frame(self, data: FramePushed) -> None:
        if data.frame.id in self.known:
            return
        self.known.add(data.frame.id)
        self.frames.append(data.frame)
        if isinstance(data.frame, ErrorFrame):
            self.errors.append(data.frame.error)
        self.changed()

    def of(self, kind: type[Frame]) -> list[Any]:
        return [frame for frame in self.frames if isinstance(frame, kind)]

    @property
    def sound(self) -> int:
        return sum(len(frame.audio) for frame in self.of(TTSAudioRawFrame))

    def said(self, kind: type[Frame]) -> str:
        return "".join(frame.text for frame in self.of(kind))


class Talk:
    """A running pipeline."""

    def __init__(self, worker: PipelineWorker, seen: Seen, service: Any, items: dict[str, Any]) -> None:
        self.worker = worker
        self.seen = seen
        self.service = service
        self.items = items

    async def hear(self, pcm: bytes) -> None:
        for at in range(0, len(pcm), 4800):
            await self.worker.queue_frame(InputAudioRawFrame(pcm[at : at + 4800], 24_000, 1))

    async def answered(self, word: str, kind: type[Frame] = TTSTextFrame) -> str:
        await self.seen.until(lambda: word in self.seen.said(kind), f"an answer with {word}")
        return self.seen.said(kind)

    def message(self, role: str) -> str:
        """The id of that role's last message."""
        return next(name for name, item in reversed(self.items.items()) if item.role == role)


@asynccontextmanager
async def talking(messages: list[Any], *, turns: Any = None, modality: str = "audio"):
    hearing = AudioInput(
        transcription=InputAudioTranscription(model="gpt-4o-mini-transcribe"),
        turn_detection=TurnDetection() if turns is None else turns,
    )
    properties = SessionProperties(audio=AudioConfiguration(input=hearing), output_modalities=[modality])
    service = OpenAIRealtimeLLMService(
        api_key=KEY,
        base_url=f"{URL}/realtime",
        settings=OpenAIRealtimeLLMService.Settings(session_properties=properties),
    )
    service.register_function("get_weather", get_weather)
    items: dict[str, Any] = {}

    @service.event_handler("on_conversation_item_created")
    async def created(_service: Any, item_id: str, item: Any) -> None:
        items[item_id] = item

    context = LLMContext(messages, tools=ToolsSchema([WEATHER]))
    pair = LLMContextAggregatorPair(context)
    seen = Seen(service)
    pipeline = Pipeline([pair.user(), service, pair.assistant()])
    params = PipelineParams(audio_in_sample_rate=24_000, audio_out_sample_rate=24_000)
    worker = PipelineWorker(
        pipeline, params=params, observers=[seen], enable_rtvi=False, cancel_on_idle_timeout=False
    )
    started = asyncio.Event()

    @worker.event_handler("on_pipeline_started")
    async def on_started(_worker: Any, _frame: Frame) -> None:
        started.set()

    runner = WorkerRunner(handle_sigint=False)
    await runner.add_workers(worker)
    running = asyncio.create_task(runner.run())
    await asyncio.wait_for(started.wait(), 60)
    if messages:
        await worker.queue_frame(LLMRunFrame())
    try:
        yield Talk(worker, seen, service, items)
    finally:
        await worker.queue_frame(EndFrame())
        await running


def user(text: str) -> list[Any]:
    return [{"role": "user", "content": text}]


async def text() -> dict[str, Any]:
    async with talking(user("What is two plus three?"), modality="text") as talk:
        await talk.seen.until(lambda: talk.seen.of(LLMFullResponseEndFrame), "the end of the answer")
        return {"said": await talk.answered("5.", LLMTextFrame), "errors": talk.seen.errors}


async def voice() -> dict[str, Any]:
    async with talking(user("Hello.")) as talk:  # it answers a context first, then it listens
        await talk.seen.until(lambda: talk.seen.of(LLMFullResponseEndFrame), "the end of the greeting")
        await talk.hear(QUESTION)
        said = await talk.answered("5.")
        heard = (await talk.seen.until(lambda: talk.seen.of(TranscriptionFrame), "what was heard"))[0].text
        await talk.seen.until(lambda: len(talk.seen.of(LLMFullResponseEndFrame)) > 1, "the end of the answer")
        return {"said": said, "heard": heard, "bytes": talk.seen.sound, "errors": talk.seen.errors}


async def tool() -> dict[str, Any]:
    async with talking(user("Hello.")) as talk:
        await talk.seen.until(lambda: talk.seen.of(LLMFullResponseEndFrame), "the end of the greeting")
        await talk.hear(ERRAND)
        return {"said": await talk.answered("degrees."), "called": CALLED, "errors": talk.seen.errors}


async def barge_in() -> dict[str, Any]:
    """The service truncates by itself, at the time that has passed."""
    async with talking(user(STORY)) as talk:
        await talk.seen.until(lambda: talk.seen.sound, "sound")
        story = talk.message("assistant")
        await talk.hear(QUESTION)
        await talk.seen.until(lambda: talk.seen.of(InterruptionFrame), "an interruption")
        await talk.answered("5.")
        item = await talk.service.retrieve_conversation_item(story)
        return {"story": item.status, "heard": item.content[0].transcript, "errors": talk.seen.errors}


async def cancel() -> dict[str, Any]:
    """Without the server's turn detection the pipeline interrupts."""
    async with talking(user(STORY), turns=False) as talk:
        await talk.seen.until(lambda: talk.seen.sound, "sound")
        story = talk.message("assistant")
        await talk.worker.queue_frame(InterruptionFrame())
        await talk.seen.until(lambda: talk.seen.of(LLMFullResponseEndFrame), "the end of the answer")
        item = await talk.service.retrieve_conversation_item(story)
        return {"story": item.status, "heard": item.content[0].transcript, "errors": talk.seen.errors}


async def main() -> None:
    logger.remove()
    logger.add(COMPLAINTS.append, level="WARNING", format="{message}")
    seen = {scenario.__name__: await scenario() for scenario in (text, voice, tool, barge_in, cancel)}
    tell({**seen, "complaints": [text for text in COMPLAINTS if "not emitting turn frames" not in text]})


asyncio.run(main())
