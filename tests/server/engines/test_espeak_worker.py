import json
import socket

import pytest

from rtchat.server.engines.espeak_worker import Words, send


def said(text, *events):
    words = Words(text)
    return [text[:end] for end in (words.begins(*event) for event in events) if end]


def test_a_word_has_been_said_when_the_next_begins():
    assert said("Hello there, you.", (1, 5), (7, 5), (14, 3)) == ["Hello", "Hello there,"]


def test_a_number_is_one_word_however_many_are_spoken():
    """As espeak-ng 1.51 tells of it: an event for each spoken word, all of them inside of the number."""
    assert said("for 2026 apples", (1, 3), (5, 4), (6, 4), (6, 4), (10, 6)) == ["for", "for 2026"]


@pytest.mark.parametrize(("text", "end"), [("one-two six", "one"), ("a.b c", "a"), ("(one) two", "(one)")])
def test_what_stands_right_after_a_word_belongs_to_it_at_its_end(text, end):
    start = text.index(end.strip("()")) + 1
    assert said(text, (start, len(end.strip("()"))), (len(text), 1)) == [end]


def test_events_without_a_length_are_of_the_next_word():
    assert said("by “night” too", (1, 2), (3, 0), (12, 3)) == ["by", "by “night”"]


def test_events_of_no_word_are_passed_over():
    assert said("so \U0001f642 yes", (1, 2), (4, 1), (5, 1), (0, 0), (6, 3)) == ["so", "so \U0001f642"]


def test_frames():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        send(theirs, b"X", json.dumps("no").encode())
        assert ours.recv(99) == b'X\0\0\0\4"no"'
