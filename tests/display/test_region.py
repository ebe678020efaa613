from __future__ import annotations

import pytest
from rich.text import Text

from rtchat.display.region import Region, terminal_reflows


def texts(*rows):
    return [Text(row) for row in rows]


@pytest.fixture
def small(screen):
    return screen(20, 6)


@pytest.fixture
def region(small):
    return Region(small.console, small.write, reflows=False)


def test_rows_change_in_place(small, region):
    region.draw(texts("one", "two", "three"))
    region.draw(texts("one", "2", "three"))
    assert small.rows() == ["one", "2", "three"]


def test_growing_and_shrinking(small, region):
    region.draw(texts("one"))
    region.draw(texts("one", "two", "three"))
    assert small.rows() == ["one", "two", "three"]
    region.draw(texts("three"))
    assert small.rows() == ["three"]
    region.draw(())
    assert small.rows() == []
    region.draw(texts("again"))
    assert small.rows() == ["again"]


def test_what_is_printed_above_scrolls_away_and_is_never_touched_again(small, region):
    region.draw(texts("live", "status"))
    for number in range(20):
        region.draw(texts(f"live {number}", "status"), texts(f"line {number}"))
    assert small.everything() == [f"line {number}" for number in range(20)] + ["live 19", "status"]


def test_nothing_is_written_when_nothing_changed(small, region):
    region.draw(texts("one", "two"))
    count = len(small.writes)
    region.draw(texts("one", "two"))
    assert len(small.writes) == count


def test_a_change_is_one_write_of_the_rows_that_changed(small, region):
    region.draw(texts("conversation", "status 1"))
    small.writes.clear()
    region.draw(texts("conversation", "status 2"))
    (write,) = small.writes
    assert "conversation" not in write


def test_leaving_empty_rows_below_a_long_region(small, region):
    region.draw(texts("1", "2", "3", "4", "5"))
    region.draw((), texts("the end"))
    assert small.rows() == ["the end"]
    assert (small.screen.cursor.x, small.screen.cursor.y) == (0, 1)


def test_resized_where_old_rows_are_cut_off(small, region):
    region.draw(texts("0123456789", "status"), texts("above"))
    small.resize(8, 6)
    region.draw(texts("0123", "stat"))
    assert small.rows() == ["above", "0123", "stat"]
    small.resize(30, 6)
    region.draw(texts("0123456789 0123456789", "status"))
    assert small.rows() == ["above", "0123456789 0123456789", "status"]


def test_resized_where_old_rows_are_wrapped_anew(screen):
    # What a terminal that reflows shows after 20 columns became 8: ten characters on two rows.
    narrow = screen(8, 6)
    wide = screen(20, 6)
    writes = []
    region = Region(wide.console, writes.append, reflows=True)
    region.draw(texts("0123456789", "status"))
    narrow.write("above\n01234567\n89\nstatus")
    wide.console.width = 8
    region.draw(texts("0123", "stat"))
    narrow.write(writes[-1])
    assert narrow.rows() == ["above", "0123", "stat"]


def test_never_more_rows_up_than_the_terminal_has(screen):
    terminal = screen(20, 24)
    writes = []
    region = Region(terminal.console, writes.append, reflows=True)
    region.draw(texts(*"abcdefghij"))
    terminal.console.height = 4
    region.draw(texts("a"))
    assert "\x1b[3A" in writes[-1]


def test_the_first_column_is_never_cleared_downwards(region, small):
    # There tmux would save the screen's old rows in its history.
    region.draw(texts("one", "two"))
    region.draw(texts("", ""))
    region.draw((), ())
    for write in small.writes:
        before = write.split("\x1b[J")[0]
        assert "\x1b[J" not in write or before[-1] not in "\r\n"


@pytest.mark.parametrize(
    ("environment", "reflows"),
    [
        ({"TERM": "xterm-256color"}, True),
        ({"TERM": "xterm", "XTERM_VERSION": "XTerm(379)"}, False),
        ({"TERM": "linux"}, False),
        ({"TERM": "tmux-256color", "XTERM_VERSION": "XTerm(379)"}, True),
    ],
)
def test_which_terminals_reflow(monkeypatch, environment, reflows):
    monkeypatch.delenv("XTERM_VERSION", raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert terminal_reflows() is reflows
