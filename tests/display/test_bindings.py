from __future__ import annotations

import pytest

from rtchat.display.bindings import BINDINGS, Action, Key, KeyReader, LineEditor, Talk, help_lines


def fed(*keys):
    reader = KeyReader()
    return [reader.feed(key) for key in keys]


def test_every_key_of_the_table_does_what_the_table_says():
    for binding in BINDINGS:
        for key in binding.keys:
            assert fed(key) == [Key(binding.action)]


def test_no_key_is_in_the_table_twice():
    keys = [key for binding in BINDINGS for key in binding.keys]
    assert len(keys) == len(set(keys))


def test_the_help_lists_every_row_of_the_table():
    assert help_lines() == [(binding.shown, binding.does) for binding in BINDINGS]


def test_in_push_to_talk_the_help_says_how_the_space_talks():
    words = {talk: dict(help_lines(Talk[talk]))["space"] for talk in ("OPEN", "TAP", "HOLD")}
    assert "talk" not in words["OPEN"] and "again to end" in words["TAP"] and "let go to end" in words["HOLD"]
    assert all("interrupt" in does for does in words.values())


def test_other_keys_mean_nothing():
    assert fed("x", "up", "escape", "c-m") == [None] * 4


def test_typing_a_line():
    assert fed("t", "m", "q", "?", " ", "c-m", "m") == [
        Key(Action.TYPE),
        Key(Action.TYPE, "m", 1),
        Key(Action.TYPE, "mq", 2),
        Key(Action.TYPE, "mq?", 3),
        Key(Action.TYPE, "mq? ", 4),
        Key(Action.SUBMIT, "mq?"),
        Key(Action.MUTE),
    ]


def test_escape_gives_the_line_up_and_an_empty_line_is_not_sent():
    assert fed("t", "a", "escape", "q")[2:] == [Key(Action.CANCEL), Key(Action.QUIT)]
    assert fed("t", " ", "c-m")[2:] == [Key(Action.CANCEL)]


def test_ctrl_c_ends_while_typing_and_ctrl_d_only_from_an_empty_line():
    assert fed("t", "a", "c-c")[-1] == Key(Action.ABORT)
    assert fed("t", "a", "c-d")[-1] is None
    assert fed("t", "c-d")[-1] == Key(Action.QUIT)


def test_ctrl_z_suspends_and_the_line_stays():
    assert fed("t", "a", "c-z", "b")[2:] == [Key(Action.SUSPEND), Key(Action.TYPE, "ab", 2)]


def test_a_key_that_changes_nothing_tells_nothing():
    assert fed("t", "left", "up", "backspace")[1:] == [None] * 3


def test_a_paste_is_one_line():
    reader = KeyReader()
    reader.feed("t")
    assert reader.feed("<bracketed-paste>", "two\nlines") == Key(Action.TYPE, "two lines", 9)


@pytest.mark.parametrize(
    ("keys", "text", "cursor"),
    [
        (["left", "left", "X"], "one tXwo", 6),
        (["c-h"], "one tw", 6),
        (["home", "delete"], "ne two", 0),
        (["c-a", "right", "c-k"], "o", 1),
        (["c-a", "c-f", "c-u"], "ne two", 0),
        (["c-w"], "one ", 4),
        (["c-w", "c-w"], "", 0),
        (["home", "end"], "one two", 7),
        (["home", "left", "end", "right", "c-b"], "one two", 6),
        (["日"], "one two日", 8),
        (["f1", "\x00"], "one two", 7),
    ],
)
def test_editing(keys, text, cursor):
    line = LineEditor()
    line.insert("one two")
    for key in keys:
        line.press(key)
    assert (line.text, line.cursor) == (text, cursor)
