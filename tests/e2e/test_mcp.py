"""MCP tools that a client secret brings along: the server calls them, and what came of it is said once."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

pytest.importorskip("mcp")
pytestmark = pytest.mark.slow
SHOP = Path(__file__).parents[1] / "server" / "mcp_shop.py"


@pytest.fixture
def shop():
    """The address of a real MCP server in a process of its own."""
    with subprocess.Popen([sys.executable, SHOP], stdout=subprocess.PIPE, text=True) as process:
        try:
            yield f"http://127.0.0.1:{process.stdout.readline().strip()}/mcp"
        finally:
            process.kill()


@pytest.fixture
def asked(rtchat, serving, shop, tmp_path):
    """`asked("never")`: what `rtchat text` makes of a question, with such a secret for its key."""
    profile = tmp_path / "plain.toml"
    profile.write_text('description = "Has no tools of its own"\ninstructions = "Help."\n')

    def ask(require_approval):
        url, _ = serving("--api-key", "k")
        tool = {"type": "mcp", "server_label": "shop", "server_url": shop, "require_approval": require_approval}
        body = {"session": {"type": "realtime", "tools": [tool]}}
        http = url.replace("ws://", "http://")
        made = httpx.post(
            f"{http}/realtime/client_secrets", json=body, headers={"Authorization": "Bearer k"}, trust_env=False
        )
        arguments = ["text", "What is the status of order 7?", "--server", url, "--profile", str(profile), "--json"]
        ran = rtchat(*arguments, RTCHAT_API_KEY=made.json()["value"])
        events = [json.loads(line) for line in ran.out.splitlines()]
        tools = [event for event in events if event["type"] == "tool"]
        said = [event["text"] for event in events if event["type"] == "assistant" and event["final"]]
        assert (ran.code, events[-1]["turns"]) == (0, 1), ran
        return ran, tools, said

    return ask


def test_the_answer_is_said_once(asked):
    _, (running, done), said = asked("never")
    assert (running["status"], done["status"], done["name"]) == ("running", "ok", "shop.get_order")
    assert done["ms"] > 0 and "shipped" in done["output"]
    assert len(said) == 1 and "shipped" in said[0]


def test_a_call_that_needs_a_yes_is_not_made_where_nobody_can_say_it(asked):
    ran, (_, done), said = asked("always")
    assert done["status"] == "error" and len(said) == 1 and "did not work" in said[0]
    assert "shop.get_order(order_id='order 7') needs your yes" in ran.err
