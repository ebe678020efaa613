"""Calls that the server makes to MCP servers: shown, approved where that is asked, and answered exactly once."""

from __future__ import annotations

import pytest

from rtchat.conversation.notices import ErrorTold, ToolCalled, TurnEnded
from rtchat.conversation.signals import (
    Approved,
    AskApproval,
    Disconnected,
    End,
    InputEnded,
    InterruptPressed,
    Typed,
)
from rtchat.conversation.state import State
from rtchat.protocol import client_events as ask
from rtchat.protocol import server_events as told
from rtchat.protocol.items import McpApprovalRequestItem, McpApprovalResponseItem, McpCallItem, McpListToolsItem


def call(name="get_order", item="mcp_1", **fields):
    return McpCallItem(**{"id": item, "server_label": "shop", "name": name, "arguments": "", **fields})


def begins(item, response="R"):
    return told.OutputItemAdded(response_id=response, output_index=0, item=item)


def calls_with(arguments, item="mcp_1", response="R"):
    return told.McpArgumentsDone(response_id=response, item_id=item, output_index=0, arguments=arguments)


def ends(item, response="R"):
    """What follows `response.mcp_call.completed`: the item is told twice."""
    done = told.OutputItemDone(response_id=response, output_index=0, item=item)
    return told.ItemDone(previous_item_id=None, item=item), done


OUTPUT = {"arguments": '{"id": 7}', "output": "shipped"}


@pytest.fixture
def calling(talk, says, tell):
    """A conversation whose response `R` has made these calls."""

    def begin(*items):
        conversation = talk()
        tell(conversation, Typed("Where is order 7?"), says.created())
        tell(conversation, *(begins(item) for item in items))
        return conversation

    return begin


def test_an_answer_is_asked_for_once_when_the_call_has_ended(calling, says, tell, sent):
    conversation = calling(call())
    assert sent(tell(conversation, says.done()), ask.ResponseCreate) == []
    assert conversation.state is State.THINKING
    assert len(sent(tell(conversation, *ends(call(**OUTPUT))), ask.ResponseCreate)) == 1
    rest = tell(conversation, says.created("R2"), says.begins("A", "R2"), says.writes("Shipped.", "A", "R2"))
    rest += tell(conversation, says.made("A", "R2"), says.done("R2"))
    assert sent(rest, ask.ResponseCreate) == [] and conversation.state is State.LISTENING


def test_a_call_that_ends_before_its_response_is_answered_after_it(calling, says, tell, sent):
    conversation = calling(call())
    assert sent(tell(conversation, *ends(call(**OUTPUT))), ask.ResponseCreate) == []
    assert len(sent(tell(conversation, says.done()), ask.ResponseCreate)) == 1


def test_a_server_that_goes_on_by_itself_is_not_asked(calling, says, tell, sent):
    conversation = calling(call())
    goes_on = [*ends(call(**OUTPUT)), says.begins("A"), says.writes("Shipped.", "A"), says.made("A"), says.done()]
    assert sent(tell(conversation, *goes_on), ask.ResponseCreate) == []
    assert conversation.state is State.LISTENING


def test_words_before_the_call_are_no_answer_to_it(talk, says, tell, sent):
    conversation = talk()
    tell(conversation, Typed("Where is order 7?"), says.created(), says.begins("A"), says.writes("A moment.", "A"))
    tell(conversation, says.made("A"), begins(call()), says.done())
    assert len(sent(tell(conversation, *ends(call(**OUTPUT))), ask.ResponseCreate)) == 1


def test_several_calls_are_answered_together(calling, says, tell, sent):
    conversation = calling(call(), call("get_price", "mcp_2"))
    first = tell(conversation, says.done(), *ends(call(**OUTPUT)))
    assert sent(first, ask.ResponseCreate) == []
    second = tell(conversation, *ends(call("get_price", "mcp_2", error={"type": "http_error", "message": "no"})))
    assert len(sent(second, ask.ResponseCreate)) == 1


def test_a_response_that_was_stopped_is_not_answered(calling, says, tell, sent):
    conversation = calling(call())
    tell(conversation, InterruptPressed(), says.done(status="cancelled"))
    assert sent(tell(conversation, *ends(call(**OUTPUT))), ask.ResponseCreate) == []
    assert conversation.state is State.LISTENING


def test_the_input_may_end_and_the_session_waits_for_the_answer(calling, says, tell, shown):
    conversation = calling(call())
    effects = tell(conversation, says.done(), InputEnded())
    assert End("done") not in effects and shown(effects, TurnEnded) == []
    tell(conversation, *ends(call(**OUTPUT)), says.created("R2"))
    effects = tell(conversation, says.done("R2"))
    assert End("done") in effects and len(shown(effects, TurnEnded)) == 1


def test_it_is_shown_like_any_other_tool(calling, tell, shown):
    conversation = calling(call())
    running = tell(conversation, calls_with('{"id": 7}'))
    assert shown(running) == [ToolCalled("mcp_1", "shop.get_order", '{"id": 7}', "", "running", 0)]
    over = tell(conversation, *ends(call(**OUTPUT)))
    assert shown(over, ToolCalled) == [ToolCalled("mcp_1", "shop.get_order", '{"id": 7}', "shipped", "ok", 0)]


def test_one_that_failed_says_why(calling, tell, shown):
    conversation = calling(call())
    (tool,) = shown(tell(conversation, *ends(call(error={"message": "No such order."}))), ToolCalled)
    assert (tool.status, tool.output) == ("error", "No such order.")


def test_a_call_of_somebody_else_s_history_is_nothing_to_answer(talk, tell, sent):
    conversation, item = talk(), call(**OUTPUT)
    effects = tell(conversation, told.ItemAdded(previous_item_id=None, item=item), *ends(item))
    assert sent(effects, ask.ResponseCreate) == [] and conversation.state is State.LISTENING


@pytest.mark.parametrize("approve", [True, False])
def test_the_user_is_asked_once_and_the_server_told(calling, says, tell, sent, approve):
    conversation = calling(call(approval_request_id="mcpr_1"))
    request = McpApprovalRequestItem(id="mcpr_1", server_label="shop", name="get_order", arguments='{"id": 7}')
    effects = tell(conversation, *ends(request))
    assert [effect for effect in effects if isinstance(effect, AskApproval)] == [
        AskApproval("mcpr_1", "shop.get_order", {"id": 7})
    ]
    (create,) = sent(tell(conversation, says.done(), Approved("mcpr_1", approve)), ask.ItemCreate)
    assert create.item == McpApprovalResponseItem(approval_request_id="mcpr_1", approve=approve)


def test_the_session_waits_for_the_user_s_word(talk, says, tell):
    conversation = talk()
    request = McpApprovalRequestItem(id="mcpr_1", server_label="shop", name="get_order", arguments="{}")
    tell(conversation, Typed("Where is order 7?"), says.created(), *ends(request), InputEnded())
    assert End("done") not in tell(conversation, says.done())
    assert End("done") in tell(conversation, Approved("mcpr_1", False))


@pytest.mark.parametrize("given", ["{", "[1]"])
def test_arguments_that_are_none_are_shown_as_they_are(calling, tell, given):
    request = McpApprovalRequestItem(id="mcpr_1", server_label="shop", name="get_order", arguments=given)
    assert AskApproval("mcpr_1", "shop.get_order", {"arguments": given}) in tell(calling(call()), *ends(request))


def test_a_yes_for_a_server_that_is_gone_is_not_sent(calling, tell, sent):
    conversation = calling(call())
    request = McpApprovalRequestItem(id="mcpr_1", server_label="shop", name="get_order", arguments="{}")
    tell(conversation, *ends(request), Disconnected())
    assert sent(tell(conversation, Approved("mcpr_1", True))) == []


def test_a_server_that_is_lost_takes_its_calls_along(calling, says, tell, sent):
    conversation = calling(call())
    tell(conversation, says.done(), Disconnected(), says.session_created(), says.session_updated())
    assert conversation.state is State.LISTENING
    assert sent(tell(conversation, *ends(call(**OUTPUT))), ask.ResponseCreate) == []


LISTED = McpListToolsItem(id="list_1", server_label="shop", tools=[])


def test_a_line_waits_until_the_tools_are_known(talk, tell, sent):
    conversation = talk()
    asking = tell(conversation, told.McpListToolsInProgress(item_id="list_1"), Typed("Where is order 7?"))
    assert sent(asking, ask.ResponseCreate) == [] and conversation.state is State.THINKING
    assert len(sent(tell(conversation, told.McpListToolsCompleted(item_id="list_1")), ask.ResponseCreate)) == 1


def test_the_key_ends_that_wait(talk, tell, sent):
    conversation = talk()
    tell(conversation, told.McpListToolsInProgress(item_id="list_1"), InterruptPressed())
    assert len(sent(tell(conversation, Typed("hello")), ask.ResponseCreate)) == 1


@pytest.mark.parametrize(
    ("item", "message"),
    [
        (LISTED.model_copy(update={"error": "It did not answer."}),
         "The MCP server shop could not be asked for its tools: It did not answer."),
        (LISTED, "The MCP server shop could not be asked for its tools."),
        (None, "An MCP server could not be asked for its tools."),
    ],
)  # fmt: skip
def test_tools_that_cannot_be_listed_are_told(talk, tell, sent, shown, item, message):
    conversation = talk()
    tell(conversation, told.McpListToolsInProgress(item_id="list_1"), Typed("hello"))
    if item is not None:
        tell(conversation, told.ItemDone(previous_item_id=None, item=item))
    effects = tell(conversation, told.McpListToolsFailed(item_id="list_1"))
    (error,) = shown(effects, ErrorTold)
    assert (error.code, error.message, error.fatal) == ("mcp_list_tools_failed", message, False)
    assert len(sent(effects, ask.ResponseCreate)) == 1
