from unittest.mock import ANY

import pytest
from openai.types.chat.completion_create_params import CompletionCreateParamsStreaming
from pydantic import TypeAdapter, ValidationError

from rtchat.server.engines.base import Message, Prompt
from rtchat.server.engines.http_chat import chat, request

TOOLS = [
    {"type": "function", "name": "weather", "description": "The weather", "parameters": {"type": "object"}},
    {"type": "function", "name": "time", "description": "The time", "parameters": {}},
]


def test_each_form_of_tool_choice():
    bodies = {choice: request(Prompt("", [], TOOLS, choice), "m") for choice in ("none", "required", "time")}
    assert "tools" not in bodies["none"]
    assert (len(bodies["required"]["tools"]), bodies["required"]["tool_choice"]) == (2, "required")
    assert [tool["function"]["name"] for tool in bodies["time"]["tools"]] == ["time"]
    assert bodies["time"]["tool_choice"] == "required"  # llama.cpp takes no object, and then calls nothing


def test_the_conversation_in_chat_s_shape():
    told = chat(
        "Be kind.",
        [
            Message("system", "It is noon."),
            Message("user", " "),
            Message("user", "hello"),
            Message("assistant", ""),
            Message("assistant", "Let me see."),
            Message("call", "{}", "time", "1"),
            Message("call", "", "weather", "2"),
            Message("user", "and then"),
            Message("tool", "noon", "time", "1"),
            Message("tool", "lost", "gone", "0"),
            Message("system", "Be quick."),
            Message("assistant", "Then"),
            Message("assistant", "it is."),
        ],
    )
    assert told == [
        {"role": "system", "content": "Be kind.\nIt is noon."},
        {"role": "user", "content": "(inaudible)\nhello"},
        {
            "role": "assistant",
            "content": "Let me see.",
            "tool_calls": [
                {"id": "1", "type": "function", "function": {"name": "time", "arguments": "{}"}},
                {"id": "2", "type": "function", "function": {"name": "weather", "arguments": "{}"}},
            ],
        },
        {"role": "tool", "tool_call_id": "1", "content": "noon"},
        {"role": "tool", "tool_call_id": "2", "content": "(no output yet)"},
        {"role": "user", "content": "and then\n(gone gave: lost)\n(System: Be quick.)"},
        {"role": "assistant", "content": "Then\nit is."},
        {"role": "user", "content": "(says nothing)"},
    ]
    assert chat("", [Message("call", "{}", "time", "1"), Message("assistant", "So.")]) == [
        {"role": "user", "content": "(says nothing)"},
        {"role": "assistant", "content": None, "tool_calls": [ANY]},
        {"role": "tool", "tool_call_id": "1", "content": "(no output yet)"},
        {"role": "assistant", "content": "So."},
        {"role": "user", "content": "(says nothing)"},
    ]


def test_the_user_speaks_first_and_the_assistant_never_last():
    silent = {"role": "user", "content": "(says nothing)"}
    system = {"role": "system", "content": "Be kind."}
    hello = {"role": "assistant", "content": "Hello."}
    assert chat("", []) == [silent]
    assert chat("Be kind.", []) == [system, silent]
    assert chat("Be kind.", [Message("assistant", "Hello.")]) == [system, silent, hello, silent]
    greeted = [Message("assistant", "Hello."), Message("user", "Hi.")]
    assert chat("Be kind.", greeted) == [system, silent, hello, {"role": "user", "content": "Hi."}]
    called = [Message("user", "Hi."), Message("call", "{}", "time", "1"), Message("tool", "noon", "time", "1")]
    assert chat("", called)[-1]["role"] == "tool"


def test_images_go_with_their_message_when_they_are_wanted():
    messages = [
        Message("user", "hello"),
        Message("user", "[image: a PNG]", images=("data:image/png;base64,AA==",)),
        Message("user", "What is it?"),
    ]
    assert chat("", messages) == [{"role": "user", "content": "hello\n[image: a PNG]\nWhat is it?"}]
    (message,) = chat("", messages, images=True)
    assert message["content"] == [
        {"type": "text", "text": "hello\n[image: a PNG]"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}},
        {"type": "text", "text": "What is it?"},
    ]


@pytest.mark.parametrize("choice", ["auto", "none", "required", "time"])
def test_the_openai_package_s_types_accept_what_is_asked(choice):
    messages = [
        Message("system", "It is noon."),
        Message("user", "[image: a PNG]", images=("data:image/png;base64,AA==",)),
        Message("assistant", "Hm."),
        Message("call", "{}", "time", "1"),
        Message("tool", "noon", "time", "1"),
    ]
    prompt = Prompt("Be kind.", messages, TOOLS, choice, parallel_tool_calls=False)
    oracle = TypeAdapter(CompletionCreateParamsStreaming)
    asked = request(prompt, "m", images=True)
    oracle.validate_python(asked)
    with pytest.raises(ValidationError):
        oracle.validate_python({**asked, "tool_choice": 1})
