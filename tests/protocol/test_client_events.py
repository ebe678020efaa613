import json
from collections.abc import Callable
from typing import Any, get_args

import pytest
from openai.types.realtime import RealtimeClientEvent
from pydantic import BaseModel, TypeAdapter, ValidationError

from rtchat.protocol import wire
from rtchat.protocol.client_events import (
    ClientEvent,
    InputAudioAppend,
    InputAudioClear,
    InputAudioCommit,
    ItemCreate,
    ItemDelete,
    ItemRetrieve,
    ItemTruncate,
    OutputAudioClear,
    ResponseCancel,
    ResponseCreate,
    SessionUpdate,
)
from rtchat.protocol.config import (
    AudioConfig,
    AudioInput,
    AudioOutput,
    AudioPcm,
    AudioPcma,
    AudioPcmu,
    FunctionTool,
    McpApprovalFilter,
    McpTool,
    McpToolFilter,
    NoiseReduction,
    PromptReference,
    RealtimeSession,
    Reasoning,
    ResponseAudio,
    ResponseAudioOutput,
    ResponseParams,
    RetentionRatio,
    SemanticVad,
    ServerVad,
    TokenLimits,
    ToolChoiceFunction,
    ToolChoiceMcp,
    TracingConfiguration,
    Transcription,
    TranscriptionSession,
    VoiceId,
)
from rtchat.protocol.items import (
    ContentPart,
    FunctionCallItem,
    FunctionCallOutputItem,
    ItemReference,
    McpApprovalResponseItem,
    MessageItem,
    user_text,
)

CLASSES: list[type[BaseModel]] = list(get_args(get_args(ClientEvent)[0]))
SDK: TypeAdapter[Any] = TypeAdapter(RealtimeClientEvent)


def update(**fields: Any) -> SessionUpdate:
    return SessionUpdate(session=RealtimeSession(**fields))


def listen(**fields: Any) -> SessionUpdate:
    return update(audio=AudioConfig(input=AudioInput(**fields)))


WEATHER = FunctionTool(name="get_weather", description="Weather.", parameters={"type": "object", "properties": {}})

# (event, the JSON that it must be), each of which no other way of saying would be the same to the API
SAID: list[tuple[Any, dict[str, Any]]] = [
    (update(), {"type": "realtime"}),
    (listen(turn_detection=None), {"type": "realtime", "audio": {"input": {"turn_detection": None}}}),
    (listen(), {"type": "realtime", "audio": {"input": {}}}),
    (
        listen(turn_detection=ServerVad(threshold=0, create_response=False, interrupt_response=False)),
        {
            "type": "realtime",
            "audio": {
                "input": {
                    "turn_detection": {
                        "type": "server_vad",
                        "threshold": 0.0,
                        "create_response": False,
                        "interrupt_response": False,
                    }
                }
            },
        },
    ),
    (
        listen(turn_detection=ServerVad(prefix_padding_ms=0, silence_duration_ms=200, idle_timeout_ms=None)),
        {
            "type": "realtime",
            "audio": {
                "input": {
                    "turn_detection": {
                        "type": "server_vad",
                        "prefix_padding_ms": 0,
                        "silence_duration_ms": 200,
                        "idle_timeout_ms": None,
                    }
                }
            },
        },
    ),
    (
        listen(turn_detection=SemanticVad(eagerness="low", create_response=True)),
        {
            "type": "realtime",
            "audio": {
                "input": {"turn_detection": {"type": "semantic_vad", "eagerness": "low", "create_response": True}}
            },
        },
    ),
    (
        listen(format=AudioPcm(rate=24_000), noise_reduction=NoiseReduction(type="far_field")),
        {
            "type": "realtime",
            "audio": {
                "input": {
                    "format": {"type": "audio/pcm", "rate": 24_000},
                    "noise_reduction": {"type": "far_field"},
                }
            },
        },
    ),
    (
        listen(format=AudioPcmu(), noise_reduction=None, transcription=None),
        {
            "type": "realtime",
            "audio": {"input": {"format": {"type": "audio/pcmu"}, "noise_reduction": None, "transcription": None}},
        },
    ),
    (
        listen(transcription=Transcription(model="gpt-live-transcribe", keywords=["rtchat"], language="en")),
        {
            "type": "realtime",
            "audio": {
                "input": {
                    "transcription": {"model": "gpt-live-transcribe", "language": "en", "keywords": ["rtchat"]}
                }
            },
        },
    ),
    (
        update(audio=AudioConfig(output=AudioOutput(format=AudioPcma(), voice="marin", speed=0.25))),
        {
            "type": "realtime",
            "audio": {"output": {"format": {"type": "audio/pcma"}, "voice": "marin", "speed": 0.25}},
        },
    ),
    (
        update(audio=AudioConfig(output=AudioOutput(voice=VoiceId(id="voice_1")))),
        {"type": "realtime", "audio": {"output": {"voice": {"id": "voice_1"}}}},
    ),
    (update(truncation="auto"), {"type": "realtime", "truncation": "auto"}),
    (update(truncation="disabled"), {"type": "realtime", "truncation": "disabled"}),
    (
        update(truncation=RetentionRatio(retention_ratio=0.8, token_limits=TokenLimits(post_instructions=8_000))),
        {
            "type": "realtime",
            "truncation": {
                "type": "retention_ratio",
                "retention_ratio": 0.8,
                "token_limits": {"post_instructions": 8_000},
            },
        },
    ),
    (
        update(truncation=RetentionRatio(retention_ratio=0)),
        {"type": "realtime", "truncation": {"type": "retention_ratio", "retention_ratio": 0.0}},
    ),
    (update(tracing=None), {"type": "realtime", "tracing": None}),
    (update(tracing="auto"), {"type": "realtime", "tracing": "auto"}),
    (
        update(tracing=TracingConfiguration(workflow_name="w", group_id="g", metadata={"a": "b"})),
        {"type": "realtime", "tracing": {"workflow_name": "w", "group_id": "g", "metadata": {"a": "b"}}},
    ),
    (update(tracing=TracingConfiguration()), {"type": "realtime", "tracing": {}}),
    (
        update(model="m", instructions="", output_modalities=["text"], max_output_tokens="inf", tools=[]),
        {
            "type": "realtime",
            "model": "m",
            "output_modalities": ["text"],
            "instructions": "",
            "tools": [],
            "max_output_tokens": "inf",
        },
    ),
    (
        update(max_output_tokens=1, parallel_tool_calls=False, reasoning=Reasoning(effort="minimal")),
        {
            "type": "realtime",
            "parallel_tool_calls": False,
            "max_output_tokens": 1,
            "reasoning": {"effort": "minimal"},
        },
    ),
    (
        update(tools=[WEATHER], tool_choice=ToolChoiceFunction(name="get_weather")),
        {
            "type": "realtime",
            "tools": [
                {
                    "type": "function",
                    "name": "get_weather",
                    "description": "Weather.",
                    "parameters": {"type": "object", "properties": {}},
                }
            ],
            "tool_choice": {"type": "function", "name": "get_weather"},
        },
    ),
    (
        update(
            tools=[
                McpTool(
                    server_label="docs",
                    server_url="https://mcp.example",
                    headers={"X": "y"},
                    allowed_tools=McpToolFilter(tool_names=["search"], read_only=True),
                    require_approval=McpApprovalFilter(never=McpToolFilter(tool_names=["search"])),
                ),
                McpTool(
                    server_label="mail", connector_id="connector_gmail", allowed_tools=[], require_approval="always"
                ),
            ],
            tool_choice=ToolChoiceMcp(server_label="docs"),
        ),
        {
            "type": "realtime",
            "tools": [
                {
                    "type": "mcp",
                    "server_label": "docs",
                    "server_url": "https://mcp.example",
                    "headers": {"X": "y"},
                    "allowed_tools": {"tool_names": ["search"], "read_only": True},
                    "require_approval": {"never": {"tool_names": ["search"]}},
                },
                {
                    "type": "mcp",
                    "server_label": "mail",
                    "connector_id": "connector_gmail",
                    "allowed_tools": [],
                    "require_approval": "always",
                },
            ],
            "tool_choice": {"type": "mcp", "server_label": "docs"},
        },
    ),
    (
        update(prompt=PromptReference(id="p", version="2", variables={"city": "Oslo"}), include=None),
        {
            "type": "realtime",
            "prompt": {"id": "p", "version": "2", "variables": {"city": "Oslo"}},
            "include": None,
        },
    ),
    (
        SessionUpdate(
            session=TranscriptionSession(
                audio=AudioConfig(input=AudioInput(turn_detection=None)),
                include=["item.input_audio_transcription.logprobs"],
            )
        ),
        {
            "type": "transcription",
            "audio": {"input": {"turn_detection": None}},
            "include": ["item.input_audio_transcription.logprobs"],
        },
    ),
]

OTHERS: list[tuple[Any, dict[str, Any]]] = [
    (InputAudioAppend(audio=b"\xfb\xff\x00"), {"type": "input_audio_buffer.append", "audio": "+/8A"}),
    (InputAudioAppend(audio=b""), {"type": "input_audio_buffer.append", "audio": ""}),
    (InputAudioCommit(event_id="e1"), {"type": "input_audio_buffer.commit", "event_id": "e1"}),
    (InputAudioClear(), {"type": "input_audio_buffer.clear"}),
    (OutputAudioClear(), {"type": "output_audio_buffer.clear"}),
    (
        ItemCreate(item=user_text('say "hé"\n', item_id="i"), previous_item_id="root"),
        {
            "type": "conversation.item.create",
            "previous_item_id": "root",
            "item": {
                "type": "message",
                "role": "user",
                "content": [{"type": "input_text", "text": 'say "hé"\n'}],
                "id": "i",
            },
        },
    ),
    (
        ItemCreate(
            item=MessageItem(
                role="user",
                content=[
                    ContentPart(type="input_audio", audio=b"\x00\x01", transcript="x"),
                    ContentPart(type="input_image", image_url="data:image/png;base64,AA==", detail="low"),
                ],
            )
        ),
        {
            "type": "conversation.item.create",
            "item": {
                "type": "message",
                "role": "user",
                "content": [
                    {"type": "input_audio", "audio": "AAE=", "transcript": "x"},
                    {"type": "input_image", "image_url": "data:image/png;base64,AA==", "detail": "low"},
                ],
            },
        },
    ),
    (
        ItemCreate(item=MessageItem(role="assistant", content=[ContentPart(type="output_text", text="hi")])),
        {
            "type": "conversation.item.create",
            "item": {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "hi"}]},
        },
    ),
    (
        ItemCreate(item=FunctionCallItem(name="f", arguments="{}", call_id="call_1")),
        {
            "type": "conversation.item.create",
            "item": {"type": "function_call", "name": "f", "arguments": "{}", "call_id": "call_1"},
        },
    ),
    (
        ItemCreate(item=FunctionCallOutputItem(call_id="call_1", output='{"error": null}')),
        {
            "type": "conversation.item.create",
            "item": {"type": "function_call_output", "call_id": "call_1", "output": '{"error": null}'},
        },
    ),
    (
        ItemCreate(item=McpApprovalResponseItem(id="i", approval_request_id="a", approve=False, reason="no")),
        {
            "type": "conversation.item.create",
            "item": {
                "type": "mcp_approval_response",
                "id": "i",
                "approval_request_id": "a",
                "approve": False,
                "reason": "no",
            },
        },
    ),
    (ItemRetrieve(item_id="i"), {"type": "conversation.item.retrieve", "item_id": "i"}),
    (ItemDelete(item_id="i"), {"type": "conversation.item.delete", "item_id": "i"}),
    (
        ItemTruncate(item_id="i", content_index=0, audio_end_ms=480),
        {"type": "conversation.item.truncate", "item_id": "i", "content_index": 0, "audio_end_ms": 480},
    ),
    (ResponseCreate(), {"type": "response.create"}),
    (ResponseCreate(response=ResponseParams()), {"type": "response.create", "response": {}}),
    (
        ResponseCreate(
            response=ResponseParams(
                conversation="none",
                input=[user_text("hi")],
                output_modalities=["text"],
                tools=[],
                tool_choice="none",
                max_output_tokens=4096,
                metadata={"topic": "summary"},
            )
        ),
        {
            "type": "response.create",
            "response": {
                "conversation": "none",
                "input": [{"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hi"}]}],
                "output_modalities": ["text"],
                "tools": [],
                "tool_choice": "none",
                "max_output_tokens": 4096,
                "metadata": {"topic": "summary"},
            },
        },
    ),
    (
        ResponseCreate(
            response=ResponseParams(
                instructions="Be brief.",
                audio=ResponseAudio(output=ResponseAudioOutput(format=AudioPcm(rate=24_000), voice="cedar")),
                metadata=None,
            )
        ),
        {
            "type": "response.create",
            "response": {
                "instructions": "Be brief.",
                "audio": {"output": {"format": {"type": "audio/pcm", "rate": 24_000}, "voice": "cedar"}},
                "metadata": None,
            },
        },
    ),
    (ResponseCancel(), {"type": "response.cancel"}),
    (ResponseCancel(response_id="resp_1"), {"type": "response.cancel", "response_id": "resp_1"}),
]

ALL = [(event, {"type": "session.update", "session": session}) for event, session in SAID] + OTHERS


def unnamed(value: Any) -> set[str]:
    """Fields that the `openai` package has no name for, anywhere inside."""
    if isinstance(value, BaseModel):
        inside = {name for field in type(value).model_fields for name in unnamed(getattr(value, field))}
        return set(value.model_extra or ()) | inside
    members = value.values() if isinstance(value, dict) else value if isinstance(value, list) else []
    return {name for member in members for name in unnamed(member)}


@pytest.mark.parametrize(("event", "said"), ALL)
def test_what_is_said_is_exactly_what_was_meant(event: Any, said: dict[str, Any]):
    assert json.loads(wire.encode(event)) == said
    assert wire.decode_client_event(wire.encode(event)) == event


@pytest.mark.parametrize(("event", "said"), ALL)
def test_the_openai_package_takes_it(event: Any, said: dict[str, Any]):
    theirs = SDK.validate_json(wire.encode(event))
    assert unnamed(theirs) == set()
    assert theirs.model_dump(mode="json", exclude_unset=True, by_alias=True) == said


def test_there_is_a_class_for_each_of_the_11_events(sdk_objects: Callable[[Any], list[dict[str, Any]]]):
    ours = {cls.model_fields["type"].default for cls in CLASSES}
    assert ours == {raw["type"] for raw in sdk_objects(RealtimeClientEvent)} == {said["type"] for _, said in ALL}
    assert len(CLASSES) == len(ours) == 11


def test_everything_that_the_openai_package_can_say_can_be_said(
    sdk_objects: Callable[[Any], list[dict[str, Any]]],
):
    tried = 0
    for raw in sdk_objects(RealtimeClientEvent):
        event = wire.decode_client_event(json.dumps(raw))
        assert json.loads(wire.encode(event)) == raw
        tried += 1
    assert tried > 500


def test_references_to_items_are_for_the_input_of_a_response():
    event = ResponseCreate(response=ResponseParams(input=[ItemReference(id="item_1")]))
    assert json.loads(wire.encode(event))["response"]["input"] == [{"type": "item_reference", "id": "item_1"}]


@pytest.mark.parametrize(
    ("raw", "where"),
    [
        ({"type": "session.update", "session": {"type": "realtime", "max_output_tokens": 0}}, "max_output_tokens"),
        ({"type": "session.update", "session": {"type": "realtime", "truncation": "half"}}, "truncation"),
        ({"type": "session.update", "session": {}}, "session"),
        ({"type": "conversation.item.truncate", "item_id": "i", "content_index": 0}, "audio_end_ms"),
        ({"type": "input_audio_buffer.append", "audio": "?"}, "audio"),
        ({"type": "nope"}, "type"),
    ],
)
def test_what_is_wrong_with_a_clients_event_is_named(raw: dict[str, Any], where: str):
    with pytest.raises(ValidationError) as caught:
        wire.decode_client_event(json.dumps(raw))
    assert where in str(caught.value)
