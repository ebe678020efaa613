"""rtchat's own client against faults on purpose: it survives, comes back, or says one sentence; no traceback."""

from __future__ import annotations

import json
import wave

import pytest

from rtchat.testing import RealtimeServer, babble

ANSWER = [{"say": ["It is twelve.", "Lunch is ready."]}]
SURVIVED = [
    "duplicate:share=1,unknown-event:share=1,unknown-field",
    "garbage:share=1",
    "race",
    "stall:event=3:for=0.2",
]
LOST_ONCE = [
    "close-1001:event=2",
    "cut:event=1",
    "cut:event=2",
    "close-1001:event=6",
    "close-1011:event=6",
    "cut:event=6",
    "expire:event=2",
]


@pytest.fixture
def asked(rtchat):
    """`asked(chaos)`: what `rtchat text` makes of one question."""

    def ask(chaos: str, *arguments: str, **options):
        with RealtimeServer() as server:
            server.script(ANSWER, loop=True)
            server.chaos(chaos)
            ran = rtchat("text", "what time is it", "--server", server.url, *arguments, **options)
            sessions = len(server.sessions)
        assert "Traceback" not in ran.err + ran.out
        return ran, sessions

    return ask


@pytest.mark.parametrize("chaos", SURVIVED)
def test_it_answers_all_the_same(asked, chaos):
    ran, sessions = asked(chaos)
    assert (ran.code, sessions) == (0, 1), ran
    assert "It is twelve. Lunch is ready." in ran.out


@pytest.mark.parametrize("chaos", LOST_ONCE)
def test_a_server_that_is_lost_once_is_dialled_again(asked, chaos):
    ran, sessions = asked(f"{chaos}:sessions=1")
    assert (ran.code, sessions) == (0, 2), ran
    assert "It is twelve. Lunch is ready." in ran.out
    assert ran.err.count("\n") == 1 and "Reconnecting." in ran.err


@pytest.mark.parametrize(
    ("chaos", "code"),
    [
        ("refuse-401", 4),
        ("refuse-503", 3),
        ("refuse-429", 4),
        ("rate-limit:responses=9", 1),
    ],
)
def test_what_cannot_be_survived_is_one_sentence(asked, chaos, code):
    ran, _ = asked(chaos)
    assert (ran.code, ran.out, ran.err.count("\n")) == (code, "", 1), ran


@pytest.mark.parametrize("chaos", ["close-1001:event=2", "cut:event=2"])
def test_a_server_that_never_takes_the_session_is_given_up(asked, impatient, chaos):
    ran, sessions = asked(chaos, command=impatient)
    assert (ran.code, ran.out, ran.err.count("\n")) == (3, "", 2), ran
    assert "Reconnecting." in ran.err and "did not help" in ran.err and sessions > 1


SPOKEN = [
    "jitter:most=60,empty-audio:share=1,unknown-field,late-transcript:by=0.3",
    "burst:every=150,duplicate:share=0.3,unknown-event,failed-transcript",
]


@pytest.mark.parametrize("chaos", SPOKEN)
def test_a_spoken_turn_is_answered_all_the_same(rtchat, tmp_path, chaos):
    with wave.open(str(tmp_path / "in.wav"), "wb") as said:
        said.setparams((1, 2, 24_000, 0, "NONE", ""))
        said.writeframes(babble(0.6, before=0.1))
    files = ["--input-wav", str(tmp_path / "in.wav"), "--output-wav", str(tmp_path / "out.wav")]
    with RealtimeServer([{"hear": "what time is it", "say": "Noon."}]) as server:
        server.chaos(chaos)
        ran = rtchat("interactive", *files, "--server", server.url, "--plain", "--max-turns", "1")
        assert server.audio_seconds > 1
    assert "Traceback" not in ran.err + ran.out
    assert ran.code == 0, ran
    assert "Noon." in ran.out
    with wave.open(str(tmp_path / "out.wav"), "rb") as heard:
        assert any(heard.readframes(heard.getnframes()))


def test_an_answer_that_never_ends_can_be_interrupted_by_speech(rtchat, tmp_path):
    with wave.open(str(tmp_path / "in.wav"), "wb") as said:
        said.setparams((1, 2, 24_000, 0, "NONE", ""))
        said.writeframes(babble(0.6, before=0.1) + babble(0.6))
    files = ["--input-wav", str(tmp_path / "in.wav"), "--output-wav", str(tmp_path / "out.wav")]
    turns = [{"hear": "tell me a story", "say": "Once."}, {"hear": "stop", "say": "Stopped."}]
    with RealtimeServer(turns, chaos="never-ends") as server:
        ran = rtchat("interactive", *files, "--server", server.url, "--plain")
        endings = [event["response"]["status"] for event in server.sent if event["type"] == "response.done"]
    assert (ran.code, endings) == (0, ["cancelled", "completed"]), ran
    assert "Stopped." in ran.out


@pytest.mark.parametrize("mode", ["a pipe", "a prompt", "a file"])
def test_an_answer_that_never_ends_ends_where_nobody_can_interrupt_it(rtchat, recording, tmp_path, hasty, mode):
    with wave.open(str(tmp_path / "in.wav"), "wb") as said:
        said.setparams((1, 2, 24_000, 0, "NONE", ""))
        said.writeframes(babble(0.6, before=0.1))
    files = ["--input-wav", str(tmp_path / "in.wav"), "--output-wav", str(tmp_path / "out.wav")]
    asked = {"a pipe": ["text"], "a prompt": ["text", "tell me a story"], "a file": ["interactive", *files]}[mode]
    with RealtimeServer([{"hear": "tell me a story", "say": "Once."}], chaos="never-ends") as server:
        arguments = [*asked, "--server", server.url, "--json", "--record"]
        ran = rtchat(*arguments, stdin="tell me a story\nand another\n", command=hasty)
    *_, closed, end = [json.loads(line) for line in ran.out.splitlines()]
    assert ran.code == 3 and ran.err.endswith("has said nothing for 5 seconds. Try again, or another server.\n")
    assert closed["state"] == "closed" and (end["type"], end["reason"]) == ("end", "error")
    recording()
    if mode == "a file":
        with wave.open(str(tmp_path / "out.wav"), "rb") as heard:
            assert any(heard.readframes(heard.getnframes()))


def test_a_file_whose_words_are_never_written_down_ends(rtchat, tmp_path, hasty):
    with wave.open(str(tmp_path / "in.wav"), "wb") as said:
        said.setparams((1, 2, 24_000, 0, "NONE", ""))
        said.writeframes(babble(0.6, before=0.1))
    with RealtimeServer([{"hear": "tell me a story"}], chaos="no-transcript") as server:
        ran = rtchat("transcribe", "--wav", str(tmp_path / "in.wav"), "--server", server.url, command=hasty)
    assert (ran.code, ran.out, ran.err.count("\n")) == (3, "", 1), ran


def test_a_recording_of_ours_is_played(rtchat, recording):
    with RealtimeServer([{"say": "Hello, Ada."}]) as server:
        first = rtchat("text", "hello", "--server", server.url, "--record")
    with RealtimeServer(recording(), clock="virtual") as server:
        again = rtchat("text", "hello", "--server", server.url)
    assert (again.code, again.out) == (first.code, first.out) == (0, "Hello, Ada.\n")
