from __future__ import annotations

import pytest

from rtchat.chunk import WIRE
from rtchat.conversation.items import Items
from rtchat.conversation.playback import Playback
from rtchat.conversation.signals import Heard
from rtchat.protocol.client_events import ItemDelete, ItemTruncate


class Bench:
    """A playback with its items; sound is given in milliseconds."""

    def __init__(self):
        self.items = Items()
        self.playback = Playback(self.items)

    def sound(self, ms, item="A", response="R", index=0):
        entry = self.playback.received(item, index, WIRE.silence(ms))
        entry.role, entry.spoken, entry.response_id = "assistant", True, response
        return entry

    def heard(self, ms, item="A", index=0):
        return self.playback.heard(Heard(item, index, ms))

    def cut(self, active=None):
        return [(v.entry.item_id, v.was_cut, v.event) for v in self.playback.cut(active)]


@pytest.fixture
def bench():
    return Bench()


def truncate(ms, item="A", index=0):
    return ItemTruncate(item_id=item, content_index=index, audio_end_ms=ms)


def test_sounding_from_the_first_byte_until_drained(bench):
    assert not bench.playback.sounding
    entry = bench.sound(100)
    assert bench.playback.sounding
    assert bench.playback.drained() == [entry]
    assert not bench.playback.sounding
    assert entry.heard_ms == 100
    assert bench.playback.drained() == []


def test_heard_never_goes_back_nor_past_what_was_received(bench):
    entry = bench.sound(100)
    assert bench.heard(40) is entry
    assert bench.heard(40) is None
    assert bench.heard(30) is None
    assert entry.heard_ms == 40
    assert bench.heard(5000) is entry
    assert entry.heard_ms == 100


def test_heard_of_what_was_never_received(bench):
    assert bench.heard(40) is None
    bench.sound(100)
    assert bench.heard(40, index=1) is None
    assert bench.heard(40, item="B") is None


def test_odd_bytes_join_across_deltas(bench):
    for chunk in (b"\0" * 47, b"\0" * 49):
        bench.playback.received("A", 0, chunk)
    assert bench.items["A"].received_ms == 2


def test_cut_truncates_at_what_was_heard(bench):
    bench.sound(1000)
    bench.heard(480)
    assert bench.cut("R") == [("A", True, truncate(480))]


def test_cut_with_nothing_heard_deletes(bench):
    bench.sound(1000)
    assert bench.cut("R") == [("A", True, ItemDelete(item_id="A"))]


def test_less_than_a_millisecond_is_still_something_generated(bench):
    bench.playback.received("A", 0, bytes(10))
    bench.items["A"].spoken = True
    assert bench.cut() == [("A", True, ItemDelete(item_id="A"))]


def test_what_was_heard_to_its_end_is_left_alone(bench):
    bench.sound(1000)
    bench.playback.complete("A", 0)
    bench.heard(1000)
    assert bench.cut() == [("A", False, None)]


def test_second_cut_has_nothing_to_say(bench):
    bench.sound(1000)
    bench.heard(480)
    bench.cut("R")
    assert [event for _, _, event in bench.cut("R")] == [None]


def test_two_items_the_first_heard_fully(bench):
    bench.sound(200, item="A")
    bench.playback.complete("A", 0)
    bench.sound(500, item="B")
    bench.heard(200, item="A")
    bench.heard(100, item="B")
    assert bench.cut("R") == [("A", False, None), ("B", True, truncate(100, "B"))]


def test_two_items_the_second_not_begun(bench):
    bench.sound(200, item="A")
    bench.sound(500, item="B")
    bench.heard(150, item="A")
    assert bench.cut("R") == [("A", True, truncate(150)), ("B", True, ItemDelete(item_id="B"))]


def test_words_that_ran_ahead_of_their_sound_are_unheard(bench):
    entry = bench.items["A"]
    entry.role, entry.spoken, entry.response_id = "assistant", True, "R"
    assert bench.cut("R") == [("A", True, ItemDelete(item_id="A"))]
    assert bench.playback.late("A") is None


def test_written_words_need_no_event(bench):
    entry = bench.items["A"]
    entry.role, entry.response_id = "assistant", "R"
    assert bench.cut("R") == [("A", True, None)]


def test_late_events_are_known_by_response_and_by_item(bench):
    bench.sound(100)
    bench.cut("R")
    assert bench.playback.is_cut("R")
    assert bench.playback.is_cut("another", "A")
    assert not bench.playback.is_cut("another", "B")


def test_late_sound_after_all_received_was_heard_proves_the_truncation_once(bench):
    bench.sound(300)
    bench.heard(300)
    assert bench.cut("R") == [("A", True, None)]
    assert bench.playback.late("A") == truncate(300)
    assert bench.playback.late("A") is None


def test_the_same_when_the_loudspeaker_had_run_dry(bench):
    bench.sound(300)
    bench.playback.drained()
    assert bench.cut("R") == [("A", True, None)]
    assert bench.playback.late("A") == truncate(300)
    assert bench.playback.late("A") is None


def test_late_sound_of_an_item_never_seen_deletes_it_once(bench):
    bench.cut("R")
    assert bench.playback.late("A") == ItemDelete(item_id="A")
    assert bench.playback.late("A") is None


def test_late_sound_after_a_truncation_says_nothing_more(bench):
    bench.sound(300)
    bench.heard(100)
    bench.cut("R")
    assert bench.playback.late("A") is None


def test_late_words_of_a_part_that_was_heard_to_its_end(bench):
    bench.sound(300)
    bench.playback.complete("A", 0)
    bench.heard(300)
    bench.cut("R")
    assert bench.playback.late("A") is None


def test_an_item_that_the_server_forgot_needs_no_event(bench):
    bench.sound(300)
    bench.heard(100)
    bench.items.remove("A")
    assert bench.cut("R") == [("A", True, None)]
    assert bench.playback.drained() == []


def test_the_part_that_was_cut_is_named(bench):
    bench.sound(100, index=0)
    bench.playback.complete("A", 0)
    bench.sound(400, index=1)
    bench.heard(100, index=0)
    bench.heard(50, index=1)
    assert bench.cut("R") == [("A", True, truncate(50, index=1))]
