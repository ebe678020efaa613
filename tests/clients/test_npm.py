"""`openai` and `@openai/agents` from npm, over wss and with a key; see npm/openai.mjs and npm/agents.mjs."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

NPM = Path(__file__).parent / "npm"
pytestmark = pytest.mark.needs("node", "npm", "openssl")


@pytest.fixture(scope="module")
def openai(run, served_tls) -> dict[str, Any]:
    return run("openai.mjs", served_tls)


@pytest.fixture(scope="module")
def agents(run, served_tls) -> dict[str, Any]:
    return run("agents.mjs", served_tls)


@pytest.fixture(scope="module")
def mcp(run, served_tls) -> Iterator[dict[str, Any]]:
    """The MCP server of the server's own tests, called for that client."""
    program = Path(__file__).parents[1] / "server" / "mcp_shop.py"
    with subprocess.Popen([sys.executable, program], stdout=subprocess.PIPE, text=True) as shop:
        assert shop.stdout
        address = f"http://127.0.0.1:{shop.stdout.readline().strip()}/mcp"
        try:
            yield run("mcp.mjs", served_tls, address)
        finally:
            shop.kill()


@pytest.mark.parametrize("client", ["ws", "websocket"])
class TestOpenAI:
    """The same through Node's own WebSocket and through the package `ws`."""

    def test_text(self, openai: dict[str, Any], client: str) -> None:
        assert openai[client]["text"] == {"said": "2 plus 3 is 5.", "errors": []}

    def test_voice(self, openai: dict[str, Any], client: str) -> None:
        seen = openai[client]["voice"]
        assert (seen["heard"], seen["said"]) == ("what is two plus three", "2 plus 3 is 5.")
        assert seen["bytes"] > 24_000
        assert seen["errors"] == []

    def test_a_tool_is_called_and_its_result_said(self, openai: dict[str, Any], client: str) -> None:
        told = {"called": {"city": "London"}, "said": "In London it is 17 degrees.", "errors": []}
        assert openai[client]["tool"] == told

    def test_barge_in_cancels_and_truncation_is_accepted(self, openai: dict[str, Any], client: str) -> None:
        told = {"status": "cancelled", "cut_ms": 30, "said": "2 plus 3 is 5.", "errors": []}
        assert openai[client]["barge_in"] == told

    def test_cancel(self, openai: dict[str, Any], client: str) -> None:
        told = {"status": "cancelled", "reason": "client_cancelled", "errors": []}
        assert openai[client]["cancel"] == told


def test_an_ephemeral_key(openai: dict[str, Any]) -> None:
    assert openai["ephemeral"] == {"key": "ek_", "instructions": "Say 'Ahoy'.", "errors": []}


class TestAgents:
    """A session of the Agents SDK for JavaScript."""

    def test_text(self, agents: dict[str, Any]) -> None:
        assert agents["text"] == {"said": "2 plus 3 is 5.", "errors": []}

    def test_voice(self, agents: dict[str, Any]) -> None:
        seen = agents["voice"]
        assert (seen["heard"], seen["said"]) == ("what is two plus three", "2 plus 3 is 5.")
        assert seen["bytes"] > 24_000
        assert seen["errors"] == []

    def test_a_tool_is_called_and_its_result_said(self, agents: dict[str, Any]) -> None:
        assert agents["tool"] == {"called": ["London"], "said": "In London it is 17 degrees.", "errors": []}

    def test_barge_in_cancels_and_truncates(self, agents: dict[str, Any]) -> None:
        told = {"status": "cancelled", "interrupted": 1, "said": "2 plus 3 is 5.", "errors": []}
        assert agents["barge_in"] == told

    def test_interrupt_cancels_and_truncates(self, agents: dict[str, Any]) -> None:
        assert agents["cancel"] == {"status": "cancelled", "reason": "client_cancelled", "errors": []}


@pytest.mark.parametrize(("approval", "times"), [("never", 0), ("always", 1)])
def test_the_agents_sdk_has_an_mcp_tool_called(mcp: dict[str, Any], approval: str, times: int) -> None:
    seen = mcp[approval]
    assert "get_order" in seen["listed"]
    assert [json.loads(output)["status"] for output in seen["called"]] == ["shipped"]
    assert seen["approved"] == times
    assert [("shipped" in text) for text in seen["said"]] == [True]
    assert seen["errors"] == []


def test_the_lock_file_says_what_and_not_from_where() -> None:
    packages = json.loads((NPM / "package-lock.json").read_text())["packages"]
    del packages[""]
    assert packages
    assert all("resolved" not in package and package["integrity"] for package in packages.values())
