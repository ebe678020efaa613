import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from openai.types.realtime import RealtimeServerEvent

from rtchat.errors import WireError
from rtchat.protocol import wire
from rtchat.protocol.client_events import ResponseCreate
from rtchat.protocol.config import RealtimeSession, ServerVad, TranscriptionSession
from rtchat.protocol.items import MessageItem
from rtchat.protocol.server_events import (
    ErrorEvent,
    ItemAdded,
    OutputAudioDelta,
    OutputAudioDone,
    OutputItemAdded,
    OutputTextDelta,
    OutputTextDone,
    OutputTranscriptDelta,
    OutputTranscriptDone,
    ResponseDone,
    ServerEvent,
    SessionCreated,
    SessionUpdated,
    SpeechStarted,
    UnknownEvent,
)

TRACES = Path(__file__).parents[3] / "shared" / "traces"
PART = {"event_id": "e", "response_id": "r", "item_id": "i", "output_index": 0, "content_index": 0}


def read(**raw: Any) -> ServerEvent:
    return wire.decode_server_event(json.dumps(raw))


# --- the unheard-of and the malformed ---------------------------------------------------------------------


def test_an_unheard_of_event_is_kept_whole():
    event = read(type="response.smell.delta", event_id="e", smell={"of": "roses"})
    assert isinstance(event, UnknownEvent)
    assert event.type == "response.smell.delta"
    assert event.raw == {"type": "response.smell.delta", "event_id": "e", "smell": {"of": "roses"}}


def test_an_unheard_of_field_is_no_matter():
    event = read(type="input_audio_buffer.speech_started", item_id="i", audio_start_ms=5, mood="fine")
    assert event == SpeechStarted(type="input_audio_buffer.speech_started", item_id="i", audio_start_ms=5)


def test_a_known_event_that_cannot_be_read_is_kept_as_unknown():
    event = read(type="input_audio_buffer.speech_started", item_id=["not", "text"])
    assert isinstance(event, UnknownEvent)
    assert event.raw["item_id"] == ["not", "text"]


@pytest.mark.parametrize(
    ("frame", "what"),
    [
        ("", "not JSON"),
        ("hello", "not JSON"),
        ('{"type":"error"', "not JSON"),
        (b"\xff\xfe", "not JSON"),
        ("[" * 50_000, "not JSON"),
        ("null", "without an event type"),
        ("[]", "without an event type"),
        ('"text"', "without an event type"),
        ("{}", "without an event type"),
        ('{"type":7}', "without an event type"),
        ('{"type":null}', "without an event type"),
    ],
)
def test_a_malformed_frame_is_one_kind_of_error(frame: str | bytes, what: str):
    with pytest.raises(WireError, match=what) as caught:
        wire.decode_server_event(frame)
    assert len(caught.value.frame) < 200


@pytest.mark.parametrize("delta", ["?", "Q", 5, None])
def test_sound_that_is_none_does_not_pass_for_some(delta: Any):
    assert isinstance(read(type="response.output_audio.delta", **PART, delta=delta), UnknownEvent)


def test_frames_may_be_bytes_and_spaced_out():
    frame = json.dumps({"event_id": "e", "type": "input_audio_buffer.cleared"}, indent=2).encode()
    assert wire.decode_server_event(frame).type == "input_audio_buffer.cleared"


def test_text_is_any_text():
    text = 'quotes " and \\ and \n and é and 日本 and \U0001f600'
    for ascii_only in (True, False):
        raw = {"type": "response.output_text.delta", **PART, "delta": text}
        event = wire.decode_server_event(json.dumps(raw, ensure_ascii=ascii_only))
        assert isinstance(event, OutputTextDelta)
        assert event.delta == text


def test_an_error_says_which_event_caused_it():
    event = read(type="error", event_id="e", error={"type": "t", "code": None, "message": "m", "event_id": "mine"})
    assert isinstance(event, ErrorEvent)
    assert (event.error.event_id, event.error.code) == ("mine", None)


def broken(value: Any, chance: random.Random) -> Any:
    """A JSON value with something in it that does not belong there, or something missing."""
    if isinstance(value, dict) and value:
        name = chance.choice(list(value))
        if chance.random() < 0.1:
            return {key: member for key, member in value.items() if key != name}
        if chance.random() < 0.1:
            return {**value, chance.choice(["modalities", "voice", "type", "role", "\ud800"]): chance.choice(ODD)}
        return {**value, name: broken(value[name], chance)}
    if isinstance(value, list) and value:
        return [broken(member, chance) for member in value]
    return chance.choice(ODD)


ODD = (
    None,
    5,
    -1.5,
    "x",
    "",
    [],
    {},
    True,
    [None],
    {"type": "text"},
    "\ud800",
    [[1]],
    {"type": 5},
    {"a": {"b": []}},
)


def test_nothing_that_a_server_sends_breaks_the_reader(sdk_objects: Callable[[Any], list[dict[str, Any]]]):
    chance = random.Random(20)
    frames = sdk_objects(RealtimeServerEvent)
    kinds = set()
    for _ in range(3_000):
        raw = broken(broken(chance.choice(frames), chance), chance)
        try:
            kinds.add(type(wire.decode_server_event(json.dumps(raw))))
        except WireError:
            kinds.add(WireError)
    assert {WireError, UnknownEvent} < kinds


@pytest.mark.parametrize(
    "session",
    [
        {"modalities": 5, "voice": {"name": 5}, "input_audio_format": ["x"], "output_audio_format": {"a": 1}},
        {"modalities": [["text"]], "turn_detection": [], "voice": []},
    ],
)
def test_a_broken_beta_session_breaks_nothing(session: dict[str, Any]):
    assert isinstance(read(type="session.created", session=session), SessionCreated | UnknownEvent)


@pytest.mark.parametrize("odd", [["a"], {"a": 1}, None, 5])
def test_a_broken_beta_part_breaks_nothing(odd: Any):
    item = {"type": "message", "role": "assistant", "content": [{"type": odd}, 5]}
    assert isinstance(read(type="conversation.item.created", item=item), UnknownEvent)


# --- beta names -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("beta", "rest", "meant"),
    [
        ("response.text.delta", {"delta": "a"}, OutputTextDelta),
        ("response.text.done", {"text": "a"}, OutputTextDone),
        ("response.audio.delta", {"delta": "AAA="}, OutputAudioDelta),
        ("response.audio.done", {}, OutputAudioDone),
        ("response.audio_transcript.delta", {"delta": "a"}, OutputTranscriptDelta),
        ("response.audio_transcript.done", {"transcript": "a"}, OutputTranscriptDone),
    ],
)
def test_beta_names_mean_the_names_of_today(beta: str, rest: dict[str, Any], meant: type):
    event = read(type=beta, **PART, **rest)
    assert type(event) is meant
    assert event.type == meant.model_fields["type"].default
    today = read(type=event.type, **PART, **rest)
    assert event == today


def test_a_beta_item():
    content = [{"type": "text", "text": "a"}, {"type": "audio", "transcript": "b"}]
    item = {"id": "i", "object": "realtime.item", "type": "message", "role": "assistant", "content": content}
    event = read(type="conversation.item.created", event_id="e", previous_item_id="p", item=item)
    assert isinstance(event, ItemAdded)
    assert event.previous_item_id == "p"
    assert isinstance(event.item, MessageItem)
    assert [part.type for part in event.item.content] == ["output_text", "output_audio"]


def test_a_legacy_item_of_the_user_keeps_its_content_types():
    item = {"id": "i", "type": "message", "role": "user", "content": [{"type": "input_audio", "transcript": None}]}
    event = read(type="conversation.item.created", event_id="e", item=item)
    assert isinstance(event, ItemAdded)
    assert isinstance(event.item, MessageItem)
    assert event.item.content[0].type == "input_audio"


def test_a_beta_session():
    session = {
        "id": "sess_1",
        "object": "realtime.session",
        "model": "m",
        "modalities": ["text", "audio"],
        "voice": "alloy",
        "speed": 1.0,
        "input_audio_format": "pcm16",
        "output_audio_format": "g711_ulaw",
        "input_audio_transcription": {"model": "whisper-1"},
        "turn_detection": {"type": "server_vad", "threshold": 0.5},
        "temperature": 0.8,
        "max_response_output_tokens": "inf",
        "tools": [],
    }
    for kind, meant in (("session.created", SessionCreated), ("session.updated", SessionUpdated)):
        event = read(type=kind, event_id="e", session=session)
        assert isinstance(event, meant)
        found = event.session
        assert isinstance(found, RealtimeSession)
        assert (found.id, found.model, found.max_output_tokens, found.output_modalities) == (
            "sess_1",
            "m",
            "inf",
            ["audio"],
        )
        assert found.audio is not None
        assert found.audio.input is not None
        assert found.audio.output is not None
        assert found.audio.output.voice == "alloy"
        assert found.audio.output.format is not None
        assert found.audio.output.format.type == "audio/pcmu"
        assert found.audio.input.turn_detection == ServerVad(threshold=0.5)


def test_a_beta_session_with_push_to_talk_keeps_its_null():
    event = read(type="session.created", session={"modalities": ["text"], "turn_detection": None})
    assert isinstance(event, SessionCreated)
    assert isinstance(event.session, RealtimeSession)
    assert event.session.output_modalities == ["text"]
    assert event.session.audio is not None
    assert event.session.audio.input is not None
    assert "turn_detection" in event.session.audio.input.model_fields_set


def test_a_voice_of_azure_voice_live():
    event = read(
        type="session.created", session={"modalities": ["audio"], "voice": {"type": "openai", "name": "alloy"}}
    )
    assert isinstance(event, SessionCreated)
    assert isinstance(event.session, RealtimeSession)
    assert event.session.audio is not None
    assert event.session.audio.output is not None
    assert event.session.audio.output.voice == "alloy"


def test_a_session_of_an_unheard_of_shape_stays_a_dict():
    event = read(type="session.created", event_id="e", session={"type": "dream", "depth": 2})
    assert isinstance(event, SessionCreated)
    assert event.session == {"type": "dream", "depth": 2}


def test_a_transcription_session():
    event = read(
        type="session.created",
        session={
            "type": "transcription",
            "object": "realtime.transcription_session",
            "audio": {"input": {"transcription": None, "turn_detection": {"type": "server_vad"}}},
            "include": None,
        },
    )
    assert isinstance(event, SessionCreated)
    assert isinstance(event.session, TranscriptionSession)


def test_a_beta_answer_under_names_of_today():
    item = {"type": "message", "role": "assistant", "content": [{"type": "text", "text": "a"}, {"type": "audio"}]}
    user = {"type": "message", "role": "user", "content": [{"type": "text", "text": "a"}]}
    done = read(type="response.done", response={"id": "r", "modalities": ["audio", "text"], "output": [item, user]})
    assert isinstance(done, ResponseDone)
    assert done.response.output_modalities == ["audio"]
    added = read(type="response.output_item.added", response_id="r", output_index=0, item=item)
    assert isinstance(added, OutputItemAdded)
    kinds = [
        [part.type for part in found.content]
        for found in [*(done.response.output or []), added.item]
        if isinstance(found, MessageItem)
    ]
    assert kinds == [["output_text", "output_audio"], ["text"], ["output_text", "output_audio"]]


# --- encoding ---------------------------------------------------------------------------------------------


def test_a_frame_starts_with_its_type():
    assert wire.encode(ResponseCreate()) == '{"type":"response.create"}'
    assert wire.encode(ResponseCreate(event_id="e")) == '{"type":"response.create","event_id":"e"}'
    assert wire.encode(ResponseCreate(type="response.create")) == '{"type":"response.create"}'


# --- recordings of the real service -----------------------------------------------------------------------


def recorded() -> list[Any]:
    if not TRACES.is_dir():
        return [pytest.param("", marks=pytest.mark.skip(reason=f"there are no recordings in {TRACES}"))]
    return sorted(path.name for path in TRACES.glob("*_ws__*.yaml"))


@pytest.mark.parametrize("name", recorded())
def test_recordings_of_the_real_service_are_understood(name: str):
    """Sound in them is cut to 44 characters, which is still base64."""
    document = yaml.load((TRACES / name).read_text(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    frames = [part for part in document["interactions"] if part.get("kind") == "message"]
    unknown = []
    for frame in frames:
        text = json.dumps(frame["data"])
        if frame["direction"] == "received":
            event = wire.decode_server_event(text)
            assert not isinstance(getattr(event, "session", None), dict)
            if isinstance(event, UnknownEvent):
                unknown.append(event.type)
        elif "voice_live" not in name:  # its clients speak the beta, which rtchat never does
            assert json.loads(wire.encode(wire.decode_client_event(text))) == frame["data"]
    assert len(frames) > 5
    assert unknown == []
