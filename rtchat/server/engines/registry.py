"""The engines by name, and the set that a server is made of."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from rtchat.errors import UsageError
from rtchat.server.engines.apertium import ApertiumTranslator, TranslatingAssistant
from rtchat.server.engines.assistant import RuleAssistant
from rtchat.server.engines.base import (
    EndOfTurn,
    LanguageModel,
    Prompt,
    SpeechToText,
    TextPiece,
    TextToSpeech,
    ToolCall,
    Translator,
    VoiceActivityDetector,
)
from rtchat.server.engines.espeak import EspeakTextToSpeech
from rtchat.server.engines.sphinx import SphinxSpeechToText
from rtchat.silero import SileroDetector

T = TypeVar("T")


def local_now() -> datetime:
    """The time here, with its zone."""
    return datetime.now().astimezone()


VADS: dict[str, Callable[[], VoiceActivityDetector]] = {"silero": SileroDetector}
STTS: dict[str, Callable[[], SpeechToText]] = {"pocketsphinx": SphinxSpeechToText}
LLMS: dict[str, Callable[[], LanguageModel]] = {"rules": lambda: RuleAssistant(local_now)}
TTSS: dict[str, Callable[[], TextToSpeech]] = {"espeak": EspeakTextToSpeech}


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

    def respond(self, prompt: Prompt) -> AsyncIterator[TextPiece | ToolCall]:
        """Answer by the model that is asked for."""
        return self._model(prompt).respond(prompt)

    def grammar(self, prompt: Prompt) -> str | None:
        """Its grammar."""
        return self._model(prompt).grammar(prompt)


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
    """

    new_vad: Callable[[], VoiceActivityDetector]
    stt: SpeechToText
    llm: LanguageModel
    tts: TextToSpeech
    translator: Translator
    end_of_turn: EndOfTurn | None = None


def build(*, vad: str = "silero", stt: str = "pocketsphinx", llm: str = "rules", tts: str = "espeak") -> Engines:
    """The engines of these names.

    Raises:
        UsageError: There is no engine of that name.
    """
    translator = ApertiumTranslator()
    return Engines(
        new_vad=_named("vad", VADS, vad),
        stt=_named("stt", STTS, stt)(),
        llm=LocalModels(_named("llm", LLMS, llm)(), translator),
        tts=_named("tts", TTSS, tts)(),
        translator=translator,
    )


def _named(kind: str, engines: dict[str, T], name: str) -> T:
    if name not in engines:
        raise UsageError(f"There is no {kind} engine named {name!r}.", hint=f"Choose among {', '.join(engines)}.")
    return engines[name]
