"""Settings: flags > environment > .env > config file > defaults.

Every setting is a flag (`--input-device`), a variable (`RTCHAT_INPUT_DEVICE`) and a key of the config file
(`input_device`). What is not set anywhere is None wherever the profile or the mode may decide, so a setting,
however it is given, wins over the profile. Keys of OpenAI and Azure come under the names that all programs use.

The config file is TOML: `--config FILE`, else `RTCHAT_CONFIG`, else `config.toml` in the user's configuration
folder (`~/.config/rtchat` on Linux). Relative paths in it start at its own folder.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, Self

import platformdirs
from pydantic import Field, PrivateAttr, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    DotEnvSettingsSource,
    EnvSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from rtchat import tomltext
from rtchat.catalog import check_voice
from rtchat.complaints import say, unreadable
from rtchat.errors import UsageError, did_you_mean

PREFIX = "RTCHAT_"

Words = Annotated[list[str], NoDecode]
"""Several values: a list, or one text with commas."""
Pairs = Annotated[dict[str, str], NoDecode]
"""Names with values: a table, or a list of (or one text with commas of) `name=value`."""


class Explained(NamedTuple):
    """One row of `rtchat config show`: a setting, its value in words (never a secret) and where it comes from."""

    name: str
    value: str
    source: str


def config_path() -> Path:
    """Where the config file is when nobody says otherwise."""
    return platformdirs.user_config_path("rtchat", appauthor=False) / "config.toml"


def _sessions_dir() -> Path:
    return platformdirs.user_data_path("rtchat", appauthor=False) / "sessions"


class Settings(BaseSettings):
    """All settings. `Settings()` alone holds the defaults and reads nothing; `Settings.load` reads the world."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_ignore_empty=True, extra="forbid", frozen=True, populate_by_name=True
    )

    server: str = Field("auto", description="auto, openai, azure, local, or a ws:// or wss:// address")
    url: str | None = Field(
        None, description="the whole WebSocket address, instead of the one that the server gives"
    )
    model: str | None = Field(None, description="the model")
    voice: str | None = Field(None, description="the voice")
    llm: str | None = Field(None, description="what answers in the embedded server: a name, an address, ollama")
    llm_model: str = Field("", description="the model that answers there")
    profile: str | None = Field(None, description="who the assistant is: a name or a file")
    var: Pairs = Field(default_factory=dict, description="values for the profile's variables")
    instructions: str | None = Field(None, description="what the assistant is told, instead of the profile's")
    vad: Literal["server", "semantic", "off"] | None = Field(
        None, description="who ends a turn; off = push to talk"
    )
    eagerness: Literal["low", "medium", "high", "auto"] | None = Field(None, description="haste of semantic turns")
    input_device: str | None = Field(None, description="microphone: number or part of the name")
    output_device: str | None = Field(None, description="loudspeaker: number or part of the name")
    input_wav: Path | None = Field(None, description="a WAV file as the microphone")
    output_wav: Path | None = Field(None, description="a WAV file as the loudspeaker")
    echo: Literal["auto", "aec", "half-duplex", "off"] = Field("auto", description="what is done against echo")
    sensitivity: Literal["low", "medium", "high"] = Field("medium", description="how little a voice interrupts")
    auto_gain: bool = Field(False, description="keep the microphone at an even level")
    resume_false_interruptions: bool = Field(False, description="go on after an interruption that was none")
    record: bool = Field(False, description="keep a recording of the session")
    max_turns: int | None = Field(None, ge=1, description="end after so many turns")
    budget: float | None = Field(None, gt=0, allow_inf_nan=False, description="end at this cost in US dollars")
    plain: bool = Field(False, description="plain lines instead of the live display")
    json_: bool = Field(False, validation_alias="RTCHAT_JSON", description="one JSON object a line")
    quiet: bool = Field(False, description="only what is said")
    log_level: Literal["debug", "info", "warning", "error"] = Field("warning", description="how much is logged")
    speak: bool = Field(False, description="text mode: say the answers too")
    tools: Words = Field(default_factory=list, description="tools: built-in names, files, modules")
    tool_timeout: float = Field(30.0, gt=0, allow_inf_nan=False, description="seconds that a tool may take")
    to: str | None = Field(None, description="translator: the language to hear")
    from_: str | None = Field(None, validation_alias="RTCHAT_FROM", description="translator: the language spoken")
    turns: bool = Field(False, description="translator: take turns instead of translating at once")
    safety_identifier: str | None = Field(
        None, description="who the end user is, as a hash, for OpenAI's safety checks"
    )
    sessions_dir: Path = Field(default_factory=_sessions_dir, description="where recordings are kept")

    api_key: SecretStr | None = Field(None, description="the key for --url, and for a --server that is an address")
    openai_api_key: SecretStr | None = Field(None, validation_alias="OPENAI_API_KEY", description="OpenAI's key")
    openai_base_url: str | None = Field(
        None, validation_alias="OPENAI_BASE_URL", description="another OpenAI server"
    )
    openai_org_id: str | None = Field(None, validation_alias="OPENAI_ORG_ID", description="OpenAI organization")
    openai_project_id: str | None = Field(None, validation_alias="OPENAI_PROJECT_ID", description="OpenAI project")
    azure_openai_endpoint: str | None = Field(
        None, validation_alias="AZURE_OPENAI_ENDPOINT", description="Azure's address"
    )
    azure_openai_api_key: SecretStr | None = Field(
        None, validation_alias="AZURE_OPENAI_API_KEY", description="Azure's key"
    )
    openai_api_version: str | None = Field(
        None, validation_alias="OPENAI_API_VERSION", description="version of Azure's preview API"
    )

    _sources: dict[str, str] = PrivateAttr(default_factory=dict)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Values are given; `load` reads the sources one by one, to know which one a value came from."""
        return (init_settings,)

    @classmethod
    def load(cls, flags: Mapping[str, Any] | None = None, config: Path | None = None) -> Self:
        """Read the flags, the environment, `.env` in the working directory, and the config file.

        Args:
            flags: What the command line gave, by field name (`from` and `json` also without their underscore); None
                and empty lists count as not given.
            config: `--config`.

        Raises:
            UsageError: A value is wrong; the sentence names the flag, the variable, or the file and line.
        """
        values: dict[str, Any] = {}
        sources: dict[str, str] = {}
        for layer in (_from_config(config), _from_dotenv(), _from_environment(), _from_flags(flags or {})):
            for name, (value, source) in layer.items():
                values[name], sources[name] = value, source
        try:
            settings = cls(**values)
        except ValidationError as failed:
            raise _usage_error(failed, sources) from None
        settings._sources.update(sources)
        settings._check_voice()
        return settings

    @field_validator("tools", mode="before")
    @classmethod
    def _split_words(cls, value: object) -> object:
        return [word.strip() for word in value.split(",") if word.strip()] if isinstance(value, str) else value

    @field_validator("var", mode="before")
    @classmethod
    def _split_pairs(cls, value: object) -> object:
        if isinstance(value, str):
            value = [pair for pair in value.split(",") if pair.strip()]
        if not isinstance(value, list | tuple):
            return value
        pairs = {}
        for pair in value:
            name, equals, text = str(pair).partition("=")
            if not equals or not name.strip():
                raise ValueError(f"must be name=value, not '{pair}'")
            pairs[name.strip()] = text
        return pairs

    @field_validator("input_device", "output_device", mode="before")
    @classmethod
    def _number_as_text(cls, value: object) -> object:
        return str(value) if isinstance(value, int) and not isinstance(value, bool) else value

    @field_validator("log_level", "vad", "eagerness", "echo", "sensitivity", mode="before")
    @classmethod
    def _any_case(cls, value: object) -> object:
        return value.lower() if isinstance(value, str) else value

    @field_validator("vad", mode="before")
    @classmethod
    def _toml_off(cls, value: object) -> object:
        return "off" if value is False else value

    @field_validator("input_wav", "output_wav", "sessions_dir")
    @classmethod
    def _expand(cls, value: Path | None) -> Path | None:
        return value.expanduser() if value else value

    @field_validator("server")
    @classmethod
    def _server_is_known(cls, value: str) -> str:
        if value.lower() in ("auto", "openai", "azure", "local"):
            return value.lower()
        if value.startswith(("ws://", "wss://")):
            return value
        raise ValueError(f"must be auto, openai, azure, local or a ws:// or wss:// address, not '{value}'")

    @field_validator("url")
    @classmethod
    def _url_is_a_websocket(cls, value: str | None) -> str | None:
        if value is not None and not value.startswith(("ws://", "wss://")):
            raise ValueError(f"must be a ws:// or wss:// address, not '{value}'")
        return value

    @field_validator("api_key", "openai_api_key", "azure_openai_api_key")
    @classmethod
    def _key_is_clean(cls, value: SecretStr | None) -> SecretStr | None:
        """A key goes into an HTTP header: blanks around it are a slip, others a mistake."""
        if value is None:
            return None
        key = value.get_secret_value().strip()
        if not all("!" <= character <= "~" for character in key):
            raise ValueError("holds a blank or a character that no key has; copy it again")
        return SecretStr(key) if key else None

    @model_validator(mode="after")
    def _server_and_url_agree(self) -> Self:
        if self.url and self.server.startswith("ws"):
            raise ValueError("--server and --url both give an address; give one of them")
        return self

    def _check_voice(self) -> None:
        """Servers that are not OpenAI's (nor ours) may have voices of their own."""
        if self.voice is None or self.url or self.openai_base_url or self.server.startswith("ws"):
            return
        try:
            check_voice(self.voice)
        except UsageError as error:
            raise UsageError(f"{self._sources['voice']}: {error.message}", hint=error.hint) from None

    def where(self) -> Literal["openai", "azure", "local", "url"]:
        """Which server this session goes to.

        Returns:
            `url` when an address was given; for `auto`, the embedded server (`local`) when its engine was named,
            else OpenAI when there is a key for it, else Azure when there are an address and a key for it, else
            the embedded server.

        Raises:
            UsageError: The server that was asked for needs a key (or Azure's address), and there is none.
        """
        if self.url or self.server.startswith("ws"):
            return "url"
        azure = self.azure_openai_endpoint and self.azure_openai_api_key
        match self.server:
            case "openai":
                if not self.openai_api_key and not self.openai_base_url:
                    raise UsageError(
                        "There is no OpenAI key.",
                        hint="Set OPENAI_API_KEY, or use --server local, which needs none.",
                    )
                return "openai"
            case "azure":
                if not azure:
                    missing = "AZURE_OPENAI_API_KEY" if self.azure_openai_endpoint else "AZURE_OPENAI_ENDPOINT"
                    raise UsageError(f"{missing} is not set.", hint="Azure needs its address and its key.")
                return "azure"
            case "local":
                return "local"
        if self.llm:
            return "local"
        if self.openai_api_key:
            return "openai"
        return "azure" if azure else "local"

    def explain(self) -> list[Explained]:
        """Every setting with its value and where it comes from; of keys only whether they are set."""
        return [
            Explained(_public(name), _in_words(getattr(self, name)), self._sources.get(name, "default"))
            for name in type(self).model_fields
        ]


# --- sources: each gives {field: (value, where it stands)} ------------------------------------------------

Layer = dict[str, tuple[Any, str]]


def _public(field: str) -> str:
    """A field's name as users write it in the config file: `from_` is `from`."""
    return field.rstrip("_")


def _variable(field: str) -> str:
    alias = Settings.model_fields[field].validation_alias
    return alias if isinstance(alias, str) else f"{PREFIX}{field.upper()}"


def _from_flags(flags: Mapping[str, Any]) -> Layer:
    layer: Layer = {}
    known = {_public(name): name for name in Settings.model_fields}
    for name, value in flags.items():
        if value is not None and value not in ([], ()):
            layer[known[_public(name)]] = (value, f"--{_public(name).replace('_', '-')}")
    return layer


def _from_environment() -> Layer:
    return _named_by_variable(EnvSettingsSource(Settings)(), "")


def _from_dotenv() -> Layer:
    try:
        return _named_by_variable(DotEnvSettingsSource(Settings, env_file=Path(".env"))(), " in .env")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            f"The file .env cannot be read: {unreadable(error)}.", hint="Mend it or take it away."
        ) from None


def _named_by_variable(values: Mapping[str, Any], where: str) -> Layer:
    """Values that pydantic-settings gives by field or by alias; what else is in the file is not ours."""
    fields = {_variable(name): name for name in Settings.model_fields}
    layer: Layer = {}
    for key, value in values.items():
        name = fields.get(key, key)
        if name in Settings.model_fields:
            layer[name] = (value, f"{_variable(name)}{where}")
    return layer


def _from_config(given: Path | None) -> Layer:
    asked = given or (Path(os.environ["RTCHAT_CONFIG"]) if os.environ.get("RTCHAT_CONFIG") else None)
    path = asked.expanduser() if asked else config_path()
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        if asked:
            raise UsageError(f"There is no config file {path}.", hint="Check --config or RTCHAT_CONFIG.") from None
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            f"The config file {path} cannot be read: {unreadable(error)}.", hint="Check --config or RTCHAT_CONFIG."
        ) from None
    try:
        data = tomltext.parse(text)
    except tomltext.TomlSyntaxError as error:
        raise UsageError(f"{path}:{error.line}: {error.message}.", hint="The config file is TOML.") from None
    known = {_public(name): name for name in Settings.model_fields}
    layer: Layer = {}
    for key, value in data.items():
        where = f"{path}:{tomltext.line_of(text, [key])}"
        if key not in known:
            raise UsageError(f"{where}: there is no setting '{key}'.", hint=did_you_mean(key, known))
        layer[known[key]] = (_from_folder(known[key], value, path.parent), f"{where}: {key}")
    return layer


def _from_folder(name: str, value: Any, folder: Path) -> Any:
    """A relative path in the config file starts at the file's own folder, whatever the working directory is."""
    if name in ("input_wav", "output_wav", "sessions_dir") and isinstance(value, str):
        return folder / Path(value).expanduser()
    if name == "tools" and isinstance(value, list):
        return [str(folder / Path(tool).expanduser()) if str(tool).endswith(".py") else tool for tool in value]
    return value


def _usage_error(failed: ValidationError, sources: Mapping[str, str]) -> UsageError:
    """The first mistake, as one sentence that starts with where it stands."""
    error = failed.errors()[0]
    if not error["loc"]:
        return UsageError(f"{say(error)}.")
    names = {_variable(field): field for field in Settings.model_fields}
    name = names.get(str(error["loc"][0]), str(error["loc"][0]))
    secret = name.endswith("_key")
    inside = "".join(f" {part}" for part in error["loc"][1:] if isinstance(part, str))
    return UsageError(f"{sources[name]}{inside} {say(error, secret=secret)}.", hint="See: rtchat config show")


def _in_words(value: object) -> str:
    match value:
        case None:
            return "not set"
        case SecretStr():
            return "set"
        case bool():
            return "yes" if value else "no"
        case dict():
            return ", ".join(f"{name}={text}" for name, text in value.items()) or "none"
        case list():
            return ", ".join(str(each) for each in value) or "none"
    return str(value)
