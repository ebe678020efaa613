"""The session's state, as one table, and the diagram made from it.

::

    stateDiagram-v2
        [*] --> connecting
        connecting --> listening: ready
        connecting --> reconnecting: lost
        listening --> hearing: speech
        listening --> thinking: asked
        listening --> speaking: answer
        listening --> reconnecting: lost
        hearing --> thinking: asked
        hearing --> speaking: answer
        hearing --> listening: quiet
        hearing --> reconnecting: lost
        thinking --> hearing: speech
        thinking --> speaking: answer
        thinking --> listening: quiet
        thinking --> reconnecting: lost
        speaking --> hearing: speech
        speaking --> thinking: asked
        speaking --> listening: quiet
        speaking --> reconnecting: lost
        reconnecting --> listening: ready
        connecting --> closed: ended
        listening --> closed: ended
        hearing --> closed: ended
        thinking --> closed: ended
        speaking --> closed: ended
        reconnecting --> closed: ended

`muted` is what a user is shown instead of `listening` and `hearing` while the microphone is muted.
"""

from __future__ import annotations

from enum import StrEnum


class State(StrEnum):
    """What the session does now."""

    CONNECTING = "connecting"
    LISTENING = "listening"
    HEARING = "hearing"
    THINKING = "thinking"
    SPEAKING = "speaking"
    RECONNECTING = "reconnecting"
    MUTED = "muted"
    CLOSED = "closed"


class Trigger(StrEnum):
    """What moves it."""

    READY = "ready"
    """The server has taken the session's settings."""
    SPEECH = "speech"
    """The user began to speak."""
    ASKED = "asked"
    """An answer is due: the turn ended, a line was typed, a tool was called."""
    ANSWER = "answer"
    """The first of an answer is there."""
    QUIET = "quiet"
    """Nothing is generated, due, or playing any more."""
    LOST = "lost"
    """The server is gone; the session dials again."""
    ENDED = "ended"
    """The session is over."""


TRANSITIONS: dict[State, dict[Trigger, State]] = {
    State.CONNECTING: {Trigger.READY: State.LISTENING, Trigger.LOST: State.RECONNECTING},
    State.LISTENING: {
        Trigger.SPEECH: State.HEARING,
        Trigger.ASKED: State.THINKING,
        Trigger.ANSWER: State.SPEAKING,
        Trigger.LOST: State.RECONNECTING,
    },
    State.HEARING: {
        Trigger.ASKED: State.THINKING,
        Trigger.ANSWER: State.SPEAKING,
        Trigger.QUIET: State.LISTENING,
        Trigger.LOST: State.RECONNECTING,
    },
    State.THINKING: {
        Trigger.SPEECH: State.HEARING,
        Trigger.ANSWER: State.SPEAKING,
        Trigger.QUIET: State.LISTENING,
        Trigger.LOST: State.RECONNECTING,
    },
    State.SPEAKING: {
        Trigger.SPEECH: State.HEARING,
        Trigger.ASKED: State.THINKING,
        Trigger.QUIET: State.LISTENING,
        Trigger.LOST: State.RECONNECTING,
    },
    State.RECONNECTING: {Trigger.READY: State.LISTENING},
    State.CLOSED: {},
}
"""An absent key means that the trigger changes nothing there."""

for _state, _row in TRANSITIONS.items():
    if _state is not State.CLOSED:
        _row[Trigger.ENDED] = State.CLOSED


def after(state: State, trigger: Trigger) -> State:
    """The state after `trigger`."""
    return TRANSITIONS[state].get(trigger, state)


def mermaid() -> str:
    """The diagram, from the table; the one in this module's docstring is checked against it."""
    rows: list[tuple[State, Trigger, State]] = [
        (state, trigger, target)
        for state, row in TRANSITIONS.items()
        for trigger, target in row.items()
        if trigger is not Trigger.ENDED
    ]
    rows += [(state, Trigger.ENDED, row[Trigger.ENDED]) for state, row in TRANSITIONS.items() if row]
    lines = [f"    {state} --> {target}: {trigger}" for state, trigger, target in rows]
    return "\n".join(["stateDiagram-v2", "    [*] --> connecting", *lines])
