"""LiveKit's OpenAI plugin, used without a room; see programs/livekit_plugin.py."""

from __future__ import annotations

from typing import Any

import pytest


@pytest.fixture(scope="module")
def seen(run, served) -> dict[str, Any]:
    return run("livekit_plugin.py", served)


def test_text(seen: dict[str, Any]) -> None:
    assert seen["text"] == {"said": "2 plus 3 is 5.", "errors": []}


def test_voice(seen: dict[str, Any]) -> None:
    assert seen["voice"]["heard"] == "what is two plus three"
    assert seen["voice"]["said"] == "2 plus 3 is 5."
    assert seen["voice"]["bytes"] > 24_000
    assert seen["voice"]["errors"] == []


def test_a_tool_is_called_and_its_result_said(seen: dict[str, Any]) -> None:
    assert seen["tool"] == {"called": ["London"], "said": "In London it is 17 degrees.", "errors": []}


def test_barge_in_cancels_and_truncates(seen: dict[str, Any]) -> None:
    assert seen["barge_in"] == {"status": "cancelled", "cut_ms": 30, "said": "2 plus 3 is 5.", "errors": []}


def test_interrupt_cancels(seen: dict[str, Any]) -> None:
    assert seen["cancel"] == {"status": "cancelled", "reason": "client_cancelled", "errors": []}
