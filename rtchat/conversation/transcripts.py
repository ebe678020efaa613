"""Items as the server tells them, and the user's words, whatever order they arrive in.

The user's words are another model's guess: they come before their item, in the middle of the answer, or never.
They are matched by `item_id` and drive nothing (docs/protocol.md).
"""

from __future__ import annotations

from rtchat.conversation.items import Entry, Items
from rtchat.conversation.notices import AssistantSaid, ErrorTold, UserSaid
from rtchat.conversation.signals import Effect, Show
from rtchat.protocol import server_events as told
from rtchat.protocol.items import Item, MessageItem


class Transcripts:
    """Puts items in their places and writes down what the user said."""

    def __init__(self, items: Items) -> None:
        self._items = items

    @property
    def waiting(self) -> bool:
        """Some words of the user are still to come."""
        return any(entry.role == "user" and not entry.closed for entry in self._items)

    def added(self, event: told.ItemAdded | told.ItemDone) -> list[Effect]:
        """An item is in the conversation. One that comes whole (typed, or from a history) is told at once."""
        item = event.item
        if item.id is None:
            return []
        role = item.role if isinstance(item, MessageItem) else ""
        known = self._items.get(item.id)
        if "previous_item_id" in event.model_fields_set:
            entry = self._items.place(item.id, event.previous_item_id, role)
        else:
            entry = self._items.append(item.id, role)
        words = _words_of(item)
        if entry.closed or entry.role not in ("user", "assistant"):
            return []
        if words and (entry.role == "user" or not entry.response_id):
            entry.words, entry.closed = words, True
        elif entry.role == "assistant" or known is not None:
            return []
        return [Show(_said(entry))]

    def deleted(self, event: told.ItemDeleted) -> list[Effect]:
        """An item is gone."""
        self._items.remove(event.item_id)
        return []

    def typed(self, item_id: str, text: str) -> list[Effect]:
        """The user's own words, by keyboard."""
        entry = self._items[item_id]
        entry.role, entry.words, entry.closed = "user", {0: text}, True
        return [Show(_said(entry))]

    def started(self, item_id: str) -> list[Effect]:
        """The user begins to speak: a line for the words to come."""
        entry = self._items[item_id]
        entry.role = "user"
        return [Show(_said(entry))]

    def delta(self, event: told.TranscriptionDelta) -> list[Effect]:
        """More of the user's words."""
        entry = self._items[event.item_id]
        if entry.closed or not event.delta:
            return []
        entry.role = "user"
        entry.add_words(event.content_index or 0, event.delta)
        return [Show(_said(entry))]

    def completed(self, event: told.TranscriptionCompleted) -> list[Effect]:
        """All of the user's words."""
        entry = self._items[event.item_id]
        entry.role, entry.closed = "user", True
        entry.words[event.content_index] = event.transcript
        return [Show(_said(entry))]

    def failed(self, event: told.TranscriptionFailed) -> list[Effect]:
        """The user's words will stay unknown."""
        entry = self._items[event.item_id]
        entry.role, entry.closed = "user", True
        message = event.error.message or "Your words could not be written down."
        hint = "The answer comes all the same."
        return [Show(_said(entry)), Show(ErrorTold(event.error.code, message, hint, fatal=False))]

    def lost(self) -> tuple[list[Effect], bool]:
        """The server is gone, and with it all words that it had not written down: their items are forgotten.

        Returns:
            The last word of each, and True when they are the last that were said.
        """
        said = [entry for entry in self._items if entry.role == "user" or entry.words]
        unknown = [entry for entry in said if entry.role == "user" and not entry.closed]
        effects = self.close()
        for entry in unknown:
            self._items.remove(entry.item_id)
        return effects, bool(unknown) and said[-1] is unknown[-1]

    def close(self) -> list[Effect]:
        """The session is over: what is known is all there will be."""
        effects: list[Effect] = []
        for entry in self._items:
            if entry.role == "user" and not entry.closed:
                entry.closed = True
                effects.append(Show(_said(entry)))
        return effects


def _said(entry: Entry) -> UserSaid | AssistantSaid:
    """An item that is not, or not any more, in the making."""
    text = entry.text
    if entry.role == "user":
        return UserSaid(entry.item_id, text, final=entry.closed)
    return AssistantSaid(entry.item_id, text, text, 0, 0, "completed", final=entry.closed)


def _words_of(item: Item) -> dict[int, str]:
    """The words of a message, where the item itself carries them."""
    if not isinstance(item, MessageItem) or item.status not in (None, "completed"):
        return {}
    words = {index: part.text or part.transcript or "" for index, part in enumerate(item.content)}
    return {index: text for index, text in words.items() if text}
