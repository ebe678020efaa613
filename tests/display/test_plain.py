from __future__ import annotations

import io

import pytest

from rtchat.conversation.notices import (
    DeviceTold,
    EchoTold,
    ErrorTold,
    SessionEnded,
    SessionStarted,
    StateChanged,
    ToolCalled,
    TurnEnded,
)
from rtchat.display.plain import PlainDisplay


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def told(*notices, terminal=False, **options):
    """What both streams got."""
    out, err = Terminal() if terminal else io.StringIO(), io.StringIO()
    with PlainDisplay(out, err, **options) as display:
        for t, notice in enumerate(notices):
            display.show(float(t), notice)
    return out.getvalue(), err.getvalue()


TURN = TurnEnded({"speech_end_to_first_audible_ms": 640}, {"total_tokens": 1240}, 0.012)
TOOL = ToolCalled("c", "get_weather", '{"city": "Paris"}', '{"celsius": 14}', "ok", 212)
ERROR = ErrorTold("x", "It broke.", "Mend it.", False)


def test_echo_is_a_line_when_it_changes_and_not_at_each_measurement():
    measured = [EchoTold("aec", None), EchoTold("aec", 28.0), EchoTold("aec", 31.0), EchoTold("half-duplex", None)]
    _, err = told(*measured, StateChanged("reconnecting"))
    assert err.splitlines() == [
        "[AEC · full duplex]",
        "[AEC 28 dB · full duplex]",
        "[half duplex]",
        "[reconnecting]",
    ]


def test_a_microphone_that_goes_and_comes_is_said():
    gone = ErrorTold("microphone_lost", "The microphone is gone.", "Type.", fatal=False)
    _, err = told(StateChanged("listening"), gone, DeviceTold("microphone", "Headset"))
    assert err.splitlines() == [
        "[listening]",
        "error: The microphone is gone. Type.",
        "[no microphone]",
        "The microphone is Headset now.",
        "[listening]",
    ]


def test_a_spoken_session(user, answer):
    out, err = told(
        SessionStarted("127.0.0.1", "embedded", "marin", "s", "half-duplex", "interactive"),
        StateChanged("listening"),
        user("", final=False),
        user("How warm is it in Paris?", final=False),
        answer("It is", "", status="in_progress", final=False),
        user("How warm is it in Paris?"),
        ToolCalled("c", "get_weather", '{"city": "Paris"}', "", "running", 0),
        TOOL,
        answer("It is 14 degrees."),
        TURN,
        SessionEnded("you quit", 1, {"total_tokens": 1240}, 0.012, 0),
    )
    assert out == "you: How warm is it in Paris?\nassistant: It is 14 degrees.\n"
    assert err.splitlines() == [
        "[connected to 127.0.0.1, embedded]",
        "[listening]",
        'tool: get_weather {"city": "Paris"} → {"celsius": 14} (212 ms)',
        "[turn: 640 ms to the first sound, 1240 tokens, $0.012]",
        "[ended: you quit, 1 turn, 1.2k tokens, $0.012]",
    ]


def test_what_was_not_heard_is_told_apart(answer):
    out, _ = told(answer("One two. Three\nfour.", "One two.", status="interrupted"))
    assert out == 'assistant: (interrupted after 1.2 s: "One two." — not heard: "Three four.")\n'


def test_an_unfinished_answer_is_printed_when_the_session_ends(answer):
    out, _ = told(answer("Half an", "Half", status="in_progress", final=False))
    assert out == "assistant: Half an\n"


def test_a_turn_without_words_is_told(user):
    assert told(user(""))[0] == "you: (no words recognised)\n"


def test_a_transcript_is_the_words_alone(user):
    said = [user("one two", item="a"), user("", item="b"), user("three", item="c")]
    out, err = told(StateChanged("listening"), *said, spoken=False, transcribes=True)
    assert (out, err) == ("one two\nthree\n", "")


def test_quiet_leaves_answers_and_errors(user, answer):
    out, err = told(StateChanged("listening"), user("Hi"), TOOL, answer("Hello."), TURN, ERROR, quiet=True)
    assert (out, err) == ("assistant: Hello.\n", "error: It broke. Mend it.\n")


def test_in_text_mode_standard_output_is_the_answer_alone(user, answer):
    out, err = told(StateChanged("listening"), user("Hi"), TOOL, answer("Hello."), TURN, ERROR, spoken=False)
    assert out == "Hello.\n"
    assert err.splitlines() == [
        'tool: get_weather {"city": "Paris"} → {"celsius": 14} (212 ms)',
        "error: It broke. Mend it.",
    ]


def test_a_terminal_gets_words_as_they_come(answer):
    out = Terminal()
    with PlainDisplay(out, io.StringIO(), spoken=False) as display:
        for text, printed in (
            ("One", ""),
            ("One two", "One"),
            ("One two ", "One two"),
            ("One two three.", "One two"),
        ):
            display.show(0.0, answer(text, status="in_progress", final=False))
            assert out.getvalue() == printed
        display.show(0.0, answer("One two three."))
        assert out.getvalue() == "One two three.\n"


def test_a_terminal_gets_rows_broken_between_words(answer, monkeypatch):
    monkeypatch.setenv("COLUMNS", "12")
    assert told(answer("One two three four"), terminal=True, spoken=False)[0] == "One two\nthree four\n"
    assert told(answer("One two three four"), spoken=False)[0] == "One two three four\n"


def test_a_pipe_gets_whole_lines(answer):
    out = io.StringIO()
    with PlainDisplay(out, io.StringIO(), spoken=False) as display:
        display.show(0.0, answer("One", status="in_progress", final=False))
        assert out.getvalue() == ""
        display.show(0.0, answer("One\ntwo", status="in_progress", final=False))
        assert out.getvalue() == "One\n"
        display.show(0.0, answer("One\ntwo"))
        assert out.getvalue() == "One\ntwo\n"


def test_a_final_text_that_differs_is_printed_whole(answer):
    unfinished = answer("One too", status="in_progress", final=False)
    assert told(unfinished, answer("One two."), terminal=True, spoken=False)[0] == "One too\nOne two.\n"


def test_two_answers_in_a_row_do_not_share_a_line(answer):
    first = answer("One", status="in_progress", final=False)
    out, _ = told(first, answer("Two.", item="a2"), answer("One."), terminal=True, spoken=False)
    assert out == "One\nTwo.\n.\n"


def test_lines_on_standard_error_do_not_cut_the_answer_in_the_middle_of_a_row(answer):
    out, err = told(answer("One", status="in_progress", final=False), ERROR, terminal=True, spoken=False)
    assert (out, err) == ("One\n", "error: It broke. Mend it.\n")


def test_an_interrupted_answer_says_so(answer):
    out, err = told(answer("One two", "One", status="interrupted"), spoken=False)
    assert (out, err) == ("One two\n", "[interrupted]\n")


@pytest.mark.parametrize("quiet", [False, True])
def test_tell(quiet):
    err = io.StringIO()
    PlainDisplay(io.StringIO(), err, quiet=quiet).tell("The embedded server\x1b[2J answers.")
    assert err.getvalue() == ("" if quiet else "The embedded server answers.\n")


def test_no_escape_sequence_reaches_a_stream(answer):
    for terminal in (False, True):
        out, _ = told(answer("\x1b[2Jhello\x9b1m"), terminal=terminal, spoken=False)
        assert out == "hello\n"


def test_help_names_the_keys():
    err = io.StringIO()
    PlainDisplay(io.StringIO(), err).toggle_help()
    assert "m: mute the microphone, or unmute it\n" in err.getvalue()


def test_levels_and_typing_print_nothing():
    out, err = io.StringIO(), io.StringIO()
    display = PlainDisplay(out, err)
    display.meter(-20.0, None, 0, 0)
    display.typing("hel", 3)
    assert (out.getvalue(), err.getvalue(), display.closed) == ("", "", False)
