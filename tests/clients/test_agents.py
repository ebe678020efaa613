"""The OpenAI Agents SDK for Python, over wss and with a key; see programs/agents_sdk.py."""

from __future__ import annotations

from typing import Any

import pytest

pytestmark = pytest.mark.needs("openssl")


@pytest.fixture(scope="module")
def seen(run, served_tls) -> dict[str, Any]:
    return run("agents_sdk.py", served_tls)


def test_barge_in_cancels_and_truncates(seen: dict[str, Any]) -> None:
    assert seen["barge_in"] == {"status": "cancelled", "interrupted": 1, "said": "2 plus 3 is 5.", "errors": []}


def test_interrupt_cancels_and_truncates(seen: dict[str, Any]) -> None:
    cut_ms = seen["cancel"].pop("cut_ms")
    assert cut_ms >= 0
    assert seen["cancel"] == {"status": "cancelled", "reason": "client_cancelled", "errors": []}
