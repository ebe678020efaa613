"""The command line inside this process: quick, and with the exit code and both streams at hand."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from rtchat import cli
from rtchat.settings import config_path


class Ran(NamedTuple):
    """What a command did."""

    code: int
    out: str
    err: str


@pytest.fixture(autouse=True)
def _quiet_world(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No variable, no .env and no config file but those that a test makes."""
    for name in list(os.environ):
        if name.upper().startswith(("RTCHAT_", "OPENAI_", "AZURE_")):
            monkeypatch.delenv(name)
    for name in ("CONFIG", "DATA", "STATE"):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(tmp_path / name.lower()))
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path) -> Callable[..., Ran]:
    """`run("text", "hello", stdin="")`: through `main`, as the script does."""

    def run(*arguments: str, stdin: str = "") -> Ran:
        piped = tmp_path / "stdin"
        piped.write_text(stdin, encoding="utf-8")
        monkeypatch.setattr(sys, "argv", ["rtchat", *arguments])
        with piped.open(encoding="utf-8") as source, pytest.raises(SystemExit) as left:
            monkeypatch.setattr(sys, "stdin", source)
            cli.main()
        out, err = capfd.readouterr()
        return Ran(left.value.code or 0, out, err)

    return run


@pytest.fixture
def write_config() -> Callable[[str], Path]:
    def write(text: str) -> Path:
        path = config_path()
        path.parent.mkdir(parents=True)
        path.write_text(text, encoding="utf-8")
        return path

    return write
