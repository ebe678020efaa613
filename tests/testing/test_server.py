"""The server in its thread, with the `openai` package and with plain sockets."""

import base64
import json
from pathlib import Path

import openai
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from rtchat.errors import UsageError
from rtchat.testing import RealtimeServer, babble
from rtchat.testing.seen import append

# openai's client connects the way of older versions of websockets.
pytestmark = pytest.mark.filterwarnings("ignore:connect.. must be used as a context manager:DeprecationWarning")
TRANSCRIBES = {"type": "realtime", "audio": {"input": {"transcription": {"model": "whisper-1"}}}}
MODEL = "gpt-realtime-2.1"


def talk(server):
    client = openai.OpenAI(api_key=server.api_key, base_url=server.http_url, websocket_base_url=server.url)
    return client.realtime.connect(model=MODEL)


def until(connection, kind):
    events = []
    for event in connection:
        events.append(event)
        if event.type == kind:
            return events
    raise AssertionError(f"no {kind}")


def test_the_openai_client_speaks_and_calls_a_tool():
    with RealtimeServer(clock="virtual") as server:
        server.scenario(
            {"hear": "A table for two, please.", "call": {"name": "book", "arguments": {"people": 2}}},
            {"match": "booked", "say": "It is booked."},
        )
        with talk(server) as connection:
            connection.session.update(session=TRANSCRIBES)
            for event in append(babble()):
                connection.send(event)
            (call,) = until(connection, "response.done")[-1].response.output
            assert (call.name, call.arguments) == ("book", '{"people": 2}')
            item = {"type": "function_call_output", "call_id": call.call_id, "output": "booked"}
            connection.conversation.item.create(item=item)
            connection.response.create()
            events = until(connection, "response.done")
            assert events[-1].response.output[0].content[0].transcript == "It is booked."
            (said,) = [event for event in events if event.type == "response.output_item.done"]
            connection.conversation.item.truncate(item_id=said.item.id, content_index=0, audio_end_ms=120)
            until(connection, "conversation.item.truncated")
        server.assert_sent("session.update", session__type="realtime")
        server.assert_sent("conversation.item.create", item__call_id=call.call_id, item__output="booked", times=1)
        server.assert_order("session.update", "input_audio_buffer.append", "conversation.item.create")
        (session,) = server.sessions
        assert session.audio == babble() and session.audio_seconds == len(babble()) / 48_000
        assert session.truncations[0].audio_end_ms == 120
        assert session.sent[0]["type"] == "session.created"


@pytest.mark.parametrize("modality", ["text", "audio"])
def test_of_a_script_too_only_so_much_is_said_as_the_client_allows(modality):
    turns = [{"say": ["One two three.", "Four five six seven eight. " * 9, "Ten."]}, {"say": "Nine."}]
    with RealtimeServer(turns) as server, talk(server) as connection:
        connection.response.create(response={"output_modalities": [modality], "max_output_tokens": 20})
        events = until(connection, "response.done")
        response = events[-1].response
        assert (response.status, response.status_details.reason) == ("incomplete", "max_output_tokens")
        (part,) = response.output[0].content
        assert (part.text or part.transcript).startswith("One two")
        connection.response.create(response={"output_modalities": ["text"]})
        assert until(connection, "response.done")[-1].response.output[0].content[0].text == "Nine."


async def test_an_async_client():
    with RealtimeServer([{"say": "Hello."}]) as server:
        client = openai.AsyncOpenAI(api_key=server.api_key, websocket_base_url=server.url)
        async with client.realtime.connect(model=MODEL) as connection:
            await connection.response.create()
            await server.wait_for_async("response.create", within=60)
            async for event in connection:
                if event.type == "response.done":
                    break
            assert event.response.output[0].content[0].transcript == "Hello."
        await client.close()


def exchange(server):
    """The frames that the server sends."""
    frames = []
    with connect(f"{server.url}/realtime?model={MODEL}", max_size=None) as socket:
        sound = base64.b64encode(babble()).decode()
        for event in (
            {"type": "session.update", "session": TRANSCRIBES},
            {"type": "input_audio_buffer.append", "audio": sound},
            {"type": "response.create"},
            {"type": "nonsense"},
        ):
            socket.send(json.dumps(event))
        while not frames or '"error"' not in frames[-1]:
            frames.append(socket.recv(timeout=60))
    return frames


def test_two_runs_are_alike_to_the_byte():
    runs = []
    for _ in range(2):
        with RealtimeServer([{"hear": "hi", "say": "Hello."}, {"say": "Yes?"}], clock="virtual") as server:
            runs.append(exchange(server))
            assert server.sent_frames == runs[-1]
    assert runs[0] == runs[1]


def test_virtual_time_can_be_let_pass():
    with RealtimeServer(clock="virtual") as server, connect(f"{server.url}/realtime?model={MODEL}") as socket:
        socket.recv(timeout=60)
        server.advance(3599)
        server.advance(2)
        assert json.loads(socket.recv(timeout=60))["error"]["code"] == "session_expired"
        with pytest.raises(ConnectionClosed):
            socket.recv(timeout=60)
    with RealtimeServer() as server, pytest.raises(RuntimeError, match="virtual"):
        server.advance(1)


def test_faults_scenarios_and_keys_of_the_next_sessions(tmp_path):
    path = tmp_path / "one.toml"
    path.write_text('[[turn]]\nsay = "From the file."\n', encoding="utf-8")
    with RealtimeServer(path, chaos="close:event=1", api_key="k") as server:
        address = f"{server.url}/realtime?model={MODEL}"
        assert server.api_key == "k"
        key = {"additional_headers": {"Authorization": "Bearer k"}}
        with connect(address, **key) as socket, pytest.raises(ConnectionClosed) as closed:
            socket.recv(timeout=60)
        assert closed.value.rcvd.code == 1001
        server.chaos()
        with talk(server) as connection:
            connection.response.create()
            done = until(connection, "response.done")[-1].response
            assert done.output[0].content[0].transcript == "From the file."
        server.script([{"say": "Again."}], loop=True)
        with talk(server) as connection:
            for _ in range(2):
                connection.response.create()
                done = until(connection, "response.done")[-1].response
                assert done.output[0].content[0].transcript == "Again."
        assert len(server.sessions) == 3


def test_what_cannot_be_started():
    with pytest.raises(UsageError, match="no fault named"):
        RealtimeServer(chaos="nonsense")
    with pytest.raises(UsageError, match="no key 'sai'"):
        RealtimeServer([{"sai": "Hello."}])
    with pytest.raises(UsageError, match="cannot be read"):
        RealtimeServer(Path("nowhere.toml"))
    with pytest.raises(UsageError, match="no tts engine"):
        RealtimeServer(tts="nonsense").start()
