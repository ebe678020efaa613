"""What was generated, what was heard, and what an interruption has to tell the server.

On a WebSocket the client owns playback: the server does not know what was heard, and has to be told
(PROTOCOL: barge-in). Four cases, one rule: of every part that is still to be heard, the server is told to keep
exactly what was heard.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rtchat.conversation.items import Entry, Items, Part
from rtchat.protocol.client_events import ItemDelete, ItemTruncate

if TYPE_CHECKING:
    from rtchat.conversation.signals import Heard


class Playback:
    """The parts on their way to the ear, in the order in which they were given to the loudspeaker."""

    def __init__(self, items: Items) -> None:
        self._items = items
        self._queue: list[tuple[str, int]] = []
        self._cut_responses: set[str] = set()
        self._cut_items: set[str] = set()

    @property
    def sounding(self) -> bool:
        """Something received is still to be heard."""
        return bool(self._queue)

    def received(self, response_id: str, item_id: str, content_index: int, pcm: bytes) -> Part | None:
        """Sound of a part has come. None when it must not be played: its response was interrupted."""
        entry = self._items[item_id]
        part = entry.parts.get(content_index)
        if self.is_cut(response_id, item_id):
            return None
        if part is None:
            part = entry.parts[content_index] = Part(response_id)
        key = (item_id, content_index)
        if key not in self._queue:
            self._queue.append(key)
        part.received += len(pcm) - len(pcm) % 2
        return part

    def is_cut(self, response_id: str, item_id: str) -> bool:
        """Late events of an interrupted response or item are dropped."""
        return response_id in self._cut_responses or item_id in self._cut_items

    def late(self, item_id: str, content_index: int) -> ItemTruncate | None:
        """A late delta of an interrupted item: the truncation that it proves to be due, once."""
        entry = self._items.get(item_id)
        part = entry.parts.get(content_index) if entry else None
        if part is None or not part.owed:
            return None
        part.owed = False
        return ItemTruncate(item_id=item_id, content_index=content_index, audio_end_ms=part.heard_ms)

    def complete(self, item_id: str, content_index: int) -> None:
        """No more sound of this part comes from the server."""
        entry = self._items.get(item_id)
        if entry is not None and content_index in entry.parts:
            entry.parts[content_index].complete = True

    def heard(self, heard: Heard) -> Entry | None:
        """The loudspeaker's report. None when it changes nothing."""
        entry = self._items.get(heard.item_id)
        part = entry.parts.get(heard.content_index) if entry else None
        if part is None or entry is None or (heard.item_id, heard.content_index) not in self._queue:
            return None
        ms = min(heard.ms, part.received_ms)
        if ms <= part.heard_ms:
            return None
        part.heard_ms = ms
        return entry

    def drained(self) -> list[Entry]:
        """All that was received has been heard. Gives the entries that this was news for."""
        entries = []
        for item_id, content_index in self._queue:
            entry = self._items[item_id]
            part = entry.parts[content_index]
            part.heard_ms = part.received_ms
            entries.append(entry)
        self._queue.clear()
        return list({entry.item_id: entry for entry in entries}.values())

    def cut(self, active: str | None) -> list[tuple[Entry, bool, ItemTruncate | ItemDelete | None]]:
        """Interrupt: drop the rest of everything, and of the active response all that is still to come.

        Returns:
            Every entry that was on its way to the ear, whether it was cut, and what the server has to be told
            of it: at most one event an item. Truncate only if something was generated but not heard, with
            0 < audio_end_ms <= received; delete the item when nothing of it was heard; nothing for one that
            was heard to its end.
        """
        if active is not None:
            self._cut_responses.add(active)
        verdicts = []
        for item_id in dict.fromkeys(item_id for item_id, _ in self._queue):
            entry = self._items[item_id]
            event = self._verdict(entry)
            was_cut = event is not None or any(part.owed for part in entry.parts.values())
            if was_cut:
                self._cut_items.add(item_id)
            verdicts.append((entry, was_cut, event))
        self._queue.clear()
        return verdicts

    def _verdict(self, entry: Entry) -> ItemTruncate | ItemDelete | None:
        if entry.heard_ms == 0:
            return ItemDelete(item_id=entry.item_id) if entry.received_ms > 0 else None
        for index, part in sorted(entry.parts.items()):
            if 0 < part.heard_ms < part.received_ms:
                return ItemTruncate(item_id=entry.item_id, content_index=index, audio_end_ms=part.heard_ms)
            part.owed = not part.complete
        return None
