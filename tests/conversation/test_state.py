from __future__ import annotations

import textwrap

import pytest

from rtchat.conversation import state
from rtchat.conversation.state import TRANSITIONS, State, Trigger, after, mermaid


def test_the_diagram_in_the_docstring_is_the_table():
    drawn = state.__doc__.split("::\n\n", 1)[1].split("\n\n`muted`")[0]
    assert textwrap.dedent(drawn).rstrip() == mermaid()


def test_every_state_but_muted_has_a_row():
    assert set(TRANSITIONS) == set(State) - {State.MUTED}


@pytest.mark.parametrize("now", [s for s in TRANSITIONS if s is not State.CLOSED])
def test_everything_can_end(now):
    assert after(now, Trigger.ENDED) is State.CLOSED


def test_nothing_leaves_closed():
    assert {after(State.CLOSED, trigger) for trigger in Trigger} == {State.CLOSED}


def test_a_trigger_without_a_row_changes_nothing():
    assert after(State.CONNECTING, Trigger.SPEECH) is State.CONNECTING
    assert after(State.LISTENING, Trigger.QUIET) is State.LISTENING


def test_every_state_can_get_back_to_listening():
    for now in (State.CONNECTING, State.HEARING, State.THINKING, State.SPEAKING, State.RECONNECTING):
        assert State.LISTENING in TRANSITIONS[now].values()
