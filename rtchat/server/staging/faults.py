"""The list of faults, and how they are asked for: `close-1001:after=3,duplicate`, or a TOML file.

::

    [[fault]]
    name = "stall"
    after = 2
    for = 5

Any fault takes `sessions`: only so many of a server's sessions have it, from the first.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from rtchat import tomltext
from rtchat.complaints import show, unreadable
from rtchat.errors import UsageError, did_you_mean
from rtchat.server.staging import faults_answers, faults_connection, faults_events
from rtchat.server.staging.fault import Fault, Parameter


class Refusal(Fault):
    """A closed door; told before there is a session."""

    name = "refuse"
    summary = "lets nobody in: HTTP 503 before the upgrade, or 429; refuse-401 is an invalid key"
    parameters: ClassVar[Mapping[str, Parameter]] = {
        "status": Parameter(
            503,
            "the HTTP status; 401 upgrades, and tells it as an error event",
            "an HTTP status from 400 to 599",
            lambda value: value in range(400, 600),
        )
    }


KINDS: dict[str, type[Fault]] = {
    kind.name: kind
    for kind in (
        faults_connection.Closing,
        faults_connection.Cutting,
        faults_connection.Stalling,
        faults_connection.Expiring,
        faults_connection.Jitter,
        faults_connection.Bursts,
        faults_answers.LateTranscripts,
        faults_answers.NoTranscripts,
        faults_answers.FailedTranscripts,
        faults_events.Duplicates,
        faults_events.UnknownEvents,
        faults_events.UnknownFields,
        faults_events.Garbage,
        faults_events.EmptyAudio,
        faults_answers.Race,
        faults_answers.NeverEnds,
        faults_answers.RateLimit,
        Refusal,
    )
}
SESSIONS = Parameter(0, "only the first so many sessions; 0 for all")
_CODED = re.compile(r"(close|refuse)-(\d{3,4})")
_CODE_OF = {"close": "code", "refuse": "status"}
_HINT = "See them with: rtchat serve --chaos list"


@dataclass(frozen=True, slots=True)
class Chosen:
    """A fault that is wanted.

    Attributes:
        kind: Which.
        values: All its parameters.
    """

    kind: type[Fault]
    values: Mapping[str, float]


def choose(asked: Iterable[str]) -> tuple[Chosen, ...]:
    """The faults of `--chaos`: names with parameters, separated by commas, or files.

    Raises:
        UsageError: There is no such fault, parameter or file, or a value is wrong.
    """
    chosen: list[Chosen] = []
    for text in asked:
        if text.endswith(".toml"):
            chosen += _read(Path(text))
        else:
            chosen += parse(text)
    return tuple(chosen)


def parse(text: str) -> list[Chosen]:
    """Faults from `NAME:parameter=value:…,NAME…`.

    Raises:
        UsageError: There is no such fault or parameter, or a value is wrong.
    """
    return [_parse(one.strip()) for one in text.split(",") if one.strip()]


def listing() -> str:
    """Every fault on a line, its parameters below it."""
    lines = []
    for name, kind in KINDS.items():
        lines.append(f"{name:18}{kind.summary}")
        lines += [
            f"{'':20}{word}={parameter.default:g}  {parameter.meaning}"
            for word, parameter in kind.parameters.items()
        ]
    return "\n".join([*lines, f"{'any':18}takes", f"{'':20}sessions=0  {SESSIONS.meaning}"])


def _parse(text: str) -> Chosen:
    name, *given = text.split(":")
    values: dict[str, Any] = {}
    for one in given:
        word, equals, value = one.partition("=")
        if not equals:
            raise UsageError(
                f"'{one}' says nothing about the fault {name}.", hint=f"Write for example {name}:sessions=1"
            )
        try:
            values[word] = float(value)
        except ValueError:
            values[word] = value
    return _chosen(name, values)


def _chosen(name: str, given: Mapping[str, Any]) -> Chosen:
    coded = _CODED.fullmatch(name)
    if coded:
        name = coded[1]
        given = {_CODE_OF[name]: float(coded[2]), **given}
    if name not in KINDS:
        raise UsageError(f"There is no fault named '{name}'.", hint=f"{did_you_mean(name, KINDS)} {_HINT}")
    known = {**KINDS[name].parameters, "sessions": SESSIONS}
    for word, value in given.items():
        if word not in known:
            raise UsageError(
                f"The fault {name} has no parameter '{word}'.", hint=f"{did_you_mean(word, known)} {_HINT}"
            )
        if isinstance(value, bool) or not isinstance(value, int | float) or not known[word].fits(value):
            raise UsageError(
                f"{word} of the fault {name} must be {known[word].takes}, not {show(value)}.", hint=_HINT
            )
    return Chosen(KINDS[name], {word: float(given.get(word, known[word].default)) for word in known})


def _read(path: Path) -> list[Chosen]:
    try:
        text = path.read_text(encoding="utf-8-sig")
        data = tomltext.parse(text)
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"The faults {path} cannot be read: {unreadable(error)}.", hint=_HINT) from None
    except tomltext.TomlSyntaxError as error:
        raise UsageError(f"{path}:{error.line}: {error.message}.", hint="Faults are a TOML file.") from None
    tables = data.get("fault")
    if not isinstance(tables, list) or set(data) != {"fault"}:
        wrong = next((key for key in data if key != "fault"), "fault")
        line = tomltext.line_of(text, [wrong]) or 1
        raise UsageError(f"{path}:{line}: there must be [[fault]] tables and nothing else.", hint=_HINT)
    chosen = []
    for number, table in enumerate(tables):
        try:
            chosen.append(_chosen(str(table.get("name", "")), {k: v for k, v in table.items() if k != "name"}))
        except UsageError as error:
            line = tomltext.line_of(text, ["fault", number]) or 1
            raise UsageError(f"{path}:{line}: {error.message}", hint=error.hint) from None
    return chosen
