"""The keys of a running session: what each asks of it, and the questions that they answer."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

from rtchat.conversation import signals as s
from rtchat.conversation.state import State
from rtchat.display.base import Display
from rtchat.display.bindings import Action, Key, Talk

LINGER_SECONDS = 0.15
"""What was said when the talk key came up is still on its way from the microphone (22 to 54 ms through PulseAudio,
more through Bluetooth), and people let go on the last syllable: the turn ends so much later."""

SHORT_SECONDS = 0.1
"""A shorter press is a slip, which sends nothing: it ends at once, or the wait would make it long enough."""


class Controls:
    """Turns keys into inputs of the machine, and asks the user.

    Args:
        feed: Tells the machine.
        finish: Ends the session for a reason: `quit` or `interrupted`.
        display: Where the user is told, and sees the typed line.
        mute: Silences the microphone, or gives it back.
        push_to_talk: The space key talks; else it interrupts.
        present: There are keys at all.
    """

    def __init__(
        self,
        feed: Callable[[object], None],
        finish: Callable[[str], None],
        display: Display,
        *,
        mute: Callable[[bool], None],
        push_to_talk: bool,
        present: bool,
    ) -> None:
        self._feed = feed
        self._finish = finish
        self._display = display
        self._mute = mute
        self._push_to_talk = push_to_talk
        self._talk = Talk.ASKED if push_to_talk else Talk.OPEN
        self._present = present
        self._muted = False
        self._talking = False  # as far as the session hears the user
        self._down = False
        self._pressed_at = 0.0
        self._lingering: asyncio.TimerHandle | None = None
        self._question: asyncio.Future[bool] | None = None
        self._asking = asyncio.Lock()

    def press(self, key: Key) -> None:
        """Do what a key asks for."""
        match key.action:
            case Action.QUIT:
                self._finish("quit")
            case Action.ABORT:
                self._finish("interrupted")
            case Action.SUSPEND:
                pass  # `keys` does it
            case Action.HELP:
                self._display.toggle_help()
            case Action.MUTE:
                self._muted = not self._muted
                self._mute(self._muted)
                self._feed(s.MuteToggled())
                self._display.switches(self._talk, muted=self._muted)
            case Action.SPACE:
                self._press_space()
            case Action.SPACE_UP:
                if self._down:
                    self._end_talk()
            case Action.TALK:
                self._talk = key.talk if self._push_to_talk else Talk.OPEN
                self._display.switches(self._talk, muted=self._muted)
            case Action.YES | Action.NO:
                if self._question is not None and not self._question.done():
                    self._question.set_result(key.action is Action.YES)
            case Action.TYPE:
                self._display.typing(key.text, key.cursor)
            case Action.CANCEL | Action.SUBMIT:
                self._display.typing(None)
                if key.text.strip():
                    self._feed(s.Typed(key.text.strip()))

    def follow(self, state: str) -> None:
        """The session is in this state now. Where nobody hears the user, the next tap is the first again."""
        if state not in (State.HEARING, State.MUTED):
            self._talking = False

    async def approve(self, name: str, arguments: dict[str, Any]) -> bool:
        """Ask whether a tool may run; no where there are no keys to answer with."""
        call = f"{name}({', '.join(f'{key}={value!r}' for key, value in arguments.items())})"
        if not self._present:
            self._display.tell(f"{call} needs your yes, and there are no keys to give it with: not run.")
            return False
        async with self._asking:  # one question at a time
            self._display.tell(f"May {call} run? Press y or n.")
            self._question = asyncio.get_running_loop().create_future()
            return await self._question

    def _press_space(self) -> None:
        if self._talk is Talk.OPEN:
            self._feed(s.InterruptPressed())
        elif self._talking:  # the second tap; or the space came up, and the terminal did not tell
            self._end_talk()
        elif self._lingering is not None:  # the finger slipped: the turn goes on
            self._lingering.cancel()
            self._lingering = None
            self._talking = self._down = True
        else:
            self._pressed_at = time.monotonic()
            self._feed(s.TalkPressed())
            self._talking = self._down = True

    def _end_talk(self) -> None:
        self._talking = self._down = False
        if time.monotonic() - self._pressed_at < SHORT_SECONDS:
            self._release()
        else:
            self._lingering = asyncio.get_running_loop().call_later(LINGER_SECONDS, self._release)

    def _release(self) -> None:
        self._lingering = None
        self._feed(s.TalkReleased())
