"""Flags that cannot be obeyed together, or not in this mode: told, and never passed over in silence.

What a config file or the environment says is for all sessions, and may wait for one that it is about.
"""

from __future__ import annotations

from pathlib import Path

from rtchat.errors import UsageError
from rtchat.modes import Mode, Parts
from rtchat.settings import Settings


def check(settings: Settings, mode: Mode, mode_parts: Parts, where: str) -> None:
    """Look at what the user said as a whole.

    Args:
        settings: All settings.
        mode: What was asked for.
        mode_parts: What that wires.
        where: Which server: `openai`, `azure`, `local` or `url`.

    Raises:
        UsageError: It contradicts itself.
    """
    _engine(settings, where)
    _sound(settings, mode, mode_parts)


def _engine(settings: Settings, where: str) -> None:
    """A flag about the embedded server's engine means nothing elsewhere.

    Raises:
        UsageError: There is one, and nothing that it is about.
    """
    given = _flags(settings, "llm", "llm_model")
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


def _sound(settings: Settings, mode: Mode, mode_parts: Parts) -> None:
    """A flag about a device that the mode does not have, or one file for both.

    Raises:
        UsageError: It is so.
    """
    for side, has, names in (
        ("microphone", mode_parts.microphone, ("input_wav", "input_device")),
        ("loudspeaker", mode_parts.loudspeaker, ("output_wav", "output_device")),
    ):
        if not has and (given := _flags(settings, *names)):
            speak = side == "loudspeaker" and mode is Mode.TEXT
            raise UsageError(
                f"{given[0]} is about the {side}, and rtchat {mode} has none.",
                hint="Add --speak, or leave it out." if speak else "Leave it out, or use rtchat interactive.",
            )
    microphone, loudspeaker = settings.input_wav, settings.output_wav
    both = mode_parts.microphone and mode_parts.loudspeaker
    if both and microphone and loudspeaker and str(microphone) != "-" and _same_file(microphone, loudspeaker):
        raise UsageError(
            f"{microphone} is both the microphone and the loudspeaker, and would be written over.",
            hint="Give another file with --output-wav.",
        )


def _flags(settings: Settings, *names: str) -> list[str]:
    """Those of these settings that the command line gave, as it gave them."""
    sources = {row.name: row.source for row in settings.explain()}
    return [sources[name] for name in names if sources[name].startswith("--")]


def _same_file(one: Path, other: Path) -> bool:
    """Two names of one file."""
    try:
        return one.samefile(other)
    except OSError:  # one of them is not there
        return False
