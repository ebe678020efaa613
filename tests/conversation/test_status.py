from __future__ import annotations

from rtchat.conversation.notices import StateChanged
from rtchat.conversation.signals import Show
from rtchat.conversation.state import State, Trigger
from rtchat.conversation.status import Status


def test_a_change_is_told_once():
    status = Status()
    assert status.go(Trigger.READY) == [Show(StateChanged("listening"))]
    assert status.go(Trigger.QUIET) == []
    assert status.go(Trigger.SPEECH) == [Show(StateChanged("hearing"))]


def test_muted_is_shown_in_place_of_listening_and_hearing():
    status = Status()
    status.go(Trigger.READY)
    status.muted = True
    assert status.show() == [Show(StateChanged("muted"))]
    assert status.go(Trigger.SPEECH) == []
    assert status.state is State.HEARING
    assert status.go(Trigger.ASKED) == [Show(StateChanged("thinking"))]
    assert status.go(Trigger.QUIET) == [Show(StateChanged("muted"))]
    status.muted = False
    assert status.show() == [Show(StateChanged("listening"))]
