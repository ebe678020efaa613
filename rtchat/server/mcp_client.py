"""The client of MCP servers: lists and calls their tools over streamable HTTP, with the official SDK (extra `mcp`).

Each session has its own connections. One is opened when its server is first needed and kept, because servers may
remember something of their clients between two calls. Nothing here lasts longer than its limit.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import importlib.util
import json
import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from rtchat.errors import EngineError
from rtchat.protocol.items import McpTool

if TYPE_CHECKING:
    import httpx2
    from mcp import Client

    from rtchat.server.dialogue.signals import McpServer

LIST_SECONDS = 10.0
"""For connecting and listing."""
CALL_SECONDS = 50.0
"""For one call: less than the minute after which a client may take a silent server for lost."""
CLOSING_SECONDS = 1.0
"""For taking leave of a server."""
LONGEST_OUTPUT = 100_000
"""Characters of a result that are kept."""
LONGEST_SENTENCE = 500
"""Characters of an MCP server's own error that are told."""
MOST_PAGES = 20
"""Pages of tools that are read."""
NOT_INSTALLED = "This server calls no MCP servers, because the MCP SDK is not installed: pip install 'rtchat[mcp]'."
_PACKAGES = ("mcp", "mcp.client.streamable_http", "httpx2")
_LOGGERS = ("mcp.client", "mcp.shared", "client")
_NOT_MCP = -32700
"""JSON-RPC code of the SDK for an answer that it cannot read."""
_BROKEN = {-32000, -32600, -32603}
"""JSON-RPC codes after which a connection is not used again: closed, session unknown, HTTP error."""


def installed() -> bool:
    """Is the SDK there?"""
    return importlib.util.find_spec("mcp") is not None


class McpFailure(EngineError):
    """An MCP server could not be asked, or could not answer.

    Args:
        message: What happened.
        kind: `http_error`, `protocol_error` or `tool_execution_error`, as the API has them.
        code: HTTP status or JSON-RPC code, of the first two.
    """

    def __init__(self, message: str, kind: str = "tool_execution_error", code: int | None = None) -> None:
        super().__init__(message)
        self.kind, self.code = kind, code

    def as_error(self) -> dict[str, Any]:
        """`error` of an `mcp_call`."""
        code = {} if self.code is None else {"code": self.code}
        return {"type": self.kind, **code, "message": str(self)}


class McpClients:
    """The MCP connections of one session.

    Args:
        list_seconds: Limit for connecting and listing.
        call_seconds: Limit for a call.
    """

    def __init__(self, *, list_seconds: float = LIST_SECONDS, call_seconds: float = CALL_SECONDS) -> None:
        self._list_seconds = list_seconds
        self._call_seconds = call_seconds
        self._open: dict[str, tuple[McpServer, _Connection]] = {}

    async def tools(self, server: McpServer) -> tuple[McpTool, ...]:
        """Its tools.

        Raises:
            McpFailure: It cannot be reached, does not speak MCP, or takes too long.
        """
        async with self._connected(server, self._list_seconds) as client:
            found, cursor = [], None
            for _ in range(MOST_PAGES):
                page = await client.list_tools(cursor=cursor, cache_mode="refresh")
                found += [_tool(tool) for tool in page.tools]
                cursor = page.next_cursor
                if not cursor:
                    break
            return tuple(found)

    async def call(self, server: McpServer, name: str, arguments: str) -> str:
        """What a tool answers, as text; results that are not text are named.

        Raises:
            McpFailure: The arguments are no JSON object, the tool failed, or the server as in `tools`.
        """
        try:
            given = json.loads(arguments or "{}")
        except ValueError:
            given = None
        if not isinstance(given, dict):
            raise McpFailure(f"The arguments of {name} are not a JSON object: {arguments[:200]}")
        async with self._connected(server, self._call_seconds) as client:
            result = await client.call_tool(name, given)
        text = _text(result)
        if result.is_error:
            raise McpFailure(text or f"{name} failed and did not say why.")
        return text

    async def close(self) -> None:
        """Take leave of all servers."""
        connections = [connection for _, connection in self._open.values()]
        self._open.clear()
        await asyncio.gather(*(connection.close() for connection in connections))

    @asynccontextmanager
    async def _connected(self, server: McpServer, seconds: float) -> AsyncIterator[Client]:
        where = f"The MCP server '{server.label}' at {_address(server.url)}"
        known, connection = self._open.get(server.label, (None, None))
        if connection is None or known != server or connection.over:
            connection = _Connection(server)
            self._open[server.label] = (server, connection)
        try:
            async with asyncio.timeout(seconds):
                yield await asyncio.shield(connection.ready)
        except McpFailure:
            raise
        except TimeoutError:
            if not connection.ready.done():  # the next one shall not wait for it too
                self._open.pop(server.label, None)
                await connection.close()
            raise McpFailure(f"{where} did not answer within {seconds:g} seconds.") from None
        except Exception as error:
            failure = _failure(error, connection.status, where)
            if failure.code is None or failure.kind == "http_error" or failure.code in _BROKEN:
                self._open.pop(server.label, None)
                connection.leave()
            raise failure from error


class _Connection:
    """A connection, in a task of its own: what the SDK opens must be closed by the task that opened it."""

    def __init__(self, server: McpServer) -> None:
        self.status: int | None = None
        """The last answer's HTTP status, when it was an error."""
        self.ready: asyncio.Future[Client] = asyncio.get_running_loop().create_future()
        self._server = server
        self._leaving = asyncio.Event()
        self._task = asyncio.create_task(self._hold())

    @property
    def over(self) -> bool:
        """It cannot be used any more."""
        return self._task.done() or self._leaving.is_set()

    def leave(self) -> None:
        """Close it when there is time."""
        self._leaving.set()

    async def close(self) -> None:
        """Close it now."""
        self.leave()
        await asyncio.wait([self._task], timeout=CLOSING_SECONDS if self.ready.done() else 0)
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        self.ready.cancel()

    async def _hold(self) -> None:
        try:
            async with AsyncExitStack() as stack:
                self.ready.set_result(await self._open(stack))
                await self._leaving.wait()
        except Exception as error:
            if not self.ready.done():
                self.ready.set_exception(error)
                self.ready.exception()  # who waits is told; nobody may be waiting any more
            else:
                logging.getLogger(__name__).debug("an MCP connection broke", exc_info=True)

    async def _open(self, stack: AsyncExitStack) -> Client:
        await asyncio.to_thread(_load)
        import httpx2
        from mcp import Client
        from mcp.client.streamable_http import streamable_http_client

        http = await stack.enter_async_context(
            httpx2.AsyncClient(
                headers=dict(self._server.headers),
                timeout=httpx2.Timeout(LIST_SECONDS, read=CALL_SECONDS),
                event_hooks={"response": [self._answered]},
            )
        )
        transport = streamable_http_client(self._server.url, http_client=http)
        return await stack.enter_async_context(Client(transport, cache=None))

    async def _answered(self, response: httpx2.Response) -> None:
        if response.request.method == "POST":
            self.status = response.status_code if response.status_code >= 400 else None


def _load() -> None:
    """Importing takes a second; sessions go on meanwhile."""
    for name in _PACKAGES:
        importlib.import_module(name)
    for name in _LOGGERS:  # they write what an MCP server sent, and what goes wrong is told to the client
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)


def _tool(tool: Any) -> McpTool:
    hints = tool.annotations.model_dump(by_alias=True, exclude_none=True) if tool.annotations else None
    return McpTool(name=tool.name, description=tool.description, input_schema=tool.input_schema, annotations=hints)


def _text(result: Any) -> str:
    parts = []
    for block in result.content:
        if block.type == "text":
            parts.append(block.text)
        elif block.type == "resource" and getattr(block.resource, "text", None) is not None:
            parts.append(block.resource.text)
        else:
            kind = getattr(block, "mime_type", None) or getattr(block, "uri", None) or block.type
            parts.append(f"[{block.type}: {kind}]")
    if not parts and result.structured_content is not None:
        parts = [json.dumps(result.structured_content, ensure_ascii=False)]
    text = "\n".join(parts)
    return text if len(text) <= LONGEST_OUTPUT else f"{text[: LONGEST_OUTPUT - 1]}…"


def _failure(error: Exception, status: int | None, where: str) -> McpFailure:
    """The SDK's exceptions, which come in groups, as one sentence."""
    from mcp import MCPError

    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    if status is not None:
        return McpFailure(f"{where} refused with HTTP status {status}.", "http_error", status)
    if isinstance(error, MCPError):
        if error.code == _NOT_MCP:
            return McpFailure(f"{where} sent an answer that is not MCP.", "protocol_error", error.code)
        said = (error.message.splitlines() or ["nothing"])[0]
        return McpFailure(f"{where} says: {said[:LONGEST_SENTENCE]}", "protocol_error", error.code)
    return McpFailure(f"{where} could not be reached: {type(error).__name__}: {error}")


def _address(url: str) -> str:
    """Where a server is; paths, names and queries may hold secrets."""
    parts = urlsplit(url)
    with contextlib.suppress(ValueError):
        return f"{parts.scheme}://{parts.hostname}" + (f":{parts.port}" if parts.port else "")
    return parts.scheme
