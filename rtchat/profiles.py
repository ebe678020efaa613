"""Profiles: who the assistant is, one TOML file each.

::

    description = "Interprets between two languages"
    extends = "assistant"            # a name or a file; its keys hold where this file has none
    mode = "interactive"             # the mode that it is made for
    voice = "cedar"
    instructions = \"\"\"Translate into {{to}}.\"\"\"

    [turn_taking]
    vad = "semantic"                 # server, semantic or off (push to talk)

    [transcription]
    language = "en"

    [variables]                      # what {{…}} stands for, unless --var says otherwise
    to = "Spanish"

A name is looked up in `./profiles`, then in `profiles` in the user's configuration folder, then among those that
come with rtchat. Every mistake is told with its file and its line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import platformdirs
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from rtchat import tomltext
from rtchat.catalog import DEFAULT_TRANSCRIPTION_MODEL, check_voice
from rtchat.complaints import say, unreadable
from rtchat.errors import ProfileError, UsageError, did_you_mean
from rtchat.modes import Mode

VARIABLE = re.compile(r"\{\{\s*([A-Za-z_][\w-]*)\s*\}\}")
"""`{{name}}` in any text of a profile."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class TurnTaking(_Part):
    """Who speaks when (`session.audio.input.turn_detection`). None leaves a value to the server.

    Attributes:
        vad: `server` ends a turn after silence, `semantic` when the sentence is complete, `off` is push to talk.
        eagerness: Semantic only: how soon it answers; waits at most 8 s (low), 4 s (medium, auto) or 2 s (high).
        threshold: Server only: 0 to 1; higher needs louder speech.
        prefix_padding_ms: Server only: sound kept from before the speech, in milliseconds.
        silence_duration_ms: Server only: the silence that ends a turn, in milliseconds.
        idle_timeout_ms: Server only: milliseconds of silence after which the assistant asks whether you are there.
        interrupt_response: Speaking stops the assistant.
        create_response: The end of a turn makes the assistant answer.
    """

    vad: Literal["server", "semantic", "off"] = "server"
    eagerness: Literal["low", "medium", "high", "auto"] | None = None
    threshold: float | None = Field(None, ge=0, le=1)
    prefix_padding_ms: int | None = Field(None, ge=0)
    silence_duration_ms: int | None = Field(None, ge=0)
    idle_timeout_ms: int | None = Field(None, ge=5_000, le=30_000)
    interrupt_response: bool = True
    create_response: bool = True


class Transcription(_Part):
    """How the user's words are written down (`session.audio.input.transcription`).

    Attributes:
        model: The model that writes; empty = do not write them down.
        language: ISO 639-1 code of what is spoken; None lets the model find out.
        prompt: Words to expect: names, jargon.
    """

    model: str = DEFAULT_TRANSCRIPTION_MODEL
    language: str | None = Field(None, pattern=r"^[a-z]{2,3}$")
    prompt: str | None = None


class Profile(_Part):
    """Who the assistant is. None leaves the choice to the settings and the catalog.

    Attributes:
        name: The file's name without `.toml`, unless the file says otherwise.
        description: One line for lists.
        mode: The mode that it is made for.
        voice: One of the API's voices or a custom voice's id.
        model: The model.
        instructions: What the assistant is told, variables filled in.
        greeting: What to do first; the assistant speaks before the user does. None waits for the user.
        speed: Of speech, 0.25 to 1.5.
        max_output_tokens: Most tokens of one answer, 1 to 4096; None (in the file: `"inf"`) is no limit.
        tools: Names of built-in tools, and files (absolute; relative ones in a profile start at its folder).
        turn_taking: Who speaks when.
        transcription: How the user's words are written down.
        variables: The values that were filled in.
    """

    name: str
    description: str = ""
    mode: Mode = Mode.INTERACTIVE
    voice: str | None = None
    model: str | None = None
    instructions: str = ""
    greeting: str | None = None
    speed: float = Field(1.0, ge=0.25, le=1.5)
    max_output_tokens: int | None = Field(None, ge=1, le=4096)
    tools: tuple[str, ...] = ()
    turn_taking: TurnTaking = TurnTaking()
    transcription: Transcription = Transcription()
    variables: dict[str, str] = Field(default_factory=dict)

    @field_validator("max_output_tokens", mode="before")
    @classmethod
    def _no_limit(cls, value: object) -> object:
        return None if value == "inf" else value

    @field_validator("voice")
    @classmethod
    def _voice_is_known(cls, value: str | None) -> str | None:
        try:
            return value and check_voice(value)
        except UsageError as error:
            raise ValueError(f"must be a voice, not '{value}'. {error.hint}".rstrip(".")) from None


@dataclass(frozen=True, slots=True)
class Listed:
    """One line of `rtchat profiles list`; `problem` says why a profile cannot be used, and is empty otherwise."""

    name: str
    path: Path
    description: str
    builtin: bool
    problem: str = ""


@dataclass(frozen=True, slots=True)
class _File:
    """One profile file, read but not checked. `data` is what stands in it, `text` is for line numbers."""

    path: Path
    text: str
    data: dict[str, Any]

    def wrong(self, message: str, keys: Sequence[str | int] = (), *, hint: str = "") -> ProfileError:
        """An error that points at the line of `keys`."""
        return ProfileError(message, path=str(self.path), line=tomltext.line_of(self.text, keys), hint=hint)


def builtin_folder() -> Path:
    """Where the profiles that come with rtchat are: in the package, or beside it in a checkout."""
    packaged = Path(__file__).parent / "_profiles"
    return packaged if packaged.is_dir() else Path(__file__).parent.parent / "profiles"


def folders() -> list[Path]:
    """Where names are looked up, nearest first."""
    user = platformdirs.user_config_path("rtchat", appauthor=False) / "profiles"
    return [Path("profiles").absolute(), user, builtin_folder()]


def list_profiles() -> list[Listed]:
    """All profiles by name; of several with one name, the one that `load_profile` takes."""
    found: dict[str, Listed] = {}
    for folder in folders():
        for path in sorted(folder.glob("*.toml")):
            found.setdefault(path.stem, _listed(path, builtin=folder.resolve() == builtin_folder().resolve()))
    return [found[name] for name in sorted(found)]


def _listed(path: Path, *, builtin: bool) -> Listed:
    try:
        chain = _chain(path)
        needed = _used(chain) - _defaults(chain).keys()
        profile = load_profile(path, {name: f"<{name}>" for name in needed})
    except ProfileError as error:
        return Listed(path.stem, path, "", builtin, problem=error.message)
    return Listed(path.stem, path, profile.description, builtin)


def load_profile(name_or_path: str | Path, variables: Mapping[str, str] | None = None) -> Profile:
    """Read a profile.

    Args:
        name_or_path: A name, or a file (anything with a folder in it or `.toml` at its end).
        variables: Values for `{{…}}` that win over the defaults in `[variables]` (`--var`).

    Raises:
        ProfileError: It is not there or something is wrong in it; says file and line.
    """
    given = dict(variables or {})
    chain = _chain(_find(name_or_path))
    defaults = _defaults(chain)
    _check_given(chain, given, defaults)
    values = defaults | given
    merged: dict[str, Any] = {}
    for file in chain:
        data = _filled(file, values)
        _check_values(file, data)
        merged = _merge(merged, data)
    merged["name"] = chain[-1].data.get("name", chain[-1].path.stem)
    return Profile.model_validate({**merged, "variables": values})


# --- finding and reading ----------------------------------------------------------------------------------


def _find(name_or_path: str | Path, *, inside: Path | None = None) -> Path:
    """The file of a profile.

    Args:
        name_or_path: Its name or file.
        inside: The profile that extends it. Paths start at its folder, and one that extends its own name means the
            next of that name: so `./profiles/assistant.toml` may say `extends = "assistant"`.
    """
    text = str(name_or_path)
    if text.endswith(".toml") or "/" in text or "\\" in text:
        path = Path(text).expanduser()
        return (inside.parent / path) if inside and not path.is_absolute() else path
    found = [path for folder in folders() if (path := folder / f"{text}.toml").is_file()]
    for number, path in enumerate(found):
        if inside and path.samefile(inside):
            found = found[number + 1 :]
            break
    if found:
        return found[0]
    known = {path.stem for folder in folders() for path in folder.glob("*.toml")} - {text}
    raise ProfileError("there is no profile of this name.", path=text, hint=did_you_mean(text, known))


def _read(path: Path) -> _File:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise ProfileError("there is no such file.", path=str(path), hint="See: rtchat profiles list") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ProfileError(
            f"it cannot be read: {unreadable(error)}.", path=str(path), hint="Check the path."
        ) from None
    try:
        file = _File(path, text, tomltext.parse(text))
    except tomltext.TomlSyntaxError as error:
        raise ProfileError(
            f"{error.message}.", path=str(path), line=error.line, hint="A profile is a TOML file."
        ) from None
    _check_keys(file)
    return file


def _chain(path: Path) -> list[_File]:
    """The file and all that it extends, the furthest first."""
    chain = [_read(path)]
    while (parent := chain[0].data.get("extends")) is not None:
        first = chain[0]
        if not isinstance(parent, str):
            raise first.wrong("extends must be the name or the file of a profile.", ["extends"])
        try:
            found = _find(parent, inside=first.path)
        except ProfileError as error:
            raise first.wrong(f"there is no profile '{parent}' to extend.", ["extends"], hint=error.hint) from None
        if not found.is_file():
            raise first.wrong(f"there is no file '{found}' to extend.", ["extends"])
        if any(found.samefile(file.path) for file in chain):
            way = " → ".join(file.path.stem for file in [*reversed(chain)]) + f" → {found.stem}"
            raise first.wrong(f"profiles extend each other in a circle: {way}.", ["extends"])
        chain.insert(0, _read(found))
    return chain


# --- checking ---------------------------------------------------------------------------------------------

_TABLES: dict[str, type[_Part]] = {"turn_taking": TurnTaking, "transcription": Transcription}
_KEYS = [*Profile.model_fields, "extends"]


def _check_keys(file: _File) -> None:
    """Every key is known, and every table is one."""
    for key, value in file.data.items():
        if key not in _KEYS:
            homes = [name for name, table in _TABLES.items() if key in table.model_fields]
            hint = f"It belongs under [{homes[0]}]." if homes else did_you_mean(key, _KEYS)
            raise file.wrong(f"there is no key '{key}'.", [key], hint=hint)
        if key in (*_TABLES, "variables") and not isinstance(value, dict):
            raise file.wrong(f"{key} must be a table: [{key}].", [key])
        if key in _TABLES:
            for inner in value:
                if inner not in (known := _TABLES[key].model_fields):
                    hint = did_you_mean(inner, known)
                    raise file.wrong(f"there is no key '{inner}' under [{key}].", [key, inner], hint=hint)
    for name, value in file.data.get("variables", {}).items():
        if isinstance(value, dict | list):
            raise file.wrong(f"the variable '{name}' must be text.", ["variables", name])


def _check_values(file: _File, data: Mapping[str, Any]) -> None:
    """The values of one file, its variables filled in, stand for themselves."""
    fields = {key: value for key, value in data.items() if key != "variables"}
    try:
        Profile.model_validate({"name": "", **fields})
    except ValidationError as failed:
        error = failed.errors()[0]
        keys = error["loc"]
        raise file.wrong(f"{'.'.join(str(key) for key in keys)} {say(error)}.", keys) from None


def _check_given(chain: Sequence[_File], given: Mapping[str, str], defaults: Mapping[str, str]) -> None:
    """Every `--var` is one that the profile has."""
    known = {*defaults, *_used(chain)}
    for name in given:
        if name not in known:
            hint = did_you_mean(name, known) or "It has none."
            raise ProfileError(f"it has no variable '{name}'.", path=str(chain[-1].path), hint=hint)


# --- variables and inheritance ----------------------------------------------------------------------------


def _texts(data: Any, keys: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Every text in a profile with the way to it, `[variables]` left out."""
    if isinstance(data, str):
        yield keys, data
    elif isinstance(data, dict):
        for key, value in data.items():
            if keys or key != "variables":
                yield from _texts(value, (*keys, key))
    elif isinstance(data, list):
        for number, value in enumerate(data):
            yield from _texts(value, (*keys, number))


def _used(chain: Sequence[_File]) -> set[str]:
    """Names in `{{…}}` anywhere in the chain."""
    return {name for file in chain for _, text in _texts(file.data) for name in VARIABLE.findall(text)}


def _defaults(chain: Sequence[_File]) -> dict[str, str]:
    """What `[variables]` says, the nearest file last."""
    return {
        name: str(value).lower() if isinstance(value, bool) else str(value)
        for file in chain
        for name, value in file.data.get("variables", {}).items()
    }


def _filled(file: _File, values: Mapping[str, str]) -> dict[str, Any]:
    """The file's keys with variables filled in, tool files as absolute paths, and `extends` gone."""
    for keys, text in _texts(file.data):
        for name in VARIABLE.findall(text):
            if name not in values:
                raise ProfileError(
                    f"the variable {{{{{name}}}}} has no value.",
                    path=str(file.path),
                    line=_line_of_variable(file, keys, name),
                    hint=f"Give it one with --var {name}=…, or a default under [variables].",
                )

    def fill(value: Any) -> Any:
        if isinstance(value, str):
            return VARIABLE.sub(lambda found: values[found[1]], value)
        if isinstance(value, list):
            return [fill(each) for each in value]
        return {key: fill(each) for key, each in value.items()} if isinstance(value, dict) else value

    data = {key: fill(value) for key, value in file.data.items() if key not in ("extends", "variables")}
    if isinstance(data.get("tools"), list):
        data["tools"] = [_tool(tool, file.path.parent) for tool in data["tools"]]
    return data


def _line_of_variable(file: _File, keys: Sequence[str | int], name: str) -> int | None:
    """The line of `{{name}}` itself, from the line of its key on: the text may be many lines long."""
    start = tomltext.line_of(file.text, keys)
    for number, line in enumerate(file.text.split("\n"), 1):
        if start and number >= start and name in VARIABLE.findall(line):
            return number
    return start


def _tool(tool: Any, folder: Path) -> Any:
    return str((folder / Path(tool).expanduser()).absolute()) if str(tool).endswith(".py") else tool


def _merge(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """`above` wins; tables are merged key by key, everything else is replaced whole."""
    merged = dict(below)
    for key, value in above.items():
        old = merged.get(key)
        merged[key] = _merge(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return merged
