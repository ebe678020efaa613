"""What crosses the dialogue's skin: inputs tell it what happened, effects ask the server to act.

No clock is read: positions are counted in the sound that was appended.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rtchat.protocol.items import McpTool
    from rtchat.server.engines.base import Partial, Piece, Prompt, WordMark


@dataclass(frozen=True, slots=True)
class McpServer:
    """An MCP server that a client named: its address, and the HTTP headers (secrets, mostly) that it wants."""

    label: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)


# --- inputs -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Frame:
    """A text frame of the client, unread."""

    text: str


@dataclass(frozen=True, slots=True)
class BinaryFrame:
    """A binary frame of the client, which the API does not take."""


@dataclass(frozen=True, slots=True)
class Detected:
    """What the voice activity detector makes of the next windows (32 ms each): probabilities of speech."""

    probabilities: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Deaf:
    """The detector cannot work: turns are the client's to end."""

    reason: str


@dataclass(frozen=True, slots=True)
class Recognised:
    """What was said in the sound of a `Transcribe`; empty when nothing was understood."""

    key: str
    text: str


@dataclass(frozen=True, slots=True)
class NotRecognised:
    """The recogniser failed on a `Transcribe`."""

    key: str
    reason: str


@dataclass(frozen=True, slots=True)
class SoFar:
    """What was heard by now of the turn of a `Listen`."""

    key: str
    partial: Partial


@dataclass(frozen=True, slots=True)
class Judged:
    """Probability that the turn of a `Judge` is over. Never comes where there is no engine that can tell."""

    key: str
    over: float


@dataclass(frozen=True, slots=True)
class Thought:
    """A piece of the answer."""

    response_id: str
    piece: Piece


@dataclass(frozen=True, slots=True)
class ThoughtEnded:
    """The language model has said all. `error` is why it could not."""

    response_id: str
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Spoke:
    """Sound of the oldest `Speak` that has not ended: 24 kHz mono PCM16."""

    response_id: str
    pcm: bytes


@dataclass(frozen=True, slots=True)
class Marked:
    """When a word of the oldest `Speak` that has not ended is over, in its text and in its sound."""

    response_id: str
    mark: WordMark


@dataclass(frozen=True, slots=True)
class SpeechEnded:
    """The oldest `Speak` has ended. `error` is why it could not be spoken."""

    response_id: str
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Translated:
    """A `Translate` of that key, done."""

    key: str
    text: str


@dataclass(frozen=True, slots=True)
class NotTranslated:
    """A `Translate` of that key, and why it could not be done."""

    key: str
    reason: str


@dataclass(frozen=True, slots=True)
class ToolsListed:
    """What the MCP server of a `ListTools` offers."""

    key: str
    tools: tuple[McpTool, ...]


@dataclass(frozen=True, slots=True)
class ToolsNotListed:
    """The MCP server of a `ListTools` could not be asked, and why."""

    key: str
    reason: str


@dataclass(frozen=True, slots=True)
class ToolCalled:
    """What the tool of a `CallTool` answered."""

    key: str
    output: str


@dataclass(frozen=True, slots=True)
class ToolFailed:
    """The `CallTool` failed: `error` is the item's, with `type` and `message`, most with a `code`."""

    key: str
    error: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Expired:
    """The session has lasted as long as it may; `lasted` says how long that is."""

    lasted: str = "60 minutes"

    @property
    def sentence(self) -> str:
        """What the client is told."""
        return f"Your session hit the maximum duration of {self.lasted}."


Input = (
    Frame
    | BinaryFrame
    | Detected
    | Deaf
    | Recognised
    | NotRecognised
    | SoFar
    | Judged
    | Thought
    | ThoughtEnded
    | Spoke
    | Marked
    | SpeechEnded
    | Translated
    | NotTranslated
    | ToolsListed
    | ToolsNotListed
    | ToolCalled
    | ToolFailed
    | Expired
)

# --- effects ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Emit:
    """Send this event to the client: one of `protocol.server_events` or `protocol.translation`."""

    event: Any


@dataclass(frozen=True, slots=True)
class Detect:
    """Run the detector over this sound, the next of the microphone: 24 kHz mono PCM16. Answer: `Detected`."""

    pcm: bytes


@dataclass(frozen=True, slots=True)
class Prepare:
    """The user is going to speak, and this is the situation: let the recogniser wake up."""

    prompt: Prompt | None


@dataclass(frozen=True, slots=True)
class ResetDetector:
    """What comes next has nothing to do with what came before."""


@dataclass(frozen=True, slots=True)
class Listen:
    """The next sound of a turn being spoken: 24 kHz mono PCM16. The first has the prompt. Answer: `SoFar`s."""

    key: str
    pcm: bytes
    language: str | None
    prompt: Prompt | None


@dataclass(frozen=True, slots=True)
class Transcribe:
    """Recognise one turn: 24 kHz mono PCM16. Answer: `Recognised` or `NotRecognised` of the same key.

    Of a turn that was listened to (`Listen` of the same key), this is all of the sound, and its end.
    `prompt` is the situation in which it was said, from which the language model makes the recogniser's grammar;
    None for open dictation.
    """

    key: str
    pcm: bytes
    language: str | None
    prompt: Prompt | None


@dataclass(frozen=True, slots=True)
class Judge:
    """Is this turn over? 24 kHz mono PCM16. Answer: `Judged` of the same key, or none."""

    key: str
    pcm: bytes


@dataclass(frozen=True, slots=True)
class Abandon:
    """The answers to the `Transcribe` and the `Judge` of that key are not wanted any more."""

    key: str


@dataclass(frozen=True, slots=True)
class Think:
    """Let the language model answer. Answer: `Thought`s, then `ThoughtEnded`."""

    response_id: str
    prompt: Prompt


@dataclass(frozen=True, slots=True)
class Speak:
    """Speak this, after what is still to be spoken of the same response. Answer: `Spoke`s, then `SpeechEnded`."""

    response_id: str
    text: str
    voice: str
    speed: float
    language: str


@dataclass(frozen=True, slots=True)
class Translate:
    """Translate this. Answer: `Translated` or `NotTranslated`. Languages are ISO 639-1 codes."""

    key: str
    text: str
    source: str
    target: str


@dataclass(frozen=True, slots=True)
class ListTools:
    """Ask this MCP server for its tools. Answer: `ToolsListed` or `ToolsNotListed` of the same key."""

    key: str
    server: McpServer


@dataclass(frozen=True, slots=True)
class CallTool:
    """Call a tool of this MCP server; `arguments` is JSON text. Answer: `ToolCalled` or `ToolFailed`."""

    key: str
    server: McpServer
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Enough:
    """No more thoughts are wanted for this response; what is to be spoken still is."""

    response_id: str


@dataclass(frozen=True, slots=True)
class Abort:
    """Stop all work for this response; nothing more of it is wanted."""

    response_id: str


@dataclass(frozen=True, slots=True)
class Close:
    """Close the socket after what was emitted."""

    code: int
    reason: str


@dataclass(frozen=True, slots=True)
class After:
    """Tell `told` in so many seconds; never 0 seconds from now at once. For what is put around a dialogue.

    Attributes:
        seconds: How long to wait.
        told: What is then told.
        work: It is a part of what the client waits for (`clock.Clock.call_later`).
    """

    seconds: float
    told: Any
    work: bool = True


@dataclass(frozen=True, slots=True)
class Raw:
    """Send this frame, whatever it is: text or binary."""

    data: str | bytes


@dataclass(frozen=True, slots=True)
class Cut:
    """Break the connection in the middle of this frame, without a close."""

    frame: str


Effect = (
    Emit
    | Detect
    | Prepare
    | ResetDetector
    | Listen
    | Transcribe
    | Judge
    | Abandon
    | Think
    | Speak
    | Translate
    | ListTools
    | CallTool
    | Enough
    | Abort
    | Close
    | After
    | Raw
    | Cut
)
