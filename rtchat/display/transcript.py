"""The conversation as a person reads it: notices folded into lines in order, and a status. Pure.

An item keeps the place where it was first mentioned, whenever its words arrive: the user's transcript often
comes in the middle of the answer. `settle` gives up the lines at the top that will not change any more, so
that an hour's session keeps only the last turn in memory.
"""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass, field, fields, replace
from typing import Any, TypeVar

from rtchat.conversation.notices import (
    AssistantSaid,
    DeviceTold,
    EchoTold,
    ErrorTold,
    Interruption,
    Notice,
    SessionEnded,
    SessionStarted,
    StateChanged,
    ToolCalled,
    TurnEnded,
    UserSaid,
)
from rtchat.display.bindings import Talk

REMEMBERED = 256
"""Items of which something is remembered after they left the transcript."""

NO_MICROPHONE = ("microphone_lost", "no_microphone")
"""Codes of `ErrorTold` that mean: there is none, until a `DeviceTold` names one."""

_SEQUENCE = re.compile(
    r"\x1b\[[0-?]*[ -/]*(?:[@-~]|$)"  # CSI, also cut off at the end of a delta (ECMA-48 section 5.4)
    r"|\x1b[\]PX^_][^\x07\x1b\n]*(?:\x07|\x1b\\|\x1b?$)?"  # OSC, DCS, SOS, PM, APC strings
    r"|\x1b[ -/]*[0-~]?"  # other escapes
    r"|\x9b[0-?]*[ -/]*[@-~]?"  # the one-character CSI
)
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
_SURROGATE = re.compile("[\ud800-\udfff]")


def clean(text: str) -> str:
    """Text that cannot drive a terminal: no escape sequence, no control character but the newline.

    Marks that reorder what is displayed (Unicode's bidirectional overrides and isolates) go as well, and a
    lone surrogate, which no stream can encode, becomes U+FFFD.
    """
    if text.isprintable():
        return text
    text = _SEQUENCE.sub("", text).replace("\r\n", "\n").replace("\t", " ").replace("\r", "\n")
    return _SURROGATE.sub("\ufffd", _CONTROL.sub("", text))


@dataclass(frozen=True, slots=True)
class Told:
    """A line of the program itself, not of the conversation."""

    text: str


Line = UserSaid | AssistantSaid | ToolCalled | ErrorTold | Told
LineT = TypeVar("LineT", bound=Line)


@dataclass(frozen=True, slots=True)
class Status:
    """What the status line says.

    Attributes:
        state: The session's state.
        echo: `aec`, `half-duplex`, `off` or `none`; empty before the session began.
        erle_db: By how many decibels the canceller weakens the echo; None where that is not known.
        model: The model that answers.
        voice: Its voice.
        server: Where it is.
        mode: The mode's name.
        latency_ms: End of the user's speech to the first audible sound of the last answer (to its first
            delta where nothing was played); None before the first answer.
        tokens: Tokens of the whole session.
        cost_usd: Dollars of the whole session.
        turns: Turns that ended.
        talk: What the space key does for the microphone; None where there are no keys.
        muted: The microphone is muted, whatever the state.
        microphone: There is one.
        underruns: Gaps in the assistant's voice, of the whole session.
        reason: Why the session ended; empty while it lasts.
    """

    state: str = "connecting"
    echo: str = ""
    erle_db: float | None = None
    model: str = ""
    voice: str = ""
    server: str = ""
    mode: str = ""
    latency_ms: int | None = None
    tokens: int = 0
    cost_usd: float = 0.0
    turns: int = 0
    talk: Talk | None = None
    muted: bool = False
    microphone: bool = True
    underruns: int = 0
    reason: str = ""


@dataclass(slots=True)
class Transcript:
    """Lines that may still change (and what follows them), in order, and the status.

    Attributes:
        lines: The conversation from the first line that is not settled; control characters are gone.
        status: What the status line says.
        interrupted: The last items that an `Interruption` named.
        version: Grows with every change of `lines` or `status`.
    """

    lines: list[Line] = field(default_factory=list)
    status: Status = field(default_factory=Status)
    interrupted: deque[str] = field(default_factory=lambda: deque(maxlen=REMEMBERED))
    version: int = 0
    _settled: deque[str] = field(default_factory=lambda: deque(maxlen=REMEMBERED))

    def fold(self, notice: Notice | Told) -> None:
        """Take one notice in."""
        self.version += 1
        self.status = _status_after(self.status, notice)
        match notice:
            case UserSaid() | AssistantSaid() | ToolCalled():
                self._place(cleaned(notice))
            case ErrorTold() | Told():
                self.lines.append(cleaned(notice))
            case DeviceTold(side=side, name=name):
                self.lines.append(Told(clean(f"The {side} is {name} now.")))
            case Interruption(item_id=item_id):
                self.interrupted.append(item_id)

    def switch(self, talk: Talk, *, muted: bool) -> None:
        """Take in how the keys have set the microphone."""
        self.version += 1
        self.status = replace(self.status, talk=talk, muted=muted)

    def settle(self) -> list[Line]:
        """Take the lines at the top that will not change any more.

        A user's line without its final words holds back what follows it, but only until the next line of the
        user: a transcript that never comes must not hold back the rest of the conversation. Where no word came,
        there is no line.
        """
        users = [index for index, line in enumerate(self.lines) if isinstance(line, UserSaid)]
        last_user = users[-1] if users else -1
        count = 0
        for index, line in enumerate(self.lines):
            if not is_final(line) and not (isinstance(line, UserSaid) and index < last_user):
                break
            count += 1
        return [line for line in self._take(count) if is_final(line) or not _wordless(line)]

    def finish(self) -> list[Line]:
        """Take every line that is left, when the session is over; words that never came leave no line."""
        return [line for line in self._take(len(self.lines)) if not _wordless(line)]

    def unheard(self, line: AssistantSaid) -> str:
        """The end of `line` that was generated but did not leave the loudspeaker (yet)."""
        return line.text[_common(line.text, line.heard_text) :]

    def never_heard(self, line: AssistantSaid) -> bool:
        """True when what `unheard` gives will not be heard any more."""
        cut = line.status in ("interrupted", "cancelled", "failed") or line.item_id in self.interrupted
        return line.final and cut

    def _place(self, line: UserSaid | AssistantSaid | ToolCalled) -> None:
        key = _key(line)
        for index, known in enumerate(self.lines):
            if _key(known) == key:
                self.lines[index] = line
                return
        if key not in self._settled:
            self.lines.append(line)

    def _take(self, count: int) -> list[Line]:
        taken, self.lines = self.lines[:count], self.lines[count:]
        self._settled.extend(_key(line) for line in taken if is_final(line))
        self.version += bool(taken)
        return taken


def is_final(line: Line) -> bool:
    """True when `line` will not change any more."""
    match line:
        case UserSaid() | AssistantSaid():
            return line.final
        case ToolCalled():
            return line.status != "running"
        case _:
            return True


def cleaned(line: LineT) -> LineT:
    """`line` with every text of it made safe to print (`clean`)."""
    texts = {f.name: getattr(line, f.name) for f in fields(line)}
    safe: dict[str, Any] = {name: clean(text) for name, text in texts.items() if isinstance(text, str)}
    return line if safe.items() <= texts.items() else replace(line, **safe)


def latency_of(latency: dict[str, int | None]) -> int | None:
    """Milliseconds from the end of speech to the first audible sound, else to the first delta, else None."""
    audible = latency.get("speech_end_to_first_audible_ms")
    return audible if audible is not None else latency.get("speech_end_to_first_delta_ms")


def tokens_of(usage: dict[str, Any]) -> int:
    """Tokens of one usage object of the API; 0 where it counts something else (seconds)."""
    total = usage.get("total_tokens")
    return total if isinstance(total, int) else 0


def _status_after(status: Status, notice: Notice | Told) -> Status:
    match notice:
        case StateChanged(state=state):
            return replace(status, state=clean(state))
        case SessionStarted():
            return replace(
                status,
                echo=notice.echo,
                model=clean(notice.model),
                voice=clean(notice.voice),
                server=clean(notice.server),
                mode=clean(notice.mode),
            )
        case EchoTold(echo=echo, erle_db=erle_db):
            return replace(status, echo=echo, erle_db=erle_db)
        case ErrorTold(code=code) if code in NO_MICROPHONE:
            return replace(status, microphone=False)
        case DeviceTold(side="microphone"):
            return replace(status, microphone=True)
        case TurnEnded():
            latency = latency_of(notice.latency)
            return replace(
                status,
                latency_ms=latency if latency is not None else status.latency_ms,
                tokens=status.tokens + tokens_of(notice.usage),
                cost_usd=status.cost_usd + notice.cost_usd,
                turns=status.turns + 1,
            )
        case SessionEnded():
            tokens = tokens_of(notice.usage)
            return replace(
                status,
                state="closed",
                tokens=tokens or status.tokens,
                cost_usd=notice.cost_usd,
                turns=notice.turns,
                underruns=notice.underruns,
                reason=clean(notice.reason),
            )
        case _:
            return status


def _key(line: Line) -> str:
    match line:
        case UserSaid(item_id=item_id) | AssistantSaid(item_id=item_id):
            return item_id
        case ToolCalled(call_id=call_id):
            return f"call {call_id}"
        case _:
            return ""


def _wordless(line: Line) -> bool:
    return isinstance(line, UserSaid) and not line.text.strip()


def _common(one: str, other: str) -> int:
    """Characters at the start that both have."""
    for index, (a, b) in enumerate(zip(one, other, strict=False)):
        if a != b:
            return index
    return min(len(one), len(other))
