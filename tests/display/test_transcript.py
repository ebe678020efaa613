from __future__ import annotations

import pytest

from rtchat.conversation.notices import (
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
from rtchat.display.transcript import REMEMBERED, Told, Transcript, clean

DELTA, AUDIBLE = "speech_end_to_first_delta_ms", "speech_end_to_first_audible_ms"


def texts(lines):
    return [getattr(line, "text", None) or getattr(line, "name", None) or "" for line in lines]


def folded(*notices):
    transcript = Transcript()
    for notice in notices:
        transcript.fold(notice)
    return transcript


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("plain\ntwo lines", "plain\ntwo lines"),
        ("a\x1b[31mred\x1b[0m", "ared"),
        ("\x1b]0;title\x07x", "x"),
        ("\x1b]8;;http://a\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("cut off \x1b[3", "cut off "),
        ("\x9b2Jx", "x"),
        ("\x1bPdcs\x1b\\x", "x"),
        ("tab\there\r\nand\rthere", "tab here\nand\nthere"),
        ("\x00\x07\x08\x7f\x85x", "x"),
        ("ab\u202ecd\u2066", "abcd"),
        ("half \ud83d", "half \ufffd"),
        ("naïve 日本 👩‍👩‍👧", "naïve 日本 👩‍👩‍👧"),
    ],
)
def test_what_could_drive_a_terminal_is_taken_out(text, safe):
    assert clean(text) == safe


def test_every_text_of_a_notice_is_cleaned():
    evil = "\x1b[2Jx"
    transcript = folded(
        UserSaid("u", evil, True),
        ToolCalled("c", evil, evil, evil, "ok", 1),
        ErrorTold("e", evil, evil, False),
        Told(evil),
        StateChanged(evil),
        SessionStarted(evil, evil, evil, "s", "none", evil),
    )
    assert "\x1b" not in repr(transcript.lines).replace("\\x1b", "\x1b")
    assert transcript.status.model == transcript.status.state == "x"


def test_words_that_come_late_keep_their_items_place(user, answer):
    transcript = folded(
        user("", final=False),
        answer("It is", "", status="in_progress", final=False),
        user("What time is it?"),
        answer("It is noon."),
    )
    assert texts(transcript.lines) == ["What time is it?", "It is noon."]


def test_final_lines_settle_in_order(user, answer):
    transcript = folded(user("Hi"), answer("Hello", "", status="in_progress", final=False), Told("note"))
    assert texts(transcript.settle()) == ["Hi"]
    assert transcript.settle() == []
    transcript.fold(answer("Hello you."))
    assert texts(transcript.settle()) == ["Hello you.", "note"]
    assert transcript.lines == []


def test_an_answer_waits_for_the_users_words_but_not_beyond_the_next_turn(user, answer):
    transcript = folded(user("", final=False), answer("Hello."))
    assert transcript.settle() == []
    transcript.fold(user("", item="u2", final=False))
    assert texts(transcript.settle()) == ["Hello."]


def test_words_that_come_after_all_are_still_told(user, answer):
    transcript = folded(user("", final=False), answer("Hello."), user("Next", item="u2"))
    assert texts(transcript.settle()) == ["Hello.", "Next"]
    transcript.fold(user("First"))
    assert texts(transcript.settle()) == ["First"]


def test_a_settled_line_is_not_told_twice(user):
    transcript = folded(user("Hi"))
    transcript.settle()
    transcript.fold(user("Hi"))
    assert transcript.lines == []


def test_a_running_tool_holds_its_place_until_it_answers():
    transcript = folded(ToolCalled("c", "get_time", "{}", "", "running", 0), Told("later"))
    assert transcript.settle() == []
    transcript.fold(ToolCalled("c", "get_time", "{}", '"noon"', "ok", 3))
    assert [type(line).__name__ for line in transcript.settle()] == ["ToolCalled", "Told"]


def test_finish_gives_what_is_left_without_empty_lines(user, answer):
    transcript = folded(
        answer("Hel", "", status="in_progress", final=False), user("", final=False), user("", item="u2")
    )
    assert texts(transcript.finish()) == ["Hel"]


def test_unheard_is_what_follows_the_heard_text(answer):
    transcript = Transcript()
    assert transcript.unheard(answer("One two three", "One two")) == " three"
    assert transcript.unheard(answer("One two three", "one")) == "One two three"
    assert transcript.unheard(answer("One")) == ""


@pytest.mark.parametrize(
    ("status", "final", "never"),
    [
        ("interrupted", True, True),
        ("cancelled", True, True),
        ("failed", True, True),
        ("completed", True, False),
        ("in_progress", False, False),
        ("interrupted", False, False),
    ],
)
def test_never_heard_is_what_ended_before_it_was_played(answer, status, final, never):
    assert Transcript().never_heard(answer("a b", "a", status=status, final=final)) is never


def test_an_interruption_marks_an_item_that_had_been_completed(answer):
    transcript = folded(Interruption("a1", 1200, 10, 20))
    assert transcript.never_heard(answer("a b", "a"))


def test_status_adds_up_turns_and_takes_the_last_latency():
    transcript = folded(
        SessionStarted("local", "m", "marin", "s", "aec", "interactive"),
        StateChanged("speaking"),
        TurnEnded(
            {"speech_end_to_first_delta_ms": 300, "speech_end_to_first_audible_ms": 450}, {"total_tokens": 10}, 0.25
        ),
        TurnEnded(
            {"speech_end_to_first_delta_ms": 200, "speech_end_to_first_audible_ms": None}, {"seconds": 3}, 0.5
        ),
        TurnEnded({}, {}, 0.0),
    )
    status = transcript.status
    assert (status.state, status.echo, status.voice) == ("speaking", "aec", "marin")
    assert (status.latency_ms, status.tokens, status.cost_usd, status.turns) == (200, 10, 0.75, 3)
    transcript.fold(SessionEnded("you quit", 4, {"total_tokens": 99}, 1.5, 0))
    status = transcript.status
    assert (status.state, status.tokens, status.cost_usd, status.turns) == ("closed", 99, 1.5, 4)
    assert status.reason == "you quit"


def test_what_is_done_against_echo_may_change():
    started = SessionStarted("local", "m", "marin", "s", "aec", "interactive")
    transcript = folded(started, EchoTold("aec", 31.0))
    assert (transcript.status.echo, transcript.status.erle_db) == ("aec", 31.0)
    transcript.fold(EchoTold("half-duplex", None))
    assert (transcript.status.echo, transcript.status.erle_db) == ("half-duplex", None)


def test_version_grows_with_every_change_and_only_then(user):
    transcript = Transcript()
    transcript.fold(user("Hi"))
    folded_version = transcript.version
    transcript.settle()
    assert transcript.version > folded_version > 0
    settled_version = transcript.version
    transcript.settle()
    assert transcript.version == settled_version


def test_memory_stays_flat(user, answer):
    transcript = Transcript()
    for turn in range(2000):
        transcript.fold(user("Hi", item=f"u{turn}"))
        transcript.fold(Interruption(f"a{turn}", 1, 1, 1))
        transcript.fold(answer("Hello you", "Hello", item=f"a{turn}", status="interrupted"))
        transcript.settle()
    assert transcript.lines == []
    assert len(transcript._settled) <= REMEMBERED
    assert len(transcript.interrupted) <= REMEMBERED


def test_another_device_is_a_line():
    transcript = folded(DeviceTold("loudspeaker", "Head\x1b[2Jset"))
    assert transcript.settle() == [Told("The loudspeaker is Headset now.")]


@pytest.mark.parametrize("code", ["microphone_lost", "no_microphone"])
def test_the_status_knows_whether_there_is_a_microphone(code):
    transcript = folded(ErrorTold(code, "It is gone.", "Type.", fatal=False), StateChanged("listening"))
    assert not transcript.status.microphone and len(transcript.lines) == 1
    transcript.fold(DeviceTold("loudspeaker", "Headset"))
    assert not transcript.status.microphone
    transcript.fold(DeviceTold("microphone", "Headset"))
    assert transcript.status.microphone
    transcript.fold(ErrorTold("loudspeaker_lost", "It is gone.", "Read.", fatal=False))
    assert transcript.status.microphone
