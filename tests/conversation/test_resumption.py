from __future__ import annotations

import pytest

from rtchat.conversation.items import Entry, Part
from rtchat.conversation.responses import Want
from rtchat.conversation.resumption import Resumption, says_nothing
from rtchat.protocol.config import RealtimeSession, TranscriptionSession


@pytest.mark.parametrize("text", ["", " ", "...", "[noise]", "(coughs)", "<sil>", "*sighs*", "++BREATH++", "[x] —"])
def test_no_words(text):
    assert says_nothing(text)


@pytest.mark.parametrize("text", ["Stop.", "[noise] wait", "7", "はい"])
def test_words(text):
    assert not says_nothing(text)


def broken_off(text, share):
    """A spoken answer of a second, of which a share was heard."""
    part = Part(received=48_000, heard_ms=round(1000 * share), complete=True)
    return Entry("A", "assistant", {0: text}, {0: part}, spoken=True)


def instructions(*entries, session=None):
    resumption = Resumption()
    resumption.broke_off(list(entries))
    resumption.false_alarm()
    assert resumption.due
    want = resumption.take(session or RealtimeSession())
    assert not resumption.due
    return want.params.instructions


def test_it_asks_to_go_on_after_the_words_heard():
    text = instructions(broken_off("One two three four", 0.5))
    assert text.startswith("Your answer was broken off, but not by the user.\n")
    assert 'Heard so far: "One two"\nNot heard yet: "three four"\n' in text


def test_the_sessions_own_instructions_hold():
    text = instructions(broken_off("One two", 0.0), session=RealtimeSession(instructions="Be brief."))
    assert text.startswith("Be brief.\n\nYour answer")
    assert 'Heard so far: ""' in text


def test_quotes_and_line_ends_in_the_words():
    assert r'Not heard yet: "He said \"no\".\nTwice."' in instructions(broken_off('He said "no".\nTwice.', 0.0))


def test_several_items():
    text = instructions(broken_off("One two", 1.0), broken_off("three four", 0.0))
    assert 'Heard so far: "One two"\nNot heard yet: "three four"\n' in text


def test_an_answer_without_a_word_is_simply_asked_for_again():
    resumption = Resumption()
    resumption.broke_off([])
    resumption.false_alarm()
    assert resumption.take(TranscriptionSession()) == Want()


def test_nothing_is_due_where_nothing_was_broken_off():
    resumption = Resumption()
    resumption.false_alarm()
    assert not resumption.due


def test_once():
    resumption = Resumption()
    resumption.broke_off([broken_off("One two", 0.5)])
    resumption.false_alarm()
    resumption.take(RealtimeSession())
    resumption.false_alarm()
    assert not resumption.due


def test_speech_puts_it_off_until_it_is_known_what_was_said():
    resumption = Resumption()
    resumption.broke_off([broken_off("One two", 0.5)])
    resumption.false_alarm()
    resumption.doubt("U")
    assert (resumption.due, resumption.user_item) == (False, "U")
    resumption.false_alarm()
    assert resumption.due
    resumption.forget()
    assert not resumption.due
