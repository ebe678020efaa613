"""The pages say what the code does."""

from __future__ import annotations

import re
import tomllib
from dataclasses import fields
from pathlib import Path

import pytest

from rtchat import errors
from rtchat.conversation import notices
from rtchat.conversation.state import State, mermaid
from rtchat.profiles import load_profile

DOCS = Path(__file__).parents[1] / "docs"
ARCHITECTURE = (DOCS / "architecture.md").read_text(encoding="utf-8")
PROGRAMS = (DOCS / "programs.md").read_text(encoding="utf-8")


def cells(first: str) -> list[str]:
    """The row of a table that begins with this cell."""
    row = next(line for line in PROGRAMS.splitlines() if line.startswith(f"| {first} |"))
    return [cell.strip() for cell in row.strip("|").split(" | ")]


@pytest.mark.parametrize("kind", notices.Notice.__args__, ids=lambda kind: kind.type)
def test_every_json_line_is_described_with_its_fields_in_their_order(kind):
    assert re.findall(r"`(\w+)`", cells(f"`{kind.type}`")[1]) == [field.name for field in fields(kind)]


def test_every_state_is_named():
    assert set(re.findall(r"`(\w+)`", cells("`state`")[2])) == {str(state) for state in State}


def test_every_exit_code_of_an_error_is_listed():
    kinds = [
        kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.RtchatError)
    ]
    for code in {kind.exit_code for kind in kinds}:
        assert cells(str(code))


def test_the_state_diagram_is_the_table_s():
    assert mermaid() in ARCHITECTURE


def test_the_house_has_the_layers_that_are_kept():
    project = tomllib.loads((DOCS.parent / "pyproject.toml").read_text(encoding="utf-8"))
    kept = project["tool"]["importlinter"]["contracts"][0]["layers"]
    house = ARCHITECTURE.partition("## The house")[2].split("```")[1]
    assert re.findall(r"^\w+(?: \| \w+)*", house, re.M) == [line.replace("rtchat.", "") for line in kept]


def test_every_module_of_the_server_is_in_the_table():
    server = DOCS.parent / "rtchat" / "server"
    there = {path.stem for path in server.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()}
    table = ARCHITECTURE.partition("| modules of `rtchat/server` |")[2].split("\n\n")[0]
    named = re.findall(r"`(\w+)`", " ".join(re.findall(r"^\| (`.*?) \|", table, re.M)))
    assert sorted(named) == sorted(there - {"__init__"})


def test_the_profile_of_the_page_can_be_used(tmp_path):
    page = (DOCS / "profiles.md").read_text(encoding="utf-8")
    (tmp_path / "garden.toml").write_text(re.search(r"```toml\n(.*?)```", page, re.S)[1], encoding="utf-8")
    profile = load_profile(tmp_path / "garden.toml", {"plants": "tomatoes"})
    assert "everything about tomatoes" in profile.instructions
    assert profile.turn_taking.vad == "semantic"
