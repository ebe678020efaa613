"""The commands of the README and of the pages behind it do what is said: they run, and end well.

Every `rtchat` command in a fenced block marked `sh` is run, unless the line before the block is a comment
`<!-- not run: reason -->`; of those that are not run, the command and its flags are still checked.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
README = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
SECONDS = 120
_BLOCK = re.compile(r"(?:^<!-- not run: ?(?P<reason>.*?) ?-->[ ]*\n)?^```sh\n(?P<lines>.*?)^```$", re.M | re.S)
_CALL = re.compile(r"(?:^|[|;&(]\s*)rtchat\b")
_TALKS = re.compile(r"\brtchat (?:doctor|interactive|tools|translator)\b(?!.*--input-wav\b.*--output-wav\b)")


class Command(NamedTuple):
    """One command line of the README."""

    line: str
    not_run: str | None

    def __str__(self) -> str:
        return self.line


def commands() -> list[Command]:
    found = []
    for block in _BLOCK.finditer(README):
        lines = block["lines"].replace("\\\n", " ").splitlines()
        found += [Command(line.strip(), block["reason"]) for line in lines if _CALL.search(line)]
    return found


COMMANDS = commands()
MODES = ("text", "tools", "translator", "serve", "doctor")


@pytest.fixture
def shell(world, request):
    """Run a line with bash, in a folder with the project's examples and this environment's `rtchat`."""
    for name in ("examples", "profiles"):
        (world / name).symlink_to(ROOT / name)
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"

    def run(line: str) -> subprocess.CompletedProcess[str]:
        if _TALKS.search(line):
            request.getfixturevalue("pulse")
        return subprocess.run(
            ["bash", "-c", f"set -o pipefail; {line}"],
            env={**os.environ, "PATH": path},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=SECONDS,
        )

    return run


def test_the_readme_has_commands_that_run():
    assert len([command for command in COMMANDS if command.not_run is None]) >= 5


def test_every_command_that_is_not_run_has_its_reason():
    assert [command for command in COMMANDS if command.not_run is not None and len(command.not_run) < 10] == []


def _case(command: Command) -> object:
    """The embedded server needs a voice for what is heard."""
    return pytest.param(
        command, id=str(command), marks=pytest.mark.needs(*["espeak-ng"] * ("-wav" in command.line))
    )


@pytest.mark.parametrize("command", [_case(c) for c in COMMANDS if c.not_run is None])
def test_a_command_runs(shell, command):
    done = shell(command.line)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() or done.stderr.strip()
    assert "Traceback" not in done.stderr and "error:" not in done.stderr


@pytest.mark.parametrize("command", [c for c in COMMANDS if c.not_run is not None], ids=str)
def test_a_command_that_is_not_run_exists_with_its_flags(shell, command):
    words = shlex.split(command.line, comments=True)
    call = words[words.index("rtchat") :]
    done = shell(shlex.join([*call, "--help"]))
    assert done.returncode == 0 and done.stdout.startswith("Usage: "), done.stderr


def test_every_command_and_flag_in_the_text_exists(shell):
    """`rtchat …` and `--flag` anywhere in the prose."""
    top = shell("rtchat --help").stdout
    prose = re.sub(r"```.*?```", "", README, flags=re.S)
    named = set(re.findall(r"`rtchat ([a-z]+)", prose))
    assert {name for name in named if f"\n  {name} " not in top} == set()
    helps = "".join(shell(f"rtchat {mode} --help").stdout for mode in MODES)
    flags = set(re.findall(r"`(--[a-z][a-z-]*)", prose))
    assert {flag for flag in flags if flag not in helps + top} == set()
