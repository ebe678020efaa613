"""Calls to MCP servers: begun in a response, ended when the MCP server has answered, mostly after the response.

No answer follows by itself: the client asks for one with `response.create` once the call is done, as the stock
clients do (the Agents SDK when the item is done, others on `response.mcp_call.completed`). So the end of a call is
told only when its response is over.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rtchat.protocol import server_events as ev
from rtchat.protocol.items import McpApprovalRequestItem, McpApprovalResponseItem, McpCallItem
from rtchat.server.dialogue.checks import Rejected
from rtchat.server.dialogue.items import Entry
from rtchat.server.dialogue.signals import CallTool, Effect, Emit, ToolCalled, ToolFailed

if TYPE_CHECKING:
    from rtchat.server.dialogue.context import Context
    from rtchat.server.dialogue.mcp import Offer
    from rtchat.server.dialogue.response import Answer


@dataclass(slots=True)
class _Call:
    answer: Answer
    entry: Entry
    output_index: int
    effect: CallTool


class McpCalls:
    """The calls of one session that have not ended."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._calls: dict[str, _Call] = {}  # item -> call
        self._asked: dict[str, str] = {}  # approval request -> item
        self._under_way: set[str] = set()  # responses
        self._ended: list[tuple[_Call, dict[str, Any]]] = []  # told when their responses are over

    def begin(self, answer: Answer, offer: Offer, arguments: str) -> list[Effect]:
        """The model wants this tool called: call it, or ask the client first."""
        context = self._context
        label, name = offer.server.label, offer.tool.name
        item = McpCallItem(
            id=context.new_id("mcp"),
            server_label=label,
            name=name,
            arguments="",
            approval_request_id=context.new_id("mcpr") if offer.asks else None,
            output=None,
            error=None,
        )
        entry, output_index, events = answer.add_mcp_call(item, arguments)
        call = _Call(answer, entry, output_index, CallTool(item.id, offer.server, name, arguments))
        self._calls[item.id] = call
        self._under_way.add(answer.id)
        if item.approval_request_id is None:
            return [*map(Emit, events), *self._make(call)]
        request = McpApprovalRequestItem(
            id=item.approval_request_id, server_label=label, name=name, arguments=arguments
        )
        self._asked[request.id] = item.id
        return [*map(Emit, events), *map(Emit, answer.add_item(Entry(request)))]

    def check(self, decision: McpApprovalResponseItem) -> None:
        """Is there anything to approve?

        Raises:
            Rejected: There is no such request, or it has been answered.
        """
        if decision.approval_request_id not in self._asked:
            message = f"No approval request with id '{decision.approval_request_id}' awaits an answer."
            raise Rejected("invalid_value", message, "item.approval_request_id")

    def decide(self, decision: McpApprovalResponseItem) -> list[Effect]:
        """The client's yes or no."""
        call = self._calls[self._asked.pop(decision.approval_request_id)]
        if decision.approve:
            return self._make(call)
        why = f": {decision.reason}" if decision.reason else "."
        return self.told(ToolFailed(call.entry.id, _failure(f"The user did not approve this call{why}")))

    def told(self, told: ToolCalled | ToolFailed) -> list[Effect]:
        """What came of a call."""
        call = self._calls.pop(told.key)
        changes = {"output": told.output} if isinstance(told, ToolCalled) else {"error": dict(told.error)}
        if call.answer.id in self._under_way:
            self._ended.append((call, changes))
            return []
        return self._end(call, changes)

    def over(self, response_id: str) -> list[Effect]:
        """A response is over: its calls that have ended are told."""
        self._under_way.discard(response_id)
        ended = [one for one in self._ended if one[0].answer.id == response_id]
        self._ended = [one for one in self._ended if one[0].answer.id != response_id]
        return [effect for call, changes in ended for effect in self._end(call, changes)]

    def _make(self, call: _Call) -> list[Effect]:
        where = {"item_id": call.entry.id, "output_index": call.output_index}
        return [self._context.emit(ev.McpCallInProgress, **where), call.effect]

    def _end(self, call: _Call, changes: dict[str, Any]) -> list[Effect]:
        call.entry.item = call.entry.item.model_copy(update=changes)
        where = {"item_id": call.entry.id, "output_index": call.output_index}
        kind = ev.McpCallFailed if "error" in changes else ev.McpCallCompleted
        return [
            self._context.emit(kind, **where),
            *map(Emit, call.answer.end_item(call.entry, call.output_index)),
        ]


def _failure(message: str) -> dict[str, Any]:
    return {"type": "tool_execution_error", "message": message}
