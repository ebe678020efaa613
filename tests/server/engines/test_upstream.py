import asyncio

import pytest
from starlette.responses import JSONResponse, PlainTextResponse

from rtchat.errors import EngineError, UsageError
from rtchat.server.engines.upstream import Upstream, checked, refusal_text


@pytest.fixture
async def reach(stack):
    made = []

    def reaching(**options):
        made.append(Upstream(stack.url, kind="llm", **options))
        return made[-1]

    yield reaching
    for upstream in made:
        await upstream.close()


def test_addresses():
    assert checked("http://localhost:1/v1/", "llm") == "http://localhost:1/v1"
    assert checked("http://localhost:11434", "llm") == "http://localhost:11434/v1"
    assert checked("https://example.org/api/openai", "stt") == "https://example.org/api/openai"


@pytest.mark.parametrize(
    "url", ["ftp://x/v1", "http://", "http://x:port/v1", "http://a b/v1", "http://x/v1?key=1", "http://[::1/v1"]
)
def test_what_is_no_address(url):
    with pytest.raises(UsageError, match="For example --tts http://"):
        checked(url, "tts")


def test_a_key_in_the_address_is_refused_and_not_repeated():
    with pytest.raises(UsageError, match="RTCHAT_STT_API_KEY") as failed:
        checked("http://user:secret@x/v1", "stt")
    assert "secret" not in str(failed.value)


async def test_the_only_model_is_taken(reach):
    assert await reach().model() == "tiny"
    assert await reach(model="named").model() == "named"


async def test_several_models_are_listed(reach, stack):
    stack.models = ["nomic-embed", "one", "two"]
    with pytest.raises(EngineError, match=r"several models: nomic-embed, one, two. Choose one with --llm-model"):
        await reach().model()
    assert await reach(any_model=True).model() == "one"
    stack.models = [str(n) for n in range(20)]
    assert "11 and 8 more" in (await reach().check() or "")


async def test_of_a_server_for_several_things_the_models_for_this_are_taken(stack):
    tasks = {
        "vad": "voice-detection",
        "whisper": "automatic-speech-recognition",
        "piper": "text-to-speech",
    }
    stack.models = [{"id": name, "task": task} for name, task in tasks.items()]
    for kind, model in (("stt", "whisper"), ("tts", "piper")):
        upstream = Upstream(stack.url, kind=kind)
        assert await upstream.check() is None
        assert await upstream.model() == model
        assert (await upstream.about())["task"] == tasks[model]
        await upstream.close()


@pytest.mark.parametrize("models", [["tiny"], PlainTextResponse("not found", status_code=404)])
async def test_a_list_that_says_nothing_of_the_model(reach, stack, models):
    stack.models = models
    upstream = reach(model="m")
    assert [await upstream.about() for _ in range(2)] == [{}, {}]
    assert len(stack.keys) == 1


@pytest.mark.parametrize("models", [[], JSONResponse({"object": "list", "data": None})], ids=["none", "null"])
async def test_no_model(reach, stack, models):
    stack.models = models
    with pytest.raises(EngineError, match="has no model"):
        await reach().model()


async def test_a_server_without_a_list_is_asked_for_the_default(reach, stack):
    stack.models = PlainTextResponse("not found", status_code=404)
    upstream = reach()
    assert await upstream.model() == "default"
    assert await upstream.check() is None


async def test_the_check_at_the_start(reach, stack, refused):
    assert await reach(model="tiny").check() is None
    assert "does not list the model big: it has tiny." in (await reach(model="big").check() or "")
    stack.models = ["big:latest"]
    assert await reach(model="big").check() is None
    stack.models = JSONResponse({"error": "key"}, status_code=403)
    assert "RTCHAT_LLM_API_KEY" in (await reach(model="big").check() or "")
    assert "Nothing answers" in (await Upstream(refused, kind="llm").check() or "")


async def test_a_model_that_is_still_loaded(reach, stack):
    stack.models = JSONResponse({"error": {"message": "Loading model"}}, status_code=503)
    assert "Loading model. It is still starting" in (await reach().check() or "")
    stack.models = ["tiny"]
    assert await reach().model() == "tiny"


async def test_a_kept_connection_that_closes_as_it_is_used_again():
    asked = []

    async def once(reader, writer):
        while head := await reader.readuntil(b"\r\n\r\n"):
            body = await reader.readexactly(int(head.lower().split(b"content-length:")[1].split()[0]))
            asked.append(writer.get_extra_info("peername"))
            if asked[:-1].count(asked[-1]) or body == b'"never"':
                break
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nkeep-alive: timeout=5\r\n\r\nhi")
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(once, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        upstream = Upstream(f"http://127.0.0.1:{port}", kind="llm", model="m")
        for _ in range(2):
            async with upstream.post("/x", json="again") as response:
                assert await response.aread() == b"hi"
        assert [peer == asked[0] for peer in asked] == [True, True, False]
        with pytest.raises(EngineError, match=r"broke \(RemoteProtocolError\)"):
            async with upstream.post("/x", json="never"):
                pass
        await upstream.close()


def test_what_a_refusal_says():
    assert refusal_text(b'{"error": {"message": "a\\nb"}}') == "a b"
    assert refusal_text(b'{"detail": {"error": {"message": "no", "type": "x"}}}') == "no"
    assert refusal_text(b'{"error": {"code": 1}}') == '{"code": 1}'
    assert refusal_text(b'["x"]') == '["x"]'
    assert refusal_text(b"plain " * 100) == ("plain " * 50) + "…"
    assert refusal_text(b"<HTML>") == ""
