"""The Kitty keyboard protocol: a terminal is asked to report when a key comes up, and what it then sends. Pure.

https://sw.kovidgoyal.net/kitty/keyboard-protocol/

====================================  =====================================================================
asked for (flag)                      because
====================================  =====================================================================
disambiguate (1)                      Esc and Ctrl-C arrive as keys like the others
event types (2)                       "press, repeat and release"
alternate keys (4)                    Ctrl-C is Ctrl-C also on a keyboard of other letters: its third code
all keys as escape codes (8)          without it a key that makes text "results in just the text being sent",
                                      and the space never comes up
associated text (16)                  what shift and the layout make of a key: `?` is shift-ß somewhere
====================================  =====================================================================

Keys are handed on as what they send without the protocol, so that one parser of keys serves both ways.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from rtchat.display.bindings import Talk

FLAGS = 31
"""What is asked for."""

NEEDED = 2 | 8
"""What a terminal must grant for the space key to be held: event types, for keys that make text too."""

QUERY = "\x1b[?u\x1b[c"
"""Which flags are on? And what are you (DA1), which every terminal answers, so also one that skips the first."""

PUSH = f"\x1b[>{FLAGS}u"
POP = "\x1b[<u"
WATCH_FOCUS, IGNORE_FOCUS = "\x1b[?1004h", "\x1b[?1004l"

SPACE = 32
_SHIFT, _ALT, _CTRL, _CAPS, _NUM = 1, 2, 4, 64, 128
_PRESS, _REPEAT, _RELEASE = 1, 2, 3

# "Functional key definitions": keys of the keypad, and what their twins send.
_KEYPAD = {
    57414: "\r",
    57417: "\x1b[D",
    57418: "\x1b[C",
    57419: "\x1b[A",
    57420: "\x1b[B",
    57423: "\x1b[H",
    57424: "\x1b[F",
    57426: "\x1b[3~",
}
_PRIVATE = range(57344, 63744)
_C0 = {9: "\t", 13: "\r", 27: "\x1b", 127: "\x7f"}

# Parameters are bounded: what a terminal sends is not to be trusted with memory or with int().
_SEQUENCE = re.compile(r"\x1b\[([0-?]{0,2000})([@-~])")
_BEGUN = re.compile(r"\x1b(\[[0-?]{0,2000})?\Z")
_PASTE, _PASTED = "\x1b[200~", "\x1b[201~"


@dataclass(frozen=True, slots=True)
class Plain:
    """Text and sequences that are not of the protocol, as they came."""

    text: str


@dataclass(frozen=True, slots=True)
class Stroke:
    """A key went down.

    Attributes:
        text: What it sends without the protocol.
        repeated: It was down before: it repeats itself.
    """

    text: str
    repeated: bool = False


@dataclass(frozen=True, slots=True)
class KeyUp:
    """A key came up; `code` is its Unicode code point or one of the protocol's own."""

    code: int


@dataclass(frozen=True, slots=True)
class Focus:
    """The terminal got the keyboard, or lost it."""

    here: bool


@dataclass(frozen=True, slots=True)
class Granted:
    """The flags that are on now."""

    flags: int


@dataclass(frozen=True, slots=True)
class Attributes:
    """The terminal has said what it is; what was asked before is answered by now, or never."""


Token = Plain | Stroke | KeyUp | Focus | Granted | Attributes


class Decoder:
    """Takes apart what a terminal sends, in pieces of any size."""

    def __init__(self) -> None:
        self._rest = ""

    def feed(self, text: str) -> list[Token]:
        """Take text in; what is complete comes back, in order. The start of a sequence is kept for the next."""
        text, self._rest = self._rest + text, ""
        tokens: list[Token] = []
        at = 0
        while at < len(text):
            escape = text.find("\x1b", at)
            if escape != at:
                begins = len(text) if escape < 0 else escape
                tokens.append(Plain(text[at:begins]))
                at = begins
                continue
            end = _paste_end(text, at)
            if end is None or _BEGUN.match(text, at):
                self._rest = text[at:]
                break
            sequence = _SEQUENCE.match(text, at)
            if end == at and sequence is not None:
                tokens += _token(sequence)
                at = sequence.end()
                continue
            end = max(end, at + 1)
            tokens.append(Plain(text[at:end]))
            at = end
        return tokens

    def flush(self) -> list[Token]:
        """Nothing more has come for a moment: what was kept is no sequence. A paste may take its time."""
        if self._rest.startswith(_PASTE):
            return []
        rest, self._rest = self._rest, ""
        return [Plain(rest)] if rest else []


def _paste_end(text: str, at: int) -> int | None:
    """Behind the paste that begins here; `at` where none does, None where its end is still to come."""
    if not text.startswith(_PASTE, at):
        return at
    end = text.find(_PASTED, at)
    return None if end < 0 else end + len(_PASTED)


def _token(sequence: re.Match[str]) -> list[Token]:
    params, final = sequence.groups()
    match final:
        case "u" if params.startswith("?"):
            return [Granted(_number(params[1:], 0))]
        case "u":
            return _key(params)
        case "c" if params.startswith("?"):
            return [Attributes()]
        case "I" | "O" if not params:
            return [Focus(final == "I")]
        case "A" | "B" | "C" | "D" | "E" | "F" | "H" | "P" | "Q" | "S" | "~" if ";" in params:
            return _functional(params, final)
    return [Plain(sequence.group())]


def _key(params: str) -> list[Token]:
    """`code:shifted:base;modifiers:event;text:text`; all but the first may be left out."""
    codes, modifiers, event, text = _fields(params)
    code, shifted, base = [*codes, 0, 0][:3]
    if event == _RELEASE:
        return [KeyUp(code)]
    stroke = _without_protocol(code, shifted, base, modifiers, text)
    return [Stroke(stroke, event == _REPEAT)] if stroke else []


def _functional(params: str, final: str) -> list[Token]:
    """`CSI 1;modifiers:event D`, `CSI 3;modifiers:event ~`: as without the protocol."""
    codes, modifiers, event, _ = _fields(params)
    if event == _RELEASE:
        return []
    modifiers &= ~(_CAPS | _NUM)
    number = f"{codes[0]}" if final == "~" or modifiers else ""
    text = f"\x1b[{number};{modifiers + 1}{final}" if modifiers else f"\x1b[{number}{final}"
    return [Stroke(text, event == _REPEAT)]


def _fields(params: str) -> tuple[list[int], int, int, str]:
    """Codes, modifiers as bits, event, text."""
    codes, modifiers, text, *_ = [*params.split(";"), "", ""]
    bits, event, *_ = [*modifiers.split(":"), ""]
    points = [_number(point, 0) for point in text.split(":")]
    said = "".join(chr(point) for point in points if _is_text(point))
    return [_number(code, 0) for code in codes.split(":")], _number(bits, 1) - 1, _number(event, _PRESS), said


def _without_protocol(code: int, shifted: int, base: int, modifiers: int, text: str) -> str:
    """What this key sends without the protocol; empty for nothing that is known here."""
    if text:
        return text
    if code in _KEYPAD:
        return _KEYPAD[code]
    bits = modifiers & ~(_SHIFT | _CAPS | _NUM)
    if code in _C0:
        return "\x08" if code == 127 and bits == _CTRL else "" if bits & ~_CTRL else _C0[code]
    if bits == _CTRL:
        letter = base if code > 127 and base else code
        return chr(letter & 0x1F) if ord("@") <= letter < 127 and not modifiers & _SHIFT else ""
    if bits or not _is_text(code):
        return ""
    if modifiers & _SHIFT and _is_text(shifted):
        return chr(shifted)
    raised = bool(modifiers & _SHIFT) != bool(modifiers & _CAPS)
    return chr(code).upper() if raised else chr(code)


def _number(text: str, otherwise: int) -> int:
    return int(text) if text.isdecimal() else otherwise


def _is_text(code: int) -> bool:
    """No control character, no half surrogate, no key without a character of its own."""
    surrogate = 0xD800 <= code <= 0xDFFF
    return 32 <= code <= 0x10FFFF and not 127 <= code < 160 and not surrogate and code not in _PRIVATE


class Protocol:
    """What is agreed with the terminal.

    It is asked, never guessed: `QUERY` first; where the flags are answered, they are pushed and asked for again,
    for a terminal may know the protocol and grant only a part of it (tmux drops releases).

    Args:
        write: Writes to the terminal.

    Attributes:
        talk: `ASKED` until it is known.
    """

    def __init__(self, write: Callable[[str], None]) -> None:
        self.talk = Talk.ASKED
        self._write = write
        self._pushed = False

    @property
    def active(self) -> bool:
        """True while keys are reported as the protocol says."""
        return self._pushed

    def ask(self) -> None:
        """Ask whether the terminal can. What it answers goes to `told`."""
        self._write(QUERY)

    def told(self, answer: Granted | Attributes) -> None:
        """The terminal has answered."""
        if self.talk is Talk.HOLD:
            return
        match answer:
            case Granted() if not self._pushed:
                self._push()
                self._write("\x1b[?u")
            case Granted(flags=flags) if flags & NEEDED == NEEDED:
                self.talk = Talk.HOLD
                self._write(WATCH_FOCUS)
            case Granted():
                self.talk = Talk.TAP
                self._pop()
            case Attributes() if not self._pushed:
                self.talk = Talk.TAP

    def late(self) -> None:
        """It has had its time; should it still answer, `told` is glad of it."""
        if self.talk is Talk.ASKED:
            self.talk = Talk.TAP

    def typing(self, on: bool) -> None:
        """A line is typed, or no more: text comes as text meanwhile, from an input method too."""
        if self.talk is Talk.HOLD:
            (self._pop if on else self._push)()

    def leave(self) -> None:
        """Leave the terminal as it was found, for the moment or for good."""
        self._pop()
        if self.talk is Talk.HOLD:
            self._write(IGNORE_FOCUS)

    def come_back(self, *, typing: bool) -> None:
        """Go on after `leave`."""
        if self.talk is Talk.HOLD:
            self._write(WATCH_FOCUS)
            self.typing(typing)

    def _push(self) -> None:
        if not self._pushed:
            self._pushed = True
            self._write(PUSH)

    def _pop(self) -> None:
        if self._pushed:
            self._pushed = False
            self._write(POP)
