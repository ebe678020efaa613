"""The conversation so far, for a server that does not know it: after a reconnection.

It is given as it was heard and read: the user's words as they were written down, of the assistant's those that left
the loudspeaker, function calls with what they gave. Items keep their ids, so that nothing is told twice.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from rtchat.conversation.calls import Calls
from rtchat.conversation.items import Entry, Items
from rtchat.protocol.items import ContentPart, FunctionCallItem, FunctionCallOutputItem, MessageItem

MAX_CHARACTERS = 24_000
"""About 6 000 tokens, half an hour of talk: a fifth of the smallest model's 32 000, which instructions, tools and
what is still to be said share; and all of it is paid for again with every answer. What is older is left out."""

Restored = MessageItem | FunctionCallItem | FunctionCallOutputItem


def history(items: Items, calls: Calls, *, without: set[str]) -> list[Restored]:
    """What the new server is to be told, oldest first; the newest that fit in `MAX_CHARACTERS`.

    Args:
        items: What was said; entries that are not closed are left out.
        calls: What was called.
        without: Ids of items that will be told in another way.
    """
    kept: list[Restored] = []
    room = MAX_CHARACTERS
    for item in reversed([*_all(items, calls, without)]):
        room -= _characters(item)
        if room < 0:
            break
        kept.insert(0, item)
    known = {item.call_id for item in kept if isinstance(item, FunctionCallItem)}
    return [item for item in kept if not isinstance(item, FunctionCallOutputItem) or item.call_id in known]


def message(entry: Entry) -> MessageItem | None:
    """An item as it was heard, read or said; None when there is nothing of it."""
    if entry.role == "user":
        return _message("user", "input_text", entry.text, entry.item_id)
    if entry.role == "assistant":
        return _message("assistant", "output_text", entry.heard_text, entry.item_id)
    return None


def predecessor(items: Items, entry: Entry, known: set[str]) -> str:
    """The item of `known` that `entry` follows; `root`, as the API says it, when it is before all of them."""
    before = "root"
    for other in items:
        if other is entry:
            break
        if other.item_id in known:
            before = other.item_id
    return before


def _message(role: Literal["user", "assistant"], kind: str, text: str, item_id: str) -> MessageItem | None:
    if not text.strip():
        return None
    return MessageItem(role=role, content=[ContentPart(type=kind, text=text)], id=item_id)


def _all(items: Items, calls: Calls, without: set[str]) -> Iterator[Restored]:
    made = calls.history()
    called = {call.id: (call, output) for call, output in made}
    outputs = {output.id: output for _, output in made if output is not None and output.id is not None}
    for entry in items:
        if entry.item_id in called:
            call, output = called[entry.item_id]
            yield call
            if output is not None and output.id is None:  # the last server never had it
                yield output
        elif entry.item_id in outputs:
            yield outputs[entry.item_id]
        elif entry.closed and entry.item_id not in without:
            said = message(entry)
            if said is not None:
                yield said
    for call, output in made:
        if call.id is None or items.get(call.id) is None:
            yield from (call, output) if output is not None else (call,)


def _characters(item: Restored) -> int:
    if isinstance(item, MessageItem):
        return sum(len(part.text or "") for part in item.content)
    return len(item.arguments if isinstance(item, FunctionCallItem) else item.output)
