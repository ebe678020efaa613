import asyncio
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from mcp_types import CallToolResult, TextContent

from rtchat.server.dialogue.signals import McpServer
from rtchat.server.engines.base import ToolCall
from rtchat.server.mcp_client import LONGEST_OUTPUT, McpClients, McpFailure, _text, installed
from rtchat.server.run import ServerConfig, embedded


@pytest.fixture(scope="module")
def shop() -> Iterator[str]:
    """The address of a real MCP server in a process of its own."""
    program = Path(__file__).with_name("mcp_shop.py")
    with subprocess.Popen([sys.executable, program], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield f"http://127.0.0.1:{process.stdout.readline().strip()}/mcp"
        finally:
            process.kill()


@pytest.fixture
async def clients():
    clients = McpClients()
    yield clients
    await clients.close()


async def test_tools_and_calls(shop, clients):
    server = McpServer("shop", shop, {"X-Team": "blue"})
    tools = await clients.tools(server)
    assert [tool.name for tool in tools] == ["get_order", "refund", "wait", "photo", "team"]
    assert tools[0].annotations == {"readOnlyHint": True}
    assert tools[0].input_schema["required"] == ["order_id"]
    assert '"shipped"' in await clients.call(server, "get_order", '{"order_id": "7"}')
    assert await clients.call(server, "photo", "") == "[image: image/png]"
    assert await clients.call(server, "team", "{}") == "blue"


@pytest.mark.parametrize(
    ("name", "arguments", "said"),
    [
        ("get_order", "[]", "not a JSON object"),
        ("get_order", "{", "not a JSON object"),
        ("nothing", "{}", "nothing"),
    ],
)
async def test_a_call_that_cannot_be_made(shop, clients, name, arguments, said):
    with pytest.raises(McpFailure, match=said) as caught:
        await clients.call(McpServer("shop", shop), name, arguments)
    assert caught.value.as_error()["type"] == "tool_execution_error"


async def test_a_server_that_is_not_there_and_a_closed_door(shop, clients):
    with socket.socket() as held:  # nobody listens there, nor can anybody begin to
        held.bind(("127.0.0.1", 0))
        with pytest.raises(McpFailure, match="could not be reached"):
            await clients.tools(McpServer("gone", f"http://127.0.0.1:{held.getsockname()[1]}/mcp"))
    with pytest.raises(McpFailure) as caught:
        await clients.tools(McpServer("locked", shop.replace("/mcp", "/locked")))
    assert caught.value.as_error()["type"] == "http_error"
    assert caught.value.code == 401


@pytest.mark.parametrize(
    ("kind", "body", "said"),
    [
        ("application/json", b"secret", "sent an answer that is not MCP"),
        ("text/event-stream", b"data: secret\n\n", "sent an answer that is not MCP"),
        ("text/html", b"secret", "Unexpected content type"),
    ],
)
async def test_a_server_of_something_else(clients, caplog, kind, body, said):
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        head = f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nConnection: close\r\n\r\n"
        writer.write(head.encode() + body)
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as other:
        port = other.sockets[0].getsockname()[1]
        with pytest.raises(McpFailure, match=said) as caught:
            await clients.tools(McpServer("other", f"http://127.0.0.1:{port}/"))
        await clients.close()
    assert "\n" not in str(caught.value)
    assert "secret" not in str(caught.value) + caplog.text


async def test_a_server_that_hangs_costs_no_more_than_its_limit(shop):
    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    clients = McpClients(list_seconds=0.2, call_seconds=0.5)
    async with await asyncio.start_server(say_nothing, "127.0.0.1", 0) as silent:
        port = silent.sockets[0].getsockname()[1]
        with pytest.raises(McpFailure, match=r"did not answer within 0.2 seconds"):
            await clients.tools(McpServer("silent", f"http://127.0.0.1:{port}/mcp"))
    await clients.close()
    with pytest.raises(McpFailure, match="did not answer within"):
        await clients.call(McpServer("shop", shop), "wait", "{}")
    await clients.close()


def test_a_long_result_is_cut_and_one_without_text_is_told_as_json():
    long = TextContent(text="x" * (LONGEST_OUTPUT + 1))
    assert len(_text(CallToolResult(content=[long]))) == LONGEST_OUTPUT
    assert _text(CallToolResult(content=[], structured_content={"a": 1})) == '{"a": 1}'


async def test_a_session_calls_an_approved_tool(shop, engines, connect):
    assert installed()
    engines.llm.answers = [[ToolCall("get_order", '{"order_id":"7"}')]]
    tool = {"type": "mcp", "server_label": "shop", "server_url": shop, "allowed_tools": ["get_order"]}
    async with embedded(engines=engines) as url, connect(url) as client:
        session = {"type": "realtime", "output_modalities": ["text"], "tools": [tool]}
        await client.send("session.update", session=session)
        events = await client.until("mcp_list_tools.completed")
        assert [listed["name"] for listed in events[-2]["item"]["tools"]] == ["get_order"]
        await client.say("where is my order?")
        await client.send("response.create")
        events = await client.until("response.done")
        call, request = events[-1]["response"]["output"]
        decision = {"type": "mcp_approval_response", "approval_request_id": request["id"], "approve": True}
        await client.send("conversation.item.create", item=decision)
        events = await client.until("response.mcp_call.completed")
        assert events[-1]["item_id"] == call["id"]
        await client.send("response.create")
        await client.until("response.done")
    assert '"shipped"' in engines.llm.prompts[1].messages[-1].text


async def test_the_assistant_of_rules_calls_it_and_says_what_it_got(shop, connect):
    tool = {"type": "mcp", "server_label": "shop", "server_url": shop, "require_approval": "never"}
    async with embedded() as url, connect(url) as client:
        session = {"type": "realtime", "output_modalities": ["text"], "tools": [tool]}
        await client.send("session.update", session=session)
        await client.until("mcp_list_tools.completed")
        for said in ("what is the status of order 7?", "refund order 7"):
            await client.say(said)
            await client.send("response.create")
            events = await client.until("response.output_item.done")
            await client.send("response.create")
            answer = (await client.until("response.output_text.done"))[-1]["text"]
            await client.until("rate_limits.updated")
            item = events[-1]["item"]
            assert ("shipped" in answer) if item["output"] else ("did not work" in answer)


async def test_leaving_ends_a_call_that_hangs(shop, engines, connect):
    engines.llm.answers = [[ToolCall("wait", "{}")]]
    tool = {"type": "mcp", "server_label": "shop", "server_url": shop, "require_approval": "never"}
    async with embedded(engines=engines) as url:
        async with connect(url) as client:
            session = {"type": "realtime", "output_modalities": ["text"], "tools": [tool]}
            await client.send("session.update", session=session)
            await client.until("mcp_list_tools.completed")
            await client.say("wait")
            await client.send("response.create")
            await client.until("response.done")
            mcp = [task for task in asyncio.all_tasks() if task.get_coro().__name__ in ("_call_tool", "_hold")]
            assert len(mcp) == 2
        assert not (await asyncio.wait(mcp, timeout=40))[1]


async def test_a_server_for_the_network_calls_nobody_unless_it_is_allowed_to(engines, connect):
    tool = {"type": "mcp", "server_label": "shop", "server_url": "http://127.0.0.1:9/mcp"}
    session = {"type": "realtime", "tools": [tool]}
    for host, allowed in (("0.0.0.0", None), ("127.0.0.1", False)):
        config = ServerConfig(host=host, api_key="key", mcp=allowed)
        async with embedded(config, engines=engines) as url:
            headers = {"Authorization": "Bearer key"}
            address = url.replace("0.0.0.0", "127.0.0.1")
            async with connect(address, additional_headers=headers) as client:
                await client.send("session.update", session=session)
                assert "--allow-mcp" in (await client.event())["error"]["message"]
