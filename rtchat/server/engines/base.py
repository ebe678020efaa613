"""The contracts of the embedded server's engines.

An engine is anything that satisfies one of these. It is made once per server (`load` work belongs there) and
used by many sessions at once, except the voice activity detector, which has state and is made per session.
Two methods are asked for where they are there: `async check() -> str | None`, at the server's start, tells in one
sentence what does not work; `close()`, plain or async, ends the engine with the server.
All sound is mono PCM16 little-endian; each contract says its rate.

Raises (all of them): `EngineError` when it cannot work, with a hint that names the package or the command.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from rtchat.errors import RtchatError


class VoiceActivityDetector(Protocol):
    """Is this speech? One per session."""

    rate: int
    """Hertz it wants (16 000)."""
    window_samples: int
    """Samples of one window (512: 32 ms)."""

    def probability(self, window: bytes) -> float:
        """Probability of speech, 0 to 1, of exactly one window; keeps state between calls."""
        ...

    def reset(self) -> None:
        """Forget what came before."""
        ...


class EndOfTurn(Protocol):
    """Has the user finished, or only paused? One per server; only semantic_vad asks it.

    It hears what words do not show (the melody of a question, a drawn-out "and"). A server without one goes by
    the words alone.
    """

    name: str
    rate: int
    """Hertz it wants (16 000)."""
    longest_ms: int
    """As much sound as it looks at, counted from the end (8 000)."""

    async def probability(self, pcm: bytes) -> float:
        """Probability, 0 to 1, that the turn is over.

        Asked once at every pause, so it must not block the event loop.

        Args:
            pcm: Mono PCM16 at `rate` hertz: the turn so far, its last `longest_ms`, ending with the pause's first
                tenth of a second.
        """
        ...


@dataclass(frozen=True, slots=True)
class Transcript:
    """What was heard. `text` is empty when nothing was understood."""

    text: str
    language: str = "en"


class SpeechToText(Protocol):
    """Hears."""

    name: str

    async def transcribe(
        self, pcm: bytes, rate: int, *, language: str | None = None, grammar: str | None = None
    ) -> Transcript:
        """Recognise one turn of speech.

        Args:
            pcm: Mono PCM16 at `rate` hertz.
            rate: Hertz.
            language: ISO 639-1 code, when the session named one.
            grammar: A JSGF grammar of what is likely to be said; what it does not cover may still be recognised.
        """
        ...


@dataclass(frozen=True, slots=True)
class Partial:
    """What was heard of a turn that goes on.

    Attributes:
        text: The words so far; later ones may be put differently.
        ms: They are the words of this much of the turn's sound.
        sure: Characters of `text` that will not change any more.
    """

    text: str
    ms: float
    sure: int = 0


class Listener(Protocol):
    """Hears one turn while it is spoken. Its methods are called one after the other, `close` at any time."""

    async def feed(self, pcm: bytes) -> Partial:
        """The turn's next sound, of any length.

        What comes meanwhile waits and is given together, so an engine that is slow is asked more rarely.
        """
        ...

    async def finish(self) -> Transcript:
        """The turn is over: its words. Nothing is fed after it."""
        ...

    def close(self) -> None:
        """Let go of everything, finished or not. Called once, and does not block."""
        ...


class ListeningSpeechToText(SpeechToText, Protocol):
    """Hears turns while they are spoken, too. Any `SpeechToText` with this method is taken for one.

    `transcribe` is still asked for sound that comes whole: an item with sound in it, or a turn that the client ends
    elsewhere than the detector would.
    """

    def listen(self, rate: int, *, language: str | None = None, grammar: str | None = None) -> Listener:
        """Hear a turn that begins now. Does not block; many may be open at once.

        Args:
            rate: Hertz of what will be fed, mono PCM16.
            language: ISO 639-1 code, when the session named one.
            grammar: As for `transcribe`.
        """
        ...


@dataclass(frozen=True, slots=True)
class Message:
    """One entry of the conversation as a language model sees it.

    Attributes:
        role: Who.
        text: What was said, or a tool's output (role `tool`), or the arguments (role `call`). An image is mentioned
            in it: `[image: a PNG of 640 by 480 pixels]`.
        name: The function's name for `call`.
        call_id: Joins a `call` with its `tool` answer.
        images: Data URIs (PNG or JPEG) that came with it, for models that can see.
    """

    role: Literal["system", "user", "assistant", "call", "tool"]
    text: str
    name: str = ""
    call_id: str = ""
    images: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Prompt:
    """All that a language model is given for one response.

    Attributes:
        instructions: The session's (or the response's) instructions.
        messages: The conversation, oldest first, as it was heard (truncated answers are already cut).
        tools: Function tools, each `{"type": "function", "name", "description", "parameters"}`.
        tool_choice: `auto`, `none`, `required` or a function's name.
        model: The session's model name.
        parallel_tool_calls: Whether one response may call several functions.
        may_be_cut: Whether the oldest messages may be left out when they are more than the model takes.
    """

    instructions: str
    messages: Sequence[Message]
    tools: Sequence[Mapping[str, Any]] = field(default_factory=tuple)
    tool_choice: str = "auto"
    model: str = ""
    parallel_tool_calls: bool = True
    may_be_cut: bool = True


@dataclass(frozen=True, slots=True)
class TextPiece:
    """A piece of the answer: a token, a sentence, all of it. Joined as they are, the pieces are the whole text.

    Attributes:
        text: The piece.
        whole: It ends where the voice may pause, however it ends: nothing is waited for before it is spoken.
    """

    text: str
    whole: bool = False


AT_WORK = TextPiece("")
"""Nothing to say yet, but the engine is not stuck: it is waited for anew."""


@dataclass(frozen=True, slots=True)
class ToolCall:
    """The model wants a function called; `arguments` is JSON text."""

    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class BrokenOff:
    """The model stopped before its end, and nothing more comes: the response is `incomplete` for this reason."""

    reason: Literal["max_output_tokens", "content_filter"]


Piece = TextPiece | ToolCall | BrokenOff
"""What a language model gives."""


class LanguageModel(Protocol):
    """Answers."""

    name: str

    def respond(self, prompt: Prompt) -> AsyncIterator[Piece]:
        """Answer, piece by piece. Closing the iterator stops the work."""
        ...

    def grammar(self, prompt: Prompt) -> str | None:
        """A JSGF grammar of what it understands in this situation, for the recogniser; None when anything goes."""
        ...


@dataclass(frozen=True, slots=True)
class WordMark:
    """When a word has been said.

    Attributes:
        end: Characters of the text up to the word's end: `text[:end]` has been said
        ms: once this much of the sound of this `speak` has been heard.
    """

    end: int
    ms: float


class TextToSpeech(Protocol):
    """Speaks."""

    name: str
    rate: int
    """Hertz of what `speak` gives (24 000)."""

    def speak(
        self, text: str, *, voice: str, speed: float = 1.0, language: str = "en"
    ) -> AsyncIterator[bytes | WordMark]:
        """Say `text`. `voice` is one of the API's names.

        Gives chunks of any whole number of samples, and, from engines that know it, a `WordMark` for each word, in
        order, any time before the end. Without marks, words are taken to be spread evenly over the sound.
        """
        ...


class Translator(Protocol):
    """Translates text."""

    name: str

    def pairs(self) -> Sequence[tuple[str, str]]:
        """Installed (source, target) pairs of ISO 639-1 codes."""
        ...

    async def translate(self, text: str, *, source: str, target: str) -> str:
        """Translate. Raises `EngineError` (naming the package to install) for a pair that is not there."""
        ...


def reason(error: Exception) -> str:
    """Why an engine could not, in a sentence for the client."""
    if isinstance(error, RtchatError):
        return str(error)
    return f"The engine failed: {type(error).__name__}: {error}"
