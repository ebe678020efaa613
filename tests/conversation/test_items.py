from __future__ import annotations

import itertools
import random

import pytest

from rtchat.chunk import WIRE
from rtchat.conversation.items import Entry, Items, Part

CHAIN = {"a": None, "b": "a", "c": "b", "d": "c"}


def order(items):
    return [entry.item_id for entry in items.ordered()]


@pytest.mark.parametrize("arrival", list(itertools.permutations(CHAIN)), ids="".join)
def test_order_is_by_predecessor_whatever_arrives_first(arrival):
    items = Items()
    for item_id in arrival:
        items.place(item_id, CHAIN[item_id], "user")
    assert order(items) == list(CHAIN)


def test_a_long_chain_shuffled():
    names = [str(number) for number in range(60)]
    pairs = list(zip(names, [None, *names[:-1]], strict=True))
    rng = random.Random(7)
    for _ in range(20):
        rng.shuffle(pairs)
        items = Items()
        for name, after in pairs:
            items.place(name, after, "")
        assert order(items) == names


def test_an_item_can_be_inserted_between_others():
    items = Items()
    items.place("a", None, "user")
    items.place("c", "a", "assistant")
    items.place("b", "a", "user")
    items.place("root", None, "system")
    assert order(items) == ["root", "a", "b", "c"]


def test_a_placed_item_stays():
    """The first answer's `conversation.item.done` says null where its `.added` named the predecessor."""
    items = Items()
    items.place("u", None, "user")
    items.place("a", "u", "assistant")
    items.place("a", None, "assistant")
    assert order(items) == ["u", "a"]


def test_a_mention_makes_an_entry_without_a_place():
    items = Items()
    items["u"].add_words(0, "Hello")
    assert items.ordered() == []
    assert [entry.item_id for entry in items] == ["u"]
    entry = items.place("u", None, "user")
    assert (entry.text, entry.role) == ("Hello", "user")


def test_all_entries_placed_first():
    items = Items()
    items["loose"].role = "user"
    items.place("b", "a", "user")
    items.place("a", None, "user")
    assert [entry.item_id for entry in items] == ["a", "b", "loose"]


def test_append_puts_at_the_end():
    items = Items()
    for name in ("x", "y", "z"):
        items.append(name, "user")
    assert order(items) == ["x", "y", "z"]


def test_remove():
    items = Items()
    items.place("a", None, "user")
    items.place("b", "a", "user")
    items.remove("a")
    items.remove("never there")
    assert order(items) == ["b"]
    assert items.get("a") is None
    items.place("c", "b", "user")
    assert order(items) == ["b", "c"]


def test_text_joins_parts_in_their_order():
    entry = Entry("a")
    entry.add_words(1, "two")
    entry.add_words(0, "one")
    entry.add_words(0, "!")
    assert entry.text == "one! two"


def spoken(text, *, received, heard, complete=False):
    part = Part(received=WIRE.bytes_in(received), heard_ms=heard, complete=complete)
    return Entry("a", role="assistant", words={0: text}, parts={0: part}, spoken=True)


@pytest.mark.parametrize(
    ("heard", "text"),
    [(0, ""), (10, ""), (500, "One two"), (520, "One two"), (900, "One two three"), (1000, "One two three four")],
)
def test_heard_text_is_the_share_of_the_sound_in_whole_words(heard, text):
    assert spoken("One two three four", received=1000, heard=heard, complete=True).heard_text == text


def test_text_that_runs_ahead_of_its_sound_is_not_heard_with_it():
    text = "One two three four five six seven eight"
    assert spoken(text, received=600, heard=600).heard_text == "One two"
    assert spoken(text, received=600, heard=600, complete=True).heard_text == text
    assert spoken("One two", received=2000, heard=1990).heard_text == "One two"


def test_written_text_counts_as_heard():
    assert Entry("a", words={0: "Hello"}).heard_text == "Hello"


def test_words_without_sound_are_not_heard():
    assert Entry("a", words={0: "Hello"}, spoken=True).heard_text == ""


def test_received_is_rounded_down():
    assert Part(received=2 * 47).received_ms == 1
    assert Part(received=2 * 48 + 1).received_ms == 2


def test_an_entry_is_over_when_made_and_heard():
    entry = spoken("One", received=100, heard=100, complete=True)
    assert not entry.over
    entry.made = True
    assert entry.over
    entry.parts[0].heard_ms = 99
    assert not entry.over
    assert Entry("a", made=True).over
