"""A scenario: what the server hears and says, turn by turn, written down beforehand.

::

    tts = "tone"                          # or espeak: the engine that speaks; left out, it is serve's --tts

    [[turn]]
    hear = "I want a table for two."      # what the recogniser reports of the next speech
    say = ["For when?", "Any day but Monday."]
    delay_ms = 300                        # the model thinks so long before its first word

    [[turn]]
    match = "(?i)tonight"                 # what was said, typed or answered by a tool must match
    call = { name = "book", arguments = { people = 2 } }

    [[turn]]
    say = "It is booked."

A turn is one response. Every mistake is told with its file and its line.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, field_validator

from rtchat import tomltext
from rtchat.complaints import say, show, unreadable
from rtchat.errors import UsageError, did_you_mean

Ms = Annotated[int | float, Field(ge=0, le=3_600_000)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)


def _as_list(value: Any) -> Any:
    return value if isinstance(value, list | tuple) else [value]


def _as_sentence(value: Any) -> Any:
    return {"text": value} if isinstance(value, str) else value


class Sentence(_Part):
    """A piece of what is said.

    Attributes:
        text: The words.
        after_ms: Milliseconds between the piece before (or the beginning) and this one.
    """

    text: str
    after_ms: Ms = 0


class Call(_Part):
    """A function call.

    Attributes:
        name: The function's name.
        arguments: JSON text; a table is written as such.
        after_ms: Milliseconds between what came before and the call.
    """

    name: str = Field(min_length=1)
    arguments: str = "{}"
    after_ms: Ms = 0

    @field_validator("arguments", mode="before")
    @classmethod
    def _table(cls, value: Any) -> Any:
        return json.dumps(value, ensure_ascii=False) if isinstance(value, dict) else value


class Turn(_Part):
    """One response, and what was heard before it.

    Attributes:
        hear: What the recogniser reports of the speech before it; of each, if there are several before it.
        hear_ms: Milliseconds that the recogniser takes.
        hear_fail: Why the recogniser fails instead.
        match: A regular expression that must be found in the last words said, typed, or answered by a tool.
        delay_ms: Milliseconds before the first piece.
        say: What is said, best a sentence a piece.
        call: Functions that are then called.
        hold: After all that the response goes on until it is cancelled or interrupted.
        fail: Why the response then fails.
    """

    hear: Annotated[tuple[str, ...], BeforeValidator(_as_list)] = ()
    hear_ms: Ms = 0
    hear_fail: str | None = None
    match: re.Pattern[str] | None = None
    delay_ms: Ms = 0
    say: Annotated[tuple[Annotated[Sentence, BeforeValidator(_as_sentence)], ...], BeforeValidator(_as_list)] = ()
    call: Annotated[tuple[Call, ...], BeforeValidator(_as_list)] = ()
    hold: bool = False
    fail: str | None = None

    @field_validator("match", mode="before")
    @classmethod
    def _expression(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        try:
            return re.compile(value)
        except re.error as error:
            raise ValueError(f"must be a regular expression, not {show(value)} ({error})") from None


class Scenario(_Part):
    """All turns of a session; every session begins with the first.

    Attributes:
        turn: The turns.
        tts: The engine that speaks; None leaves it to the server.
        loop: After the last turn comes the first again.
        name: The file, for sentences about it.
        lines: The line of each turn in the file; empty where there is none.
    """

    turn: tuple[Turn, ...] = Field(min_length=1)
    tts: str | None = None
    loop: bool = False
    name: str = Field("The scenario", exclude=True)
    lines: tuple[int, ...] = Field((), exclude=True)

    def where(self, index: int) -> str:
        """A turn, for a sentence: `scenario.toml:12: turn 3`."""
        line = f"{self.name}:{self.lines[index]}: " if index < len(self.lines) else f"{self.name}: "
        return f"{line}turn {index + 1}"


_EXPECTED = {
    "turn": "[[turn]] tables",
    "say": "text, or a list of text and of tables with text and after_ms",
    "call": "a table with name and arguments, or a list of them",
    "hear": "text, or a list of text",
}


def load(path: Path) -> Scenario:
    """Read a scenario: a TOML file, or the folder of a recorded session.

    Raises:
        UsageError: It is not there, or there is a mistake in it; says file, line and what is expected.
    """
    if path.is_dir():
        from rtchat.server.staging.recorded import read_recording

        return read_recording(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            f"The scenario {path} cannot be read: {unreadable(error)}.",
            hint="Give a TOML file, or the folder of a recorded session.",
        ) from None
    try:
        data = tomltext.parse(text)
    except tomltext.TomlSyntaxError as error:
        raise UsageError(f"{path}:{error.line}: {error.message}.", hint="A scenario is a TOML file.") from None
    lines = [tomltext.line_of(text, ["turn", number]) or 0 for number in range(_count(data))]
    try:
        scenario = Scenario.model_validate(data)
    except ValidationError as failed:
        message, keys, hint = _complaint(failed, data)
        line = tomltext.line_of(text, keys) or 1
        raise UsageError(f"{path}:{line}: {message}.", hint=hint) from None
    return scenario.model_copy(update={"name": str(path), "lines": tuple(lines)})


def made(turns: Any, **top: Any) -> Scenario:
    """A scenario from Python: tables as in the file.

    Raises:
        UsageError: There is a mistake in it.
    """
    data = {"turn": turns, **top}
    try:
        return Scenario.model_validate(data)
    except ValidationError as failed:
        message, _, hint = _complaint(failed, data)
        raise UsageError(f"The scenario cannot be played: {message}.", hint=hint) from None


def _count(data: dict[str, Any]) -> int:
    turns = data.get("turn")
    return len(turns) if isinstance(turns, list) else 0


def _complaint(failed: ValidationError, data: dict[str, Any]) -> tuple[str, list[str | int], str]:
    """What is wrong, where, and what to do next."""
    error = failed.errors()[0]
    keys: list[str | int] = list(error["loc"])
    if error["type"] == "extra_forbidden":
        known = _fields(keys[:-1])
        return f"there is no key '{keys[-1]}'{_of(keys[:-1])}", keys, did_you_mean(str(keys[-1]), known)
    if not data.get("turn") and keys[:1] == ["turn"]:
        return "there is no turn", [], "Write at least one [[turn]] table with what to say."
    name = str(next((key for key in reversed(keys) if isinstance(key, str)), ""))
    hint = f"{name} is {_EXPECTED[name]}." if name in _EXPECTED else ""
    return f"{name}{_of(keys)} {say(error)}", keys, hint


def _fields(keys: list[str | int]) -> list[str]:
    named: dict[str, type[BaseModel]] = {"turn": Turn, "say": Sentence, "call": Call}
    last = next((key for key in reversed(keys) if isinstance(key, str)), "")
    return [name for name in named.get(last, Scenario).model_fields if name not in ("name", "lines") or last]


def _of(keys: list[str | int]) -> str:
    """Which turn, 1-based."""
    number = keys[1] if len(keys) > 1 and keys[0] == "turn" else None
    return f" of turn {number + 1}" if isinstance(number, int) else ""
