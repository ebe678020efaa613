"""The MCP servers that a client named: their tools, what each may be called, and whether the client is asked first.

A server's label is bound for the session. Its tools are listed when `session.update` names it, or a response does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rtchat.protocol import server_events as ev
from rtchat.protocol.config import McpApprovalFilter, McpTool, McpToolFilter, ToolChoiceMcp
from rtchat.protocol.items import McpListToolsItem
from rtchat.protocol.items import McpTool as Offered
from rtchat.server.dialogue.checks import Rejected
from rtchat.server.dialogue.items import Entry, Store
from rtchat.server.dialogue.signals import Emit, ListTools, McpServer, ToolsListed, ToolsNotListed

if TYPE_CHECKING:
    from rtchat.protocol.base import Event

NewId = Callable[[str], str]


@dataclass(slots=True)
class _Bound:
    """A label: what the client said of it, the item that lists its tools, and those tools once they are known."""

    said: McpTool
    entry: Entry
    tools: tuple[Offered, ...] | None = None
    failed: bool = False

    @property
    def server(self) -> McpServer:
        headers = dict(self.said.headers or {})
        if self.said.authorization is not None:
            headers["Authorization"] = f"Bearer {self.said.authorization}"
        return McpServer(self.said.server_label, self.said.server_url or "", headers)


@dataclass(frozen=True, slots=True)
class Offer:
    """A tool as the language model sees it: `shown` is its name there; `asks` when the client must approve."""

    shown: str
    server: McpServer
    tool: Offered
    asks: bool

    def as_function(self) -> dict[str, Any]:
        """It as a function tool."""
        return {
            "type": "function",
            "name": self.shown,
            "description": self.tool.description or "",
            "parameters": self.tool.input_schema or {},
        }


class McpServers:
    """The MCP servers of one session.

    Args:
        store: The conversation, where the lists of tools go.
        new_id: Makes ids.
        off: Why this server calls none, as a sentence; None when it does.
    """

    def __init__(self, store: Store, new_id: NewId, off: str | None = None) -> None:
        self._store = store
        self._new_id = new_id
        self._off = off
        self._bound: dict[str, _Bound] = {}

    def check(self, tools: Iterable[Any] | None, path: str) -> None:
        """May these tools be taken?

        Args:
            tools: Of a session (`path` is `session.tools`) or of a response (`response.tools`).
            path: The parameter that errors are about.

        Raises:
            Rejected: MCP is off, a label stands for two servers, or a response names a server without its address.
        """
        seen: set[str] = set()
        for index, tool in enumerate(tools or ()):
            if not isinstance(tool, McpTool):
                continue
            where = f"{path}[{index}]"
            if self._off is not None:
                raise Rejected("invalid_value", self._off, f"{where}.type")
            label = tool.server_label
            if label in seen:
                message = f"Duplicate server_label '{label}': each MCP server needs a label of its own."
                raise Rejected("invalid_value", message, f"{where}.server_label")
            seen.add(label)
            bound = self._bound.get(label) if path.startswith("response") else None
            if bound is None and tool.server_url is None:
                message = f"Missing required parameter: '{where}.server_url'."
                raise Rejected("missing_required_parameter", message, f"{where}.server_url")
            if bound is not None and tool.server_url not in (None, bound.said.server_url):
                message = f"The label '{label}' stands for another MCP server in this session; choose another."
                raise Rejected("invalid_value", message, f"{where}.server_label")

    def configure(self, tools: Iterable[Any]) -> tuple[list[Emit], list[Emit | ListTools]]:
        """The session has these tools now: what comes before `session.updated`, and what after it."""
        named = [tool for tool in tools if isinstance(tool, McpTool)]
        labels = {tool.server_label for tool in named}
        self._bound = {label: bound for label, bound in self._bound.items() if label in labels}
        return self._list([tool for tool in named if not self._known(tool)])

    def name(self, tools: Iterable[McpTool]) -> list[Emit | ListTools]:
        """A response has these: the unheard-of are listed."""
        before, after = self._list([tool for tool in tools if tool.server_label not in self._bound])
        return [*before, *after]

    def unlisted(self, tools: Iterable[McpTool]) -> set[str]:
        """The items of the lists that are still awaited."""
        bound = (self._bound.get(tool.server_label) for tool in tools)
        return {one.entry.id for one in bound if one is not None and one.tools is None and not one.failed}

    def told(self, told: ToolsListed | ToolsNotListed) -> list[Emit]:
        """A server's tools, or none; nothing for a server that the session has dropped."""
        bound = next((one for one in self._bound.values() if one.entry.id == told.key), None)
        if bound is None:
            return []
        item: McpListToolsItem = bound.entry.item
        if isinstance(told, ToolsListed):
            bound.tools = tuple(tool for tool in told.tools if allowed(bound.said.allowed_tools, tool))
            bound.entry.item = item.model_copy(update={"tools": list(bound.tools)})
            last: type[Event] = ev.McpListToolsCompleted
        else:
            bound.failed = True
            bound.entry.item = item.model_copy(update={"error": told.reason})
            last = ev.McpListToolsFailed
        previous = self._store.previous_id(told.key)
        return [
            self._emit(ev.ItemDone, previous_item_id=previous, item=bound.entry.item),
            self._emit(last, item_id=told.key),
        ]

    def offers(
        self, tools: Sequence[McpTool], taken: Iterable[str], choice: ToolChoiceMcp | None = None
    ) -> list[Offer]:
        """The tools that can be called.

        Args:
            tools: What the session or the response says of MCP servers; what it does not say, the session did.
            taken: Names of the client's functions. A tool of such a name is shown as `label_name`.
            choice: Only these.
        """
        names, offers = set(taken), []
        for said in tools:
            bound = self._bound.get(said.server_label)
            for tool in (bound.tools or ()) if bound else ():
                assert bound is not None
                rules = bound.said.model_copy(update={name: getattr(said, name) for name in said.model_fields_set})
                shown = tool.name if tool.name not in names else f"{said.server_label}_{tool.name}"
                wanted = choice is None or (
                    choice.server_label == said.server_label and choice.name in (None, tool.name)
                )
                if shown not in names and wanted and allowed(rules.allowed_tools, tool):
                    names.add(shown)
                    offers.append(Offer(shown, bound.server, tool, asks(rules.require_approval, tool)))
        return offers

    def _known(self, tool: McpTool) -> bool:
        """Nothing about it has changed since it was listed."""
        bound = self._bound.get(tool.server_label)
        return bound is not None and bound.said == tool and not bound.failed

    def _list(self, tools: Iterable[McpTool]) -> tuple[list[Emit], list[Emit | ListTools]]:
        before: list[Emit] = []
        after: list[Emit | ListTools] = []
        for tool in tools:
            item = McpListToolsItem(id=self._new_id("mcpl"), server_label=tool.server_label, tools=[])
            bound = self._bound[tool.server_label] = _Bound(tool, Entry(item))
            previous = self._store.add(bound.entry)
            before.append(self._emit(ev.McpListToolsInProgress, item_id=bound.entry.id))
            after.append(self._emit(ev.ItemAdded, previous_item_id=previous, item=item))
            after.append(ListTools(bound.entry.id, bound.server))
        return before, after

    def _emit(self, event: type[Event], **fields: Any) -> Emit:
        return Emit(event(event_id=self._new_id("event"), **fields))


def allowed(rule: list[str] | McpToolFilter | None, tool: Offered) -> bool:
    """Is this tool among those that `allowed_tools` names? Without a rule, all are."""
    if isinstance(rule, McpToolFilter):
        return _matches(rule, tool)
    return rule is None or tool.name in rule


def asks(rule: str | McpApprovalFilter | None, tool: Offered) -> bool:
    """Must the client approve a call of this tool? Yes, unless `require_approval` says otherwise."""
    if not isinstance(rule, McpApprovalFilter):
        return rule != "never"
    if rule.always is not None and _matches(rule.always, tool):
        return True
    return rule.never is None or not _matches(rule.never, tool)


def _matches(rule: McpToolFilter, tool: Offered) -> bool:
    if rule.tool_names is not None and tool.name not in rule.tool_names:
        return False
    hints = tool.annotations if isinstance(tool.annotations, dict) else {}
    return rule.read_only is None or rule.read_only == (hints.get("readOnlyHint") is True)
