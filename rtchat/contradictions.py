"""Flags that cannot be obeyed together, or not in this mode: told, and never passed over in silence.

What a config file or the environment says is for all sessions, and may wait for one that it is about.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from rtchat.errors import UsageError
from rtchat.modes import Mode, Offer, Output, Parts, SessionKind
from rtchat.profiles import Profile
from rtchat.settings import Settings


class _Row(NamedTuple):
    """Settings that count only where there is what they are about.

    Attributes:
        counts: Whether there is.
        names: The settings.
        about: What they are about.
        hint: What to do when there is not.
    """

    counts: bool
    names: tuple[str, ...]
    about: str
    hint: str


def check(settings: Settings, mode: Mode, mode_parts: Parts, where: str, profile: Profile | None) -> None:
    """Look at what the user said as a whole.

    Args:
        settings: All settings.
        mode: What was asked for.
        mode_parts: What that wires.
        where: Which server: `openai`, `azure`, `local` or `url`.
        profile: Who the assistant is, in a conversation.

    Raises:
        UsageError: It contradicts itself.
    """
    flags = _flags(settings)
    _engine(settings, flags, where)
    for row in _rows(mode, mode_parts):
        given = [flags[name] for name in row.names if name in flags]
        if given and not row.counts:
            raise UsageError(f"{given[0]} is about {row.about}, and rtchat {mode} has none.", hint=row.hint)
    _eagerness(settings, flags, profile)
    _one_file(settings, mode_parts)


def _rows(mode: Mode, mode_parts: Parts) -> Iterator[_Row]:
    talking = "Leave it out, or use rtchat interactive."
    speaking = "Add --speak, or leave it out." if mode is Mode.TEXT else talking
    with_turns = "Add --turns, or leave it out." if mode is Mode.TRANSLATOR else talking
    conversation = mode_parts.session is SessionKind.CONVERSATION
    duplex = mode_parts.microphone and mode_parts.loudspeaker
    yield _Row(mode_parts.microphone, ("input_wav", "input_device", "vad", "eagerness"), "the microphone", talking)
    yield _Row(mode_parts.loudspeaker, ("output_wav", "output_device", "voice"), "the loudspeaker", speaking)
    yield _Row(duplex, ("echo", "auto_gain"), "a microphone beside a loudspeaker", talking)
    yield _Row(conversation, ("profile", "instructions", "var"), "a conversation", with_turns)
    yield _Row(mode_parts.tools is not Offer.NONE, ("tools",), "a model that uses tools", talking)
    interrupting = ("sensitivity", "resume_false_interruptions")
    yield _Row(duplex and conversation, interrupting, "an assistant to interrupt", with_turns)
    translates = mode_parts.session is SessionKind.TRANSLATION
    yield _Row(not translates, ("vad", "eagerness", "voice", "max_turns"), "a conversation", with_turns)
    yield _Row(mode_parts.output is not Output.NONE, ("llm", "llm_model"), "a model that answers", talking)


def _engine(settings: Settings, flags: Mapping[str, str], where: str) -> None:
    """A flag about the embedded server's engine means nothing elsewhere.

    Raises:
        UsageError: There is one, and nothing that it is about.
    """
    given = [flags[name] for name in ("llm", "llm_model") if name in flags]
    if given and where != "local":
        to = {"openai": "OpenAI", "azure": "Azure"}.get(where, "another server")
        raise UsageError(
            f"{given[0]} is about the embedded server, and this session goes to {to}.",
            hint="Leave it out, or use --server local.",
        )
    if given and not settings.llm:
        raise UsageError(
            "--llm-model names a model of another engine than the built-in one.",
            hint="Say which: --llm ollama, or the address of a server.",
        )


def _eagerness(settings: Settings, flags: Mapping[str, str], profile: Profile | None) -> None:
    """Only turns that are ended by what was said are ended more or less eagerly.

    Raises:
        UsageError: Something else ends them.
    """
    vad = settings.vad or (profile.turn_taking.vad if profile else "server")
    if vad != "semantic" and "eagerness" in flags:
        ends = {"off": "you end them"}.get(vad, "silence ends them")
        raise UsageError(
            f"--eagerness is about turns that end with what was said, and here {ends}.",
            hint="Add --vad semantic, or leave it out.",
        )


def _one_file(settings: Settings, mode_parts: Parts) -> None:
    """A file is not heard and written at once.

    Raises:
        UsageError: It is so.
    """
    microphone, loudspeaker = settings.input_wav, settings.output_wav
    both = mode_parts.microphone and mode_parts.loudspeaker
    if both and microphone and loudspeaker and str(microphone) != "-" and _same_file(microphone, loudspeaker):
        raise UsageError(
            f"{microphone} is both the microphone and the loudspeaker, and would be written over.",
            hint="Give another file with --output-wav.",
        )


def _flags(settings: Settings) -> dict[str, str]:
    """The settings that the command line gave, each as it gave it."""
    return {row.name: row.source for row in settings.explain() if row.source.startswith("--")}


def _same_file(one: Path, other: Path) -> bool:
    """Two names of one file."""
    try:
        return one.samefile(other)
    except OSError:  # one of them is not there
        return False
