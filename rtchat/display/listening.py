"""Is it listening? The answer for the status line, in every state. Pure.

======================  ==================  ============  ==============================================
state                   muted               microphone    shown
======================  ==================  ============  ==============================================
listening, hearing      no                  open          the state
thinking                no                  open          the state: speaking up begins another turn
speaking                no, full duplex     open          the state: speaking up interrupts
speaking                no, half duplex     shut          the state, `not listening`
any of these            yes                 shut          `muted`; the state, if the assistant has the word
push to talk, key up    either              shut          `push to talk`; the state, if the assistant has it
push to talk, key down  no                  open          `hearing`, and how to end
any of these, no device either              shut          `no microphone`; the state, if the assistant has it
any other               either              shut          the state
======================  ==================  ============  ==============================================
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from rtchat.display.bindings import Talk
from rtchat.display.transcript import Status

_START = {Talk.ASKED: "space talks", Talk.TAP: "space starts, space ends", Talk.HOLD: "hold space to talk"}
_TYPED = ("interactive", "tools")
"""Modes in which a typed line is said to the assistant."""
_END = {Talk.ASKED: "space ends", Talk.TAP: "space ends", Talk.HOLD: "let go to end"}


@dataclass(frozen=True, slots=True)
class Listening:
    """What the status line says.

    Attributes:
        word: What goes on.
        microphone: `open` when what is said now is listened to.
        hint: What to do to be listened to, or to end; may be empty.
    """

    word: str
    microphone: Literal["open", "muted", "shut"]
    hint: str = ""


def listening(status: Status) -> Listening:
    """Whether what is said now is listened to."""
    user_has_it = status.state in ("listening", "hearing", "muted")
    if not user_has_it and status.state not in ("thinking", "speaking"):
        return Listening(status.state, "muted" if status.muted else "shut")
    if not status.microphone:
        return _without_microphone(status, user_has_it=user_has_it)
    if status.muted or status.state == "muted":
        hint = "m unmutes" if status.talk is not None else ""
        return Listening("muted" if user_has_it else status.state, "muted", hint)
    if status.talk in _START:
        if status.state == "hearing":
            return Listening("hearing", "open", _END[status.talk])
        return Listening("push to talk" if user_has_it else status.state, "shut", _START[status.talk])
    if status.state == "speaking" and status.echo == "half-duplex":
        interrupts = ", space interrupts" if status.talk is not None else ""
        return Listening("speaking", "shut", f"not listening{interrupts}")
    return Listening(status.state, "open")


def _without_microphone(status: Status, *, user_has_it: bool) -> Listening:
    hint = "t types" if status.talk is not None and status.mode in _TYPED else ""
    if user_has_it:
        return Listening("no microphone", "shut", hint)
    return Listening(status.state, "shut", ", ".join(filter(None, ["no microphone", hint])))
