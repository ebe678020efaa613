"""Text, voice and a tool through two clients that see the same; their own files have the rest."""

from __future__ import annotations

from typing import Any

import pytest

CLIENTS = [
    pytest.param(("agents_sdk.py", "served_tls"), marks=pytest.mark.needs("openssl"), id="agents"),
    pytest.param(("livekit_plugin.py", "served"), id="livekit"),
]


@pytest.fixture(scope="module", params=CLIENTS)
def seen(request: pytest.FixtureRequest, run) -> dict[str, Any]:
    program, server = request.param
    return run(program, request.getfixturevalue(server))


def test_text(seen: dict[str, Any]) -> None:
    assert seen["text"] == {"said": "2 plus 3 is 5.", "errors": []}


def test_voice(seen: dict[str, Any]) -> None:
    assert seen["voice"]["heard"] == "what is two plus three"
    assert seen["voice"]["said"] == "2 plus 3 is 5."
    assert seen["voice"]["bytes"] > 24_000
    assert seen["voice"]["errors"] == []


def test_a_tool_is_called_and_its_result_said(seen: dict[str, Any]) -> None:
    assert seen["tool"] == {"called": ["London"], "said": "In London it is 17 degrees.", "errors": []}
