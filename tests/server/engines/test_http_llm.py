import asyncio
import json
from dataclasses import replace

import pytest
from starlette.responses import HTMLResponse, JSONResponse

from rtchat.errors import EngineError
from rtchat.server.engines import http_llm
from rtchat.server.engines.base import AT_WORK, BrokenOff, Message, Prompt, TextPiece, ToolCall
from rtchat.server.engines.http_llm import HttpLanguageModel, Thinking
from rtchat.server.engines.upstream import Upstream

TOOLS = [
    {"type": "function", "name": "weather", "description": "The weather", "parameters": {"type": "object"}},
    {"type": "function", "name": "time", "description": "The time", "parameters": {}},
]
ASKED = Prompt("Be kind.", [Message("user", "hello")], TOOLS)


async def answer(stack, prompt=ASKED, **options):
    llm = HttpLanguageModel(Upstream(stack.url, kind="llm", **options))
    try:
        return [piece async for piece in llm.respond(prompt)]
    finally:
        await llm.close()


async def test_tokens_come_as_they_are(stack, said):
    stack.chat = said("Hel", "lo", ".", " How")
    assert await answer(stack) == [TextPiece("Hel"), TextPiece("lo"), TextPiece("."), TextPiece(" How")]
    (body,) = stack.asked
    assert (body["model"], body["stream"]) == ("tiny", True)
    assert body["messages"] == [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "hello"}]
    assert body["tools"][0] == {
        "type": "function",
        "function": {"name": "weather", "description": "The weather", "parameters": {"type": "object"}},
    }
    assert body["tool_choice"] == "auto"


async def test_the_key_is_a_bearer_token_and_never_told(stack):
    stack.chat = JSONResponse({"error": {"message": "Incorrect key: sk-secret"}}, status_code=401)
    with pytest.raises(EngineError, match=r"answered 401: Incorrect key: ….* RTCHAT_LLM_API_KEY") as failed:
        await answer(stack, key="sk-secret", model="m")
    assert stack.keys == ["Bearer sk-secret"]
    assert "sk-secret" not in str(failed.value)


async def test_calls_are_put_together_by_their_index(stack, called):
    stack.chat = called(
        {"index": 0, "id": "a", "function": {"name": "weather", "arguments": ""}},
        {"index": 1, "id": "b", "function": {"name": "time", "arguments": None}},
        {"index": 0, "function": {"arguments": '{"city":'}},
        {"index": 0, "function": {"arguments": ' "Rome"}'}},
    )
    assert await answer(stack) == [ToolCall("weather", '{"city": "Rome"}'), ToolCall("time", "{}")]


@pytest.mark.parametrize("index", [{}, {"index": 0}], ids=["no index", "always 0"])
async def test_calls_without_an_index_of_their_own_are_told_apart_by_their_ids(stack, called, index):
    stack.chat = called(
        {**index, "id": "a", "function": {"name": "weather", "arguments": {"city": "Rome"}}},
        {**index, "id": "b", "function": {"name": "time", "arguments": "{"}},
        {"function": {"arguments": "}"}},
    )
    assert await answer(stack) == [ToolCall("weather", '{"city": "Rome"}'), ToolCall("time", "{}")]


async def test_one_call_where_several_are_not_wanted(stack, called):
    stack.chat = called(*({"index": n, "id": str(n), "function": {"name": "time"}} for n in range(2)))
    for prompt in (Prompt("", [], TOOLS, parallel_tool_calls=False), Prompt("", [], TOOLS, "time")):
        assert await answer(stack, prompt) == [ToolCall("time", "{}")]
        assert stack.asked[-1]["parallel_tool_calls"] is False


async def test_a_model_that_cannot_see_is_asked_without_the_image(stack, said):
    seeing = Prompt("", [Message("user", "What is [image: a PNG]?", images=("data:image/png;base64,AA==",))])
    llm = HttpLanguageModel(Upstream(stack.url, kind="llm", model="m"))
    stack.chat = said("A cat.")
    assert [piece async for piece in llm.respond(seeing)] == [TextPiece("A cat.")]
    assert stack.asked[0]["messages"][0]["content"][1]["type"] == "image_url"
    stack.chat = JSONResponse({"error": "no images"}, status_code=400)
    with pytest.raises(EngineError, match="no images"):
        await anext(llm.respond(seeing))
    assert [type(body["messages"][0]["content"]) for body in stack.asked[1:]] == [list, str]
    stack.blind = True
    stack.chat = said("I do not see it.")
    for _ in range(2):
        assert [piece async for piece in llm.respond(seeing)] == [TextPiece("I do not see it.")]
    assert [type(body["messages"][0]["content"]) for body in stack.asked[3:]] == [list, str, str]
    await llm.close()


async def test_a_conversation_that_is_more_than_the_window_loses_its_oldest_turns(stack, said):
    stack.window, stack.chat = 400, said("Hi.")
    messages = [Message(role, "x" * 50) for _ in range(5) for role in ("user", "assistant")]
    prompt = Prompt("Be kind.", [*messages, Message("user", "So?")])
    assert await answer(stack, prompt) == [TextPiece("Hi.")]
    kept = stack.asked[-1]["messages"]
    assert (kept[0]["content"], kept[-1]["content"]) == ("Be kind.", "So?")
    assert 3 <= len(kept) < 10
    with pytest.raises(EngineError, match=r"available context size.* with a larger context"):
        await answer(stack, replace(prompt, may_be_cut=False))
    with pytest.raises(EngineError, match="available context size"):
        await answer(stack, Prompt("x" * 500, prompt.messages))


FULL = {"error": {"message": "Cannot truncate prompt with n_keep (5000) >= n_ctx (4096)"}}


@pytest.mark.parametrize(
    "event",
    [f"event: error\ndata: {json.dumps(FULL)}\n\n", FULL],
    ids=["as LM Studio does", "as vLLM does"],
)
async def test_a_window_that_the_stream_tells_of(stack, said, event):
    stack.chat = [event, "data: [DONE]\n\n"]
    stack.then = said("Hi.")
    prompt = Prompt(
        "Be kind.", [*[Message("user", "x" * 50), Message("assistant", "y")] * 9, Message("user", "So?")]
    )
    assert await answer(stack, prompt) == [TextPiece("Hi.")]
    assert len(stack.asked[1]["messages"]) < len(stack.asked[0]["messages"])
    stack.then = None
    with pytest.raises(EngineError, match=r"n_ctx .*larger context"):
        await answer(stack, Prompt("Be kind.", prompt.messages[-1:]))  # nothing to leave out


async def test_what_has_begun_to_speak_is_not_asked_again(stack, said):
    stack.chat = [*said("Well")[:1], FULL]
    turns = [Message("user", "x" * 50), Message("assistant", "y")] * 9
    with pytest.raises(EngineError, match=r"n_ctx .*larger context"):
        await answer(stack, Prompt("Be kind.", [*turns, Message("user", "So?")]))
    assert len(stack.asked) == 1


async def test_a_server_that_has_another_model_by_now(stack, said):
    llm = HttpLanguageModel(Upstream(stack.url, kind="llm"))
    stack.chat = said("Hi.")
    assert [piece async for piece in llm.respond(ASKED)] == [TextPiece("Hi.")]
    stack.chat, stack.models = JSONResponse({"error": "model 'tiny' not found"}, status_code=404), ["large"]
    with pytest.raises(EngineError, match="It has large"):
        await anext(llm.respond(ASKED))
    stack.chat = said("Hi.")
    assert [piece async for piece in llm.respond(ASKED)] == [TextPiece("Hi.")]
    assert [body["model"] for body in stack.asked] == ["tiny", "tiny", "large"]
    await llm.close()


async def test_an_image_that_leaves_with_the_oldest_turns_does_not_blind_the_model(stack, said):
    stack.window, stack.chat = 400, said("Hi.")
    image = Message("user", "x" * 390, images=("data:image/png;base64,AA==",))
    llm = HttpLanguageModel(Upstream(stack.url, kind="llm", model="m"))
    seen = [piece async for piece in llm.respond(Prompt("", [image, Message("user", "So?")]))]
    assert seen == [TextPiece("Hi.")]
    stack.window = 0
    _ = [piece async for piece in llm.respond(Prompt("", [image]))]
    assert isinstance(stack.asked[-1]["messages"][0]["content"], list)
    await llm.close()


async def test_a_model_that_repeats_itself_for_ever_is_stopped(stack, said, monkeypatch):
    monkeypatch.setattr(http_llm, "MOST_PIECES", 3)
    stack.chat = [*said("So", " so", " so", " so")[:4], "stall"]
    assert await answer(stack) == [TextPiece("So"), *[TextPiece(" so")] * 2, BrokenOff("max_output_tokens")]
    await asyncio.wait_for(stack.left.wait(), 60)


def as_llama_cpp(*deltas, finish="stop"):
    """Its chunks, as it sent them (2026.10)."""
    common = {"created": 1, "id": "chatcmpl-x", "model": "tiny", "object": "chat.completion.chunk"}
    first = {"role": "assistant", "content": None}
    chunks = [
        {**common, "choices": [{"finish_reason": None, "index": 0, "delta": delta}]} for delta in (first, *deltas)
    ]
    last = {**common, "choices": [{"finish_reason": finish, "index": 0, "delta": {}}], "timings": {"prompt_n": 9}}
    return [*chunks, last, "data: [DONE]\n\n"]


def as_vllm(*deltas, finish="stop"):
    """Its chunks, as it sent them (0.32): the last words and the reason may come together."""
    first = {"index": 0, "delta": {"role": "assistant", "content": ""}, "logprobs": None, "finish_reason": None}
    rest = [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": None} for delta in deltas]
    rest[-1] |= {"finish_reason": finish, "stop_reason": None, "token_ids": None}
    return [{"choices": [choice], "prompt_token_ids": None} for choice in (first, *rest)] + ["data: [DONE]\n\n"]


WEATHER = ToolCall("weather", '{"city":"Rome"}')


@pytest.mark.parametrize(
    ("chat", "pieces"),
    [
        (as_llama_cpp({"content": "Hi"}, {"content": "."}), [TextPiece("Hi"), TextPiece(".")]),
        (as_vllm({"content": "Hi."}), [TextPiece("Hi.")]),
        (as_vllm({"reasoning": "Hm"}, {"content": "Hi."}), [AT_WORK, TextPiece("Hi.")]),
        (
            as_llama_cpp(
                {
                    "tool_calls": [
                        {
                            "index": 0,
                            "id": "a",
                            "type": "function",
                            "function": {"name": "weather", "arguments": "{"},
                        }
                    ]
                },
                {"tool_calls": [{"index": 0, "function": {"arguments": '"city":"Rome"}'}}]},
                finish="tool_calls",
            ),
            [WEATHER],
        ),
        (
            as_vllm(
                {
                    "content": None,
                    "tool_calls": [{"id": "a", "type": "function", "index": 0, "function": {"name": "weather"}}],
                },
                {"content": None, "tool_calls": [{"index": 0, "function": {"arguments": '{"city":"Rome"}'}}]},
                {},
            ),
            [WEATHER],
        ),
    ],
)
async def test_what_servers_really_sent(stack, chat, pieces):
    stack.chat = chat
    assert await answer(stack) == pieces


async def test_an_answer_that_comes_whole(stack):
    message = {"content": "Hello.", "tool_calls": [{"id": "x", "function": {"name": "time", "arguments": "{}"}}]}
    stack.chat = JSONResponse({"choices": [{"message": message, "finish_reason": "stop"}]})
    assert await answer(stack) == [TextPiece("Hello."), ToolCall("time", "{}")]


@pytest.mark.parametrize("field", ["reasoning_content", "reasoning"])
async def test_a_model_that_thinks_is_at_work(stack, said, field):
    thoughts = [{"choices": [{"index": 0, "delta": {field: "Hm"}}]}, *said("<think>", "Hm", "</think>")[:3]]
    stack.chat = [*thoughts, *said("Hi.")]
    assert await answer(stack) == [AT_WORK] * 4 + [TextPiece("Hi.")]


@pytest.mark.parametrize("delta", [{"reasoning": "Hm"}, {"content": "<think>Hm</think>"}, {"content": "<think>"}])
async def test_thoughts_alone_are_no_answer(stack, said, called, delta):
    """As a server answers whose reasoning parser is for another model."""
    stack.chat = [{"choices": [{"index": 0, "delta": delta}]}, *said()]
    with pytest.raises(EngineError, match="thought, and said nothing"):
        await answer(stack)
    stack.chat[1:] = called({"index": 0, "id": "a", "function": {"name": "time"}})
    assert [piece for piece in await answer(stack) if piece != AT_WORK] == [ToolCall("time", "{}")]


async def test_comments_and_usage_are_passed_over(stack, said):
    usage = {"choices": [], "usage": {"total_tokens": 1}}
    stack.chat = [": keep\n\n", "event: x\ndata:\n\n", *said("Hi")[:-1], usage, "data: [DONE]"]
    assert await answer(stack) == [TextPiece("Hi")]


@pytest.mark.parametrize(
    ("chat", "sentence"),
    [
        (["data: {nonsense\n\n"], "sent something that is not JSON"),
        (["data: [1]\n\n"], "JSON that is not an object"),
        ([{"choices": ["x"]}], "a choice of an unknown shape"),
        ([{"choices": [{"delta": {"tool_calls": [{}]}}]}], "a choice of an unknown shape"),
        ([{"error": {"message": "out of memory"}}], "failed: out of memory"),
        (["data: [DONE]\n\n"], "without any choices"),
        ([], "without any choices"),
        ([{"choices": [{"delta": {"content": "Hel"}}]}], "broke off in the middle"),
        ([b"data: " + b"x" * 1100000], "sent a line without an end"),
        (HTMLResponse("<html>hi</html>"), "answered with a web page. .* ends in /v1"),
        (HTMLResponse("<html>hi</html>", status_code=404), "answered 404. Check --llm"),
        (JSONResponse({"error": "model 'x' not found"}, status_code=404), "model 'x' not found. It has tiny."),
        (JSONResponse({"detail": "boom"}, status_code=500), "answered 500: boom. Look at"),
        (JSONResponse({"error": {"message": "slow down."}}, status_code=429), "slow down. It is busy"),
        (
            JSONResponse({"error": {"message": "Loading model"}}, status_code=503),
            "Loading model. It is still",
        ),
        (['error: {"message": "grammar"}\n\n'], "failed: grammar"),
        ([{"object": "error", "message": "out of memory"}], "failed: out of memory"),
    ],
)
async def test_nonsense_and_refusals_are_told_in_a_sentence(stack, chat, sentence):
    stack.chat = chat
    with pytest.raises(EngineError, match=sentence):
        await answer(stack)


@pytest.mark.parametrize(
    ("part", "sentence"),
    [
        (
            {"index": 0, "id": "a", "function": {"name": "time", "arguments": "{oh"}},
            "called time with arguments that",
        ),
        ({"index": 0, "id": "a", "function": {"name": "time", "arguments": "[]"}}, "are not a JSON object"),
        ({"index": 0, "id": "a", "function": {"name": "fly", "arguments": "{}"}}, "'fly', which is none of"),
    ],
)
async def test_calls_that_cannot_be_made(stack, called, part, sentence):
    stack.chat = called(part)
    with pytest.raises(EngineError, match=sentence):
        await answer(stack)


async def test_a_connection_that_breaks(stack, said):
    stack.chat = [*said("Hel")[:1], "cut"]
    with pytest.raises(EngineError, match=r"The connection to tiny at http.* broke"):
        await answer(stack)


@pytest.mark.parametrize(
    ("reason", "told"), [("length", "max_output_tokens"), ("content_filter", "content_filter")]
)
async def test_what_stops_early_is_told(stack, said, reason, told):
    stack.chat = [*said("Once", " upon")[:2], {"choices": [{"delta": {}, "finish_reason": reason}]}]
    assert (await answer(stack))[-1] == BrokenOff(told)


async def test_nobody_answers(refused):
    llm = HttpLanguageModel(Upstream(refused, kind="llm", model="m"))
    with pytest.raises(EngineError, match=r"Nothing answers at http://127.*Start that server, or correct --llm"):
        await anext(llm.respond(ASKED))
    assert "Nothing answers" in (await llm.check() or "")
    assert llm.grammar(ASKED) is None
    await llm.close()


async def test_leaving_cuts_the_connection(stack, said):
    stack.chat = [*said("Once")[:1], "stall"]
    llm = HttpLanguageModel(Upstream(stack.url, kind="llm"))
    pieces = llm.respond(ASKED)
    assert await anext(pieces) == TextPiece("Once")
    await pieces.aclose()
    await asyncio.wait_for(stack.left.wait(), 60)
    await llm.close()


async def test_a_connection_is_used_again(stack, said, monkeypatch):
    stack.chat = said("Hi.")
    llm = HttpLanguageModel(Upstream(stack.url, kind="llm", model="m"))
    with monkeypatch.context() as patient:
        patient.setattr(http_llm, "_END_S", 60)
        for _ in range(3):
            assert [piece async for piece in llm.respond(ASKED)] == [TextPiece("Hi.")]
    stack.chat = [*said("Hi."), "stall"]  # says that it is over, and does not hang up
    assert [piece async for piece in llm.respond(ASKED)] == [TextPiece("Hi.")]
    await llm.close()
    assert len(set(stack.peers)) == 1


@pytest.mark.parametrize("size", [1, 4, 100])
def test_thoughts_are_not_said(size):
    def spoken(text: str) -> str:
        thinking = Thinking()
        pieces = [thinking.said(text[at : at + size]) for at in range(0, len(text), size)]
        return "".join(pieces) + thinking.rest()

    assert spoken("<think>\nHm. <b>\n</think>\n\nHello <think>.") == "Hello <think>."
    assert spoken("<thin") == "<thin"
    assert spoken("<think>for ever") == ""
    assert spoken(" 1 < 2") == " 1 < 2"
