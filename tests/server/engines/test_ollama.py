import asyncio

import pytest
from starlette.applications import Starlette
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.routing import Route

from rtchat.server.engines import ollama


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("", "http://127.0.0.1:11434"),
        ("0.0.0.0", "http://127.0.0.1:11434"),
        ("box:1234", "http://box:1234"),
        ("https://box", "https://box:443"),
        ("http://box/ollama/", "http://box:80/ollama"),
        ("[::1]:99", "http://[::1]:99"),
        ("::1", "http://[::1]:11434"),
        ("::", "http://[::1]:11434"),
        ("http://box:66000", "http://box:80"),
        (":99", "http://127.0.0.1:99"),
        ("box:oops", "http://box:11434"),
    ],
)
def test_where_it_is(monkeypatch, said, meant):
    monkeypatch.setenv("OLLAMA_HOST", said)
    assert ollama.address() == meant


class Ollama:
    """What answers at `/api/tags`, at the address that OLLAMA_HOST names."""

    def __init__(self, answer):
        self.answer = answer
        self.app = Starlette(routes=[Route("/api/tags", self.tags)])

    async def tags(self, _request):
        if self.answer is None:
            await asyncio.Event().wait()
        return self.answer


@pytest.mark.parametrize(
    ("answer", "models"),
    [
        (JSONResponse({"models": [{"name": "llama3.2:latest"}, {"name": "qwen3:4b"}]}), ["llama3.2", "qwen3:4b"]),
        (JSONResponse({"models": []}), []),
        (JSONResponse({"models": [1]}), []),
        (PlainTextResponse("not this"), []),
        (PlainTextResponse("gone", status_code=404), []),
        (None, []),
    ],
)
async def test_whether_it_runs(monkeypatch, served, answer, models):
    async with served(Ollama(answer).app) as url:
        monkeypatch.setenv("OLLAMA_HOST", url)
        assert await ollama.models(0.3 if answer is None else 60) == models


async def test_it_does_not_run(monkeypatch, refused):
    monkeypatch.setenv("OLLAMA_HOST", refused.removesuffix("/v1"))
    assert await ollama.models() == []
    monkeypatch.setenv("OLLAMA_HOST", "https://127.0.0.1")
    assert await ollama.models() == []


def test_the_offer():
    assert ollama.offer([]) == ""
    assert ollama.offer(["nomic-embed-text", "llama3.2"]) == (
        "Ollama is running here with nomic-embed-text, llama3.2: use it with --llm ollama --llm-model llama3.2"
    )
    assert "and 2 more" in ollama.offer(list("abcdefg"))
