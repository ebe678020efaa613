"""The session's state as the user is shown it: told when it changes, and only then."""

from __future__ import annotations

from rtchat.conversation.notices import StateChanged
from rtchat.conversation.signals import Effect, Show
from rtchat.conversation.state import State, Trigger, after


class Status:
    """Keeps the state and tells its changes.

    Attributes:
        state: What the session does now, mute aside.
        muted: The microphone is muted, which is shown in place of `listening` and `hearing`.
    """

    def __init__(self) -> None:
        self.state = State.CONNECTING
        self.muted = False
        self._shown: StateChanged | None = None

    def go(self, trigger: Trigger) -> list[Effect]:
        """Follow `trigger`; the notice when the user sees another state by it."""
        self.state = after(self.state, trigger)
        return self.show()

    def show(self) -> list[Effect]:
        """The notice, when it is news."""
        muted = self.muted and self.state in (State.LISTENING, State.HEARING)
        notice = StateChanged(str(State.MUTED if muted else self.state))
        if notice == self._shown:
            return []
        self._shown = notice
        return [Show(notice)]
