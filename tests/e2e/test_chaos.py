"""rtchat's own client against faults on purpose: it survives, comes back, or says one sentence; no traceback."""

from __future__ import annotations

import pytest

from rtchat.testing import RealtimeServer

ANSWER = [{"say": ["It is twelve.", "Lunch is ready."]}]
SURVIVED = [
    "duplicate:share=1",
    "unknown-event:share=1",
    "unknown-field",
    "garbage:share=1",
    "empty-audio",
    "race:times=1",
    "stall:event=3:for=0.2",
    "late-transcript,no-transcript,failed-transcript",
    "jitter:most=20,burst:every=50",
]
LOST_ONCE = ["close-1001:event=6", "close-1011:event=6", "cut:event=6", "expire:event=2"]


@pytest.fixture
def asked(rtchat):
    """`asked(chaos)`: what `rtchat text` makes of one question."""

    def ask(chaos: str, *arguments: str):
        with RealtimeServer() as server:
            server.script(ANSWER, loop=True)
            server.chaos(chaos)
            ran = rtchat("text", "what time is it", "--server", server.url, *arguments)
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
        ("close-1001:event=2", 3),
        ("cut:event=2", 3),
        ("rate-limit:responses=9", 1),
    ],
)
def test_what_cannot_be_survived_is_one_sentence(asked, chaos, code):
    ran, _ = asked(chaos)
    assert (ran.code, ran.out, ran.err.count("\n")) == (code, "", 1), ran
