import pytest

from rtchat.protocol.config import McpApprovalFilter, McpToolFilter
from rtchat.protocol.items import McpTool
from rtchat.server.dialogue import signals as sig
from rtchat.server.dialogue.mcp import allowed, asks

SHOP = {"type": "mcp", "server_label": "shop", "server_url": "http://127.0.0.1:9/mcp", "require_approval": "never"}
ORDER = McpTool(
    name="get_order",
    description="Status of an order",
    input_schema={"type": "object", "properties": {"order_id": {"type": "string"}}},
    annotations={"readOnlyHint": True},
)
REFUND = McpTool(name="refund", description=None, input_schema={"type": "object"}, annotations=None)


def listed(talk, of_type, **changes):
    asked = of_type(talk.update(tools=[{**SHOP, **changes}]), sig.ListTools)
    return talk.tell(sig.ToolsListed(asked.key, (ORDER, REFUND)))


def test_a_server_s_tools_are_listed_in_the_order_of_the_api(talk, of_type, names):
    effects = talk.update(tools=[{**SHOP, "authorization": "secret", "headers": {"X-Team": "hidden"}}])
    assert names(effects) == [
        "mcp_list_tools.in_progress",
        "session.updated",
        "conversation.item.added",
        "ListTools",
    ]
    added, asked = effects[2:]
    assert added["item"] == {
        "type": "mcp_list_tools",
        "id": effects[0]["item_id"],
        "server_label": "shop",
        "tools": [],
    }
    assert asked.server.headers == {"X-Team": "hidden", "Authorization": "Bearer secret"}
    assert "secret" not in repr(asked) + repr(effects[1])
    shown = effects[1]["session"]["tools"][0]
    assert (shown["authorization"], shown["headers"]) == ("<redacted>", {"X-Team": "<redacted>"})
    done, completed = talk.tell(sig.ToolsListed(asked.key, (ORDER,)))
    assert completed["type"] == "mcp_list_tools.completed"
    assert completed["item_id"] == done["item"]["id"] == asked.key
    assert done["item"]["tools"][0]["name"] == "get_order"
    (retrieved,) = talk.send("conversation.item.retrieve", item_id=asked.key)
    assert retrieved["item"] == done["item"]


def test_a_server_that_cannot_be_asked_is_told_and_asked_again(talk, of_type, names):
    asked = of_type(talk.update(tools=[SHOP]), sig.ListTools)
    done, failed = talk.tell(sig.ToolsNotListed(asked.key, "Nobody is there."))
    assert done["item"]["error"] == "Nobody is there."
    assert failed["type"] == "mcp_list_tools.failed"
    talk.say("my order")
    assert of_type(talk.send("response.create"), sig.Think).prompt.tools == []
    assert "ListTools" in names(talk.update(tools=[SHOP]))


def test_a_server_is_listed_once_until_something_changes(talk, of_type, names):
    listed(talk, of_type)
    assert names(talk.update(tools=[SHOP])) == ["session.updated"]
    assert "ListTools" in names(talk.update(tools=[{**SHOP, "headers": {"a": "b"}}]))


def test_a_dropped_server_s_answer_comes_to_nothing(talk, of_type):
    asked = of_type(talk.update(tools=[SHOP]), sig.ListTools)
    talk.update(tools=[])
    assert talk.tell(sig.ToolsListed(asked.key, (ORDER,))) == []


def test_the_model_sees_them_as_functions(talk, of_type):
    function = {"type": "function", "name": "refund"}
    asked = of_type(talk.update(tools=[function, {**SHOP}]), sig.ListTools)
    talk.tell(sig.ToolsListed(asked.key, (ORDER, REFUND)))
    talk.say("hello")
    tools = of_type(talk.send("response.create"), sig.Think).prompt.tools
    assert [tool["name"] for tool in tools] == ["refund", "get_order", "shop_refund"]
    assert tools[1]["parameters"] == ORDER.input_schema


@pytest.mark.parametrize(
    ("choice", "shown", "told"),
    [
        ({"type": "mcp", "server_label": "shop", "name": "refund"}, ["refund"], "refund"),
        ({"type": "mcp", "server_label": "shop"}, ["get_order", "refund"], "required"),
        ({"type": "mcp", "server_label": "nobody"}, [], "auto"),
        ("none", ["get_order", "refund"], "none"),
    ],
)
def test_tool_choice(talk, of_type, choice, shown, told):
    listed(talk, of_type)
    talk.say("hello")
    prompt = of_type(talk.send("response.create", response={"tool_choice": choice}), sig.Think).prompt
    assert ([tool["name"] for tool in prompt.tools], prompt.tool_choice) == (shown, told)


def test_a_response_may_name_a_server_of_its_own_and_waits_for_it(talk, of_type, names):
    talk.say("hello")
    effects = talk.send("response.create", response={"tools": [SHOP]})
    assert names(effects) == [
        "response.created",
        "mcp_list_tools.in_progress",
        "conversation.item.added",
        "ListTools",
    ]
    effects = talk.tell(sig.ToolsListed(effects[-1].key, (ORDER,)))
    assert [tool["name"] for tool in of_type(effects, sig.Think).prompt.tools] == ["get_order"]


def test_a_response_may_name_the_session_s_server_by_its_label(talk, of_type):
    listed(talk, of_type)
    talk.say("hello")
    tool = {"type": "mcp", "server_label": "shop", "allowed_tools": ["refund"]}
    effects = talk.send("response.create", response={"tools": [tool], "conversation": "none"})
    assert [tool["name"] for tool in of_type(effects, sig.Think).prompt.tools] == ["refund"]
    for wrong in ({**tool, "server_url": "http://other/"}, {**tool, "server_label": "unknown"}):
        (error,) = talk.send("response.create", response={"tools": [wrong], "conversation": "none"})
        assert error["error"]["param"].startswith("response.tools[0].server_")


def test_a_label_stands_for_one_server(talk):
    (error,) = talk.update(tools=[SHOP, {**SHOP, "server_url": "http://other/"}])
    assert error["error"]["param"] == "session.tools[1].server_label"


def test_a_server_that_may_not_call_says_why(new_talk):
    (error,) = new_talk(no_mcp="Not here.").update(tools=[SHOP])
    assert error["error"]["message"] == "Not here."


@pytest.mark.parametrize(
    ("rule", "tools"),
    [
        (None, ["get_order", "refund"]),
        ([], []),
        (["refund"], ["refund"]),
        (McpToolFilter(tool_names=["get_order"]), ["get_order"]),
        (McpToolFilter(read_only=True), ["get_order"]),
        (McpToolFilter(read_only=False), ["refund"]),
        (McpToolFilter(read_only=True, tool_names=["refund"]), []),
    ],
)
def test_allowed_tools(rule, tools):
    assert [tool.name for tool in (ORDER, REFUND) if allowed(rule, tool)] == tools


@pytest.mark.parametrize(
    ("rule", "tools"),
    [
        (None, ["get_order", "refund"]),
        ("always", ["get_order", "refund"]),
        ("never", []),
        (McpApprovalFilter(never=McpToolFilter(read_only=True)), ["refund"]),
        (McpApprovalFilter(always=McpToolFilter(tool_names=["refund"])), ["get_order", "refund"]),
        (McpApprovalFilter(always=McpToolFilter(tool_names=["refund"]), never=McpToolFilter()), ["refund"]),
    ],
)
def test_which_calls_the_client_must_approve(rule, tools):
    assert [tool.name for tool in (ORDER, REFUND) if asks(rule, tool)] == tools
