"""Pipecat's service for the API, without a transport, over wss and with a key; see programs/pipecat_service.py."""

from __future__ import annotations

from typing import Any

import pytest

from rtchat.server.engines.story import STORY

pytestmark = pytest.mark.needs("openssl")


@pytest.fixture(scope="module")
def seen(run, served_tls) -> dict[str, Any]:
    return run("pipecat_service.py", served_tls)


def test_text(seen: dict[str, Any]) -> None:
    assert seen["text"] == {"said": "2 plus 3 is 5.", "errors": []}


def test_voice(seen: dict[str, Any]) -> None:
    assert seen["voice"]["heard"] == "what is two plus three"
    assert seen["voice"]["said"].endswith("2 plus 3 is 5.")
    assert seen["voice"]["bytes"] > 48_000
    assert seen["voice"]["errors"] == []


def test_a_tool_is_called_and_its_result_said(seen: dict[str, Any]) -> None:
    assert seen["tool"]["said"].endswith("In London it is 17 degrees.")
    assert seen["tool"]["called"] == ["London"]
    assert seen["tool"]["errors"] == []


@pytest.mark.parametrize("scenario", ["barge_in", "cancel"])
def test_an_interruption_cancels_and_truncates(seen: dict[str, Any], scenario: str) -> None:
    heard = seen[scenario].pop("heard")
    assert " ".join(STORY.split()).startswith(heard)
    assert len(heard) < len(STORY) / 2
    assert seen[scenario] == {"story": "incomplete", "errors": []}


def test_it_warns_of_nothing(seen: dict[str, Any]) -> None:
    assert seen["complaints"] == []
