"""LiveKit's OpenAI plugin, used without a room; see programs/livekit_plugin.py."""

from __future__ import annotations

from typing import Any

import pytest


@pytest.fixture(scope="module")
def seen(run, served) -> dict[str, Any]:
    return run("livekit_plugin.py", served)


def test_barge_in_cancels_and_truncates(seen: dict[str, Any]) -> None:
    assert seen["barge_in"] == {"status": "cancelled", "cut_ms": 30, "said": "2 plus 3 is 5.", "errors": []}


def test_interrupt_cancels(seen: dict[str, Any]) -> None:
    assert seen["cancel"] == {"status": "cancelled", "reason": "client_cancelled", "errors": []}
