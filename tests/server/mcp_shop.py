"""An MCP server for tests, on any free port of 127.0.0.1, which it prints."""

import asyncio
import socket

import uvicorn
from mcp.server.mcpserver import Context, MCPServer
from mcp_types import ImageContent, ToolAnnotations
from starlette.responses import PlainTextResponse

server = MCPServer("shop")
orders = 0


@server.tool(annotations=ToolAnnotations(read_only_hint=True))
def get_order(order_id: str) -> dict[str, str]:
    """The status of an order"""
    return {"order": order_id, "status": "shipped"}


@server.tool()
def refund(order_id: str) -> str:
    """Give the money back"""
    raise ValueError(f"order {order_id} was never paid")


@server.tool()
async def wait() -> str:
    """Never answers"""
    await asyncio.Event().wait()
    return "never"


@server.tool()
def photo() -> ImageContent:
    """A picture"""
    return ImageContent(data="AAAA", mime_type="image/png")


@server.tool()
def team(context: Context) -> str:
    """Which team asks"""
    return str((context.headers or {}).get("x-team"))


async def app(scope, receive, send):
    """The server at /mcp, and a closed door at /locked."""
    if scope["type"] == "http" and scope["path"].startswith("/locked"):
        await PlainTextResponse("no", 401)(scope, receive, send)
    else:
        await inner(scope, receive, send)


inner = server.streamable_http_app()
with socket.create_server(("127.0.0.1", 0)) as listener:
    print(listener.getsockname()[1], flush=True)
    uvicorn.Server(uvicorn.Config(app, log_level="critical")).run(sockets=[listener])
