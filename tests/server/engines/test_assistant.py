import json
from datetime import UTC, datetime
from typing import Any

import pytest

from rtchat.server.dialogue.listening import IDLE_TEXT
from rtchat.server.engines.assistant import RuleAssistant
from rtchat.server.engines.base import Message, Prompt, TextPiece, ToolCall

NOW = datetime(2026, 11, 20, 15, 4, tzinfo=UTC)


def tool(tool_name: str, required: str = "", **types: str) -> dict[str, Any]:
    properties = {key: {"type": kind} for key, kind in types.items()}
    parameters = {"type": "object", "properties": properties, "required": required.split()}
    return {"type": "function", "name": tool_name, "parameters": parameters}


WEATHER = tool("get_weather", "city", city="string")
TIME = tool("get_time", timezone="string")
TIMER = tool("set_timer", "seconds", seconds="number")
ORDER = tool("lookup_order", "order_id", order_id="integer")
TOOLS = (WEATHER, TIME, TIMER, ORDER)


async def pieces(*messages: str | Message, **prompt: Any) -> list[TextPiece | ToolCall]:
    conversation = [m if isinstance(m, Message) else Message("user", m) for m in messages]
    return [
        piece
        async for piece in RuleAssistant(lambda: NOW).respond(
            Prompt(prompt.pop("instructions", ""), conversation, **prompt)
        )
    ]


async def said(*messages: str | Message, **prompt: Any) -> str:
    """The whole answer; calls as `name(arguments)`."""
    parts = await pieces(*messages, **prompt)
    return "".join(p.text if isinstance(p, TextPiece) else f"<{p.name}({p.arguments})>" for p in parts)


async def test_pieces_are_sentences_and_join_to_the_text():
    parts = await pieces("who are you")
    assert parts == [
        TextPiece("I am rtchat's built-in assistant."),
        TextPiece(" I am made of a few rules, not a language model."),
    ]


@pytest.mark.parametrize(
    ("asked", "answer"),
    [
        ("What time is it?", "It is 3:04 PM."),
        (
            "Hi! My name is Ada. What time is it?",
            "Hello. What can I do for you? Nice to meet you, Ada. It is 3:04 PM.",
        ),
        ("ten plus five and twenty minus three", "10 plus 5 is 15. 20 minus 3 is 17."),
        ("two hundred and five minus five", "205 minus 5 is 200."),
        ("repeat after me: what time is it and hello", "What time is it and hello."),
        ("so, tell me, what time is it", "It is 3:04 PM."),
        ("   ", "I did not catch that."),
    ],
)
async def test_one_turn_without_tools(asked: str, answer: str):
    assert await said(asked) == answer


async def test_what_it_does_not_know_it_says_honestly_and_shorter_the_second_time():
    first = await said("how do I cook an egg")
    assert "not a language model" in first
    assert "OPENAI_API_KEY" in first
    second = await said("how do I cook an egg", Message("assistant", first), "and a potato")
    assert len(second) < len(first)
    assert "did not understand" in second


@pytest.mark.parametrize(
    ("asked", "answer"),
    [
        (
            "what's the weather in Paris and in Oslo",
            '<get_weather({"city": "Paris"})><get_weather({"city": "Oslo"})>',
        ),
        ("what's the weather in ulm and in bern", '<get_weather({"city": "Ulm"})><get_weather({"city": "Bern"})>'),
        ("what time is it, and what is the weather in Lima?", '<get_time({})><get_weather({"city": "Lima"})>'),
        ("set a timer for one hour and ten minutes", '<set_timer({"seconds": 4200})>'),
        ("where is order 5512", '<lookup_order({"order_id": 5512})>'),
        ("hello and where is my order 7", 'Hello. What can I do for you?<lookup_order({"order_id": 7})>'),
    ],
)
async def test_calls(asked: str, answer: str):
    assert await said(asked, tools=TOOLS) == answer


@pytest.mark.parametrize(
    ("asked", "question", "replied", "answer"),
    [
        ("what is the weather in paris", "It is 5 degrees.", "and in Oslo?", '<get_weather({"city": "Oslo"})>'),
        (
            "what is the weather in paris",
            "It is 5 degrees.",
            "what about new york",
            '<get_weather({"city": "New York"})>',
        ),
        ("what is the weather", "For which city?", "Oslo", '<get_weather({"city": "Oslo"})>'),
        ("set a timer", "For how long?", "five minutes", '<set_timer({"seconds": 300})>'),
        (
            "where is my order",
            "To lookup order I need to know the order id.",
            "55",
            '<lookup_order({"order_id": 55})>',
        ),
    ],
)
async def test_follow_up(asked: str, question: str, replied: str, answer: str):
    assert await said(asked, Message("assistant", question), replied, tools=TOOLS) == answer


async def test_its_own_questions_are_those_that_it_understands_the_answers_to():
    for asked in ("what is the weather", "set a timer", "where is my order"):
        question = await said(asked, tools=TOOLS)
        assert "<" in await said(asked, Message("assistant", question), "5 minutes in Oslo", tools=TOOLS)


async def test_results_are_spoken_together():
    answer = await said(
        "weather in paris and oslo",
        Message("call", '{"city": "Paris"}', "get_weather", "1"),
        Message("call", '{"city": "Oslo"}', "get_weather", "2"),
        Message("tool", '{"temperature_c": 12.3, "conditions": "rain"}', "", "1"),
        Message("tool", '{"error": "offline"}', "", "2"),
        tools=TOOLS,
        tool_choice="required",
    )
    assert answer == "In Paris it is 12 degrees and rain. Sorry, that did not work: offline."


async def test_only_the_new_results_are_spoken():
    answer = await said(
        "what is 1 + 1",
        Message("call", "{}", "add", "1"),
        Message("tool", "2", "", "1"),
        Message("assistant", "It is 2."),
        "and again",
        Message("call", "{}", "add", "2"),
        Message("tool", "3", "", "2"),
    )
    assert answer == "It is 3."


async def test_tool_choice():
    assert await said("what time is it", tools=TOOLS, tool_choice="none") == "It is 3:04 PM."
    assert await said("cook 3 eggs", tools=TOOLS, tool_choice="lookup_order") == '<lookup_order({"order_id": 3})>'
    assert await said("hello", tools=(TIME,), tool_choice="required") == "<get_time({})>"
    assert (
        await said("hello", tools=(ORDER,), tool_choice="required")
        == "To lookup order I need to know the order id."
    )
    assert await said("hello", tools=(), tool_choice="required") == "This session has no tool that I could call."
    assert await said("weather in Rome", tools=TOOLS, tool_choice="required") == '<get_weather({"city": "Rome"})>'


@pytest.mark.parametrize(
    ("told", "answer"),
    [
        ("The timer 'tea' of 300 seconds has just ended. Tell the user now, in one short sentence.",
         "The timer 'tea' of 300 seconds has just ended."),
        ("Tell the user: the tea is ready", "The tea is ready"),
        ('Say "Welcome! I am here."', "Welcome! I am here."),
    ],
)  # fmt: skip
async def test_what_it_is_told_to_say(told: str, answer: str):
    assert await said("hello", Message("assistant", "Hello."), Message("system", told)) == answer


async def test_it_can_speak_first():
    assert await said() == "Hello. What can I do for you?"
    assert (
        await said(instructions='Greet the caller with "Good day, this is the library."')
        == "Good day, this is the library."
    )


async def test_only_function_tools_are_called():
    mcp = {"type": "mcp", "server_label": "time"}
    assert await said("what time is it", tools=(mcp,)) == "It is 3:04 PM."


def test_the_grammar_follows_the_tools():
    assistant = RuleAssistant(lambda: NOW)
    assert "lookup order" not in (assistant.grammar(Prompt("", ())) or "")
    assert "lookup" in (assistant.grammar(Prompt("", (), TOOLS)) or "")
    assert "lookup" not in (assistant.grammar(Prompt("", (), TOOLS, "none")) or "")


async def test_arguments_are_json():
    (call,) = await pieces("weather in zurich", tools=TOOLS)
    assert isinstance(call, ToolCall)
    assert json.loads(call.arguments) == {"city": "Zurich"}


GO_ON = """Be brief. Say "hello" first.

Your answer was broken off, but not by the user.
Heard so far: "Once upon a time"
Not heard yet: "there was a \\"king\\". He slept."
Go on right after the words heard, in the same tone, to the end of the answer: repeat nothing, explain nothing."""


@pytest.mark.parametrize("last", [Message("user", "Tell a story."), Message("assistant", "Once upon a time")])
async def test_it_goes_on_with_an_answer_that_was_broken_off(last: Message) -> None:
    assert await said(last, instructions=GO_ON) == 'there was a "king". He slept.'


async def test_where_nothing_is_left_to_say_it_answers_again() -> None:
    assert "323" in await said("What is 17 times 19?", instructions='Not heard yet: ""')
    assert "323" in await said("What is 17 times 19?", instructions='Not heard yet: "odd" and "more"')


IMAGE = "[image: a PNG of 640 by 480 pixels]"


@pytest.mark.parametrize(
    ("asked", "answer"),
    [
        (IMAGE, "I cannot see images; this is a PNG of 640 by 480 pixels."),
        (f"what do you see {IMAGE}", "I cannot see images; this is a PNG of 640 by 480 pixels."),
        (
            f"{IMAGE} [image: a JPEG of 1 by 2 pixels] what time is it",
            "I cannot see images; these are a PNG of 640 by 480 pixels and a JPEG of 1 by 2 pixels. It is 3:04 PM.",
        ),
    ],
)
async def test_it_is_honest_about_images(asked: str, answer: str):
    assert await said(asked) == answer


async def test_it_speaks_up_after_a_silence():
    assert await said(Message("system", IDLE_TEXT), "") == "Are you still there?"
    assert await said(Message("system", "Be brief."), "") == "I did not catch that."
