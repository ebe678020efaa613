import asyncio
import itertools
import json
from typing import Any

import pytest
from openai import AsyncOpenAI, BadRequestError
from openai.types.beta.realtime import RealtimeServerEvent
from pydantic import TypeAdapter

from rtchat.protocol import wire
from rtchat.server.beta import Beta
from rtchat.server.dialogue import Dialogue
from rtchat.server.dialogue import signals as sig
from rtchat.server.engines.base import TextPiece, ToolCall
from rtchat.server.run import ServerConfig, embedded

ORACLE: TypeAdapter[Any] = TypeAdapter(RealtimeServerEvent)
HELLO = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hello."}]}
KEY = "the-key-of-this-test"


class Old:
    """A session with a client of the beta; every event is checked against its types."""

    def __init__(self, **options: Any) -> None:
        numbers = itertools.count(1)
        options = {"model": "gpt-4o-realtime-preview", "expires_at": 1, **options}

        def new_id(prefix: str) -> str:
            return f"{prefix}_{next(numbers)}"

        dialogue = Dialogue(new_id=new_id, **options)
        self.beta = Beta(dialogue, new_id, dialogue.conversation_id)
        self.created = self._shown(self.beta.start())

    def send(self, kind: str, **fields: Any) -> list[Any]:
        return self.tell(sig.Frame(json.dumps({"type": kind, **fields})))

    def tell(self, told: Any) -> list[Any]:
        return self._shown(self.beta.receive(told))

    def _shown(self, effects: list[Any]) -> list[Any]:
        return [json.loads(wire.encode(e.event)) if isinstance(e, sig.Emit) else e for e in effects]


def checked(events: list[Any]) -> list[str]:
    for event in events:
        if isinstance(event, dict):
            ORACLE.validate_python(event)
    return [event["type"] if isinstance(event, dict) else type(event).__name__ for event in events]


@pytest.fixture
def old() -> Old:
    return Old()


def test_the_session_begins_flat_and_with_its_conversation(old):
    assert checked(old.created) == ["session.created", "conversation.created"]
    session = old.created[0]["session"]
    expected = {
        "modalities": ["audio", "text"],
        "voice": "alloy",
        "input_audio_format": "pcm16",
        "output_audio_format": "pcm16",
        "temperature": 0.8,
        "max_response_output_tokens": "inf",
        "input_audio_transcription": None,
    }
    assert {name: session[name] for name in expected} == expected
    assert not session.keys() & {"type", "audio", "output_modalities", "truncation"}


def test_an_update_is_told_back(old):
    asked = {"modalities": ["text"], "temperature": 1.1, "input_audio_format": "g711_alaw", "turn_detection": None}
    events = old.send("session.update", session=asked)
    assert checked([event for event in events if isinstance(event, dict)]) == ["session.updated"]
    session = events[-1]["session"]
    assert {name: session[name] for name in asked} == asked


def test_a_refused_update_changes_nothing(old):
    (error,) = old.send("session.update", event_id="mine", session={"temperature": 1.0, "voice": "nobody"})
    checked([error])
    assert (error["error"]["param"], error["error"]["event_id"]) == ("session.voice", "mine")
    (error,) = old.send("session.update", event_id="mine", session={"temperature": 9})
    assert (error["error"]["param"], error["error"]["event_id"]) == ("session.temperature", "mine")
    assert old.send("session.update", session={})[-1]["session"]["temperature"] == 0.8


def test_an_answer_in_text(old):
    assert checked(old.send("conversation.item.create", item=HELLO)) == ["conversation.item.created"]
    events = old.send("response.create", response={"modalities": ["text"], "temperature": 1.2})
    assert checked(events) == ["response.created", "rate_limits.updated", "Think"]
    assert events[0]["response"]["temperature"] == 1.2
    assert [limit["name"] for limit in events[1]["rate_limits"]] == ["requests", "tokens"]
    response_id = events[-1].response_id
    events = old.tell(sig.Thought(response_id, TextPiece("Good morning.")))
    assert checked(events) == [
        "response.output_item.added",
        "conversation.item.created",
        "response.content_part.added",
        "response.text.delta",
        "response.text.delta",
    ]
    events = old.tell(sig.ThoughtEnded(response_id))
    assert checked(events) == [
        "Abort",
        "response.text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.done",
    ]
    response = events[-1]["response"]
    assert (response["modalities"], response["temperature"]) == (["text"], 1.2)
    assert response["output"][0]["content"] == [{"type": "text", "text": "Good morning."}]
    assert response["output"][0]["object"] == "realtime.item"
    assert response["output_audio_format"] == "pcm16"


def test_beside_the_conversation_its_item_is_told_too(old):
    asked = {"conversation": "none", "input": [HELLO], "modalities": ["text"]}
    response_id = old.send("response.create", response=asked)[-1].response_id
    events = old.tell(sig.Thought(response_id, TextPiece("Yes.")))
    assert checked(events)[:2] == ["response.output_item.added", "conversation.item.created"]
    assert events[1]["previous_item_id"] is None


def test_a_function_call(old):
    tool = {"type": "function", "name": "look", "description": None, "parameters": {"type": "object"}}
    old.send("session.update", session={"tools": [tool]})
    old.send("conversation.item.create", item=HELLO)
    response_id = old.send("response.create")[-1].response_id
    names = checked(old.tell(sig.Thought(response_id, ToolCall("look", "{}"))))
    assert names == [
        "response.output_item.added",
        "conversation.item.created",
        "response.function_call_arguments.delta",
        "response.function_call_arguments.done",
        "response.output_item.done",
    ]


def test_a_transcription_session():
    old = Old(kind="transcription", model="")
    assert [event["type"] for event in old.created] == ["transcription_session.created"]
    asked = {"input_audio_transcription": {"model": "whisper-1"}, "input_audio_format": "g711_ulaw"}
    (*_, updated) = old.send("transcription_session.update", session=asked)
    assert updated["type"] == "transcription_session.updated"
    assert updated["session"]["input_audio_format"] == "g711_ulaw"


@pytest.mark.parametrize("frame", ["{", "[]", "[" * 100_000, '{"type": 7}', "{}"])
def test_what_cannot_be_read_is_refused(old, frame):
    (error,) = old.tell(sig.Frame(frame))
    assert checked([error]) == ["error"]


async def test_the_beta_client_of_the_openai_package_speaks_with_it(engines):
    engines.stt.says = "what time is it"
    async with embedded(ServerConfig(api_key=KEY, beta=True), engines=engines) as url:
        client = AsyncOpenAI(api_key=KEY, websocket_base_url=url)
        connecting = client.beta.realtime.connect(model="gpt-4o-realtime-preview")
        async with asyncio.timeout(60), connecting as connection:
            assert (await connection.recv()).type == "session.created"
            await connection.session.update(session={"input_audio_transcription": {"model": "whisper-1"}})
            for sample in ("AQEB", "AAAA"):  # speech, silence
                await connection.input_audio_buffer.append(audio=sample * 640 * 16)
            kinds, heard = [], None
            async for event in connection:
                ORACLE.validate_python(event.model_dump(exclude_unset=True))
                kinds.append(event.type)
                if event.type == "conversation.item.input_audio_transcription.completed":
                    heard = event.transcript
                if event.type == "response.done":
                    assert event.response.output[0].content[0].transcript == "You said what time is it."
                    break
        await client.close()
    assert heard == "what time is it"
    assert {"response.audio.delta", "response.audio_transcript.done", "conversation.item.created"} <= set(kinds)
    assert "conversation.item.done" not in kinds


async def test_an_ephemeral_key_of_the_beta(engines):
    async with embedded(ServerConfig(api_key=KEY, beta=True), engines=engines) as url:
        client = AsyncOpenAI(api_key=KEY, base_url=url.replace("ws:", "http:"), max_retries=0)
        made = await client.beta.realtime.sessions.create(
            model="gpt-4o-realtime-preview", voice="coral", temperature=0.9, modalities=["text"]
        )
        assert (made.voice, made.temperature, made.modalities) == ("coral", 0.9, ["text"])
        assert made.client_secret.value.startswith("ek_")
        with pytest.raises(BadRequestError) as caught:
            await client.beta.realtime.sessions.create(voice="nobody")
        assert caught.value.param == "session.voice"
        heard = await client.beta.realtime.transcription_sessions.create(input_audio_format="g711_ulaw")
        assert heard.input_audio_format == "g711_ulaw"
        guest = AsyncOpenAI(api_key=made.client_secret.value, websocket_base_url=url)
        async with asyncio.timeout(60), guest.beta.realtime.connect(model="gpt-4o-realtime-preview") as connection:
            created = await connection.recv()
            assert (created.session.voice, created.session.modalities) == ("coral", ["text"])
        await client.close()
        await guest.close()


async def test_only_who_asks_for_the_beta_gets_it(engines, connect):
    async with embedded(ServerConfig(beta=True), engines=engines) as url:
        async with connect(url) as client:
            assert client.created["session"]["type"] == "realtime"
        with pytest.raises(Exception, match="type"):  # the oracle of today does not know the flat session
            async with connect(url, subprotocols=["realtime", "openai-beta.realtime-v1"]):
                pass
    async with (
        embedded(engines=engines) as url,
        connect(url, additional_headers={"OpenAI-Beta": "realtime=v1"}) as c,
    ):
        assert c.created["error"]["code"] == "beta_api_shape_disabled"
        assert (await c.closed())[0] == 4000
