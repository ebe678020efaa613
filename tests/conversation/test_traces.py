"""Recorded sessions of the real service through wire and machine."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from rtchat.conversation.machine import Conversation
from rtchat.conversation.notices import AssistantSaid, ErrorTold, TurnEnded, UserSaid
from rtchat.conversation.signals import CallTool, Drained, Play, Refuse, Send, ToolDone
from rtchat.conversation.state import State
from rtchat.protocol import wire
from rtchat.protocol.client_events import ItemCreate, ResponseCreate
from rtchat.protocol.server_events import UnknownEvent

TRACES = (Path(__file__).parents[2] / ".." / "shared" / "traces").resolve()
SESSIONS = sorted(path.stem for path in TRACES.glob("*_ws__*.yaml"))

pytestmark = pytest.mark.skipif(not SESSIONS, reason=f"no recorded sessions at {TRACES}")


class Trace:
    """A recorded session, and what it says itself of who said what."""

    def __init__(self, name):
        interactions = yaml.safe_load((TRACES / f"{name}.yaml").read_text(encoding="utf-8"))["interactions"]
        self.data = [i["data"] for i in interactions if i.get("direction") == "received"]
        self.events = [wire.decode_server_event(json.dumps(data)) for data in self.data]

    def fields(self, field, *endings):
        return [data[field] for data in self.data if data["type"].endswith(endings)]

    def messages(self, role):
        """Words that items carry from the first."""
        added = [
            d["item"] for d in self.data if d["type"] in ("conversation.item.added", "conversation.item.created")
        ]
        parts = [part for item in added if item.get("role") == role for part in item["content"]]
        return [part["text"] for part in parts if part.get("text")]


def replay(events):
    """All effects; tools answer at once, and the loudspeaker is heard at the end."""
    conversation, effects = Conversation(), []
    for event in [*events, Drained()]:
        new = conversation.receive(event)
        effects += new
        for call in new:
            if isinstance(call, CallTool):
                effects += conversation.receive(ToolDone(call.call_id, "{}", "ok", 1))
    return conversation, effects


def last(notices):
    """The last notice of each item, in the order of the first."""
    return list({notice.item_id: notice for notice in notices}.values())


@pytest.fixture(params=SESSIONS or ["none"])
def trace(request):
    return Trace(request.param)


def test_everything_is_understood(trace, shown):
    assert not [event for event in trace.events if isinstance(event, UnknownEvent)]
    _, effects = replay(trace.events)
    assert not [effect for effect in effects if isinstance(effect, Refuse)]
    assert shown(effects, ErrorTold) == []


def test_the_users_words(trace, shown):
    conversation, effects = replay(trace.events)
    heard = trace.fields("transcript", "input_audio_transcription.completed")
    said = last(shown(effects, UserSaid))
    assert [notice.text for notice in said] == [*trace.messages("user"), *heard]
    assert all(notice.final for notice in said)
    placed = [entry.text for entry in conversation.items.ordered() if entry.role == "user"]
    assert placed == [notice.text for notice in said]


def test_the_assistants_words(trace, shown):
    _, effects = replay(trace.events)
    spoken = trace.fields("transcript", "audio_transcript.done")
    written = trace.fields("text", "text.done")
    said = last(shown(effects, AssistantSaid))
    assert [notice.text for notice in said] == [*trace.messages("assistant"), *spoken, *written]
    assert {notice.status for notice in said} == {"completed"}
    assert all(notice.heard_text == notice.text for notice in said)


def test_the_sound(trace):
    _, effects = replay(trace.events)
    deltas = [event.delta for event in trace.events if event.type == "response.output_audio.delta"]
    assert len([effect for effect in effects if isinstance(effect, Play)]) == len(deltas)


def test_a_call_is_acted_on_once(trace, sent):
    _, effects = replay(trace.events)
    arguments = dict(zip(*(trace.fields(f, "arguments.done") for f in ("call_id", "arguments")), strict=True))
    calls = [effect for effect in effects if isinstance(effect, CallTool)]
    assert [(call.call_id, call.arguments) for call in calls] == list(arguments.items())
    follow = [Send(event) for event in sent(effects, ItemCreate | ResponseCreate)]
    assert len(follow) == 2 * len(calls), "the output and one response.create"


def test_turns_and_usage(trace, shown):
    conversation, effects = replay(trace.events)
    used = sum(d["response"]["usage"]["total_tokens"] for d in trace.data if d["type"] == "response.done")
    (turn,) = shown(effects, TurnEnded)
    assert turn.usage["total_tokens"] == used
    assert conversation.state is State.LISTENING
