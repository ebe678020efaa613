"""The connection against real servers on loopback that behave, and that misbehave in every way."""

import asyncio
import base64
import contextlib
import hashlib
import importlib.util
import json
import logging
import shutil
import socket
import ssl
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request, Response

from rtchat.errors import ConnectFailed, ConnectionLost, LinkError, Refused, RtchatError, WireError
from rtchat.link.connection import WRITE_LIMIT, Connection, connect
from rtchat.link.dialers import Endpoint, openai, url
from rtchat.protocol.client_events import InputAudioAppend, InputAudioClear, ItemCreate, ResponseCreate
from rtchat.protocol.items import user_text
from rtchat.protocol.server_events import ErrorEvent, SessionCreated, SessionUpdated, UnknownEvent
from rtchat.protocol.translation import TranslationClose, TranslationClosed, TranslationCreated

KEY = "sk-very-secret"
CREATED = json.dumps({"type": "session.created", "event_id": "event_1", "session": {"type": "realtime", "id": "s"}})
UPDATED = CREATED.replace("created", "updated")

Handler = Callable[[ServerConnection], Awaitable[None]]
RawHandler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http", "https", "all", "ws", "wss", "socks", "no"):
        monkeypatch.delenv(f"{name}_proxy", raising=False)
        monkeypatch.delenv(f"{name.upper()}_PROXY", raising=False)


def error_frame(code: str | None, message: str = "It is wrong.", **more: Any) -> str:
    body = {"type": "invalid_request_error", "code": code, "message": message, "param": None, **more}
    return json.dumps({"type": "error", "event_id": "event_2", "error": body})


@contextlib.asynccontextmanager
async def serving(handler: Handler, **options: Any) -> AsyncIterator[Endpoint]:
    """A WebSocket server, and how to reach it."""
    async with serve(handler, "127.0.0.1", 0, **options) as server:
        port = server.sockets[0].getsockname()[1]
        yield url(f"ws://127.0.0.1:{port}", KEY, model="m", label="OpenAI")


@contextlib.asynccontextmanager
async def serving_raw(handler: RawHandler) -> AsyncIterator[Endpoint]:
    """A TCP server, and how to reach it."""
    async with listening(handler) as port:
        yield url(f"ws://127.0.0.1:{port}", KEY, model="m")


@contextlib.asynccontextmanager
async def listening(handler: RawHandler) -> AsyncIterator[int]:
    """A TCP server that lets go of everything at its end; its port."""
    tasks = set()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.add(asyncio.current_task())
        try:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
                await handler(reader, writer)
        finally:
            writer.close()

    async with await asyncio.start_server(handle, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def upgrade(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A WebSocket handshake by hand, for servers that go on to do what no library does."""
    request = await reader.readuntil(b"\r\n\r\n")
    key = next(
        line[19:].strip() for line in request.split(b"\r\n") if line.lower().startswith(b"sec-websocket-key:")
    )
    accept = base64.b64encode(hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
    writer.write(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n"
    )
    await writer.drain()


async def failure(endpoint: Endpoint, **options: Any) -> RtchatError:
    """Dial and read to the end: the error that it ends with."""
    with pytest.raises(RtchatError) as caught:
        async with asyncio.timeout(60), connect(endpoint, **options) as connection:
            async for _ in connection:
                pass
    error = caught.value
    assert error.message.endswith("."), error.message
    assert error.hint.endswith(".") or "rtchat models" in error.hint
    assert KEY not in str(error)
    return error


# --- a server that behaves --------------------------------------------------------------------------------


async def echo_created(server: ServerConnection) -> None:
    await server.send(CREATED)
    async for frame in server:
        await server.send(json.dumps({"type": "echo", "frame": json.loads(frame)}))


async def test_events_go_out_and_come_in():
    async with serving(echo_created) as endpoint, connect(endpoint) as connection:
        assert isinstance(await anext(connection), SessionCreated)
        await connection.send(ItemCreate(item=user_text("hi")))
        await connection.send(ResponseCreate())
        first, second = [await anext(connection) for _ in range(2)]
        assert isinstance(first, UnknownEvent)
        assert first.raw["frame"]["item"]["content"] == [{"type": "input_text", "text": "hi"}]
        assert isinstance(second, UnknownEvent)
        assert second.raw["frame"] == {"type": "response.create"}


async def test_the_handshake():
    seen: list[Request] = []

    async def handler(server: ServerConnection) -> None:
        assert server.request
        seen.append(server.request)
        await server.send(CREATED)
        await server.wait_closed()

    async with serving(handler) as here:
        endpoint = openai("m", KEY, base_url=here.url.replace("/v1/realtime?model=m", "/v1"), project="proj_1")
        async with connect(endpoint) as connection:
            await anext(connection)
    headers = seen[0].headers
    assert seen[0].path == "/v1/realtime?model=m"
    assert headers["Authorization"] == f"Bearer {KEY}"
    assert headers["OpenAI-Project"] == "proj_1"
    assert headers["User-Agent"].startswith("rtchat/")
    assert "OpenAI-Beta" not in headers
    assert "Sec-WebSocket-Extensions" not in headers


async def test_the_example_in_the_docs(capsys: pytest.CaptureFixture[str]):
    page = (Path(__file__).parents[2] / "docs" / "protocol.md").read_text()
    imports, _, body = page.partition("```python\n")[2].partition("```")[0].partition("async with")
    part = {"event_id": "e", "response_id": "r", "item_id": "i", "output_index": 0, "content_index": 0}

    async def handler(server: ServerConnection) -> None:
        await server.send(CREATED)
        for expected in ("conversation.item.create", "response.create"):
            assert json.loads(await server.recv())["type"] == expected
        for word in ("Good", " day"):
            await server.send(json.dumps({"type": "response.output_text.delta", **part, "delta": word}))
        await server.send(json.dumps({"type": "response.done", "event_id": "e", "response": {"id": "r"}}))
        await server.wait_closed()

    async with serving(handler) as endpoint:
        names: dict[str, Any] = {"key": KEY}
        exec(imports, names)
        names["openai"] = lambda model, key: endpoint
        exec("async def main():\n    async with" + body.replace("\n", "\n    "), names)
        await names["main"]()
    assert capsys.readouterr().out == "Good day"


async def test_subprotocols_are_offered():
    async def handler(server: ServerConnection) -> None:
        await server.send(json.dumps({"type": "agreed", "name": server.subprotocol}))

    async with serving(handler, subprotocols=["realtime"]) as here:
        endpoint = Endpoint(here.url, subprotocols=("realtime", f"openai-insecure-api-key.{KEY}"))
        async with connect(endpoint) as connection:
            event = await anext(connection)
            assert isinstance(event, UnknownEvent)
            assert event.raw["name"] == "realtime"


async def test_the_iteration_ends_after_our_own_close():
    async with serving(echo_created) as endpoint, connect(endpoint) as connection:
        seen = []
        async for event in connection:
            seen.append(type(event))
            await connection.close()
        assert seen == [SessionCreated]
        with pytest.raises(ConnectionLost, match=r"The connection is closed\."):
            await connection.send(ResponseCreate())


async def test_closing_while_another_task_reads_ends_its_iteration():
    async with serving(echo_created) as endpoint, connect(endpoint) as connection:
        await anext(connection)

        async def read() -> str:
            async for _ in connection:
                pass
            return "ended"

        reader = asyncio.create_task(read())
        await asyncio.sleep(0)
        await connection.close()
        assert await asyncio.wait_for(reader, 60) == "ended"


async def test_hanging_up_on_a_server_that_floods_does_not_take_long():
    async def handler(server: ServerConnection) -> None:
        for _ in range(2_000):
            await server.send(CREATED + " " * 10_000)

    async with serving(handler) as endpoint, asyncio.timeout(60), connect(endpoint) as connection:
        await anext(connection)


async def test_a_translation_session_has_its_own_events():
    async def handler(server: ServerConnection) -> None:
        await server.send('{"type":"session.created","event_id":"e","session":{"type":"translation"}}')
        assert json.loads(await server.recv()) == {"type": "session.close"}
        await server.send('{"type":"session.closed","event_id":"e"}')
        await server.wait_closed()

    async with serving(handler) as here:
        endpoint = Endpoint(here.url, translation=True)
        async with connect(endpoint) as connection:
            assert isinstance(await anext(connection), TranslationCreated)
            await connection.send(TranslationClose())
            assert isinstance(await anext(connection), TranslationClosed)


async def test_frames_are_seen_on_their_way():
    seen: list[tuple[str, str, type]] = []

    def tap(direction: str, frame: str | bytes, event: Any) -> None:
        text = frame if isinstance(frame, str) else frame.decode()
        seen.append((direction, text, type(event)))

    async def handler(server: ServerConnection) -> None:
        await server.send(CREATED)
        await server.recv()
        await server.send("not JSON")
        await server.wait_closed()

    async with serving(handler) as endpoint, connect(endpoint, on_frame=tap) as connection:
        await anext(connection)
        await connection.send(ResponseCreate())
        await anext(connection)
    assert seen == [
        ("received", CREATED, SessionCreated),
        ("sent", '{"type":"response.create"}', ResponseCreate),
        ("received", "not JSON", WireError),
    ]


async def test_pings_are_answered_and_latency_is_known():
    async def handler(server: ServerConnection) -> None:
        await asyncio.wait_for(await server.ping(b"\x01\x02\x03\x04"), 60)
        await server.send(CREATED)
        await server.wait_closed()

    async with serving(handler, ping_interval=None) as endpoint, connect(endpoint, keepalive=0.5) as connection:
        assert isinstance(await anext(connection), SessionCreated)
        async with asyncio.timeout(60):
            while connection.latency == 0:  # noqa: ASYNC110 - it is a figure, not an event
                await asyncio.sleep(0.01)


async def test_a_large_frame_is_taken():
    async def handler(server: ServerConnection) -> None:
        await server.send('{"type":"big","text":"' + "x" * 20 * 2**20 + '"}')
        await server.wait_closed()

    async with serving(handler) as endpoint, connect(endpoint) as connection:
        event = await anext(connection)
        assert isinstance(event, UnknownEvent)
        assert len(event.raw["text"]) == 20 * 2**20


# --- a server that refuses --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "message", "close_code", "hint"),
    [
        ("invalid_api_key", "Incorrect API key provided.", 3000, "Check the key for OpenAI."),
        (None, "Missing bearer or basic authentication in header", 3000, "Check the key for OpenAI."),
        ("invalid_model", 'Model "m" is not supported in realtime mode.', 4000, "rtchat models"),
        ("missing_model", "You must provide a model parameter", 4000, "rtchat models"),
        ("beta_api_shape_disabled", "The beta is gone.", 4000, "OpenAI-Beta"),
        ("brand_new_refusal", "No.", 4000, "Check the key, the model and the address."),
    ],
)
async def test_open_then_error_then_close_is_one_refusal(
    code: str | None, message: str, close_code: int, hint: str
):
    async def handler(server: ServerConnection) -> None:
        await server.send(error_frame(code, message))
        await server.close(close_code, f"invalid_request_error.{code}")

    async with serving(handler) as endpoint, connect(endpoint) as connection:
        with pytest.raises(Refused) as caught:
            await anext(connection)
        assert caught.value.code == code
        assert caught.value.message == f"OpenAI refused the session: {message.rstrip('.')}."
        assert hint in caught.value.hint
        with pytest.raises(Refused) as again:
            await anext(connection)
        assert again.value is caught.value


async def test_a_refusal_is_the_reason_why_a_send_fails_too():
    closed = asyncio.Event()

    async def handler(server: ServerConnection) -> None:
        await server.send(error_frame("invalid_api_key"))
        await server.close(3000)
        closed.set()

    async with serving(handler) as endpoint, connect(endpoint) as connection:
        await closed.wait()
        with pytest.raises(Refused, match="refused the session: It is wrong"):
            await connection.send(ResponseCreate())
        with pytest.raises(Refused, match="refused the session: It is wrong"):
            await anext(connection)


async def test_reader_and_sender_agree_on_the_reason():
    async def handler(server: ServerConnection) -> None:
        await server.recv()
        await server.send(error_frame("invalid_model"))
        await server.close(4000)

    async def send_on(connection: Connection) -> None:
        while True:
            await connection.send(ResponseCreate())
            await asyncio.sleep(0)

    async with serving(handler) as endpoint, connect(endpoint) as connection:
        reading = asyncio.ensure_future(anext(connection))
        results = await asyncio.gather(send_on(connection), reading, return_exceptions=True)
        assert [type(result) for result in results] == [Refused, Refused]


async def test_what_was_said_before_a_loss_can_still_be_read_after_a_send_failed():
    closed = asyncio.Event()

    async def handler(server: ServerConnection) -> None:
        await server.send(CREATED)
        await server.send(UPDATED)
        await server.close(1011, "oops")
        closed.set()

    async with serving(handler) as endpoint, connect(endpoint) as connection:
        await closed.wait()
        with pytest.raises(ConnectionLost, match="oops"):
            await connection.send(ResponseCreate())
        assert isinstance(await anext(connection), SessionCreated)
        assert isinstance(await anext(connection), SessionUpdated)
        with pytest.raises(ConnectionLost, match="oops"):
            await anext(connection)


async def test_a_close_with_a_reason_alone_is_a_refusal():
    async def handler(server: ServerConnection) -> None:
        await server.close(4000, "invalid_request_error.missing_model")

    async with serving(handler) as endpoint:
        error = await failure(endpoint)
        assert isinstance(error, Refused)
        assert error.code == "missing_model"


async def test_an_error_that_closes_nothing_is_an_event():
    async def handler(server: ServerConnection) -> None:
        await server.send(error_frame("invalid_value"))
        await server.recv()
        await server.send(error_frame("unknown_parameter"))
        await server.send(CREATED)
        await server.send(error_frame("invalid_value"))
        await server.wait_closed()

    async with serving(handler) as endpoint, connect(endpoint) as connection:
        assert isinstance(await anext(connection), ErrorEvent)
        await connection.send(ResponseCreate())
        assert [type(await anext(connection)) for _ in range(3)] == [ErrorEvent, SessionCreated, ErrorEvent]


@pytest.mark.parametrize(
    ("code", "kind", "sentence"),
    [
        ("session_expired", ConnectionLost, "OpenAI ended the session: It is wrong."),
        ("insufficient_quota", Refused, "OpenAI refused the session: It is wrong."),
    ],
)
async def test_a_permanent_error_ends_a_session_that_runs(code: str, kind: type, sentence: str):
    async def handler(server: ServerConnection) -> None:
        await server.send(CREATED)
        await server.send(error_frame(code))
        await server.close(1001)

    async with serving(handler) as endpoint, connect(endpoint) as connection:
        assert isinstance(await anext(connection), SessionCreated)
        with pytest.raises(kind) as caught:
            await anext(connection)
        assert caught.value.message == sentence


@pytest.mark.parametrize(
    ("status", "kind", "says"),
    [
        (400, Refused, "It is wrong."),
        (401, Refused, "It is wrong."),
        (403, Refused, "It is wrong."),
        (404, Refused, "It is wrong."),
        (429, Refused, "It is wrong."),
        (503, ConnectFailed, "It is wrong."),
        (500, ConnectFailed, "out of order (HTTP 500)"),
        (204, ConnectFailed, "not a Realtime server (HTTP 204)"),
    ],
)
async def test_a_refusal_by_http(status: int, kind: type, says: str):
    def process_request(server: ServerConnection, request: Request) -> Response:
        response = server.respond(status, error_frame("DeploymentNotFound") if status != 204 else "")
        return response

    async with serving(echo_created, process_request=process_request) as endpoint:
        error = await failure(endpoint)
        assert type(error) is kind
        assert says in error.message


async def test_a_redirect_is_not_followed_for_it_would_carry_the_key_along():
    def elsewhere(server: ServerConnection, request: Request) -> Response:
        response = server.respond(307, "")
        response.headers["Location"] = f"ws://127.0.0.1:1/v1/realtime?key={KEY}"
        return response

    async with serving(echo_created, process_request=elsewhere) as endpoint:
        error = await failure(endpoint)
        assert isinstance(error, ConnectFailed)
        assert "redirects to ws://127.0.0.1:1/v1/realtime." in error.message


# --- nobody there -----------------------------------------------------------------------------------------


async def test_nobody_listens():
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        error = await failure(url(f"ws://127.0.0.1:{held.getsockname()[1]}"))
    assert isinstance(error, ConnectFailed)
    assert error.message.startswith("Nothing answers at 127.0.0.1:")
    assert error.exit_code == 3


async def test_an_unknown_host():
    error = await failure(url("ws://nobody.invalid"))
    assert error.message == "The host name nobody.invalid cannot be resolved."


@pytest.mark.parametrize("label", ["x" * 70, "ü" * 70])
async def test_a_host_name_that_cannot_be_one(label: str):
    error = await failure(url(f"ws://{label}.example"))
    assert "cannot be resolved" in error.message


async def test_a_server_that_never_answers():
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with serving_raw(handler) as endpoint:
        error = await failure(endpoint, timeout=0.1)
        assert isinstance(error, ConnectFailed)
        assert "did not answer within 0.1 seconds" in error.message


async def test_what_answers_is_no_http():
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.example ESMTP\r\n\r\n")
        await writer.drain()
        await reader.read()

    async with serving_raw(handler) as endpoint:
        assert "is not a WebSocket server" in (await failure(endpoint)).message


async def test_what_answers_is_no_websocket():
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n")
        await writer.drain()
        await reader.read()

    async with serving_raw(handler) as endpoint:
        assert "is not a WebSocket server" in (await failure(endpoint)).message


async def test_a_server_that_hangs_up_before_it_answers():
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")

    async with serving_raw(handler) as endpoint:
        error = await failure(endpoint)
        assert isinstance(error, ConnectFailed)
        assert "hung up before it answered" in error.message


async def test_a_server_without_tls_dialled_with_tls():
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(10)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await writer.drain()

    async with serving_raw(handler) as endpoint:
        error = await failure(url(endpoint.url.replace("ws:", "wss:")))
        assert isinstance(error, ConnectFailed)
        assert error.message.endswith("does not speak TLS.")


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl makes the certificate")
async def test_a_certificate_that_cannot_be_trusted(tmp_path: Path):
    made = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -keyout key.pem -out cert.pem"
    await asyncio.to_thread(subprocess.run, made.split(), cwd=tmp_path, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    async with serving(echo_created, ssl=context) as endpoint:
        error = await failure(url(endpoint.url.replace("ws:", "wss:")))
        assert isinstance(error, ConnectFailed)
        assert "cannot be trusted: self-signed certificate." in error.message.replace("self signed", "self-signed")
        assert "SSL_CERT_FILE" in error.hint


# --- a connection that ends -------------------------------------------------------------------------------


async def test_a_server_that_closes_at_once():
    async def handler(server: ServerConnection) -> None:
        await server.close(1000)

    async with serving(handler) as endpoint:
        error = await failure(endpoint)
        assert isinstance(error, ConnectionLost)
        assert error.message == "OpenAI closed the connection at once (close code 1000)."
        assert error.close_code == 1000


async def test_a_server_that_closes_with_a_reason():
    async def handler(server: ServerConnection) -> None:
        await server.send(CREATED)
        await server.close(1012, "service restart")

    async with serving(handler) as endpoint:
        error = await failure(endpoint)
        assert isinstance(error, ConnectionLost)
        assert (error.message, error.close_code) == ("OpenAI closed the connection (service restart).", 1012)


async def test_an_old_error_is_not_the_reason_for_a_later_close(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("rtchat.link.connection.GRACE", 0.01)

    async def handler(server: ServerConnection) -> None:
        await server.send(CREATED)
        await server.send(error_frame("invalid_value"))
        await (await server.ping())  # it has been read
        await asyncio.sleep(0.2)
        await server.close(1001, "going")

    async with serving(handler) as endpoint:
        assert (await failure(endpoint)).message == "OpenAI closed the connection (going)."


async def test_a_connection_that_breaks():
    async def handler(server: ServerConnection) -> None:
        await server.send(CREATED)
        server.transport.abort()

    async with serving(handler) as endpoint:
        error = await failure(endpoint)
        assert isinstance(error, ConnectionLost)
        assert (error.message, error.close_code) == ("The connection to OpenAI broke.", None)


async def test_a_server_that_stops_talking():
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await upgrade(reader, writer)
        writer.write(b"\x81" + bytes([len(CREATED)]) + CREATED.encode())
        while await reader.read(1000):
            pass

    async with serving_raw(handler) as endpoint:
        error = await failure(endpoint, keepalive=0.1)
        assert isinstance(error, ConnectionLost)
        assert error.message.endswith("stopped answering.")


async def test_a_server_that_takes_the_connection_and_says_nothing():
    async def handler(server: ServerConnection) -> None:
        await server.wait_closed()

    async with serving(handler) as endpoint:
        error = await failure(endpoint, timeout=1.5)
        assert isinstance(error, ConnectFailed)
        assert error.message == "OpenAI accepted the connection and then said nothing for 1.5 seconds."


async def test_a_call_need_not_greet():
    async def handler(server: ServerConnection) -> None:
        await server.recv()
        await server.send(UPDATED)
        await server.wait_closed()

    async with serving(handler) as here, connect(url(here.url, call_id="rtc_1"), timeout=1.5) as connection:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1.7):
                await anext(connection)
        await connection.send(ResponseCreate())
        assert isinstance(await anext(connection), SessionUpdated)


async def test_a_server_that_says_goodbye_and_does_not_go():
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await upgrade(reader, writer)
        writer.write(b"\x88\x05\x03\xe9bye")
        await writer.drain()
        while await reader.read(1000):
            pass
        await asyncio.Event().wait()

    async with serving_raw(handler) as endpoint:
        error = await failure(endpoint)
        assert isinstance(error, ConnectionLost)
        assert "closed the connection at once (bye)" in error.message


# --- garbage ----------------------------------------------------------------------------------------------


async def test_a_malformed_frame_is_told_and_survived():
    async def handler(server: ServerConnection) -> None:
        for frame in ("", "not JSON", "[]", "{}", '{"type":5}', '{"type":"x"', b"\xff\xfe\x00", "[" * 50_000):
            await server.send(frame)
        await server.send(b"\xff\xfe", text=True)
        await server.send(CREATED.encode())
        await server.wait_closed()

    async with serving(handler) as endpoint, connect(endpoint) as connection:
        seen = [await anext(connection) for _ in range(10)]
        assert [type(event) for event in seen] == [WireError] * 9 + [SessionCreated]
        assert "not JSON" in str(seen[1])


async def test_a_server_that_sends_no_websocket_frames():
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await upgrade(reader, writer)
        writer.write(b"\xff" * 100)
        await writer.drain()
        await reader.read()

    async with serving_raw(handler) as endpoint:
        error = await failure(endpoint)
        assert isinstance(error, ConnectionLost)
        assert error.message.endswith("sent something that is not WebSocket.")


async def test_a_frame_that_is_too_large():
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await upgrade(reader, writer)
        writer.write(b"\x81\x7f" + (65 * 2**20).to_bytes(8, "big") + b"{")
        await writer.drain()
        await reader.read()

    async with serving_raw(handler) as endpoint:
        error = await failure(endpoint)
        assert isinstance(error, ConnectionLost)
        assert "a frame of more than 64 MiB" in error.message


# --- a slow uplink ----------------------------------------------------------------------------------------


class Deaf:
    """A server that reads nothing until it is told to, through a narrow receive buffer."""

    def __init__(self) -> None:
        self.listen = asyncio.Event()
        self.heard: list[bytes] = []

    async def handle(self, server: ServerConnection) -> None:
        server.transport.pause_reading()
        await server.send(CREATED)
        await self.listen.wait()
        server.transport.resume_reading()
        async for frame in server:
            assert isinstance(frame, str)
            event = json.loads(frame)
            if event["type"] == "input_audio_buffer.clear":
                await server.send(UPDATED)
            else:
                self.heard.append(base64.b64decode(event["audio"]))


@contextlib.asynccontextmanager
async def deaf() -> AsyncIterator[tuple[Deaf, Endpoint]]:
    server = Deaf()
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
        listener.bind(("127.0.0.1", 0))
        async with serve(server.handle, sock=listener, ping_interval=None):
            yield server, url(f"ws://127.0.0.1:{listener.getsockname()[1]}", KEY)


async def test_live_sound_is_refused_when_the_uplink_is_slow():
    async with deaf() as (server, endpoint), connect(endpoint) as connection:
        await anext(connection)
        taken = []
        for number in range(2_000):
            pcm = number.to_bytes(2, "little") * 480
            if await connection.offer(InputAudioAppend(audio=pcm)):
                taken.append(pcm)
        assert connection.refused_chunks == 2_000 - len(taken) > 1_000
        assert WRITE_LIMIT // 2 < connection.unsent_bytes < WRITE_LIMIT
        server.listen.set()
        await connection.send(InputAudioClear())
        assert isinstance(await anext(connection), SessionUpdated)
        assert server.heard == taken
        assert connection.unsent_bytes == 0


async def test_a_send_waits_for_a_slow_uplink_and_loses_nothing():
    async with deaf() as (server, endpoint), connect(endpoint) as connection:
        await anext(connection)
        chunks = [number.to_bytes(2, "little") * 480 for number in range(1_000)]

        async def send_all() -> None:
            for pcm in chunks:
                await connection.send(InputAudioAppend(audio=pcm))

        sender = asyncio.create_task(send_all())
        async with asyncio.timeout(60):
            while connection.send_lag < 0.05:  # noqa: ASYNC110 - it is a figure, not an event
                await asyncio.sleep(0.01)
        assert connection.unsent_bytes < WRITE_LIMIT + 2_000
        assert not sender.done()
        server.listen.set()
        await sender
        assert connection.send_lag == 0.0
        await connection.send(InputAudioClear())
        await anext(connection)
        assert server.heard == chunks


# --- proxies ----------------------------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def proxying(status: bytes) -> AsyncIterator[tuple[str, list[bytes]]]:
    """An HTTP proxy that takes every host to be on this machine."""
    asked: list[bytes] = []

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            writer.write(data)
        writer.close()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await reader.readuntil(b"\r\n\r\n")
        asked.append(request)
        writer.write(b"HTTP/1.1 " + status + b"\r\n\r\n")
        if status.startswith(b"200"):
            port = int(request.split(b" ")[1].rpartition(b":")[2])
            there, back = await asyncio.open_connection("127.0.0.1", port)
            await asyncio.gather(pump(reader, back), pump(there, writer))

    async with listening(handle) as port:
        yield f"http://127.0.0.1:{port}", asked


async def test_the_environments_proxy_is_used(monkeypatch: pytest.MonkeyPatch):
    async with serving(echo_created) as here, proxying(b"200 OK") as (address, asked):
        monkeypatch.setenv("http_proxy", address)
        async with connect(url(here.url.replace("127.0.0.1", "realtime.invalid"), KEY)) as connection:
            assert isinstance(await anext(connection), SessionCreated)
        assert asked[0].startswith(b"CONNECT realtime.invalid:")
        assert KEY.encode() not in asked[0]


async def test_this_machine_is_never_reached_through_a_proxy(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    async with serving(echo_created) as here:
        for host in ("127.0.0.1", "localhost"):
            async with connect(url(here.url.replace("127.0.0.1", host))) as connection:
                assert isinstance(await anext(connection), SessionCreated)


@pytest.mark.parametrize(
    ("proxy", "says"),
    [
        ("http://user:sk-very-secret@127.0.0.1:1", "cannot be reached"),
        ("gopher://sk-very-secret@127.0.0.1:1", "cannot be used"),
    ],
)
async def test_a_proxy_that_does_not_work(monkeypatch: pytest.MonkeyPatch, proxy: str, says: str):
    monkeypatch.setenv("http_proxy", proxy)
    error = await failure(url("ws://realtime.invalid"))
    assert isinstance(error, ConnectFailed)
    assert error.message == f"The proxy that the environment names {says}."


@pytest.mark.skipif(importlib.util.find_spec("python_socks") is not None, reason="python-socks is installed")
async def test_a_socks_proxy_without_its_package(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("all_proxy", "socks5h://127.0.0.1:1")
    monkeypatch.setenv("https_proxy", "socks5h://127.0.0.1:1")
    error = await failure(url("wss://realtime.invalid"))
    assert "is a SOCKS proxy" in error.message
    assert "pip install 'rtchat[socks]'" in error.hint


async def test_a_proxy_that_refuses(monkeypatch: pytest.MonkeyPatch):
    async with proxying(b"407 Proxy Authentication Required") as (address, _):
        monkeypatch.setenv("http_proxy", address)
        assert "refused the connection" in (await failure(url("ws://realtime.invalid"))).message


# --- keys -------------------------------------------------------------------------------------------------


async def test_keys_and_speech_are_in_no_log(caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.DEBUG)

    async def handler(server: ServerConnection) -> None:
        await server.send(CREATED)
        await server.recv()
        await server.close(1011)

    quiet = logging.getLogger("server.of.this.test")
    quiet.setLevel(logging.CRITICAL + 1)
    async with serving(handler, logger=quiet) as endpoint:
        with pytest.raises(LinkError):
            async with connect(endpoint) as connection:
                await connection.send(ItemCreate(item=user_text("what was said")))
                async for _ in connection:
                    pass
    assert KEY not in caplog.text
    assert "what was said" not in caplog.text
