"""What the parts of a dialogue share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from rtchat.protocol.server_events import ErrorEvent
from rtchat.server.dialogue.checks import Rejected
from rtchat.server.dialogue.items import Entry, Store, messages
from rtchat.server.dialogue.response import Plan
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
        store: Its items.
    """

    settings: Settings
    model: str
    new_id: Callable[[str], str]
    conversation_id: str
    store: Store = field(default_factory=Store)

    def emit(self, event: type[Any], **fields: Any) -> Emit:
        """An event with an id of its own."""
        return Emit(event(event_id=self.new_id("event"), **fields))

    def error(self, rejected: Rejected) -> Emit:
        """A refusal as the API tells it."""
        return self.emit(ErrorEvent, error=rejected.detail())

    def prompt(self, plan: Plan, entries: list[Entry]) -> Prompt:
        """What the language model is given."""
        return Prompt(
            instructions=plan.instructions,
            messages=messages(entries, self.store),
            tools=plan.tools,
            tool_choice=plan.tool_choice,
            model=self.model,
            parallel_tool_calls=plan.parallel_tool_calls,
        )
