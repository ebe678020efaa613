"""From what a flag says to a factory: a built-in name, an address, `module:factory`, a package's entry point."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Literal

from rtchat.errors import EngineError, UsageError

Kind = Literal["vad", "stt", "llm", "tts", "end-of-turn"]

GROUP = "rtchat.engines"
"""The entry points' group. A name is the kind and the engine's own: `llm.parrot` for `--llm parrot`."""

NEURAL = {
    ("stt", "whisper"): "whisper:WhisperSpeechToText",
    ("stt", "moonshine"): "moonshine:MoonshineSpeechToText",
    ("tts", "kokoro"): "kokoro:KokoroTextToSpeech",
    ("end-of-turn", "smart-turn"): "smart_turn:SmartTurn",
}
"""Engines of rtchat's extras; each is loaded only when it is asked for."""


@dataclass(frozen=True, slots=True)
class Options:
    """What engines are told besides their names.

    Attributes:
        llm_model: The model that answers; "" lets the engine choose.
        stt_model: The model that hears.
        tts_model: The model that speaks.
        tts_voice: The voice for every session, in place of the one that the session names.
        tts_format: What a voice over HTTP is asked for.
        timeout_s: Longest wait for an engine's first piece; half of that for each further one.
    """

    llm_model: str = ""
    stt_model: str = ""
    tts_model: str = ""
    tts_voice: str = ""
    tts_format: Literal["pcm", "wav"] = "pcm"
    timeout_s: float = 30.0

    def model(self, kind: Kind) -> str:
        """The model of that kind; "" where none was named."""
        return str(getattr(self, f"{kind}_model", ""))

    def told(self, kind: Kind) -> dict[str, str]:
        """What a factory of that kind is told: `model` and `voice`, where they were named."""
        told = {"model": self.model(kind), "voice": self.tts_voice if kind == "tts" else ""}
        return {name: value for name, value in told.items() if value}


def find(kind: Kind, built_in: Mapping[str, Callable[[], Any]], name: str, options: Options) -> Callable[[], Any]:
    """What makes the engine that `name` means.

    Args:
        kind: What it is to do.
        built_in: Those of this kind that come with rtchat.
        name: A name, an HTTP address, `ollama`, or `module:factory`.
        options: What else was said.

    Raises:
        UsageError: There is none, it does not load, or it was told what it cannot obey.
    """
    if "://" in name and kind in ("stt", "llm", "tts"):
        return partial(_over_http, kind, name, options)
    if name == "ollama" and kind == "llm":
        from rtchat.server.engines import ollama

        return partial(_over_http, kind, f"{ollama.address()}/v1", options, any_model=True)
    if name in built_in:
        for what in options.told(kind):
            raise UsageError(
                f"--{kind}-{what} means nothing to the engine {name}.",
                hint=f"Say which engine with --{kind}, or leave it out.",
            )
        return built_in[name]
    if (kind, name) in NEURAL:
        return _told(_imported(kind, f"rtchat.server.engines.{NEURAL[kind, name]}"), options.told(kind))
    if ":" in name:
        return _told(_imported(kind, name), options.told(kind))
    installed = offered(kind)
    if name in installed:
        return _told(_loaded(installed[name], kind), options.told(kind))
    neural = [known for of, known in NEURAL if of == kind]
    known = [*built_in, *neural, *(["ollama"] if kind == "llm" else []), *installed]
    ways = "http://…/v1, module:factory" if kind in ("stt", "llm", "tts") else "module:factory"
    raise UsageError(f"There is no {kind} engine named {name!r}.", hint=f"Choose among {', '.join(known)}, {ways}.")


def offered(kind: Kind) -> dict[str, EntryPoint]:
    """The engines of a kind that installed packages offer, by name."""
    found = entry_points(group=GROUP)
    return {entry.name.partition(".")[2]: entry for entry in found if entry.name.partition(".")[0] == kind}


def key(kind: str) -> str | None:
    """The key for an engine over HTTP, from the environment: `RTCHAT_LLM_API_KEY` and the like."""
    return os.environ.get(f"RTCHAT_{kind.upper()}_API_KEY") or None


def _over_http(kind: Kind, url: str, options: Options, *, any_model: bool = False) -> Any:
    from rtchat.server.engines.upstream import Upstream

    assert kind in ("stt", "llm", "tts")
    upstream = Upstream(url, kind=kind, model=options.model(kind), key=key(kind), any_model=any_model)
    if kind == "llm":
        from rtchat.server.engines.http_llm import HttpLanguageModel

        return HttpLanguageModel(upstream)
    if kind == "stt":
        from rtchat.server.engines.http_stt import HttpSpeechToText

        return HttpSpeechToText(upstream)
    from rtchat.server.engines.http_tts import HttpTextToSpeech

    return HttpTextToSpeech(upstream, voice=options.tts_voice, wanted=options.tts_format)


def _imported(kind: Kind, path: str) -> Callable[..., Any]:
    module, _, attribute = path.partition(":")
    if (here := os.getcwd()) not in sys.path:
        sys.path.append(here)  # a module beside the user, unless one of that name is installed
    try:
        made: Any = importlib.import_module(module)
        for part in attribute.split("."):
            made = getattr(made, part)
    except Exception as error:
        raise UsageError(
            f"--{kind} {path} does not load: {type(error).__name__}: {error}.",
            hint="It must be module:factory, with the module in this folder or installed.",
        ) from error
    return _callable(kind, path, made)


def _loaded(entry: EntryPoint, kind: Kind) -> Callable[..., Any]:
    try:
        made = entry.load()
    except Exception as error:
        raise UsageError(
            f"The {kind} engine {entry.name!r} does not load: {type(error).__name__}: {error}.",
            hint=f"It is {entry.value}, of a package that is installed here.",
        ) from error
    return _callable(kind, entry.value, made)


def _callable(kind: Kind, path: str, made: Any) -> Callable[..., Any]:
    if not callable(made):
        raise UsageError(f"--{kind} {path} is nothing that can be called.", hint="Name a class or a function.")
    factory: Callable[..., Any] = made
    return factory


def _told(factory: Callable[..., Any], told: Mapping[str, str]) -> Callable[[], Any]:
    return partial(_made, partial(factory, **told))


def _made(factory: Callable[[], Any]) -> Any:
    try:
        return factory()
    except (UsageError, EngineError):
        raise
    except Exception as error:
        raise EngineError(
            f"An engine could not be made: {type(error).__name__}: {error}.", hint="Look into its factory."
        ) from error
