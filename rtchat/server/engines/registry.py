"""The engines by name, by address or by module, and the set that a server is made of."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import datetime
from importlib.util import find_spec
from inspect import isawaitable
from typing import Any

from rtchat.server.engine_timeouts import EngineTimeouts
from rtchat.server.engines import finding, smart_turn
from rtchat.server.engines.apertium import ApertiumTranslator, TranslatingAssistant
from rtchat.server.engines.assistant import RuleAssistant
from rtchat.server.engines.base import (
    EndOfTurn,
    LanguageModel,
    Piece,
    Prompt,
    SpeechToText,
    TextToSpeech,
    Translator,
    VoiceActivityDetector,
)
from rtchat.server.engines.espeak import EspeakTextToSpeech
from rtchat.server.engines.silero_batch import SileroSessions
from rtchat.server.engines.sphinx import SphinxSpeechToText
from rtchat.server.engines.tone import ToneTextToSpeech


def local_now() -> datetime:
    """The time here, with its zone."""
    return datetime.now().astimezone()


VADS: dict[str, Callable[[], Callable[[], VoiceActivityDetector]]] = {"silero": SileroSessions}
STTS: dict[str, Callable[[], SpeechToText]] = {"pocketsphinx": SphinxSpeechToText}
LLMS: dict[str, Callable[[], LanguageModel]] = {"rules": lambda: RuleAssistant(local_now)}
TTSS: dict[str, Callable[[], TextToSpeech]] = {"espeak": EspeakTextToSpeech, "tone": ToneTextToSpeech}


class LocalModels:
    """`LanguageModel` that is one of the local ones by the session's model name: `apertium:en-es` translates.

    Args:
        assistant: Answers for every other name.
        translator: Translates.
    """

    def __init__(self, assistant: LanguageModel, translator: Translator) -> None:
        self.name = assistant.name
        self._assistant = assistant
        self._translating = TranslatingAssistant(translator)

    def _model(self, prompt: Prompt) -> LanguageModel:
        return self._translating if prompt.model.startswith("apertium:") else self._assistant

    def respond(self, prompt: Prompt) -> AsyncIterator[Piece]:
        """Answer by the model that is asked for."""
        return self._model(prompt).respond(prompt)

    def grammar(self, prompt: Prompt) -> str | None:
        """Its grammar."""
        return self._model(prompt).grammar(prompt)

    async def check(self) -> str | None:
        """What the assistant says of itself."""
        return await _checked(self._assistant)

    async def close(self) -> None:
        """End the assistant."""
        await _closed(self._assistant)


@dataclass(frozen=True, slots=True)
class Engines:
    """What a server is made of.

    Attributes:
        new_vad: Makes a detector, one for each session.
        stt: Hears.
        llm: Answers.
        tts: Speaks.
        translator: Translates.
        end_of_turn: Tells whether a pause is an end, for semantic_vad; None to go by the words.
        timeouts: How long a session waits for them.
    """

    new_vad: Callable[[], VoiceActivityDetector]
    stt: SpeechToText
    llm: LanguageModel
    tts: TextToSpeech
    translator: Translator
    end_of_turn: EndOfTurn | None = None
    timeouts: EngineTimeouts = field(default_factory=EngineTimeouts)

    async def check(self) -> list[str]:
        """What does not work now, a sentence for each engine that says so."""
        found = [await _checked(engine) for engine in (self.stt, self.llm, self.tts, self.end_of_turn)]
        return [sentence for sentence in dict.fromkeys(found) if sentence]

    async def close(self) -> None:
        """End their processes and connections."""
        for engine in (self.stt, self.llm, self.tts, self.end_of_turn, self.translator):
            await _closed(engine)


def build(
    *,
    vad: str = "silero",
    stt: str = "pocketsphinx",
    llm: str = "rules",
    tts: str = "espeak",
    end_of_turn: str = "auto",
    options: finding.Options | None = None,
) -> Engines:
    """The engines of these names (see `finding.find`). `end_of_turn` may be `auto`, what is installed, or `off`.

    Raises:
        UsageError: There is no such engine.
        EngineError: An engine's package or model is missing.
    """
    options = options or finding.Options()
    translator = ApertiumTranslator()
    return Engines(
        new_vad=finding.find("vad", {name: shared() for name, shared in VADS.items()}, vad, options),
        stt=finding.find("stt", STTS, stt, options)(),
        llm=LocalModels(finding.find("llm", LLMS, llm, options)(), translator),
        tts=finding.find("tts", TTSS, tts, options)(),
        translator=translator,
        end_of_turn=_end_of_turn(end_of_turn, options),
        timeouts=EngineTimeouts.of(options.timeout_s),
    )


def _end_of_turn(name: str, options: finding.Options) -> EndOfTurn | None:
    if name == "auto":
        if find_spec("onnxruntime") is None or not smart_turn.installed():
            return None
        name = "smart-turn"
    engine: EndOfTurn | None = None if name == "off" else finding.find("end-of-turn", {}, name, options)()
    return engine


async def _checked(engine: Any) -> str | None:
    check = getattr(engine, "check", None)
    if check is None:
        return None
    try:
        said: str | None = await check()
    except Exception as error:  # an engine of somebody else's: its mistake is no reason not to start
        return f"{getattr(engine, 'name', engine)} could not be checked: {type(error).__name__}: {error}."
    return said


async def _closed(engine: Any) -> None:
    close = getattr(engine, "close", None)
    if close is not None and isawaitable(closing := close()):
        await closing
