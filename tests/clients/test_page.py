"""docs/clients.md: its programs are run, its versions are those that the tests use."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
PAGE = (HERE.parents[1] / "docs" / "clients.md").read_text(encoding="utf-8")
PROGRAMS = re.findall(r"^## (.*?)\n.*?```(python|js)\n(.*?)```", PAGE, re.S | re.M)
CLEAN = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG", "TMPDIR")}


def here(program: str, server: Any) -> str:
    """The program, with the address of the tests' server and its key."""
    address = server.url.partition("://")[2]
    program, count = re.subn(r"127\.0\.0\.1:8765/v1", address, program)
    assert count == 1
    return program.replace('"none"', f'"{server.key}"')


@pytest.mark.parametrize(
    ("title", "program"), [(title, text) for title, kind, text in PROGRAMS if kind == "python"]
)
def test_a_python_program(title: str, program: str, served, clients_python) -> None:
    python = sys.executable if title.startswith("openai") else clients_python
    command = [python, "-c", here(program, served)]
    ran = subprocess.run(command, env=CLEAN, capture_output=True, text=True, timeout=120, check=False)
    assert (ran.returncode, "It works" in ran.stdout) == (0, title != "Pipecat"), ran.stderr


@pytest.mark.needs("node", "npm", "openssl")
@pytest.mark.parametrize(("title", "program"), [(title, text) for title, kind, text in PROGRAMS if kind == "js"])
def test_a_javascript_program(title: str, program: str, served_tls, clients_python) -> None:
    command = ["node", "--input-type=module", "-e", here(program, served_tls)]
    env = CLEAN | {"NODE_EXTRA_CA_CERTS": served_tls.authority}
    ran = subprocess.run(
        command, cwd=HERE / "npm", env=env, capture_output=True, text=True, timeout=120, check=False
    )
    assert (ran.returncode, ran.stdout) == (0, "It works.\n"), ran.stderr


def test_each_client_has_its_program() -> None:
    assert len(PROGRAMS) == 6


def test_the_versions_are_those_that_are_tested() -> None:
    pins = dict(re.findall(r"^([a-z0-9-]+)==(\S+)", (HERE / "requirements.txt").read_text(), re.M))
    locked = json.loads((HERE / "npm" / "package-lock.json").read_text())["packages"]
    tested = {
        "`openai` for Python, sync and async": version("openai"),
        "OpenAI Agents SDK for Python, `openai-agents`": pins["openai-agents"],
        "LiveKit's plugin, `livekit-plugins-openai`": pins["livekit-plugins-openai"],
        "Pipecat, `pipecat-ai[openai]`": pins["pipecat-ai"],
        "`openai` from npm, `realtime/ws` and `realtime/websocket`": locked["node_modules/openai"]["version"],
        "`@openai/agents` from npm": locked["node_modules/@openai/agents"]["version"],
    }
    told = dict(re.findall(r"^\| (.*?) \| (\d+\.\d+) \|", PAGE, re.M))
    assert told == {name: ".".join(full.split(".")[:2]) for name, full in tested.items()}
