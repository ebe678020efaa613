"""A dialogue to talk to without a network: what a client sends, in; effects, out."""

import base64
import itertools
import json
from typing import Any

import pytest
from openai.types.realtime import RealtimeServerEvent
from pydantic import TypeAdapter

from rtchat.protocol import wire
from rtchat.server.dialogue import Dialogue
from rtchat.server.dialogue import signals as sig

ORACLE: TypeAdapter[Any] = TypeAdapter(RealtimeServerEvent)
MS = 48  # bytes of a millisecond


class Talk:
    """One session. Events come out as the JSON that a client reads, each checked against the openai package."""

    def __init__(self, **options: Any) -> None:
        numbers = itertools.count(1)
        options = {"model": "gpt-realtime-2.1", "expires_at": 1, **options}
        self.dialogue = Dialogue(new_id=lambda prefix: f"{prefix}_{next(numbers)}", **options)
        self.created = self._shown(self.dialogue.start())

    def send(self, kind: str, **fields: Any) -> list[Any]:
        """A client event."""
        return self.tell(sig.Frame(json.dumps({"type": kind, **fields})))

    def say(self, text: str) -> list[Any]:
        """A typed message."""
        content = [{"type": "input_text", "text": text}]
        return self.send("conversation.item.create", item={"type": "message", "role": "user", "content": content})

    def update(self, **session: Any) -> list[Any]:
        """A session update."""
        return self.send("session.update", session={"type": "realtime", **session})

    def append(self, ms: float) -> list[Any]:
        """Sound of the microphone."""
        return self.send("input_audio_buffer.append", audio=base64.b64encode(b"\1\0" * int(ms * 24)).decode())

    def hear(self, *probabilities: float) -> list[Any]:
        """Windows of 32 ms, appended and detected."""
        self.append(32 * len(probabilities))
        return self.tell(sig.Detected(probabilities))

    def speak(self, windows: int = 10) -> list[Any]:
        """A spoken turn: speech, then as much silence as ends it."""
        return self.hear(*[0.9] * windows) + self.hear(*[0.0] * 16)

    def tell(self, told: Any) -> list[Any]:
        """An input."""
        return self._shown(self.dialogue.receive(told))

    def _shown(self, effects: list[Any]) -> list[Any]:
        shown = []
        for effect in effects:
            if isinstance(effect, sig.Emit):
                event = json.loads(wire.encode(effect.event))
                ORACLE.validate_python(event)
                shown.append(event)
            else:
                shown.append(effect)
        return shown


def names(effects: list[Any]) -> list[str]:
    """Event types, and the names of other effects."""
    return [effect["type"] if isinstance(effect, dict) else type(effect).__name__ for effect in effects]


def of_type(effects: list[Any], kind: Any) -> Any:
    """The one event of that type, or the one effect of that class."""
    found = [e for e in effects if (e["type"] == kind if isinstance(e, dict) else type(e) is kind)]
    assert len(found) == 1, f"{len(found)} of {kind} in {names(effects)}"
    return found[0]


@pytest.fixture
def talk() -> Talk:
    return Talk()


@pytest.fixture
def new_talk() -> type[Talk]:
    return Talk


@pytest.fixture(name="names")
def _names():
    return names


@pytest.fixture(name="of_type")
def _of_type():
    return of_type
