"""The conversation's items in their order, with what was generated, heard and written down of each.

Events come in any order: a transcript before its item, an item before its predecessor. An entry is made at the
first mention and put in its place when `previous_item_id` is known.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from rtchat.chunk import WIRE
from rtchat.conversation.notices import AssistantStatus

MS_PER_CHARACTER = 60
"""How long a written character takes to say: at 160 words a minute, with 6 characters to a word and its space."""


@dataclass(slots=True, eq=False)
class Part:
    """Sound of one content part.

    Attributes:
        received: Bytes received and given to the loudspeaker.
        heard_ms: Milliseconds that left it.
        complete: No more will come.
    """

    received: int = 0
    heard_ms: int = 0
    complete: bool = False

    @property
    def received_ms(self) -> int:
        """Milliseconds received, rounded down: never above what the server made."""
        return int(WIRE.ms(self.received))

    @property
    def over(self) -> bool:
        """All of it was made, and heard."""
        return self.complete and self.heard_ms >= self.received_ms


@dataclass(slots=True, eq=False)
class Entry:
    """One item.

    Attributes:
        item_id: Its id.
        role: `user`, `assistant`, `system`, or `""` until it is known.
        words: What was written, said or transcribed of each content part, as far as it is known.
        parts: Sound by content index (assistant only).
        spoken: The words are a transcript of sound.
        made: The server has made all of it (assistant only).
        outcome: How its making ended (assistant only).
        closed: Nothing of it will change any more.
        response_id: The response that makes it (assistant only).
        placed: It has its place in the order.
        after: The item that it follows, None for the first.
    """

    item_id: str
    role: str = ""
    words: dict[int, str] = field(default_factory=dict)
    parts: dict[int, Part] = field(default_factory=dict)
    spoken: bool = False
    made: bool = False
    outcome: AssistantStatus = "completed"
    closed: bool = False
    response_id: str = ""
    placed: bool = False
    after: str | None = None

    @property
    def text(self) -> str:
        """All of the words."""
        return " ".join(self.words[index] for index in sorted(self.words) if self.words[index])

    def add_words(self, content_index: int, delta: str) -> None:
        """More words of a content part."""
        self.words[content_index] = self.words.get(content_index, "") + delta

    @property
    def received_ms(self) -> int:
        """Milliseconds of sound received, over all parts."""
        return sum(part.received_ms for part in self.parts.values())

    @property
    def heard_ms(self) -> int:
        """Milliseconds of sound heard, over all parts."""
        return sum(part.heard_ms for part in self.parts.values())

    @property
    def over(self) -> bool:
        """All of it was made, and its sound heard."""
        return self.made and all(part.over for part in self.parts.values())

    @property
    def heard_text(self) -> str:
        """The words that were heard: the share of the text that the sound heard is of the sound received.

        The wire gives no word timings; this cuts after a whole word. While sound is still made, the text runs ahead
        of it (and of what the server did not finish the rest never comes), so the whole is estimated from the text.
        All of a written text counts as heard.
        """
        text, heard = self.text, self.heard_ms
        if not self.spoken:
            return text
        if heard <= 0:
            return ""
        complete = self.outcome == "completed" and all(part.complete for part in self.parts.values())
        whole = self.received_ms if complete else max(self.received_ms, len(text) * MS_PER_CHARACTER)
        end = round(len(text) * heard / whole)
        if end >= len(text):
            return text
        space = text.rfind(" ", 0, end + 1)
        return text[:space] if space > 0 else ""


class Items:
    """The items of a conversation, in order."""

    def __init__(self) -> None:
        self._entries: dict[str, Entry] = {}
        self._order: list[str] = []

    def __getitem__(self, item_id: str) -> Entry:
        """The entry of this id, made when this is its first mention."""
        return self._entries.setdefault(item_id, Entry(item_id))

    def __iter__(self) -> Iterator[Entry]:
        """Every entry: the placed ones in their order, then those that have no place yet, by first mention."""
        yield from self.ordered()
        yield from [entry for entry in self._entries.values() if not entry.placed]

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
        self._follow(entry)
        return entry

    def append(self, item_id: str, role: str) -> Entry:
        """Put an item at the end; one that is placed already stays."""
        return self.place(item_id, self._order[-1] if self._order else None, role)

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

    def _follow(self, moved: Entry) -> None:
        """What has waited for `moved` goes behind it, and so on down the chain."""
        for waiting in [self._entries[i] for i in self._order if self._entries[i].after == moved.item_id]:
            self._order.remove(waiting.item_id)
            self._insert(waiting)
            self._follow(waiting)
