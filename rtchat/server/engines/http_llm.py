"""A language model behind `/v1/chat/completions`: streamed, with tools."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import AsyncExitStack, aclosing, asynccontextmanager, suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from rtchat.server.engines.base import AT_WORK, BrokenOff, Piece, Prompt, TextPiece, ToolCall
from rtchat.server.engines.http_chat import request, several_calls
from rtchat.server.engines.http_window import Shortening
from rtchat.server.engines.upstream import RefusedError, Upstream, lines, refusal_text

if TYPE_CHECKING:
    import httpx

MOST_PIECES = 4096
"""As many as the API's models answer with tokens at most: a small model may repeat itself for ever."""
_DONE = "[DONE]"
_END_S = 0.05  # what a server may take to end its stream after that
_BROKEN_OFF = {"length": BrokenOff("max_output_tokens"), "content_filter": BrokenOff("content_filter")}
_NO_IMAGES = (400, 404, 415, 422, 500)  # what servers answer to an image that the model cannot see
_REASONING = ("reasoning_content", "reasoning")  # fields of a delta that is not said
_THINK, _THOUGHT = "<think>", "</think>"


class HttpLanguageModel:
    """`LanguageModel` over HTTP.

    Args:
        upstream: Where.
    """

    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream
        self._sees = True  # until it refuses an image
        self._shortening = Shortening()

    @property
    def name(self) -> str:
        """The model and where it is."""
        return self._upstream.label

    async def respond(self, prompt: Prompt) -> AsyncIterator[Piece]:
        """Answer: text token by token, then the calls. Closing the iterator cuts the connection.

        What is more than the model's window is asked again without the oldest messages.

        Raises:
            EngineError: It cannot be reached, refuses, or answers nonsense.
        """
        begun = False
        while True:
            try:
                async with aclosing(self._answer(prompt)) as pieces:
                    async for piece in pieces:
                        begun = True
                        yield piece
                return
            except RefusedError as refused:
                if begun or not refused.overflow or not prompt.may_be_cut:
                    raise
                left = self._shortening.of(prompt, refused.overflow)
                if left is None:
                    raise
                prompt = replace(prompt, messages=left)

    async def _answer(self, prompt: Prompt) -> AsyncGenerator[Piece]:
        calls: dict[int, _Call] = {}
        thinking = Thinking()
        ended: str | None = None
        seen = thought = False
        pieces = 0
        async with (
            self._asking(prompt) as response,
            aclosing(self._choices(response)) as choices,
        ):
            async for delta, reason in choices:
                seen = seen or reason != _DONE
                ended = ended or reason
                if text := thinking.said(delta.get("content")):
                    yield TextPiece(text)
                    pieces += 1
                    if pieces == MOST_PIECES:
                        yield BrokenOff("max_output_tokens")
                        return
                elif thinking.going_on or any(delta.get(field) for field in _REASONING):
                    thought = True
                    yield AT_WORK
                for part in delta.get("tool_calls") or ():
                    _gather(calls, part)
        if not seen:
            raise self._upstream.nonsense("answered without any choices")
        if ended is None:
            raise self._upstream.nonsense("broke off in the middle of its answer")
        if text := thinking.rest():
            yield TextPiece(text)
            pieces += 1
        if ended in _BROKEN_OFF:
            yield _BROKEN_OFF[ended]
            return
        if thought and not pieces and not calls:
            raise self._upstream.nonsense("thought, and said nothing")
        for call in list(calls.values())[: None if several_calls(prompt) else 1]:
            yield self._called(call, prompt)

    @asynccontextmanager
    async def _asking(self, prompt: Prompt) -> AsyncIterator[httpx.Response]:
        """Ask; without its images when the model refuses them, which only asking tells."""
        model = await self._upstream.model()
        images = self._sees and any(message.images for message in prompt.messages)
        async with AsyncExitStack() as stack:
            post = self._upstream.post
            try:
                asked = post("/chat/completions", json=request(prompt, model, images=images))
                response = await stack.enter_async_context(asked)
            except RefusedError as refused:
                if not images or refused.overflow or refused.status not in _NO_IMAGES:
                    raise
                response = await stack.enter_async_context(post("/chat/completions", json=request(prompt, model)))
                self._sees = False
            yield response

    def grammar(self, prompt: Prompt) -> None:
        """Anything goes."""

    async def check(self) -> str | None:
        """What does not work now; None when all does."""
        return await self._upstream.check()

    async def close(self) -> None:
        """Close the connections."""
        await self._upstream.close()

    async def _choices(self, response: httpx.Response) -> AsyncGenerator[tuple[Mapping[str, Any], str | None]]:
        """The first choice of every chunk: its delta, and why it was the last."""
        if "text/event-stream" not in response.headers.get("content-type", "text/event-stream"):
            for choice in self._read(await _whole(response)):  # a server that does not stream
                yield choice
            return
        try:
            async with aclosing(lines(response)) as arriving:
                async for line in arriving:
                    kind, _, data = line.partition(":")
                    if kind not in ("data", "error") or not data.strip():
                        continue
                    if kind == "error":  # older llama.cpp
                        raise self._upstream.failed(refusal_text(data.encode()))
                    if data.strip() == _DONE:
                        yield {}, _DONE  # some servers give no other reason
                        with suppress(TimeoutError):  # read to its end, a connection can be used again
                            async with asyncio.timeout(_END_S):
                                async for _ in arriving:
                                    pass
                        return
                    for choice in self._read(data):
                        yield choice
        except ValueError as error:
            raise self._upstream.nonsense(f"sent {error}") from None

    def _read(self, data: str) -> list[tuple[Mapping[str, Any], str | None]]:
        try:
            chunk = json.loads(data)
        except ValueError:
            raise self._upstream.nonsense("sent something that is not JSON") from None
        if not isinstance(chunk, dict):
            raise self._upstream.nonsense("sent JSON that is not an object")
        if chunk.get("error") or chunk.get("object") == "error":
            raise self._upstream.failed(refusal_text(data.encode()))
        choices = chunk.get("choices")
        if not choices:
            return []  # the last chunk may hold the usage alone
        try:
            choice = choices[0]
            delta = choice.get("delta") or choice.get("message") or {}
            _ = delta.get("content"), [part["function"] for part in delta.get("tool_calls") or ()]
            return [(delta, choice.get("finish_reason"))]
        except (AttributeError, KeyError, TypeError, IndexError):
            raise self._upstream.nonsense("sent a choice of an unknown shape") from None

    def _called(self, call: _Call, prompt: Prompt) -> ToolCall:
        arguments = call.arguments.strip() or "{}"
        if call.name not in {tool.get("name") for tool in prompt.tools}:
            raise self._upstream.nonsense(f"called {call.name!r}, which is none of the session's functions")
        try:
            read = json.loads(arguments)
        except ValueError:
            read = None
        if not isinstance(read, dict):
            raise self._upstream.nonsense(f"called {call.name} with arguments that are not a JSON object")
        return ToolCall(call.name, arguments)


@dataclass(slots=True)
class _Call:
    id: str = ""
    name: str = ""
    arguments: str = ""


def _gather(calls: dict[int, _Call], part: Mapping[str, Any]) -> None:
    """Add a piece of a call to the one with its index.

    Some servers give no index, or 0 for every call: there a new id begins a new call.
    """
    index, call_id = part.get("index"), part.get("id") or ""
    if not isinstance(index, int):
        index = max(calls, default=-1) + 1 if call_id or not calls else max(calls)
    elif index in calls and call_id and calls[index].id not in ("", call_id):
        index = max(calls) + 1
    call = calls.setdefault(index, _Call())
    function = part.get("function") or {}
    call.id = call.id or call_id
    call.name += function.get("name") or ""
    arguments = function.get("arguments") or ""
    call.arguments += arguments if isinstance(arguments, str) else json.dumps(arguments)


class Thinking:
    """Leaves out what a reasoning model thinks aloud: `<think>…</think>` at the beginning of its answer."""

    def __init__(self) -> None:
        self._held: str | None = ""  # None: past it

    @property
    def going_on(self) -> bool:
        """It is thinking, or may be."""
        return bool(self._held)

    def said(self, text: Any) -> str:
        """What of this piece is to be said."""
        if not isinstance(text, str) or not text:
            return ""
        if self._held is None:
            return text
        self._held += text
        start = self._held.lstrip()
        if start.startswith(_THINK):
            _, ended, after = start.partition(_THOUGHT)
            if not ended or not after.strip():
                return ""
            self._held = None
            return after.lstrip()
        if _THINK.startswith(start):
            return ""
        held, self._held = self._held, None
        return held

    def rest(self) -> str:
        """What was held back and turned out to be no thought."""
        held, self._held = self._held or "", None
        return "" if held.lstrip().startswith(_THINK) else held


async def _whole(response: httpx.Response) -> str:
    return (await response.aread()).decode(errors="replace")
