"""What each key does while a spoken session runs: one table, which the help text is made from. Pure.

Most terminals tell when a key goes down, and never when it comes up: there the talk key is pressed once to start
and once to stop. Where the terminal reports both (`kitty`), it is held.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from typing import NamedTuple


class Action(Enum):
    """What the user wants."""

    HELP = auto()
    MUTE = auto()
    SPACE = auto()
    """Push to talk, or interrupt: the session knows which."""
    SPACE_UP = auto()
    """The space came up, or will not be told to: the terminal has lost the keyboard."""
    TALK = auto()
    """Nothing was pressed: it is known now whether the talk key can be held, `Key.talk`."""
    YES = auto()
    NO = auto()
    TYPE = auto()
    """A line is being typed: `Key.text` is what it is so far."""
    SUBMIT = auto()
    """The typed line is finished: `Key.text`."""
    CANCEL = auto()
    """The typed line is given up."""
    SUSPEND = auto()
    """To the shell, until it lets the program go on."""
    QUIT = auto()
    ABORT = auto()
    """Ctrl-C: the same, but programs that started rtchat are to know (exit code 130)."""


class Talk(Enum):
    """What the space key does for the microphone."""

    OPEN = auto()
    """Nothing: there is no push to talk."""
    ASKED = auto()
    """Push to talk, and the terminal has not said yet whether it reports keys that come up."""
    TAP = auto()
    """It does not: press to start, press again to end."""
    HOLD = auto()
    """It does: hold to talk."""


@dataclass(frozen=True, slots=True)
class Key:
    """One thing that the user asked for by key.

    Attributes:
        action: What.
        text: The typed line, for `TYPE` and `SUBMIT`.
        cursor: The cursor stands before this character of `text`, for `TYPE`.
        talk: For `TALK`.
    """

    action: Action
    text: str = ""
    cursor: int = 0
    talk: Talk = Talk.OPEN


class Binding(NamedTuple):
    """One row of the table."""

    action: Action
    keys: tuple[str, ...]
    shown: str
    does: str


BINDINGS = (
    Binding(Action.SPACE, (" ",), "space", "interrupt the assistant"),
    Binding(Action.MUTE, ("m", "M"), "m", "mute the microphone, or unmute it"),
    Binding(Action.TYPE, ("t", "T"), "t", "type a line (Enter sends it, Esc gives it up)"),
    Binding(Action.YES, ("y", "Y"), "y", "allow the tool that asks"),
    Binding(Action.NO, ("n", "N"), "n", "do not allow it"),
    Binding(Action.HELP, ("?",), "?", "show or hide this help"),
    Binding(Action.SUSPEND, ("c-z",), "Ctrl-Z", "go to the shell (`fg` comes back)"),
    Binding(Action.QUIT, ("q", "Q", "c-d"), "q, Ctrl-D", "end the session"),
    Binding(Action.ABORT, ("c-c",), "Ctrl-C", "end the session, with exit code 130"),
)
"""Every key and what it does; `KeyReader` obeys this table and the help prints it."""

_TALKING = {
    Talk.ASKED: "talk",
    Talk.TAP: "start to talk, and again to end",
    Talk.HOLD: "hold to talk, let go to end",
}
_ACTIONS = {key: binding.action for binding in BINDINGS for key in binding.keys}
_ENTER = ("c-m", "c-j")


def help_lines(talk: Talk = Talk.OPEN) -> list[tuple[str, str]]:
    """`(key, what it does)` of every key, as the help shows them."""
    lines = [(binding.shown, binding.does) for binding in BINDINGS]
    if talk in _TALKING:
        (shown, does), *others = lines
        return [(shown, f"{_TALKING[talk]}; {does}"), *others]
    return lines


class LineEditor:
    """The typed line: characters, the cursor, and the usual editing keys."""

    def __init__(self) -> None:
        self.text = ""
        self.cursor = 0

    def insert(self, text: str) -> None:
        """Put `text` in at the cursor."""
        self.text = self.text[: self.cursor] + text + self.text[self.cursor :]
        self.cursor += len(text)

    def press(self, key: str) -> None:
        """Obey an editing key; anything else that is not text is ignored."""
        match key:
            case "c-h" | "backspace":
                self._cut(max(0, self.cursor - 1), self.cursor)
            case "delete":
                self._cut(self.cursor, self.cursor + 1)
            case "left" | "c-b":
                self.cursor = max(0, self.cursor - 1)
            case "right" | "c-f":
                self.cursor = min(len(self.text), self.cursor + 1)
            case "home" | "c-a":
                self.cursor = 0
            case "end" | "c-e":
                self.cursor = len(self.text)
            case "c-u":
                self._cut(0, self.cursor)
            case "c-k":
                self._cut(self.cursor, len(self.text))
            case "c-w":
                before = self.text[: self.cursor].rstrip()
                self._cut(before.rfind(" ") + 1, self.cursor)
            case _ if len(key) == 1 and key.isprintable():
                self.insert(key)

    def _cut(self, start: int, end: int) -> None:
        self.text = self.text[:start] + self.text[end:]
        self.cursor = start


class KeyReader:
    """Turns key presses into what the user wants; holds the line while one is typed."""

    def __init__(self) -> None:
        self._line: LineEditor | None = None

    @property
    def typing(self) -> bool:
        """True while a line is being edited."""
        return self._line is not None

    def feed(self, key: str, data: str = "") -> Key | None:
        """Take one key in.

        Args:
            key: One character, or a name of `prompt_toolkit.keys.Keys` (`c-c`, `left`).
            data: What the terminal sent; the pasted text for a bracketed paste.

        Returns:
            What the user wants, or None where the key means nothing.
        """
        if self._line is None:
            action = _ACTIONS.get(key)
            if action is Action.TYPE:
                self._line = LineEditor()
            return Key(action) if action else None
        return self._edit(self._line, key, data)

    def _edit(self, line: LineEditor, key: str, data: str) -> Key | None:
        if key == "c-c":
            return Key(Action.ABORT)
        if key == "c-z":
            return Key(Action.SUSPEND)
        if key == "c-d" and not line.text:
            return Key(Action.QUIT)
        if key in _ENTER:
            self._line = None
            return Key(Action.SUBMIT, line.text.strip()) if line.text.strip() else Key(Action.CANCEL)
        if key == "escape":
            self._line = None
            return Key(Action.CANCEL)
        before = (line.text, line.cursor)
        if key == "<bracketed-paste>":
            line.insert(" ".join(data.split()))
        else:
            line.press(key)
        return None if (line.text, line.cursor) == before else Key(Action.TYPE, line.text, line.cursor)
