"""The ways to use rtchat, as one table: which parts each of them wires.

==============  =============  ==========  ===========  =====  =====  ======
mode            session        microphone  loudspeaker  typed  tools  output
==============  =============  ==========  ===========  =====  =====  ======
interactive     conversation   yes         yes          yes    yes    audio
text            conversation   no          no           yes    yes    text
text --speak    conversation   no          yes          yes    yes    audio
tools           conversation   yes         yes          yes    all    audio
translator      translation    yes         yes          no     no     audio
-- with --turns conversation   yes         yes          no     no     audio
transcribe      transcription  yes         no           no     no     none
==============  =============  ==========  ===========  =====  =====  ======
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum


class Mode(StrEnum):
    """What the user asked for; each value is also the name of a command."""

    INTERACTIVE = "interactive"
    TEXT = "text"
    TOOLS = "tools"
    TRANSLATOR = "translator"
    TRANSCRIBE = "transcribe"


class SessionKind(StrEnum):
    """The three kinds of session that the Realtime API knows."""

    CONVERSATION = "conversation"
    TRANSLATION = "translation"
    TRANSCRIPTION = "transcription"


class Output(StrEnum):
    """What the assistant answers with (`session.output_modalities`; the API takes one of them, not both)."""

    AUDIO = "audio"
    TEXT = "text"
    NONE = "none"


class Offer(StrEnum):
    """Which tools the model is offered."""

    NONE = "none"
    """None at all."""
    CHOSEN = "chosen"
    """Those that the profile names and those given with --tools."""
    ALL = "all"
    """Those, and every built-in one."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What one mode wires.

    Attributes:
        session: The kind of session that is opened.
        microphone: Sound is captured and sent.
        loudspeaker: Sound is played.
        typed: Lines that the user types (or pipes in) become turns.
        tools: Which tools the model is offered.
        output: What the answers are made of.
        profile: The profile that is used when none is named; None where a session has no instructions.
    """

    session: SessionKind
    microphone: bool
    loudspeaker: bool
    typed: bool
    tools: Offer
    output: Output
    profile: str | None


_TALK = Parts(
    session=SessionKind.CONVERSATION,
    microphone=True,
    loudspeaker=True,
    typed=True,
    tools=Offer.CHOSEN,
    output=Output.AUDIO,
    profile="assistant",
)
_INTERPRETER = replace(_TALK, typed=False, tools=Offer.NONE, profile="translator")

_PARTS: dict[Mode, Parts] = {
    Mode.INTERACTIVE: _TALK,
    Mode.TEXT: replace(_TALK, microphone=False, loudspeaker=False, output=Output.TEXT),
    Mode.TOOLS: replace(_TALK, tools=Offer.ALL),
    Mode.TRANSLATOR: replace(_INTERPRETER, session=SessionKind.TRANSLATION, profile=None),
    Mode.TRANSCRIBE: replace(
        _TALK,
        session=SessionKind.TRANSCRIPTION,
        loudspeaker=False,
        typed=False,
        tools=Offer.NONE,
        output=Output.NONE,
        profile=None,
    ),
}


def parts(mode: Mode, *, speak: bool = False, turns: bool = False) -> Parts:
    """What `mode` wires.

    Args:
        mode: The mode.
        speak: In text mode, answer aloud too (`--speak`); elsewhere it changes nothing.
        turns: In translator mode, a conversation that takes turns instead of a translation session (`--turns`);
            elsewhere it changes nothing.
    """
    if mode is Mode.TEXT and speak:
        return replace(_PARTS[mode], loudspeaker=True, output=Output.AUDIO)
    if mode is Mode.TRANSLATOR and turns:
        return _INTERPRETER
    return _PARTS[mode]
