"""What was generated, what was heard, and what an interruption has to tell the server.

On a WebSocket the client owns playback: the server does not know what was heard, and has to be told
(docs/protocol.md, barge-in). One rule for every case: of each item that was still to be heard, the server is told
to keep exactly what was heard, once.

::

    what was heard of the item      what the server is told
    nothing, though it was made     delete
    some of what was received       truncate at the milliseconds heard
    all that was received           nothing, until a late delta proves that more was made: then truncate there
    all that was made               nothing
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rtchat.conversation.items import Entry, Items, Part
from rtchat.protocol.client_events import ItemDelete, ItemTruncate

if TYPE_CHECKING:
    from rtchat.conversation.signals import Heard


@dataclass(frozen=True, slots=True)
class Verdict:
    """What an interruption means for one item.

    Attributes:
        entry: The item.
        was_cut: Something of it will not be heard; False when it was heard to its end.
        event: What the server has to be told.
    """

    entry: Entry
    was_cut: bool
    event: ItemTruncate | ItemDelete | None


class Playback:
    """The parts on their way to the ear, in the order in which they were given to the loudspeaker."""

    def __init__(self, items: Items) -> None:
        self._items = items
        self._queue: list[tuple[Entry, Part]] = []
        self._cut_responses: set[str] = set()
        self._cut_items: set[str] = set()
        self._told: set[str] = set()
        self._forgotten: set[str] = set()

    @property
    def sounding(self) -> bool:
        """Something received is still to be heard."""
        return bool(self._queue)

    def received(self, item_id: str, content_index: int, pcm: bytes) -> Entry:
        """Sound of a part has come and goes to the loudspeaker."""
        entry = self._items[item_id]
        part = entry.parts.setdefault(content_index, Part())
        if (entry, part) not in self._queue:
            self._queue.append((entry, part))
        part.received += len(pcm)
        return entry

    def is_cut(self, response_id: str, item_id: str = "") -> bool:
        """Late events of an interrupted response or item are dropped."""
        return response_id in self._cut_responses or item_id in self._cut_items

    def late(self, item_id: str) -> ItemTruncate | ItemDelete | None:
        """A late delta of an interrupted item: what it proves to be due, once."""
        if item_id in self._told:
            return None
        entry = self._items.get(item_id)
        heard = {} if entry is None else {i: part for i, part in entry.parts.items() if part.heard_ms > 0}
        if not heard:
            self._told.add(item_id)
            return ItemDelete(item_id=item_id)
        last = max(heard)
        if heard[last].complete:
            return None
        self._told.add(item_id)
        return ItemTruncate(item_id=item_id, content_index=last, audio_end_ms=heard[last].heard_ms)

    def complete(self, item_id: str, content_index: int) -> None:
        """No more sound of this part comes from the server."""
        entry = self._items.get(item_id)
        if entry is not None and content_index in entry.parts:
            entry.parts[content_index].complete = True

    def heard(self, heard: Heard) -> Entry | None:
        """The loudspeaker's report. None when it changes nothing."""
        for entry, part in self._queue:
            if entry.item_id == heard.item_id and entry.parts.get(heard.content_index) is part:
                ms = min(heard.ms, part.received_ms)
                if ms <= part.heard_ms:
                    return None
                part.heard_ms = ms
                return entry
        return None

    def drained(self) -> list[Entry]:
        """All that was received has been heard. Gives the entries that this was news for."""
        queue, self._queue = self._queue, []
        for _, part in queue:
            part.heard_ms = part.received_ms
        return list(dict.fromkeys(entry for entry, _ in queue))

    def cut(self, active: str | None) -> list[Verdict]:
        """Interrupt: drop the rest of everything, and of the active response all that is still to come.

        Returns:
            A verdict for every item that was on its way to the ear, and for every unfinished one of the active
            response.
        """
        entries = dict.fromkeys(entry for entry, _ in self._queue)
        if active is not None:
            self._cut_responses.add(active)
            entries |= dict.fromkeys(e for e in self._items if e.response_id == active and not e.closed)
        self._queue.clear()
        verdicts = [self._verdict(entry) for entry in entries]
        self._cut_items |= {verdict.entry.item_id for verdict in verdicts if verdict.was_cut}
        self._told |= {verdict.entry.item_id for verdict in verdicts if verdict.event is not None}
        return verdicts

    def lost(self) -> list[Entry]:
        """The server is gone: it cannot be told of what is still to be heard. Gives the entries of that."""
        entries = list(dict.fromkeys(entry for entry, _ in self._queue))
        self._forgotten |= {entry.item_id for entry in entries}
        return entries

    def _verdict(self, entry: Entry) -> Verdict:
        if not entry.spoken or entry.item_id in self._told:
            return Verdict(entry, not entry.made, None)  # written words are read at once
        if self._items.get(entry.item_id) is not entry or entry.item_id in self._forgotten:
            return Verdict(entry, not entry.over, None)  # the server does not know it any more
        if entry.heard_ms == 0:
            return Verdict(entry, True, ItemDelete(item_id=entry.item_id))
        for index, part in sorted(entry.parts.items()):
            if 0 < part.heard_ms < part.received_ms:
                truncate = ItemTruncate(item_id=entry.item_id, content_index=index, audio_end_ms=part.heard_ms)
                return Verdict(entry, True, truncate)
        return Verdict(entry, not all(part.over for part in entry.parts.values()), None)
