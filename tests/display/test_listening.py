from __future__ import annotations

import pytest

from rtchat.display.bindings import Talk
from rtchat.display.listening import listening
from rtchat.display.transcript import Status

OPEN, TAP, HOLD = Talk.OPEN, Talk.TAP, Talk.HOLD


def said(state, **options):
    now = listening(Status(state=state, **options))
    return now.word, now.microphone, now.hint


@pytest.mark.parametrize("state", ["listening", "hearing", "thinking", "speaking"])
@pytest.mark.parametrize("echo", ["aec", "off", "none"])
def test_full_duplex_always_listens(state, echo):
    assert said(state, echo=echo, talk=OPEN) == (state, "open", "")


def test_half_duplex_does_not_while_it_speaks():
    assert said("speaking", echo="half-duplex", talk=OPEN) == (
        "speaking",
        "shut",
        "not listening, space interrupts",
    )
    assert said("speaking", echo="half-duplex") == ("speaking", "shut", "not listening")  # no keys
    assert said("listening", echo="half-duplex", talk=OPEN) == ("listening", "open", "")


@pytest.mark.parametrize("talk", [OPEN, TAP, HOLD])
@pytest.mark.parametrize(
    ("state", "word"),
    [
        ("listening", "muted"),
        ("hearing", "muted"),
        ("muted", "muted"),
        ("thinking", "thinking"),
        ("speaking", "speaking"),
        ("reconnecting", "reconnecting"),
    ],
)
def test_muted_is_said_in_every_state(state, word, talk):
    assert said(state, talk=talk, muted=True)[:2] == (word, "muted")


def test_the_states_own_muted_is_enough():
    assert said("muted") == ("muted", "muted", "")


@pytest.mark.parametrize(
    ("talk", "start", "end"),
    [
        (Talk.ASKED, "space talks", "space ends"),
        (TAP, "space starts, space ends", "space ends"),
        (HOLD, "hold space to talk", "let go to end"),
    ],
)
def test_push_to_talk_listens_while_the_key_is_down(talk, start, end):
    assert said("listening", talk=talk) == ("push to talk", "shut", start)
    assert said("hearing", talk=talk) == ("hearing", "open", end)
    assert said("thinking", talk=talk) == ("thinking", "shut", start)
    assert said("speaking", talk=talk) == ("speaking", "shut", start)


@pytest.mark.parametrize("state", ["connecting", "reconnecting", "closed"])
def test_nobody_listens_without_a_session(state):
    assert said(state, talk=OPEN) == (state, "shut", "")


@pytest.mark.parametrize("state", ["listening", "hearing", "muted"])
@pytest.mark.parametrize("talk", [OPEN, TAP, HOLD])
def test_without_a_microphone_nobody_listens_and_one_types(state, talk):
    gone = {"microphone": False, "muted": state == "muted"}
    assert said(state, talk=talk, mode="interactive", **gone) == ("no microphone", "shut", "t types")
    assert said(state, talk=talk, mode="translator", **gone) == ("no microphone", "shut", "")  # none to type to
    assert said(state, mode="interactive", **gone) == ("no microphone", "shut", "")  # no keys


def test_while_it_answers_it_is_said_too():
    gone = {"microphone": False, "mode": "tools", "talk": OPEN}
    assert said("speaking", echo="half-duplex", **gone) == ("speaking", "shut", "no microphone, t types")
    assert said("thinking", muted=True, **gone) == ("thinking", "shut", "no microphone, t types")
    assert said("reconnecting", **gone) == ("reconnecting", "shut", "")
