"""Faults of the events: twice, unheard of, with fields of tomorrow, or none at all."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, ClassVar

from rtchat.protocol import wire
from rtchat.server.dialogue.signals import Emit, Raw
from rtchat.server.staging.fault import Fault, Parameter, share
from rtchat.server.staging.faults_connection import is_audio

_SHARE = {"share": share(0.2, "share of the events, 0 to 1")}
_OF_TOMORROW = (
    "session.tip",
    "response.output_video.delta",
    "conversation.item.reacted",
    "input_audio_buffer.scored",
)
_FIELD: dict[str, Any] = {"x_of_tomorrow": {"level": 1, "tags": ["new", None]}}
_GARBAGE: tuple[str | bytes, ...] = (
    '{"type":"response.output_audio.delta","delta":',
    "not json at all",
    "",
    "[]",
    "null",
    '{"event_id":"event_without_type"}',
    '{"type":7}',
    '{"type":"response.done"}',
    '{"type":"response.output_audio.delta","delta":"%%% not base64 %%%"}',
    b"\x00\xff\xfe binary",
    b"",
)


class Duplicates(Fault):
    """An event sent twice."""

    name = "duplicate"
    summary = "sends some events twice"
    parameters: ClassVar[Mapping[str, Parameter]] = _SHARE

    def effect(self, effect: Any) -> list[Any]:
        """Once more, by chance."""
        return [effect, effect] if isinstance(effect, Emit) and self.strikes() else [effect]


class UnknownEvents(Fault):
    """Events that no client knows."""

    name = "unknown-event"
    summary = "sends events of types that nobody knows in between"
    parameters: ClassVar[Mapping[str, Parameter]] = _SHARE

    def effect(self, effect: Any) -> list[Any]:
        """After an event, by chance."""
        if not isinstance(effect, Emit) or not self.strikes():
            return [effect]
        kind = self.session.chance.choice(_OF_TOMORROW)
        return [effect, Raw(json.dumps({"type": kind, "event_id": self.session.new_id("event"), **_FIELD}))]


class UnknownFields(Fault):
    """Fields that no client knows."""

    name = "unknown-field"
    summary = "adds fields that nobody knows to every event and what is in it"

    def effect(self, effect: Any) -> list[Any]:
        """The same with more."""
        if not isinstance(effect, Emit):
            return [effect]
        event = json.loads(wire.encode(effect.event))
        return [Raw(json.dumps(_with_more(event), ensure_ascii=False))]


class Garbage(Fault):
    """Frames that are no events."""

    name = "garbage"
    summary = "sends frames that are no events in between: not JSON, no type, binary"
    parameters: ClassVar[Mapping[str, Parameter]] = _SHARE

    def effect(self, effect: Any) -> list[Any]:
        """After an event, by chance."""
        if not isinstance(effect, Emit) or not self.strikes():
            return [effect]
        return [effect, Raw(self.session.chance.choice(_GARBAGE))]


class EmptyAudio(Fault):
    """Audio of no length."""

    name = "empty-audio"
    summary = "sends audio deltas of zero length before some of the others"
    parameters: ClassVar[Mapping[str, Parameter]] = {"share": share(0.5, "share of the audio deltas, 0 to 1")}

    def effect(self, effect: Any) -> list[Any]:
        """Nothing before something."""
        if not is_audio(effect) or not self.strikes():
            return [effect]
        changes = {"delta": b"", "event_id": self.session.new_id("event")}
        return [Emit(effect.event.model_copy(update=changes)), effect]


def _with_more(value: Any) -> Any:
    if isinstance(value, dict):
        return {**{name: _with_more(member) for name, member in value.items()}, **_FIELD}
    if isinstance(value, list):
        return [_with_more(member) for member in value]
    return value
