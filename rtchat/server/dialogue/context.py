"""What the parts of a dialogue share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import InitVar, dataclass, field
from typing import Any

from rtchat.protocol.server_events import ErrorEvent
from rtchat.server.dialogue.checks import Rejected
from rtchat.server.dialogue.items import Entry, Store, messages
from rtchat.server.dialogue.mcp import McpServers, Offer
from rtchat.server.dialogue.plan import Plan
from rtchat.server.dialogue.settings import Settings
from rtchat.server.dialogue.signals import Emit
from rtchat.server.engines.base import Prompt


@dataclass(slots=True)
class Context:
    """One conversation: its settings and items, and where ids come from.

    Attributes:
        settings: The session.
        model: Its model's name.
        new_id: Makes an id with a prefix: `event_…`, `item_…`.
        conversation_id: Of the conversation.
        listens: The recogniser hears turns while they are spoken.
        store: Its items.
        mcp: The MCP servers that the client named.
        first_voice: In which the assistant first spoke, in the conversation or beside it; None before that.
    """

    settings: Settings
    model: str
    new_id: Callable[[str], str]
    conversation_id: str
    listens: bool = False
    store: Store = field(default_factory=Store)
    no_mcp: InitVar[str | None] = None
    mcp: McpServers = field(init=False)
    first_voice: Any = None

    def __post_init__(self, no_mcp: str | None) -> None:
        self.mcp = McpServers(self.store, self.new_id, no_mcp)

    def emit(self, event: type[Any], **fields: Any) -> Emit:
        """An event with an id of its own."""
        return Emit(event(event_id=self.new_id("event"), **fields))

    def error(self, rejected: Rejected) -> Emit:
        """A refusal as the API tells it."""
        return self.emit(ErrorEvent, error=rejected.detail())

    @property
    def fixed_voice(self) -> Any:
        """The only voice that may be named from now on: a session has one once there is sound of it (docs)."""
        if self.first_voice is None and any(entry.assistant_audio for entry in self.store):
            return self.settings.voice
        return self.first_voice

    def offers(self, plan: Plan) -> list[Offer]:
        """The tools of MCP servers that this response may call."""
        return self.mcp.offers(plan.mcp, (tool["name"] for tool in plan.tools), plan.mcp_choice)

    def prompt(self, plan: Plan, entries: list[Entry]) -> Prompt:
        """What the language model is given."""
        offers = self.offers(plan) if plan.mcp else []
        choice = plan.tool_choice
        if plan.mcp_choice and not (offers and plan.mcp_choice.name is None):
            choice = offers[0].shown if offers else "auto"
        own = [] if plan.mcp_choice else plan.tools
        return Prompt(
            instructions=plan.instructions,
            messages=messages(entries, self.store),
            tools=[*own, *(offer.as_function() for offer in offers)],
            tool_choice=choice,
            model=self.model,
            parallel_tool_calls=plan.parallel_tool_calls,
            may_be_cut=self.settings.realtime.truncation != "disabled",
        )
