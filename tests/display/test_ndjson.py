from __future__ import annotations

import io
import json

import pytest

from rtchat.conversation.notices import (
    AssistantSaid,
    DeviceTold,
    EchoTold,
    ErrorTold,
    Interruption,
    SessionEnded,
    SessionStarted,
    StateChanged,
    ToolCalled,
    TurnEnded,
    UserSaid,
)
from rtchat.display.ndjson import NdjsonDisplay, read_ndjson
from rtchat.errors import UsageError


def lines(*notices):
    stream = io.StringIO()
    with NdjsonDisplay(stream, io.StringIO()) as display:
        for t, notice in notices:
            display.show(t, notice)
    return [json.loads(line) for line in stream.getvalue().splitlines()]


@pytest.mark.parametrize(
    ("notice", "fields"),
    [
        (
            SessionStarted("local", "m", "marin", "s", "aec", "interactive"),
            "t type server model voice session_id echo mode",
        ),
        (StateChanged("listening"), "t type state"),
        (UserSaid("u", "Hi", True), "t type item_id text final"),
        (
            AssistantSaid("a", "Hi", "H", 1, 2, "interrupted", True),
            "t type item_id text heard_text heard_ms generated_ms status final",
        ),
        (ToolCalled("c", "f", "{}", "{}", "ok", 1), "t type call_id name arguments output status ms"),
        (TurnEnded({}, {}, 0.0), "t type latency usage cost_usd"),
        (Interruption("a", 1, 2, None), "t type item_id heard_ms onset_to_duck_ms onset_to_silence_ms"),
        (EchoTold("aec", 31.2), "t type echo erle_db"),
        (DeviceTold("loudspeaker", "Headset"), "t type side name"),
        (ErrorTold(None, "m", "h", True), "t type code message hint fatal"),
        (SessionEnded("done", 1, {}, 0.0, 0), "t type reason turns usage cost_usd underruns"),
    ],
)
def test_fields_and_their_order_are_the_contract(notice, fields):
    (record,) = lines((1.23456, notice))
    assert list(record) == fields.split()
    assert record["t"] == 1.235
    assert record["type"] == notice.type


def test_a_word_more_is_not_a_line_more(answer):
    words = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]
    notices = [
        (n * 0.03, answer(" ".join(words[: n + 1]), "", status="in_progress", final=False)) for n in range(10)
    ]
    written = lines(*notices, (0.3, answer(" ".join(words))))
    assert [record["text"].split()[-1] for record in written] == ["one", "eight", "ten"]
    assert [record["final"] for record in written] == [False, False, True]


def test_a_clause_is_written_at_once(user):
    written = lines(
        (0.0, user("Well", final=False)), (0.01, user("Well,", final=False)), (0.02, user("Well, I", final=False))
    )
    assert [record["text"] for record in written] == ["Well", "Well,"]


def test_the_last_words_are_written_before_something_else_happens(answer):
    """An interpreter's words are never final while it runs: what it said last would stay unknown."""
    written = lines(
        (0.0, answer("One", "", status="in_progress", final=False)),
        (0.01, answer("One two", "", status="in_progress", final=False)),
        (2.0, StateChanged("hearing")),
        (2.1, StateChanged("listening")),
    )
    assert [record.get("text") or record["state"] for record in written] == [
        "One",
        "One two",
        "hearing",
        "listening",
    ]
    assert [record["t"] for record in written] == [0.0, 2.0, 2.0, 2.1]


def test_the_same_again_is_not_written_again(answer):
    same = answer("Well.", "Well.", status="in_progress", final=False)
    assert len(lines((0.0, same), (5.0, same))) == 1


def test_more_heard_of_the_same_text_is_written_after_a_while(answer):
    written = lines(
        (0.0, answer("One two", "", status="in_progress", final=False)),
        (0.1, answer("One two", "One", status="in_progress", final=False)),
        (1.1, answer("One two", "One two", status="in_progress", final=False)),
    )
    assert [record["heard_text"] for record in written] == ["", "One two"]


def test_items_are_thinned_out_apart(user, answer):
    assert len(lines((0.0, user("a", final=False)), (0.0, answer("b", status="in_progress", final=False)))) == 2


def test_text_stays_readable_but_cannot_drive_a_terminal_or_break_a_line():
    stream = io.StringIO()
    NdjsonDisplay(stream).show(0.0, StateChanged("é\x1b\x9b\u2028\ud800\n"))
    assert stream.getvalue() == '{"t": 0.0, "type": "state", "state": "é\\u001b\\u009b\\u2028\\ud800\\n"}\n'


def test_a_stream_without_unicode_gets_ascii():
    stream = io.TextIOWrapper(io.BytesIO(), encoding="latin-1", newline="\n")
    NdjsonDisplay(stream).show(0.0, StateChanged("日"))
    assert b'"\\u65e5"' in stream.buffer.getvalue()


def test_lines_for_people_go_to_standard_error():
    out, err = io.StringIO(), io.StringIO()
    with NdjsonDisplay(out, err) as display:
        display.tell("The embedded server answers.")
        display.meter(-1.0, -1.0, 80, 0)
        display.typing("x")
        display.toggle_help()
        assert not display.closed
    assert (out.getvalue(), err.getvalue()) == ("", "The embedded server answers.\n")


def test_what_was_written_can_be_read_back(user, answer):
    told = [
        (0.5, SessionStarted("local", "m", "marin", "s", "aec", "interactive")),
        (1.0, user("Hi")),
        (2.25, answer("Hello you.", "Hello", status="interrupted")),
        (3.0, SessionEnded("done", 1, {"total_tokens": 3}, 0.5, 0)),
    ]
    stream = io.StringIO()
    for t, notice in told:
        NdjsonDisplay(stream).show(t, notice)
    unknown = '{"t": 4.0, "type": "of a later version"}\n'
    assert list(read_ndjson([*stream.getvalue().splitlines(), unknown])) == told


@pytest.mark.parametrize("line", ["not JSON", "[]", "{}", '{"t": 0, "type": "state"}', '{"t": "x", "type": "end"}'])
def test_a_line_of_something_else_is_named(line):
    good = '{"t": 0, "type": "state", "state": "listening"}'
    with pytest.raises(UsageError, match="Line 2"):
        list(read_ndjson([good, line]))
