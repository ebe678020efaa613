"""A response's settings: the session's, with what `response.create` says instead."""

import pytest

from rtchat.protocol.config import (
    AudioConfig,
    AudioOutput,
    FunctionTool,
    McpTool,
    RealtimeSession,
    ResponseAudio,
    ResponseAudioOutput,
    ResponseParams,
    ToolChoiceFunction,
    ToolChoiceMcp,
    VoiceId,
)
from rtchat.server.dialogue.plan import Plan

LOOK = FunctionTool(name="look")
SHOP = McpTool(server_label="shop")
SESSION = RealtimeSession(
    instructions="Be brief.",
    tools=[LOOK, SHOP],
    tool_choice="none",
    audio=AudioConfig(output=AudioOutput(voice="ash", speed=1.5)),
)


def test_what_is_not_said_is_the_session_s():
    plan = Plan.of(SESSION, ResponseParams())
    assert (plan.instructions, plan.voice_name, plan.speed, plan.modality) == ("Be brief.", "ash", 1.5, "audio")
    assert plan.tools == [{"type": "function", "name": "look", "description": "", "parameters": {}}]
    assert (plan.mcp, plan.mcp_choice, plan.tool_choice) == ([SHOP], None, "none")
    assert (plan.in_conversation, plan.parallel_tool_calls, plan.max_output_tokens) == (True, True, "inf")


def test_what_is_said_counts_instead_even_if_it_is_nothing():
    audio = ResponseAudio(output=ResponseAudioOutput(voice=VoiceId(id="voice_1")))
    asked = ResponseParams(
        instructions="", tools=[], audio=audio, conversation="none", parallel_tool_calls=False, max_output_tokens=9
    )
    plan = Plan.of(SESSION, asked)
    assert (plan.instructions, plan.tools, plan.mcp) == ("", [], [])
    assert (plan.shown_voice, plan.voice_name) == ("voice_1", "marin")  # no engine has a client's own voice
    assert (plan.in_conversation, plan.parallel_tool_calls, plan.max_output_tokens) == (False, False, 9)


@pytest.mark.parametrize(
    ("choice", "told", "mcp"),
    [
        ("required", "required", None),
        (ToolChoiceFunction(name="look"), "look", None),
        (ToolChoiceMcp(server_label="shop"), "required", ToolChoiceMcp(server_label="shop")),
    ],
)
def test_the_choice_of_a_tool(choice, told, mcp):
    plan = Plan.of(SESSION, ResponseParams(tool_choice=choice))
    assert (plan.tool_choice, plan.mcp_choice) == (told, mcp)
