"""The flags that the modes share, in one table, and the decorator that gives them to a command."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer

_SESSION = "The session"
_SOUND = "Sound"
_OUTPUT = "What is shown and kept"


class Flag(NamedTuple):
    """One flag: the setting that it sets, its type, its name, its help and its place in `--help`.

    Numbers are texts here: the settings check them, and complain in the same words wherever they were given.
    """

    setting: str
    type: Any
    names: tuple[str, ...]
    help: str
    panel: str
    metavar: str | None = None


FLAGS = (
    Flag("server", str, ("--server",), "auto, openai, azure, local, or a ws(s):// address. auto: OpenAI when "
         "OPENAI_API_KEY is set, else the embedded server.", _SESSION),
    Flag("url", str, ("--url",), "The whole WebSocket address, instead of the server's own.", _SESSION),
    Flag("model", str, ("--model", "-m"), "The model; `rtchat models` lists them.", _SESSION),
    Flag("voice", str, ("--voice", "-v"), "The voice; `rtchat voices` lists them.", _SESSION),
    Flag("llm", str, ("--llm",), "What answers in the embedded server: ollama, an address, an engine's name.",
         _SESSION, "ENGINE"),
    Flag("llm_model", str, ("--llm-model",), "The model that answers there.", _SESSION, "NAME"),
    Flag("profile", str, ("--profile", "-p"), "Who the assistant is: a name (`rtchat profiles list`) or a TOML "
         "file.", _SESSION),
    Flag("var", list[str], ("--var",), "A value for a variable of the profile; may be repeated.", _SESSION,
         "NAME=VALUE"),
    Flag("instructions", str, ("--instructions",), "What the assistant is told, instead of the profile's.",
         _SESSION),
    Flag("vad", str, ("--vad",), "Who ends your turn: server (silence), semantic (what you said), off (push to "
         "talk with the space key).", _SESSION, "[server|semantic|off]"),
    Flag("eagerness", str, ("--eagerness",), "How soon semantic turns end.", _SESSION, "[low|medium|high|auto]"),
    Flag("tools", list[str], ("--tools",), "Tools for the model: a built-in name, a Python file or a module; may "
         "be repeated.", _SESSION, "NAME|FILE|MODULE"),
    Flag("max_turns", str, ("--max-turns",), "End after so many turns.", _SESSION, "N"),
    Flag("budget", str, ("--budget",), "End when this much is spent.", _SESSION, "USD"),
    Flag("input_device", str, ("--input-device",), "The microphone: number or part of the name.", _SOUND),
    Flag("output_device", str, ("--output-device",), "The loudspeaker: number or part of the name.", _SOUND),
    Flag("input_wav", Path, ("--input-wav",), "A WAV file as the microphone, in real time; the session ends when "
         "it is answered.", _SOUND),
    Flag("output_wav", Path, ("--output-wav",), "A WAV file as the loudspeaker.", _SOUND),
    Flag("echo", str, ("--echo",), "aec (cancels the assistant's voice in the microphone: speak to interrupt), "
         "half-duplex (the microphone is shut while the assistant speaks; space interrupts), off (headphones), "
         "auto (aec where there is a canceller and no headphones).", _SOUND, "[auto|aec|half-duplex|off]"),
    Flag("sensitivity", str, ("--sensitivity",), "How easily your voice interrupts: low in a noisy room, high for "
         "a soft voice.", _SOUND, "[low|medium|high]"),
    Flag("auto_gain", bool, ("--auto-gain/--no-auto-gain",), "Keep the microphone at an even level (with --echo "
         "aec).", _SOUND),
    Flag("resume_false_interruptions", bool, ("--resume-false-interruptions/--no-resume-false-interruptions",),
         "When a noise has stopped the assistant, let it say the rest.", _SOUND),
    Flag("record", bool, ("--record/--no-record",), "Keep a recording of the session: a folder, written as it "
         "happens.", _OUTPUT),
    Flag("sessions_dir", Path, ("--sessions-dir",), "Where recordings are kept.", _OUTPUT),
    Flag("plain", bool, ("--plain/--no-plain",), "Plain lines instead of the live view: for screen readers and "
         "logs.", _OUTPUT),
    Flag("json", bool, ("--json/--no-json",), "One JSON object a line on standard output.", _OUTPUT),
    Flag("quiet", bool, ("--quiet/--no-quiet", "-q"), "Only what is said, and errors.", _OUTPUT),
    Flag("log_level", str, ("--log-level",), "How much is logged on standard error.", _OUTPUT,
         "[debug|info|warning|error]"),
    Flag("config", Path, ("--config",), "The config file, instead of the user's.", _OUTPUT),
)  # fmt: skip


def _parameter(flag: Flag) -> inspect.Parameter:
    option = typer.Option(*flag.names, help=flag.help, rich_help_panel=flag.panel, metavar=flag.metavar)
    annotation: Any = Annotated[flag.type | None, option]
    return inspect.Parameter(flag.setting, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)


def shared(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the shared flags: it gets those that were given as one argument, `flags`."""
    own = [p for p in inspect.signature(command, eval_str=True).parameters.values() if p.name != "flags"]
    added = [_parameter(flag) for flag in FLAGS]

    @functools.wraps(command)
    def with_flags(**given: Any) -> None:
        flags = {flag.setting: given.pop(flag.setting) for flag in FLAGS}
        command(flags={name: value for name, value in flags.items() if value is not None}, **given)

    parameters = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in own] + added
    with_flags.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    with_flags.__annotations__ = {p.name: p.annotation for p in parameters}
    del with_flags.__wrapped__
    return with_flags
