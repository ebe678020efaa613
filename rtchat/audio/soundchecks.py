"""What `rtchat doctor` found out about each pair of devices, kept between runs: one JSON file that people can read.

Names alone do not tell devices apart where a sound server stands before them: with PulseAudio and PipeWire all are
called `default`. So a pair is known by what the server says is behind those names, too.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import platformdirs
from pydantic import TypeAdapter, ValidationError

from rtchat.audio.devices import Side
from rtchat.audio.soundcheck import SoundCheck

VERSION = 1
"""Of the file; one of another version is left alone when reading, and replaced when writing."""
KEPT = 30
"""Pairs of devices; those that were checked longest ago are forgotten."""

_ASK_SECONDS = 1.0
_SOFTWARE = ("default", "pulse", "pipewire", "sysdefault")
_CHECK = TypeAdapter(SoundCheck)


def path() -> Path:
    """Where they are kept: `~/.local/state/rtchat/soundchecks.json` on Linux."""
    return platformdirs.user_state_path("rtchat", appauthor=False) / "soundchecks.json"


def load(input_name: str, output_name: str) -> SoundCheck | None:
    """What was found about these two devices, as `Sound.input_name` and `output_name` call them.

    It may ask the sound server for its defaults, some 10 ms: call it off the event loop.

    Returns:
        None when they were never checked, and when the file is missing, damaged or of another version.
    """
    pair = (known_as(input_name, "microphone"), known_as(output_name, "loudspeaker"))
    return next((check for check in _read() if (check.input_name, check.output_name) == pair), None)


def save(check: SoundCheck) -> None:
    """Keep it, in place of what was found about the same two devices before.

    Args:
        check: What was found; its names are those of `named`.

    Raises:
        OSError: The file cannot be written.
    """
    pair = (check.input_name, check.output_name)
    others = [each for each in _read() if (each.input_name, each.output_name) != pair]
    kept = sorted([check, *others], key=lambda each: each.checked_at, reverse=True)[:KEPT]
    file = path()
    file.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps({"version": VERSION, "checks": [asdict(each) for each in kept]}, indent=2, ensure_ascii=False)
    fresh = file.with_name(f"{file.name}.{os.getpid()}")
    try:
        fresh.write_text(text + "\n", encoding="utf-8")
        fresh.replace(file)  # whole or not at all
    finally:
        fresh.unlink(missing_ok=True)


def named(check: SoundCheck) -> SoundCheck:
    """The same, with the names under which its devices are known."""
    return replace(
        check,
        input_name=known_as(check.input_name, "microphone"),
        output_name=known_as(check.output_name, "loudspeaker"),
    )


def known_as(name: str, side: Side) -> str:
    """A device's name, with what the sound server has behind it: `default (alsa_input.usb-Jabra)`."""
    if name not in _SOFTWARE:
        return name
    behind = _server_default(side)
    return f"{name} ({behind})" if behind else name


def _server_default(side: Side) -> str:
    """What PulseAudio, or PipeWire in its place, records or plays with when nothing is named; empty for unknown."""
    program = shutil.which("pactl")
    if program is None:
        return ""
    chosen = os.environ.get("PULSE_SOURCE" if side == "microphone" else "PULSE_SINK")
    if chosen:
        return chosen
    wanted = "Default Source:" if side == "microphone" else "Default Sink:"
    with suppress(OSError, subprocess.SubprocessError):
        said = subprocess.run(
            [program, "info"],
            env={**os.environ, "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_ASK_SECONDS,
            check=True,
        ).stdout
        for line in said.splitlines():
            if line.startswith(wanted):
                return line.removeprefix(wanted).strip()
    return ""


def _read() -> list[SoundCheck]:
    """All that can be understood of the file."""
    try:
        data: Any = json.loads(path().read_text(encoding="utf-8"))
        entries = data["checks"] if data["version"] == VERSION else []
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return []
    found = []
    for entry in entries if isinstance(entries, list) else []:
        with suppress(ValidationError):
            found.append(_CHECK.validate_python(entry))
    return found
