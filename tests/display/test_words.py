from __future__ import annotations

import pytest

from rtchat.conversation.notices import ErrorTold, ToolCalled
from rtchat.display import words
from rtchat.display.transcript import Status


@pytest.mark.parametrize(("t", "text"), [(0, "0:00"), (61.9, "1:01"), (3600, "1:00:00"), (-1, "0:00")])
def test_clock(t, text):
    assert words.clock(t) == text


@pytest.mark.parametrize(("cost", "text"), [(1.234, "$1.23"), (0.0421, "$0.042"), (0.00421, "$0.0042")])
def test_dollars(cost, text):
    assert words.dollars(cost) == text


@pytest.mark.parametrize(("number", "text"), [(999, "999"), (1240, "1.2k")])
def test_count(number, text):
    assert words.count(number) == text


def test_short_keeps_one_line_of_bounded_length():
    assert words.short("a\n  b") == "a b"
    assert words.short("x" * 500) == "x" * (words.MAX_VALUE - 1) + "…"


@pytest.mark.parametrize(
    ("status", "output", "text"),
    [
        ("running", "", "…"),
        ("ok", '{"celsius": 14}', '→ {"celsius": 14} (212 ms)'),
        ("error", "no such city", "→ error: no such city (212 ms)"),
        ("timeout", "", "→ timeout (212 ms)"),
    ],
)
def test_tool_result(status, output, text):
    assert words.tool_result(ToolCalled("c", "get_weather", "{}", output, status, 212)) == text


def test_tool_call():
    assert words.tool_call(ToolCalled("c", "get_time", "", "", "running", 0)) == "get_time"


def test_error_says_what_to_do_next():
    assert words.error_text(ErrorTold(None, "It broke.", "Mend it.", True)) == "error: It broke. Mend it."
    assert words.error_text(ErrorTold(None, "It broke.", "", True)) == "error: It broke."


@pytest.mark.parametrize(
    ("echo", "erle_db", "text"),
    [
        ("aec", 31.4, "AEC 31 dB · full duplex"),
        ("aec", None, "AEC · full duplex"),
        ("half-duplex", None, "half duplex"),
        ("off", None, "echo off · full duplex"),
        ("none", 2.0, "no echo · full duplex"),
        ("", None, ""),
    ],
)
def test_echo(echo, erle_db, text):
    assert words.echo_text(echo, erle_db) == text


def test_playback():
    assert words.playback_text(120, 0) == "120 ms of the voice buffered, no underruns"
    assert words.playback_text(0, 1) == "0 ms of the voice buffered, 1 underrun"


def test_session_summary():
    assert words.session_summary(Status(turns=1, reason="you quit")) == "ended: you quit, 1 turn"
    assert words.session_summary(Status(underruns=2)) == "ended, 0 turns, 2 underruns"
    assert words.session_summary(Status(turns=2, tokens=1500, cost_usd=0.5)) == "ended, 2 turns, 1.5k tokens, $0.50"
