"""Calls that the server makes to MCP servers by itself: shown, approved where that is asked, and answered once.

A session has them when somebody else put them into it: with a client secret, or in a call that is attended.

"No answer follows by itself: send `response.create` when the call is done." A server that goes on all the
same, in the response of the call, is not asked again.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from rtchat.conversation import signals as s
from rtchat.conversation.notices import ErrorTold, ToolCalled, ToolStatus
from rtchat.protocol import server_events as told
from rtchat.protocol.client_events import ItemCreate
from rtchat.protocol.items import (
    Item,
    McpApprovalRequestItem,
    McpApprovalResponseItem,
    McpCallItem,
    McpListToolsItem,
    MessageItem,
)


@dataclass(slots=True)
class _Call:
    response_id: str
    name: str
    arguments: str = ""


class McpCalls:
    """The MCP calls of a session that have not ended, and those that nobody has spoken of yet."""

    def __init__(self) -> None:
        self._running: dict[str, _Call] = {}  # item -> call
        self._unanswered: set[str] = set()  # responses
        self._asked: set[str] = set()  # approval requests
        self._undecided: set[str] = set()
        self._lists: dict[str, McpListToolsItem] = {}
        self._listing: set[str] = set()

    @property
    def pending(self) -> bool:
        """Some call has not ended, or not been decided on."""
        return bool(self._running or self._undecided)

    @property
    def listing(self) -> bool:
        """The server is still asking for tools: "wait for `mcp_list_tools.completed` before relying on them"."""
        return bool(self._listing)

    def begun(self, item: Item | None, response_id: str = "") -> None:
        """An item was added to this response, or to the conversation alone."""
        if isinstance(item, McpCallItem) and not _is_over(item):
            call = self._running.setdefault(item.id, _Call(response_id, f"{item.server_label}.{item.name}"))
            call.response_id = call.response_id or response_id
        elif isinstance(item, MessageItem) and response_id:
            self._unanswered.discard(response_id)

    def called(self, event: told.McpArgumentsDone) -> list[s.Effect]:
        """What a tool is called with."""
        call = self._running.get(event.item_id)
        if call is None:
            return []
        call.arguments = event.arguments
        return [s.Show(ToolCalled(event.item_id, call.name, call.arguments, "", "running", 0))]

    def ended(self, item: Item | None) -> list[s.Effect]:
        """An item is whole: a call has ended, a yes is wanted; each is told more than once."""
        if isinstance(item, McpListToolsItem) and item.id is not None:
            self._lists[item.id] = item
        if isinstance(item, McpApprovalRequestItem) and item.id not in self._asked:
            self._asked.add(item.id)
            self._undecided.add(item.id)
            return [s.AskApproval(item.id, f"{item.server_label}.{item.name}", _read(item.arguments))]
        if not isinstance(item, McpCallItem) or not _is_over(item):
            return []
        call = self._running.pop(item.id, None)
        if call is None:
            return []
        self._unanswered.add(call.response_id)
        output = item.output if item.error is None else str(item.error.get("message", item.error))
        arguments = item.arguments or call.arguments
        status: ToolStatus = "ok" if item.error is None else "error"
        return [s.Show(ToolCalled(item.id, call.name, arguments, output or "", status, 0))]

    def due(self, active: str | None) -> bool:
        """The calls have ended, and so has their response: an answer is to be asked for, once.

        Args:
            active: The response under way.
        """
        if self._running or not self._unanswered or active in self._unanswered:
            return False
        self._unanswered.clear()
        return True

    def cancelled(self, response_id: str) -> None:
        """The user stopped this response: its calls go on, and nobody waits for them."""
        self._running = {key: call for key, call in self._running.items() if call.response_id != response_id}
        self._unanswered.discard(response_id)
        self._undecided.clear()

    def lost(self) -> None:
        """The server is gone, and its calls with it."""
        self._running.clear()
        self._unanswered.clear()
        self._asked.clear()
        self._undecided.clear()
        self._listing.clear()

    def decided(self, decision: s.Approved) -> list[s.Effect]:
        """The user's yes or no, for the server that asked."""
        if decision.request_id not in self._asked:
            return []
        self._undecided.discard(decision.request_id)
        item = McpApprovalResponseItem(approval_request_id=decision.request_id, approve=decision.approve)
        return [s.Send(ItemCreate(item=item))]

    def asks(self, event: told.McpListToolsInProgress) -> list[s.Effect]:
        """The server asks an MCP server what it offers."""
        self._listing.add(event.item_id)
        return []

    def wait_no_more(self) -> None:
        """The user will not wait for lists of tools."""
        self._listing.clear()

    def listed(self, event: told.McpListToolsCompleted | told.McpListToolsFailed) -> list[s.Effect]:
        """It has the answer, or none."""
        self._listing.discard(event.item_id)
        if isinstance(event, told.McpListToolsCompleted):
            return []
        item = self._lists.get(event.item_id)
        name = f"The MCP server {item.server_label}" if item is not None else "An MCP server"
        why = f": {item.error.rstrip('.')}." if item is not None and item.error else "."
        message, hint = f"{name} could not be asked for its tools{why}", "The session goes on without them."
        return [s.Show(ErrorTold("mcp_list_tools_failed", message, hint, fatal=False))]


def _is_over(call: McpCallItem) -> bool:
    return call.output is not None or call.error is not None


def _read(arguments: str) -> dict[str, object]:
    """A model's JSON text, for the user's eye."""
    try:
        read = json.loads(arguments)
    except ValueError:
        read = None
    return read if isinstance(read, dict) else {"arguments": arguments}
