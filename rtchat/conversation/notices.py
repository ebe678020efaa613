"""What a person or a program is told: one class for each object of `--json`.

The fields are those of the NDJSON contract, in its order; a display adds `t` (seconds since the start of
the session, on a monotonic clock) and `type`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

AssistantStatus = Literal["in_progress", "completed", "interrupted", "cancelled", "failed"]
ToolStatus = Literal["running", "ok", "error", "denied", "timeout"]


@dataclass(frozen=True, slots=True)
class SessionStarted:
    """The server has answered; the conversation can begin."""

    type: ClassVar[str] = "session"
    server: str
    model: str
    voice: str
    session_id: str
    echo: Literal["aec", "half-duplex", "off", "none"]
    mode: str


@dataclass(frozen=True, slots=True)
class StateChanged:
    """The session's state, from `state.State`."""

    type: ClassVar[str] = "state"
    state: str


@dataclass(frozen=True, slots=True)
class UserSaid:
    """The user's words, whole each time (not a delta); `final` once they will not change."""

    type: ClassVar[str] = "user"
    item_id: str
    text: str
    final: bool


@dataclass(frozen=True, slots=True)
class AssistantSaid:
    """The assistant's words so far, whole each time.

    Attributes:
        item_id: The item.
        text: All that was generated.
        heard_text: The part of it that left the loudspeaker (in text mode: all of it).
        heard_ms: Sound that left the loudspeaker, in milliseconds.
        generated_ms: Sound that was received, in milliseconds.
        status: `in_progress` until it ends one of the other ways.
        final: True once nothing of this will change.
    """

    type: ClassVar[str] = "assistant"
    item_id: str
    text: str
    heard_text: str
    heard_ms: int
    generated_ms: int
    status: AssistantStatus
    final: bool


@dataclass(frozen=True, slots=True)
class ToolCalled:
    """A function call: first with status `running`, then with its result. `ms` is how long it ran."""

    type: ClassVar[str] = "tool"
    call_id: str
    name: str
    arguments: str
    output: str
    status: ToolStatus
    ms: int


@dataclass(frozen=True, slots=True)
class TurnEnded:
    """A turn is over: its latency (either may be None), its usage as the API gave it, its cost in dollars."""

    type: ClassVar[str] = "turn"
    latency: dict[str, int | None]
    usage: dict[str, Any]
    cost_usd: float


@dataclass(frozen=True, slots=True)
class Interruption:
    """The assistant was interrupted after `heard_ms` of this item.

    The onset is the first sample of the voice at the microphone where this machine's detector found it, else where
    the client knew of it: the `speech_started` event or the key.
    """

    type: ClassVar[str] = "interruption"
    item_id: str
    heard_ms: int
    onset_to_duck_ms: int | None
    onset_to_silence_ms: int | None


@dataclass(frozen=True, slots=True)
class EchoTold:
    """What keeps the assistant from hearing itself, when that changes or is measured anew.

    Attributes:
        echo: As in `SessionStarted`.
        erle_db: By how many decibels the canceller weakens the echo (ERLE); None where that is not known.
    """

    type: ClassVar[str] = "echo"
    echo: Literal["aec", "half-duplex", "off", "none"]
    erle_db: float | None


@dataclass(frozen=True, slots=True)
class DeviceTold:
    """This device serves from now on, for the first time after there was none or in place of another."""

    type: ClassVar[str] = "device"
    side: Literal["microphone", "loudspeaker"]
    name: str


@dataclass(frozen=True, slots=True)
class ErrorTold:
    """Something went wrong; `fatal` when the session ends by it."""

    type: ClassVar[str] = "error"
    code: str | None
    message: str
    hint: str
    fatal: bool


@dataclass(frozen=True, slots=True)
class SessionEnded:
    """The last line of every session."""

    type: ClassVar[str] = "end"
    reason: str
    turns: int
    usage: dict[str, Any]
    cost_usd: float
    underruns: int


Notice = (
    SessionStarted
    | StateChanged
    | UserSaid
    | AssistantSaid
    | ToolCalled
    | TurnEnded
    | Interruption
    | EchoTold
    | DeviceTold
    | ErrorTold
    | SessionEnded
)
