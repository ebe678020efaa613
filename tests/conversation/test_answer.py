from __future__ import annotations

import pytest

from rtchat.conversation.answer import Answer
from rtchat.conversation.items import Items
from rtchat.conversation.notices import AssistantSaid, Interruption
from rtchat.conversation.signals import Drain, Flush, Heard, Play, Send, Show
from rtchat.protocol.client_events import ItemDelete, ItemTruncate, ResponseCancel
from rtchat.protocol.server_events import OutputItemAdded


@pytest.fixture
def answer():
    return Answer(Items())


def said(text, heard_text="", *, heard=0, made=0, status="in_progress", item="A"):
    final = status != "in_progress"
    return Show(AssistantSaid(item, text, heard_text, heard, made, status, final))


@pytest.fixture
def give(answer):
    """Give the answer events by the method that takes them: `give(("words", event), ...)`."""

    def all_of(*steps):
        return [effect for method, event in steps for effect in getattr(answer, method)(event)]

    return all_of


def test_a_spoken_answer_from_first_word_to_last_sound(answer, says):
    assert answer.item_added(says.begins()) == []
    assert answer.words(says.words("It is ")) == [said("It is ")]
    assert answer.sound(says.sound(300)) == [Play("A", 0, says.sound(300).delta)]
    assert answer.words(says.words("noon.")) == [said("It is noon.", made=300)]
    assert answer.heard(Heard("A", 0, 150)) == [said("It is noon.", "It", heard=150, made=300)]
    assert answer.sound_done(says.sound_done()) == [Drain("A")]
    assert answer.words_done(says.words_done("It is noon.")) == []
    assert answer.item_made(says.made()) == []
    assert answer.response_done(says.done().response) == []
    final = said("It is noon.", "It is noon.", heard=300, made=300, status="completed")
    assert answer.heard(Heard("A", 0, 300)) == [final]
    assert answer.drained() == []
    assert not answer.playback.sounding


def test_drained_is_the_last_word_where_the_last_report_is_missing(answer, says, give):
    give(("words", says.words("Hi")), ("sound", says.sound(300)), ("sound_done", says.sound_done()))
    answer.response_done(says.done().response)
    assert answer.drained() == [said("Hi", "Hi", heard=300, made=300, status="completed")]


def test_a_written_answer_is_over_when_it_is_made(answer, says):
    assert answer.words(says.writes("It is ")) == [said("It is ", "It is ")]
    assert answer.words_done(says.written("It is noon.")) == [said("It is noon.", "It is noon.")]
    assert answer.item_made(says.made()) == [said("It is noon.", "It is noon.", status="completed")]
    assert answer.response_done(says.done().response) == []


def test_the_loudspeaker_runs_dry_in_the_middle(answer, says):
    answer.words(says.words("One two"))
    answer.sound(says.sound(100))
    assert answer.drained() == [said("One two", "", heard=100, made=100)], "more is to come"
    answer.sound(says.sound(100))
    assert answer.playback.sounding
    answer.sound_done(says.sound_done())
    answer.drained()
    assert answer.item_made(says.made()) == [said("One two", "One two", heard=200, made=200, status="completed")]


def test_sound_that_was_never_said_to_be_done_is_played_to_its_end(answer, says):
    answer.sound(says.sound(20))
    assert answer.response_done(says.done(status="cancelled").response) == [Drain("A")]
    assert answer.drained() == [said("", "", heard=20, made=20, status="cancelled")]


def test_the_items_of_one_response_interleave(answer, says):
    answer.item_added(says.begins("A"))
    answer.words(says.writes("Let me ", item="A"))
    answer.item_added(says.begins("B", index=1))
    answer.words(says.writes("Noon.", item="B"))
    answer.words(says.writes("see.", item="A"))
    assert answer.item_made(says.made("B")) == [said("Noon.", "Noon.", status="completed", item="B")]
    assert answer.words_done(says.written("Let me see.", item="A")) == []
    assert answer.item_made(says.made("A")) == [said("Let me see.", "Let me see.", status="completed")]


def test_the_first_of_two_items_ends_when_it_was_heard(answer, says, give):
    give(
        ("words", says.words("One", item="A")),
        ("sound", says.sound(100, item="A")),
        ("sound_done", says.sound_done("A")),
        ("item_made", says.made("A")),
        ("words", says.words("Two", item="B")),
        ("sound", says.sound(200, item="B")),
    )
    assert answer.heard(Heard("A", 0, 100)) == [said("One", "One", heard=100, made=100, status="completed")]
    answer.heard(Heard("B", 0, 50))
    assert answer.cut("R") == [
        Flush(),
        Send(ItemTruncate(item_id="B", content_index=0, audio_end_ms=50)),
        Show(Interruption("B", 50, None, None)),
        said("Two", "", heard=50, made=200, status="interrupted", item="B"),
    ]


def test_cut_is_silence_first_then_the_cancel_then_what_was_heard(answer, says):
    answer.words(says.words("One two"))
    answer.sound(says.sound(400))
    answer.heard(Heard("A", 0, 200))
    assert answer.cut("R", ResponseCancel(response_id="R")) == [
        Flush(),
        Send(ResponseCancel(response_id="R")),
        Send(ItemTruncate(item_id="A", content_index=0, audio_end_ms=200)),
        Show(Interruption("A", 200, None, None)),
        said("One two", "One", heard=200, made=400, status="interrupted"),
    ]


def test_cut_before_anything_says_nothing(answer):
    assert answer.cut("R") == []


def test_cut_of_words_that_ran_ahead(answer, says):
    answer.words(says.words("One"))
    assert answer.cut("R") == [
        Send(ItemDelete(item_id="A")),
        said("One", "", status="interrupted"),
    ]


def test_cut_of_a_written_answer(answer, says):
    answer.words(says.writes("One"))
    assert answer.cut("R") == [said("One", "One", status="interrupted")]
    assert answer.words(says.writes(" two")) == []
    assert answer.words_done(says.written("One two three")) == []


def test_late_events_of_an_interrupted_answer_are_dropped(answer, says):
    answer.words(says.words("One two"))
    answer.sound(says.sound(200))
    answer.heard(Heard("A", 0, 100))
    answer.cut("R")
    assert answer.sound(says.sound(100)) == []
    assert answer.words(says.words(" three")) == []
    assert answer.sound_done(says.sound_done()) == []
    assert answer.words_done(says.words_done("One two three")) == []
    assert answer.item_made(says.made(status="incomplete")) == []
    assert (
        answer.response_done(says.done("R", says.message(status="incomplete"), status="cancelled").response) == []
    )
    assert answer.heard(Heard("A", 0, 150)) == []
    assert answer.drained() == []
    assert answer.close() == []


def test_a_late_delta_that_proves_something(answer, says):
    answer.sound(says.sound(200))
    answer.heard(Heard("A", 0, 200))
    assert Flush() in answer.cut("R")
    truncate = Send(ItemTruncate(item_id="A", content_index=0, audio_end_ms=200))
    assert answer.sound(says.sound(100)) == [truncate]
    assert answer.sound(says.sound(100)) == []


def test_a_late_item_is_taken_out(answer, says):
    answer.cut("R")
    answer.item_added(says.begins("B"))
    assert answer.words(says.words("Too late", item="B")) == [Send(ItemDelete(item_id="B"))]
    assert answer.sound(says.sound(100, item="B")) == []


def test_a_late_written_item_is_only_dropped(answer, says):
    answer.cut("R")
    assert answer.words(says.writes("Too late", item="B")) == []


@pytest.mark.parametrize(
    ("status", "outcome"),
    [("completed", "completed"), ("incomplete", "completed"), ("cancelled", "cancelled"), ("failed", "failed")],
)
def test_how_an_answer_ends(answer, says, status, outcome):
    answer.words(says.writes("One"))
    answer.item_made(says.made(status="incomplete"))
    assert answer.response_done(says.done(status=status).response) == [said("One", "One", status=outcome)]


def test_a_failure_while_its_sound_still_plays(answer, says):
    answer.words(says.words("One"))
    answer.sound(says.sound(200))
    assert answer.response_done(says.done(status="failed").response) == [Drain("A")]
    assert answer.drained() == [said("One", "One", heard=200, made=200, status="failed")]


def test_a_whole_item_in_a_cancelled_response_stays_whole(answer, says):
    """Speech between output_item.done and response.done (docs/protocol.md, barge-in, D)."""
    answer.words(says.writes("One"))
    assert answer.item_made(says.made()) == [said("One", "One", status="completed")]
    done = says.done("R", says.message(), status="cancelled", reason="turn_detected")
    assert answer.response_done(done.response) == []


def test_items_of_another_response_are_left_alone(answer, says):
    answer.words(says.writes("One"))
    assert answer.response_done(says.done("other").response) == []


def test_function_calls_are_no_answer(answer, says):
    call = says.call(status="in_progress")
    assert answer.item_added(OutputItemAdded(response_id="R", output_index=0, item=call)) == []
    assert answer.item_made(says.called(says.call())) == []
    assert answer.close() == []


def test_an_item_that_never_got_a_word_ends_without_one(answer, says):
    answer.item_added(says.begins())
    assert answer.response_done(says.done(status="cancelled").response) == []


def test_close_gives_every_item_its_last_word(answer, says):
    answer.words(says.words("Spoken", item="A"))
    answer.sound(says.sound(100, item="A"))
    answer.heard(Heard("A", 0, 40))
    answer.words(says.writes("Written", item="B", response="S"))
    answer.item_added(says.begins("C", response="S"))
    assert answer.close() == [
        said("Spoken", "", heard=40, made=100, status="interrupted", item="A"),
        said("Written", "Written", status="cancelled", item="B"),
    ]
    assert answer.close() == []


def test_words_after_the_last_word_change_nothing(answer, says):
    answer.words(says.writes("One"))
    answer.item_made(says.made())
    assert answer.words(says.writes(" two")) == []
    assert answer.words_done(says.written("One two")) == []
    assert answer.sound(says.sound(100)) == []


def test_empty_sound_is_no_sound(answer, says):
    assert answer.sound(says.sound(0)) == []
    assert not answer.playback.sounding


def test_heard_of_unknown_sound(answer):
    assert answer.heard(Heard("A", 0, 100)) == []
