"""The conversation's items in their order, with what was generated, heard and written down of each.

Events come in any order: a transcript before its item, an item before its predecessor. An entry is made at the
first mention and put in its place when `previous_item_id` is known.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from rtchat.chunk import WIRE


@dataclass(slots=True)
class Part:
    """Sound of one content part.

    Attributes:
        response_id: The response that makes it.
        received: Bytes received and given to the loudspeaker.
        heard_ms: Milliseconds that left it.
        complete: No more will come.
        owed: It was cut with everything received already heard; a late delta proves that more was generated,
            and then the truncation is due.
    """

    response_id: str
    received: int = 0
    heard_ms: int = 0
    complete: bool = False
    owed: bool = False

    @property
    def received_ms(self) -> int:
        """Milliseconds received, rounded down: never above what the server made."""
        return int(WIRE.ms(self.received))


@dataclass(slots=True)
class Entry:
    """One item.

    Attributes:
        item_id: Its id.
        role: `user`, `assistant`, `system`, or `""` until it is known.
        text: What was written, said or transcribed, as far as it is known.
        parts: Sound by content index (assistant only).
        spoken: The text is a transcript of sound.
        closed: Nothing of it will change any more.
        placed: It has its place in the order.
        after: The item that it follows, None for the first.
    """

    item_id: str
    role: str = ""
    text: str = ""
    parts: dict[int, Part] = field(default_factory=dict)
    spoken: bool = False
    closed: bool = False
    placed: bool = False
    after: str | None = None

    @property
    def received_ms(self) -> int:
        """Milliseconds of sound received, over all parts."""
        return sum(part.received_ms for part in self.parts.values())

    @property
    def heard_ms(self) -> int:
        """Milliseconds of sound heard, over all parts."""
        return sum(part.heard_ms for part in self.parts.values())

    @property
    def heard_text(self) -> str:
        """The words that were heard: the share of the text that the sound heard is of the sound received.

        The wire gives no word timings; this cuts after a whole word. All of a written text counts as heard.
        """
        if not self.spoken:
            return self.text
        received, heard = self.received_ms, self.heard_ms
        if heard <= 0 or received <= 0:
            return ""
        if heard >= received and all(part.complete for part in self.parts.values()):
            return self.text
        end = round(len(self.text) * heard / received)
        if end >= len(self.text):
            return self.text
        space = self.text.rfind(" ", 0, end + 1)
        return self.text[:space] if space > 0 else ""


class Items:
    """The items of a conversation, in order."""

    def __init__(self) -> None:
        self._entries: dict[str, Entry] = {}
        self._order: list[str] = []

    def __getitem__(self, item_id: str) -> Entry:
        """The entry of this id, made when this is its first mention."""
        return self._entries.setdefault(item_id, Entry(item_id))

    def get(self, item_id: str) -> Entry | None:
        """The entry of this id, None when it was never mentioned."""
        return self._entries.get(item_id)

    def ordered(self) -> list[Entry]:
        """All placed entries, oldest first."""
        return [self._entries[item_id] for item_id in self._order]

    def place(self, item_id: str, after: str | None, role: str) -> Entry:
        """Put an item behind `after` (None: first); one that is placed already stays.

        A predecessor that is not known yet: the item goes to the end, and moves when the predecessor comes.
        """
        entry = self[item_id]
        entry.role = role or entry.role
        if entry.placed:
            return entry
        entry.placed, entry.after = True, after
        self._insert(entry)
        for waiting in [self._entries[i] for i in self._order if self._entries[i].after == item_id]:
            self._order.remove(waiting.item_id)
            self._insert(waiting)
        return entry

    def remove(self, item_id: str) -> None:
        """Forget an item."""
        if self._entries.pop(item_id, None) is not None and item_id in self._order:
            self._order.remove(item_id)

    def _insert(self, entry: Entry) -> None:
        if entry.after is None:
            position = 0
        elif entry.after in self._order:
            position = self._order.index(entry.after) + 1
        else:
            position = len(self._order)
        self._order.insert(position, entry.item_id)
