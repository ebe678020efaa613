import pytest

from rtchat.protocol.items import McpTool
from rtchat.server.dialogue import signals as sig
from rtchat.server.engines.base import Message, TextPiece, ToolCall

SHOP = {"type": "mcp", "server_label": "shop", "server_url": "http://127.0.0.1:9/mcp"}
ORDER = McpTool(name="get_order", description=None, input_schema={"type": "object"})


@pytest.fixture
def asked(talk, of_type):
    """Begins a response with this rule, and the model calls the tool: the response's id and what followed."""

    def asking(rule, **options):
        listing = of_type(talk.update(tools=[{**SHOP, "require_approval": rule}]), sig.ListTools)
        talk.tell(sig.ToolsListed(listing.key, (ORDER,)))
        talk.say("where is my order?")
        response = {"output_modalities": ["text"], **options}
        response_id = of_type(talk.send("response.create", response=response), sig.Think).response_id
        return response_id, talk.tell(sig.Thought(response_id, ToolCall("get_order", '{"order_id":"7"}')))

    return asking


def test_a_call_ends_after_its_response_and_the_next_one_knows_it(talk, asked, of_type, names):
    response_id, events = asked("never")
    assert names(events) == [
        "response.output_item.added",
        "conversation.item.added",
        *["response.mcp_call_arguments.delta"] * 5,
        "response.mcp_call_arguments.done",
        "response.mcp_call.in_progress",
        "CallTool",
    ]
    call = events[0]["item"]
    assert call == {
        "type": "mcp_call",
        "id": call["id"],
        "server_label": "shop",
        "name": "get_order",
        "arguments": "",
        "approval_request_id": None,
        "output": None,
        "error": None,
    }
    assert (events[-1].name, events[-1].arguments) == ("get_order", '{"order_id":"7"}')
    assert talk.tell(sig.ToolCalled(call["id"], "shipped")) == []  # the response goes on
    events = talk.tell(sig.ThoughtEnded(response_id))
    assert names(events) == [
        "Abort",
        "response.done",
        "rate_limits.updated",
        "response.mcp_call.completed",
        "conversation.item.done",
        "response.output_item.done",
    ]
    assert [item["id"] for item in events[1]["response"]["output"]] == [call["id"]]
    assert events[-1]["item"]["output"] == "shipped"
    assert events[-1]["item"]["arguments"] == '{"order_id":"7"}'
    messages = of_type(talk.send("response.create"), sig.Think).prompt.messages
    assert messages[1:] == [
        Message("call", '{"order_id":"7"}', "get_order", call["id"]),
        Message("tool", "shipped", "get_order", call["id"]),
    ]


def test_a_failure_is_told_with_its_error(talk, asked, of_type, names):
    response_id, events = asked("never")
    talk.tell(sig.ThoughtEnded(response_id))
    error = {"type": "http_error", "code": 502, "message": "No."}
    events = talk.tell(sig.ToolFailed(events[0]["item"]["id"], error))
    assert names(events)[0] == "response.mcp_call.failed"
    assert events[-1]["item"]["error"] == error
    messages = of_type(talk.send("response.create"), sig.Think).prompt.messages
    assert '"No."' in messages[-1].text


def approval(talk, request, **changes):
    item = {"type": "mcp_approval_response", "approval_request_id": request["id"], "approve": True, **changes}
    return talk.send("conversation.item.create", previous_item_id=request["id"], item=item)


def test_an_approved_call_is_made_at_once(talk, asked, names):
    response_id, events = asked("always")
    assert names(events)[8:] == [
        "response.output_item.added",
        "conversation.item.added",
        "conversation.item.done",
        "response.output_item.done",
    ]
    call, request = events[0]["item"], events[-1]["item"]
    assert request["type"] == "mcp_approval_request"
    assert request["arguments"] == '{"order_id":"7"}'
    assert call["approval_request_id"] == request["id"]
    talk.tell(sig.ThoughtEnded(response_id))
    events = approval(talk, request, reason="yes please")
    assert names(events) == [
        "conversation.item.added",
        "conversation.item.done",
        "response.mcp_call.in_progress",
        "CallTool",
    ]
    assert events[0]["item"]["approve"] is True
    assert names(talk.tell(sig.ToolCalled(call["id"], "shipped"))) == [
        "response.mcp_call.completed",
        "conversation.item.done",
        "response.output_item.done",
    ]
    (error,) = approval(talk, request)
    assert error["error"]["param"] == "item.approval_request_id"


def test_a_denied_call_is_never_made_and_the_model_knows(talk, asked, names, of_type):
    response_id, events = asked("always")
    talk.tell(sig.ThoughtEnded(response_id))
    answer = approval(talk, events[-1]["item"], approve=False, reason="too dear")
    assert "CallTool" not in names(answer)
    assert names(answer)[2] == "response.mcp_call.failed"
    assert answer[-1]["item"]["error"]["message"] == "The user did not approve this call: too dear"
    assert "too dear" in of_type(talk.send("response.create"), sig.Think).prompt.messages[-1].text


def test_a_call_that_was_made_goes_on_when_its_response_is_cancelled(talk, asked, names, of_type):
    _, events = asked("never")
    talk.send("response.cancel")
    talk.say("well?")
    think = of_type(talk.send("response.create", response={"output_modalities": ["text"]}), sig.Think)
    assert [message.role for message in think.prompt.messages] == ["user", "user"]  # it is not known yet
    talk.tell(sig.Thought(think.response_id, TextPiece("Wait.")))
    events = talk.tell(sig.ToolCalled(events[0]["item"]["id"], "shipped"))
    assert names(events)[0] == "response.mcp_call.completed"


def test_beside_the_conversation(talk, asked, names):
    response_id, events = asked("never", conversation="none")
    assert not any(name.startswith("conversation.item") for name in names(events))
    call = events[0]["item"]
    talk.tell(sig.ThoughtEnded(response_id))
    assert names(talk.tell(sig.ToolCalled(call["id"], "x"))) == [
        "response.mcp_call.completed",
        "response.output_item.done",
    ]
