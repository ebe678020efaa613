from __future__ import annotations

import io
from dataclasses import replace

import pytest
from rich.console import Console

from rtchat.conversation.notices import ErrorTold, ToolCalled
from rtchat.display import rows
from rtchat.display.bindings import BINDINGS, Talk
from rtchat.display.transcript import Status, Told, Transcript

CONSOLE = Console(file=io.StringIO(), width=80, height=24, force_terminal=True)
BUSY = Status(
    state="speaking", echo="half-duplex", latency_ms=640, tokens=12_345, cost_usd=0.0421, turns=3, model="m"
)


def plain(texts):
    return [text.plain.rstrip() for text in texts]


def drawn(line, width):
    return plain(rows.line_rows(CONSOLE, Transcript(), line, width))


def styles(text, part):
    """The styles of `part` in a row."""
    at = text.plain.index(part)
    return " ".join(str(span.style) for span in text.spans if span.start <= at and at + len(part) <= span.end)


def test_wide_labels_have_a_column_of_their_own(user, answer):
    said = answer("Once upon a time there was a lighthouse keeper who wrote to the sea.")
    assert drawn(user("Tell me a story."), 60) == ["you        Tell me a story."]
    assert drawn(said, 60) == [
        "assistant  Once upon a time there was a lighthouse keeper",
        "           who wrote to the sea.",
    ]


def test_narrow_labels_are_marks(user, answer):
    assert drawn(user("Tell me a story."), 40) == ["› Tell me a story."]
    assert drawn(answer("a " * 20 + "b"), 40) == ["● " + "a " * 18 + "a", "  a b"]


def test_model_text_is_never_markup(answer):
    assert drawn(answer("[bold red]x[/] [link=http://a]y[/link] :smile:"), 80) == [
        "assistant  [bold red]x[/] [link=http://a]y[/link] :smile:"
    ]


def test_the_label_lends_no_style_to_the_words(user):
    (row,) = rows.line_rows(CONSOLE, Transcript(), user("Hello"), 80)
    assert "cyan" in styles(row, "you")
    assert not row.style
    assert "cyan" not in styles(row, "Hello")


def test_text_that_was_never_heard_is_struck_through(answer):
    (row,) = rows.line_rows(CONSOLE, Transcript(), answer("One two", "One", status="interrupted"), 80)
    assert row.plain == "assistant  One two  (interrupted after 1.2 s)"
    assert "strike" in styles(row, "two")
    assert "strike" not in styles(row, "One")
    assert "strike" not in styles(row, "(interrupted")


def test_text_that_is_still_to_be_heard_is_dim(answer):
    (row,) = rows.line_rows(CONSOLE, Transcript(), answer("One two", "One", status="in_progress", final=False), 80)
    assert styles(row, "two") == "dim"
    assert styles(row, "One") == ""


@pytest.mark.parametrize(
    ("text", "final", "shown"), [("", False, "…"), ("", True, "(no words recognised)"), (" Hi ", True, "Hi")]
)
def test_a_user_without_words(user, text, final, shown):
    assert drawn(user(text, final=final), 80) == [f"you        {shown}"]


def test_an_answer_without_words(answer):
    assert drawn(answer("", status="in_progress", final=False), 80) == ["assistant  …"]
    assert drawn(answer("", status="failed"), 80) == ["assistant  (failed)"]


def test_tools_errors_and_notes():
    tool = ToolCalled("c", "get_weather", '{"city": "Paris"}', '{"celsius": 14}', "ok", 212)
    assert drawn(tool, 80) == ['tool       get_weather {"city": "Paris"} → {"celsius": 14} (212 ms)']
    assert drawn(ErrorTold("x", "It broke.", "Mend it.", False), 80) == [
        "error      It broke.",
        "           Mend it.",
    ]
    assert drawn(Told("A note."), 80) == ["A note."]


@pytest.mark.parametrize("width", [1, 3, 10, 39, 40, 59, 60, 80, 200])
def test_no_row_is_wider_than_asked(user, answer, width):
    lines = [
        user("supercalifragilisticexpialidocious 日本語日本語日本語日本語日本語 " * 5),
        answer("word " * 60, "word", status="interrupted"),
        ToolCalled("c", "f", "x" * 400, "y" * 400, "error", 1),
        ErrorTold("x", "e" * 300, "h " * 100, True),
    ]
    if width >= 4:
        texts = rows.conversation_rows(CONSOLE, Transcript(), lines, width, first=True)
        assert max(text.cell_len for text in texts) <= width
    texts = [
        *rows.status_rows(BUSY, (8, 8), 3725, width, 2),
        *rows.status_rows(BUSY, (8, 8), 3725, width, 1),
        rows.typing_row("日本 word " * 30, 120, width),
    ]
    assert max(text.cell_len for text in texts) <= width


def test_each_turn_of_the_user_begins_after_an_empty_row(user, answer):
    lines = [user("One"), answer("Two"), user("Three", item="u2")]
    texts = plain(rows.conversation_rows(CONSOLE, Transcript(), lines, 80, first=True))
    assert texts == ["you        One", "assistant  Two", "", "you        Three"]
    texts = plain(rows.conversation_rows(CONSOLE, Transcript(), lines[:1], 80, first=False))
    assert texts == ["", "you        One"]


def test_status_on_one_row_where_there_is_room():
    assert plain(rows.status_rows(BUSY, (0, 9), 192.5, 130, 2)) == [
        "● speaking      mic off       out ━━━━╾─── · not listening"
        " · half duplex · 640 ms · 12.3k tokens · $0.042 · 3:12 · ? keys"
    ]


def test_status_on_two_rows_where_there_is_less():
    assert plain(rows.status_rows(BUSY, (0, 16), 192, 79, 2)) == [
        "● speaking      mic off       out ━━━━━━━━ · not listening",
        "  half duplex · 640 ms · 12.3k tokens · $0.042 · 3:12 · ? keys",
    ]


@pytest.mark.parametrize(
    ("width", "shown"),
    [
        (70, "● speaking      mic off   out ──── · not listening · 640 ms · 3:12"),
        (60, "● speaking      mic off   out ──── · not listening · 640 ms"),
        (40, "● speaking      mic off   out ────"),
        (12, "● speaking"),
    ],
)
def test_what_matters_least_is_left_out_first(width, shown):
    assert plain(rows.status_rows(BUSY, (8, 0), 192, width, 1)) == [shown]


def test_status_names_every_state():
    for state in rows.STATES:
        assert state in rows.status_rows(Status(state=state), (None, None), 0, 80, 1)[0].plain
    assert "daydreaming" in rows.status_rows(Status(state="daydreaming"), (None, None), 0, 80, 1)[0].plain


def test_without_a_microphone_it_says_what_to_do():
    status = Status(state="listening", talk=Talk.OPEN, mode="interactive", microphone=False)
    lost = rows.status_rows(status, (8, 0), 0, 80, 1)[0].plain
    assert lost.startswith("○ no microphone  mic off       out ──────── · t types · ")
    assert rows.status_rows(status, (None, None), 0, 80, 1)[0].plain.startswith("○ no microphone · t types · ")


def test_without_a_microphone_echo_is_nobody_s_business():
    assert "half duplex" not in rows.status_rows(BUSY, (None, 3), 0, 120, 1)[0].plain


def test_gaps_in_the_voice_are_told_where_there_is_room():
    ragged = replace(BUSY, underruns=2)
    assert "2 underruns" in rows.status_rows(ragged, (0, 0), 0, 140, 1)[0].plain
    assert "underrun" not in rows.status_rows(ragged, (0, 0), 0, 60, 1)[0].plain


@pytest.mark.parametrize(
    ("status", "width", "shown"),
    [
        (Status(state="listening", talk=Talk.OPEN), 79, "● listening     mic ━━━━────  out ────────"),
        (Status(state="muted"), 79, "○ muted         mic MUTED     out ────────"),
        (
            Status(state="speaking", echo="aec", talk=Talk.OPEN, muted=True),
            79,
            "● speaking      mic MUTED     out ──────── · m unmutes",
        ),
        (Status(state="muted", talk=Talk.OPEN), 44, "○ muted         mic MUTE  out ────"),
        (
            Status(state="listening", talk=Talk.HOLD),
            79,
            "○ push to talk  mic off       out ──────── · hold space to talk",
        ),
        (
            Status(state="hearing", talk=Talk.HOLD),
            79,
            "● hearing       mic ━━━━────  out ──────── · let go to end",
        ),
        (
            Status(state="thinking", talk=Talk.TAP),
            79,
            "◐ thinking      mic off       out ──────── · space starts, space ends",
        ),
    ],
)
def test_a_microphone_that_nobody_listens_to_shows_no_level(status, width, shown):
    assert plain(rows.status_rows(status, (8, 0), 0, width, 2))[0].startswith(shown)
    (label,) = rows.status_rows(replace(status, state="muted"), (8, 0), 0, width, 1)
    assert "reverse" in styles(label, "MUTE") and "mic " in label.plain


@pytest.mark.parametrize(
    ("dbfs", "steps"), [(None, None), (-96.0, 0), (-60.0, 0), (-30.0, 8), (0.0, 16), (3.0, 16)]
)
def test_meter_steps(dbfs, steps):
    assert rows.meter_steps(dbfs) == steps


def test_the_help_says_how_to_talk():
    assert "let go" in "\n".join(plain(rows.help_rows(CONSOLE, 79, "", Talk.HOLD)))
    assert "again to end" in "\n".join(plain(rows.help_rows(CONSOLE, 40, "", Talk.TAP))).replace("\n", " ")


def test_the_help_shows_every_key():
    for width in (40, 79):
        text = "\n".join(plain(rows.help_rows(CONSOLE, width, "40 ms")))
        for binding in BINDINGS:
            assert binding.shown in text


def test_the_typed_line_follows_its_cursor():
    assert rows.typing_row("hello", 5, 80).plain == "› hello "
    assert rows.typing_row("x" * 50 + "end", 53, 20).plain.endswith("end ")
    row = rows.typing_row("hello", 1, 80)
    assert styles(row, "e") == "reverse"


def test_header_and_end():
    status = Status(mode="interactive", model="m", voice="", server="local", turns=1, reason="you quit")
    assert rows.header_row(status) == "rtchat interactive · m · local"
    assert rows.end_row(status, 61) == "ended: you quit, 1 turn, 1:01"
