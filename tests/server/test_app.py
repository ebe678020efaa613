"""Who comes in, by every door, and the openai package's own client as the guest."""

import asyncio
import io
import json
from contextlib import asynccontextmanager

import httpx
import pytest
from openai import AsyncOpenAI
from starlette.testclient import TestClient
from websockets.exceptions import ConnectionClosedError, InvalidStatus

from rtchat.errors import EngineError
from rtchat.server.admission import Admission
from rtchat.server.app import Server, new_id
from rtchat.server.engines.base import TextPiece, ToolCall
from rtchat.server.journal import Journal
from rtchat.server.limits import Limits
from rtchat.server.run import ServerConfig, embedded

KEY = "sk-the-right-key-0001"
LOCKED = ServerConfig(api_key=KEY)


@asynccontextmanager
async def visiting(engines, key: str = KEY):
    """A connection of the openai package's client to a server that wants `KEY`."""
    async with embedded(LOCKED, engines=engines) as url:
        guest = AsyncOpenAI(api_key=key, base_url=url.replace("ws://", "http://"), max_retries=0)
        async with guest, guest.realtime.connect(model="gpt-realtime-2.1") as connection:
            yield connection


@pytest.mark.parametrize(
    ("path", "headers", "code", "close"),
    [
        (
            "/realtime?model=gpt-realtime",
            {"Authorization": "Bearer sk-wrong-key-0000001"},
            "invalid_api_key",
            (3000, "invalid_request_error.invalid_api_key"),
        ),
        ("/realtime?model=gpt-realtime", {}, None, (3000, "invalid_request_error")),
        ("/realtime", {"api-key": KEY}, "missing_model", (4000, "invalid_request_error.missing_model")),
        (
            "/realtime?call_id=rtc_1",
            {"api-key": KEY},
            "call_id_not_found",
            (4000, "invalid_request_error.call_id_not_found"),
        ),
        (
            "/realtime?model=gpt-nope",
            {"api-key": KEY},
            "invalid_model",
            (4000, "invalid_request_error.invalid_model"),
        ),
        (
            "/realtime?model=gpt-realtime",
            {"api-key": KEY, "OpenAI-Beta": "realtime=v1"},
            "beta_api_shape_disabled",
            (4000, "invalid_request_error.beta_api_shape_disabled"),
        ),
        (
            "/realtime/translations?model=gpt-realtime",
            {"api-key": KEY},
            "invalid_model",
            (4000, "invalid_request_error.invalid_model"),
        ),
    ],
)
async def test_refusals_come_after_the_upgrade(engines, connect, path, headers, code, close):
    async with (
        embedded(LOCKED, engines=engines) as url,
        connect(url, path=path, additional_headers=headers) as client,
    ):
        assert client.created["type"] == "error"
        assert client.created["error"]["code"] == code
        assert KEY not in client.created["error"]["message"]
        assert await client.closed() == close


@pytest.mark.parametrize(
    "options",
    [
        {"additional_headers": {"Authorization": f"Bearer {KEY}"}},
        {"additional_headers": {"api-key": KEY}},
        {"path": f"/realtime?model=gpt-realtime&api-key={KEY}"},
        {"subprotocols": ["realtime", f"openai-insecure-api-key.{KEY}"]},
        {"path": "/realtime?intent=transcription", "additional_headers": {"api-key": KEY}},
    ],
)
async def test_the_key_may_come_from_anywhere(engines, connect, options):
    async with embedded(LOCKED, engines=engines) as url, connect(url, **options) as client:
        assert client.created["type"] == "session.created"
        assert client.socket.subprotocol == ("realtime" if "subprotocols" in options else None)


def test_ids_look_like_the_apis():
    assert new_id("item").startswith("item_")
    assert (len(new_id("event")), len(new_id("call"))) == (27, 21)
    assert new_id("item") != new_id("item")


@pytest.mark.parametrize(
    ("origin", "first"), [("https://evil.example", "error"), ("http://localhost:3000", "session.created")]
)
async def test_without_a_key_only_pages_of_this_machine_come_in(engines, connect, origin, first):
    async with embedded(engines=engines) as url, connect(url, origin=origin) as client:
        assert client.created["type"] == first


async def test_health(engines, connect):
    async with embedded(LOCKED, engines=engines) as url, httpx.AsyncClient() as http:
        health = f"{url.removesuffix('/v1')}/healthz".replace("ws://", "http://")
        assert (await http.get(health)).json() == {"status": "ok", "sessions": 0}
        async with connect(url, additional_headers={"api-key": KEY}):
            assert (await http.get(health)).json()["sessions"] == 1


# --- running it -------------------------------------------------------------------------------------------


def http_of(url: str) -> httpx.AsyncClient:
    """A client for the server's HTTP side."""
    return httpx.AsyncClient(base_url=url.replace("ws", "http", 1).removesuffix("/v1"))


async def test_one_too_many_is_told_before_the_upgrade_and_comes_in_later(engines, connect, answered):
    config = ServerConfig(limits=Limits(max_sessions=1))
    async with embedded(config, engines=engines) as url, http_of(url) as http:
        assert (await http.get("/readyz")).json() == {"status": "ready"}
        async with connect(url):
            with pytest.raises(InvalidStatus) as refused:
                await connect(url).__aenter__()
            answer = refused.value.response
            assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
            assert json.loads(answer.body)["error"]["code"] == "full"
            ready = await http.get("/readyz")
            assert (ready.status_code, ready.json()["status"]) == (503, "full")
            assert (await http.get("/healthz")).status_code == 200
        await answered(http, "/readyz", lambda answer: answer.status_code == 200)
        async with connect(url) as client:
            assert client.created["type"] == "session.created"
        assert 'rtchat_refused_total{reason="full"} 1' in (await http.get("/metrics")).text


async def test_those_with_a_wrong_key_do_not_hold_a_place(engines, connect):
    config = ServerConfig(api_key=KEY, limits=Limits(max_sessions=1))
    async with embedded(config, engines=engines) as url, http_of(url) as http:
        for _ in range(3):
            async with connect(url) as client:
                assert client.created["type"] == "error"
                await client.closed()
        async with connect(url, additional_headers={"api-key": KEY}) as client:
            assert client.created["type"] == "session.created"
        figures = (await http.get("/metrics", headers={"api-key": KEY})).text
        assert 'rtchat_refused_total{reason="no_key"} 3' in figures


async def test_who_is_refused_need_not_wait_to_hear_it(engines):
    async def receive():
        return {"type": "websocket.connect"}

    async def send(message):
        if message["type"] != "websocket.accept":
            raise OSError("gone")

    scope = {"type": "websocket", "path": "/v1/realtime", "query_string": b"", "headers": []}
    await Server(engines).app(scope, receive, send)


async def test_pool_and_metrics_tell_of_a_session_and_nothing_of_what_it_says(engines, connect, answered):
    async with embedded(engines=engines) as url, http_of(url) as http:
        async with connect(url) as client:
            await client.append(500, silent=True)
            await client.say("xylophone")
            await client.send("response.create")
            await client.until("response.done")
            await client.until("rate_limits.updated")
            (session,) = (await http.get("/v1/pool")).json()["sessions"]
            during = await http.get("/metrics")
        assert session["id"] == client.created["session"]["id"]
        assert (session["kind"], session["model"]) == ("realtime", "gpt-realtime-2.1")
        assert during.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
        for figure in (
            "rtchat_sessions 1",
            'rtchat_sessions_total{kind="realtime"} 1',
            'rtchat_events_total{direction="in"} 3',
            'rtchat_audio_seconds_total{direction="in"} 0.5',
            'rtchat_audio_seconds_total{direction="out"} 0.3',
            'rtchat_responses_total{status="completed"} 1',
            'rtchat_engine_seconds_count{engine="llm"} 1',
            'rtchat_engine_seconds_count{engine="tts"} 1',
        ):
            assert f"\n{figure}\n" in during.text
        after = (await answered(http, "/metrics", lambda answer: "\nrtchat_sessions 0\n" in answer.text)).text
        assert 'rtchat_audio_seconds_total{direction="in"} 0.5' in after
        assert 'rtchat_closed_total{code="1000"} 1' in after
        assert "xylophone" not in during.text + after


async def test_with_a_key_only_its_owner_sees_pool_and_metrics(engines):
    async with embedded(LOCKED, engines=engines) as url, http_of(url) as http:
        for path in ("/metrics", "/v1/pool"):
            assert (await http.get(path)).status_code == 401
            assert (await http.get(path, headers={"Authorization": f"Bearer {KEY}"})).status_code == 200
        for path in ("/healthz", "/readyz"):
            assert (await http.get(path)).status_code == 200


async def test_what_is_not_there_is_told_as_the_api_tells_it(engines):
    async with embedded(engines=engines) as url, http_of(url) as http:
        answer = await http.get("/v1/models/nope")
    assert answer.status_code == 404
    assert answer.json()["error"]["message"] == "Invalid URL (GET /v1/models/nope)"


@pytest.mark.parametrize("verb", ["accept", "reject", "refer", "hangup"])
async def test_there_is_no_call_to_do_anything_with(engines, verb):
    async with (
        embedded(LOCKED, engines=engines) as url,
        httpx.AsyncClient(base_url=url.replace("ws", "http")) as http,
    ):
        assert (await http.post(f"/realtime/calls/rtc_1/{verb}")).status_code == 401
        answer = await http.post(f"/realtime/calls/rtc_1/{verb}", headers={"api-key": KEY})
    assert answer.status_code == 404
    assert answer.json()["error"] == {  # recorded
        "message": "No session found for the provided call_id",
        "type": "invalid_request_error",
        "code": "call_id_not_found",
        "param": "",
    }


def test_a_mistake_of_the_server_s_is_told_as_the_api_tells_it(engines, monkeypatch):
    monkeypatch.setattr(Admission, "pool", lambda _: 1 / 0)
    answer = TestClient(Server(engines).app, raise_server_exceptions=False).get("/v1/pool")
    assert (answer.status_code, answer.json()["error"]["type"]) == (500, "server_error")


async def test_a_mistake_that_ends_a_session_is_in_the_log(engines, connect, monkeypatch, caplog):
    async def mistaken(_):
        raise ZeroDivisionError

    monkeypatch.setattr("rtchat.server.live.Live.run", mistaken)
    async with embedded(engines=engines) as url:
        with pytest.raises(ConnectionClosedError):
            async with connect(url):
                pass
    assert "ZeroDivisionError" in caplog.text


async def test_the_journal_has_a_line_for_each_and_no_content(engines, connect):
    stream = io.StringIO()
    server = Server(engines, keys=[KEY], journal=Journal("json", stream))
    engines.llm.answers = [[EngineError("The xylophone is broken.", hint="Mend it.")]]

    def visit():
        client = TestClient(server.app)
        with client.websocket_connect("/v1/realtime?model=gpt-realtime", headers={"api-key": "sk-wrong"}) as socket:
            socket.receive_json()
        with client.websocket_connect("/v1/realtime?model=gpt-realtime", headers={"api-key": KEY}) as socket:
            session = socket.receive_json()["session"]["id"]
            socket.send_json({"type": "xylophone"})
            socket.send_json({"type": "response.create"})
            while socket.receive_json()["type"] != "response.done":
                pass
            socket.close(1000)
        return session

    session = await asyncio.to_thread(visit)
    server._journal.close()
    refused, started, wrong, failed, ended = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert (refused["event"], refused["reason"]) == ("refused", "invalid_api_key")
    assert (started["event"], started["model"], started["session"]) == ("session_started", "gpt-realtime", session)
    assert (wrong["event"], wrong["code"], wrong["session"]) == ("error_sent", "invalid_value", session)
    assert (failed["event"], failed["session"]) == ("response_failed", session)
    assert (ended["session"], ended["close"], ended["events_in"]) == (session, 1000, 2)
    assert (ended["responses"], ended["failed"], ended["errors"]) == (1, 1, 1)
    assert ended["seconds"] > 0
    for secret in ("xylophone", KEY, "sk-wrong"):
        assert secret not in stream.getvalue()


async def test_a_session_lasts_as_long_as_the_server_says(engines, connect):
    config = ServerConfig(limits=Limits(session_s=0.3))
    async with embedded(config, engines=engines) as url, connect(url) as client:
        error = (await client.event())["error"]
        assert (error["code"], error["message"]) == (
            "session_expired",
            "Your session hit the maximum duration of 0.005 minutes.",
        )
        assert await client.closed() == (1001, "session_expired")


async def test_a_silent_client_is_sent_home(engines, connect):
    config = ServerConfig(limits=Limits(idle_s=0.3))
    async with embedded(config, engines=engines) as url, connect(url) as client:
        assert await client.closed() == (1000, "idle for 0.3 s")


async def test_too_large_a_frame_closes_with_1009(engines, connect):
    config = ServerConfig(limits=Limits(max_frame=1000))
    async with embedded(config, engines=engines) as url, connect(url) as client:
        await client.say("a" * 1000)
        assert (await client.closed())[0] == 1009


async def test_sessions_side_by_side_know_nothing_of_each_other(engines, connect):
    async with embedded(engines=engines) as url, connect(url) as one, connect(url) as other:
        await one.say("one")
        await other.say("other")
        for client in (one, other):
            await client.send("response.create", response={"output_modalities": ["text"]})
        for client, word in ((one, "one"), (other, "other")):
            done = (await client.until("response.done"))[-1]
            assert done["response"]["output"][0]["content"][0]["text"] == f"You said {word}."


async def test_the_openai_client_types_and_hears(engines):
    async with visiting(engines) as connection:
        assert (await connection.recv()).type == "session.created"
        await connection.session.update(session={"type": "realtime", "instructions": "Be brief."})
        assert (await connection.recv()).session.instructions == "Be brief."
        await connection.conversation.item.create(
            item={"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hi"}]}
        )
        await connection.response.create(response={"output_modalities": ["audio"]})
        sound, words = 0, ""
        async for event in connection:
            assert event.type != "error"
            if event.type == "response.output_audio.delta":
                sound += len(event.delta)
            elif event.type == "response.output_audio_transcript.delta":
                assert sound == 0  # the words lead
                words += event.delta
            elif event.type == "response.done":
                break
        assert words == "You said hi."
        assert sound == 3 * 6400  # three words of 100 ms, in base64
        item = event.response.output[0].id
        await connection.conversation.item.truncate(item_id=item, content_index=0, audio_end_ms=100)
        assert (await connection.recv()).type == "rate_limits.updated"
        assert (await connection.recv()).audio_end_ms == 100


async def test_the_openai_client_calls_tools(engines):
    engines.llm.answers = [
        [ToolCall("look", '{"at":"sky"}'), ToolCall("look", '{"at":"sea"}')],
        [TextPiece("Blue.")],
    ]
    async with visiting(engines) as connection:
        tool = {"type": "function", "name": "look", "parameters": {"type": "object", "properties": {}}}
        session = {"type": "realtime", "tools": [tool], "output_modalities": ["text"]}
        await connection.session.update(session=session)
        await connection.response.create()
        async for event in connection:
            if event.type == "response.done":
                break
        calls = event.response.output
        assert [call.arguments for call in calls] == ['{"at":"sky"}', '{"at":"sea"}']
        for call in calls:
            await connection.conversation.item.create(
                item={"type": "function_call_output", "call_id": call.call_id, "output": "blue"}
            )
        await connection.response.create()
        async for event in connection:
            assert event.type != "error"
            if event.type == "response.done":
                break
        assert event.response.output[0].content[0].text == "Blue."
    assert [m.role for m in engines.llm.prompts[1].messages] == ["call", "call", "tool", "tool"]


async def test_the_openai_client_cancels(engines):
    engines.tts.endless = True
    async with visiting(engines) as connection:
        await connection.response.create()
        async for event in connection:
            if event.type == "response.output_audio.delta":
                await connection.response.cancel()
                break
        async for event in connection:
            if event.type == "response.done":
                break
        assert event.response.status == "cancelled"
        assert event.response.status_details.reason == "client_cancelled"


async def test_the_openai_client_is_refused(engines):
    async with visiting(engines, "sk-some-other-key-0001") as connection:
        event = await connection.recv()
        assert event.error.code == "invalid_api_key"
