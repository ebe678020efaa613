"""Where neural engines find the models that the user has downloaded. Nothing is ever fetched from here."""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path

import platformdirs

from rtchat.errors import EngineError


def folder() -> Path:
    """`RTCHAT_MODELS`, or `models` in the user's data folder."""
    said = os.environ.get("RTCHAT_MODELS")
    return (
        Path(said).expanduser() if said else Path(platformdirs.user_data_dir("rtchat", appauthor=False)) / "models"
    )


def needs_package(module: str, extra: str, flag: str) -> None:
    """Make sure that an engine's package is there, without loading it.

    Raises:
        EngineError: It is not; the hint names the extra.
    """
    if find_spec(module) is None:
        raise EngineError(
            f"{flag} needs the package {module}, which is not installed.",
            hint=f"Install it with `pip install 'rtchat[{extra}]'`.",
        )


def needs_file(path: Path, flag: str, command: str) -> Path:
    """`path`, which is a model's file or folder.

    Raises:
        EngineError: It is not there; the hint is the command that downloads it.
    """
    if not path.exists():
        raise EngineError(
            f"{flag} needs the model {path}, which is not there.", hint=f"Download it with `{command}`."
        )
    return path
