"""The conversation's items, in order, with their sound, and what the language model is told of them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from rtchat.chunk import WIRE
from rtchat.protocol.items import (
    ContentPart,
    FunctionCallItem,
    FunctionCallOutputItem,
    Item,
    ItemReference,
    McpCallItem,
    MessageItem,
)
from rtchat.server.dialogue.checks import Rejected
from rtchat.server.dialogue.heard import Said, heard
from rtchat.server.dialogue.images import Image, parse
from rtchat.server.dialogue.sound import decoded, encoded
from rtchat.server.engines.base import Message

PCM = "audio/pcm"
MAX_SOUND = 16 * 1024 * 1024
"""Bytes of sound kept for `conversation.item.retrieve` (6 minutes); of older items only the words stay."""

MAX_ITEMS = 5_000
"""Items of a conversation: beyond it a client may make no more."""
MAX_WEIGHT = 64 * 1024 * 1024
"""Bytes of their text and images, as far as the client made them; one frame may be 32 MiB."""
OVERHEAD = 512
"""Bytes that an item takes, and each of its parts, whatever is written in them."""


@dataclass(slots=True, eq=False)
class Entry:
    """An item with what the wire does not show.

    Attributes:
        item: The item as events show it, without sound.
        sound: Of its audio part: 24 kHz mono PCM16; emptied when it is old.
        sound_ms: Duration of that part.
        words: What the user's speech was understood as; None until it is known.
        said: The assistant's speech, piece by piece.
        images: What is known of its images.
        silent: Nobody spoke here: the sound of an idle timeout.
        dropped: The model is not given it any more: the conversation has outgrown its window.
        cut: It was truncated: what may still be made of it has not been heard, and is not kept.
        weight: Bytes that it took, without its sound, when it came.
    """

    item: Any
    sound: bytearray = field(default_factory=bytearray)
    sound_ms: float = 0.0
    words: str | None = None
    said: list[Said] = field(default_factory=list)
    images: Sequence[Image] = ()
    silent: bool = False
    cut: bool = False
    dropped: bool = False
    weight: int = 0

    @property
    def id(self) -> str:
        """The item's id."""
        return str(self.item.id)

    @property
    def awaits_words(self) -> bool:
        """It is speech that is still being recognised."""
        return self.words is None and _has(self.item, "input_audio")

    @property
    def assistant_audio(self) -> bool:
        """The assistant spoke here."""
        return _has(self.item, "output_audio")


class Store:
    """The items of one conversation, of which there may be thousands."""

    def __init__(self) -> None:
        self._entries: list[Entry] = []
        self._by_id: dict[str, Entry] = {}
        self._audible: list[Entry] = []  # may have sound
        self._weight = 0

    def __iter__(self) -> Iterator[Entry]:
        return iter(self._entries)

    def find(self, item_id: str) -> Entry | None:
        """The entry of that id."""
        return self._by_id.get(item_id)

    def begins_with_user(self, item_id: str) -> bool:
        """That item is the conversation's first, and a message of the user's."""
        first = self._entries[0] if self._entries else None
        return first is not None and first.id == item_id and getattr(first.item, "role", None) == "user"

    def last_id(self) -> str | None:
        """The id of the last item."""
        return self._entries[-1].id if self._entries else None

    def previous_id(self, item_id: str) -> str | None:
        """The id of the item before that one."""
        entry = self.find(item_id)
        at = self._at(entry) if entry else 0
        return self._entries[at - 1].id if at else None

    def add(self, entry: Entry, *, after: str | None = None) -> str | None:
        """Insert at the end, after an item, or first ("root"); the id of the item before it.

        Raises:
            Rejected: The id is taken, or there is no item to insert after.
        """
        if entry.id in self._by_id:
            raise id_is_taken(entry.id)
        if isinstance(entry.item, FunctionCallOutputItem) and self._call(entry.item.call_id) is None:
            message = f"Tool call ID '{entry.item.call_id}' not found in conversation."
            raise Rejected("invalid_tool_call_id", message, "item.call_id")
        at = len(self._entries)
        if after == "root":
            at = 0
        elif after is not None:
            found = self.find(after)
            if found is None:
                message = f"Error adding item: the previous item with id '{after}' does not exist."
                raise Rejected("item_create_invalid_previous_item_id", message, "previous_item_id")
            at = self._at(found) + 1
        self._entries.insert(at, entry)
        self._by_id[entry.id] = entry
        entry.weight = _weight(entry)
        self._weight += entry.weight
        if entry.sound or (isinstance(entry.item, MessageItem) and not entry.item.content):  # an answer to come
            self._audible.append(entry)
        self._let_old_sound_go()
        return self._entries[at - 1].id if at else None

    def check_room(self, entry: Entry) -> None:
        """Whether a client may add this.

        Raises:
            Rejected: The conversation is as large as this server keeps one.
        """
        if len(self._entries) < MAX_ITEMS and self._weight + _weight(entry) <= MAX_WEIGHT:
            return
        message = (
            f"The conversation is full: it holds at most {MAX_ITEMS} items and {MAX_WEIGHT // 2**20} MiB. "
            "Delete items that are not needed any more."
        )
        raise Rejected("conversation_full", message)

    def delete(self, item_id: str) -> Entry:
        """Forget an item; it.

        Raises:
            Rejected: There is none of that id.
        """
        entry = self.require(item_id, "delet", "item_delete_invalid_item_id")
        del self._entries[self._at(entry)], self._by_id[item_id]
        self._weight -= entry.weight
        self._audible = [other for other in self._audible if other is not entry]
        return entry

    def retrieve(self, item_id: str, *, input_format: str = PCM, output_format: str = PCM) -> Item:
        """An item with its sound, in the session's formats: the user's in one, the assistant's in the other.

        Raises:
            Rejected: There is none of that id.
        """
        entry = self.require(item_id, "retriev", "item_retrieve_invalid_item_id")
        if not entry.sound:
            return entry.item  # type: ignore[no-any-return]
        sound = encoded(bytes(entry.sound), output_format if entry.assistant_audio else input_format)
        return with_sounding(entry.item, audio=sound)

    def truncate(self, item_id: str, content_index: int, audio_end_ms: int) -> None:
        """Cut the assistant's speech at what was heard; words that were not are forgotten.

        Raises:
            Rejected: There is no such speech, or it is shorter than that.
        """
        entry = self.require(item_id, "truncat", "item_truncate_invalid_item_id")
        parts = entry.item.content if isinstance(entry.item, MessageItem) else []
        if content_index >= len(parts) or parts[content_index].type != "output_audio":
            # Captured with neither a code nor a parameter; others report the code unsupported_content_type.
            raise Rejected(None, "Only model output audio messages can be truncated")
        if audio_end_ms > entry.sound_ms:
            message = f"Audio content of {int(entry.sound_ms)}ms is already shorter than {audio_end_ms}ms"
            raise Rejected("invalid_value", message, "audio_end_ms")
        entry.said = heard(entry.said, WIRE.bytes_in(audio_end_ms))
        entry.sound, entry.sound_ms = entry.sound[: WIRE.bytes_in(audio_end_ms)], float(audio_end_ms)
        entry.cut = True
        # Docs: truncating deletes the transcript, so that no text stays that was not heard. What was heard stays.
        spoken = ContentPart(type="output_audio", transcript="".join(stretch.text for stretch in entry.said))
        parts = [*parts[:content_index], spoken, *parts[content_index + 1 :]]
        entry.item = entry.item.model_copy(update={"content": parts})

    def require(self, item_id: str, doing: str, code: str) -> Entry:
        """The entry of that id.

        Raises:
            Rejected: There is none: "Error deleting item: the item with id 'yo' does not exist."
        """
        entry = self.find(item_id)
        if entry is None:
            raise Rejected(code, f"Error {doing}ing item: the item with id '{item_id}' does not exist.", "item_id")
        return entry

    def resolve(self, items: Sequence[Item], new_id: Any, sound_format: str = PCM) -> list[Entry]:
        """The `input` of a response: items of its own, and references to the conversation's.

        Raises:
            Rejected: A reference to nothing.
        """
        entries = []
        for index, item in enumerate(items):
            if not isinstance(item, ItemReference):
                entries.append(entry_of(item, new_id, sound_format))
                continue
            found = self.find(item.id)
            if found is None:
                message = f"Item with id '{item.id}' not found."
                raise Rejected("invalid_value", message, f"response.input[{index}].id")
            entries.append(found)
        return entries

    def call_name(self, call_id: str) -> str:
        """The function that was called; empty when unknown."""
        call = self._call(call_id)
        return call.name if call else ""

    def answered(self, call_id: str) -> bool:
        """The client has told what that call gave."""
        outputs = (entry.item for entry in self._entries if isinstance(entry.item, FunctionCallOutputItem))
        return any(output.call_id == call_id for output in outputs)

    def _call(self, call_id: str) -> FunctionCallItem | None:
        for entry in self._entries:
            if isinstance(entry.item, FunctionCallItem) and entry.item.call_id == call_id:
                return entry.item
        return None

    def _at(self, entry: Entry) -> int:
        """Its place, looked for from the end."""
        return next(at for at in reversed(range(len(self._entries))) if self._entries[at] is entry)

    def _let_old_sound_go(self) -> None:
        kept = 0
        for entry in reversed(self._audible):
            kept += len(entry.sound)
            if kept > MAX_SOUND and not entry.awaits_words:
                entry.sound = bytearray()


_SOUND = ("input_audio", "output_audio")


def id_is_taken(item_id: str) -> Rejected:
    """The refusal of another item of the same id."""
    message = f"Error adding item: an item with id '{item_id}' already exists."
    return Rejected("item_create_duplicate_item_id", message, "item.id")


def overhead(entry: Entry) -> int:
    """Bytes that an item takes beside what is written in it."""
    return OVERHEAD * (1 + (len(entry.item.content) if isinstance(entry.item, MessageItem) else 0))


def _weight(entry: Entry) -> int:
    """Bytes that an item takes without its sound, roughly: what is written counts in characters."""
    item = entry.item
    if isinstance(item, MessageItem):
        written = (text for part in item.content for text in (part.text, part.transcript, part.image_url) if text)
        return overhead(entry) + sum(map(len, written))
    return overhead(entry) + sum(len(getattr(item, name, None) or "") for name in ("arguments", "output"))


def entry_of(item: Item, new_id: Any, sound_format: str = PCM) -> Entry:
    """A client's item as the server keeps it: with an id, completed, its sound (in that format) apart."""
    changes: dict[str, Any] = {}
    if not getattr(item, "id", None):
        changes["id"] = new_id("item")
    if not isinstance(item, MessageItem):
        if isinstance(item, FunctionCallItem):
            changes["status"] = item.status or "completed"
            if item.call_id is None:
                changes["call_id"] = new_id("call")
        return Entry(item.model_copy(update=changes))
    given = b"".join(part.audio for part in item.content if part.type in _SOUND and part.audio)
    sound = decoded(given, sound_format)
    changes["status"] = item.status or "completed"
    changes["content"] = [_without_sound(part) for part in item.content]
    entry = Entry(
        item.model_copy(update=changes),
        sound=bytearray(sound),
        sound_ms=WIRE.ms(sound),
        images=[parse(part.image_url or "") for part in item.content if part.type == "input_image"],
    )
    for part in item.content:
        if part.type == "input_audio" and part.transcript is not None:
            entry.words = part.transcript
        elif part.type == "output_audio" and part.transcript:
            entry.said = [Said(part.transcript, len(sound), whole=True)]
    return entry


def messages(entries: Sequence[Entry], store: Store) -> list[Message]:
    """What the language model is told."""
    names = {e.item.call_id: e.item.name for e in entries if isinstance(e.item, FunctionCallItem)}
    told = []
    for entry in entries:
        item = entry.item
        if isinstance(item, FunctionCallItem):
            told.append(Message("call", item.arguments, item.name, item.call_id or ""))
        elif isinstance(item, FunctionCallOutputItem):
            name = names.get(item.call_id) or store.call_name(item.call_id)
            told.append(Message("tool", item.output, name, item.call_id))
        elif isinstance(item, McpCallItem) and (item.output is not None or item.error):
            answer = json.dumps({"error": item.error}) if item.output is None else item.output
            told.append(Message("call", item.arguments, item.name, item.id))
            told.append(Message("tool", answer, item.name, item.id))
        elif isinstance(item, MessageItem):
            text = told_text(entry)
            if text or not entry.cut:  # an answer of which nothing was heard was never given
                seen = [part.image_url for part in item.content if part.type == "input_image" and part.image_url]
                told.append(Message(item.role, text, images=tuple(seen)))
    return told


def told_text(entry: Entry) -> str:
    """The words of a message, as the language model is told them."""
    if entry.said:
        return "".join(stretch.text for stretch in entry.said).strip()
    texts, words, images = [], iter([entry.words or ""]), iter(entry.images)
    for part in entry.item.content:
        if part.type == "input_audio":
            texts.append(next(words, ""))
        elif part.type == "output_audio":
            texts.append(part.transcript or "")
        elif part.type == "input_image":
            texts.append(f"[image: {next(images)}]")
        else:
            texts.append(part.text or "")
    return " ".join(text for text in texts if text)


def sounding(item: MessageItem) -> int:
    """The index of the part that is sound. Of several, which nobody sends, the first stands for all."""
    return next((index for index, part in enumerate(item.content) if part.type in _SOUND), 0)


def with_sounding(item: MessageItem, **changes: Any) -> MessageItem:
    """The item with a change in that part."""
    content = list(item.content)
    content[sounding(item)] = content[sounding(item)].model_copy(update=changes)
    return item.model_copy(update={"content": content})


def _without_sound(part: ContentPart) -> ContentPart:
    return ContentPart(type=part.type, transcript=part.transcript) if part.type in _SOUND else part


def _has(item: Item, kind: str) -> bool:
    return isinstance(item, MessageItem) and any(part.type == kind for part in item.content)
