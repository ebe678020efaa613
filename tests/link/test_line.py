"""A line: what the user keeps when a connection does not hold."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from types import SimpleNamespace
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection, serve

from rtchat.errors import ConnectFailed, ConnectionLost, Refused, RtchatError
from rtchat.link import line as line_module
from rtchat.link.dialers import Endpoint, url
from rtchat.link.line import Line, Lost, pause
from rtchat.protocol.client_events import InputAudioAppend, ResponseCreate
from rtchat.protocol.server_events import SessionCreated, SessionUpdated

CREATED = json.dumps({"type": "session.created", "event_id": "e1", "session": {"type": "realtime", "id": "s"}})
UPDATED = CREATED.replace("created", "updated")
EXPIRED = json.dumps(
    {"type": "error", "event_id": "e2", "error": {"type": "invalid_request_error", "code": "session_expired",
     "message": "Your session hit the maximum duration of 60 minutes."}}
)  # fmt: skip

Handler = Callable[[ServerConnection], Awaitable[None]]


@contextlib.asynccontextmanager
async def serving(*handlers: Handler) -> AsyncIterator[Endpoint]:
    """A server that treats its first connection with the first handler, and so on; the last one stays."""
    left = list(handlers)

    async def handle(socket: ServerConnection) -> None:
        handler = left.pop(0) if len(left) > 1 else left[0]
        await handler(socket)

    async with serve(handle, "127.0.0.1", 0) as server:
        yield url(f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1", label="the server")


async def greet(socket: ServerConnection) -> None:
    await socket.send(CREATED)
    await socket.send(UPDATED)


async def stays(socket: ServerConnection) -> None:
    await greet(socket)
    await socket.wait_closed()


def closes(code: int, reason: str = "") -> Handler:
    async def handler(socket: ServerConnection) -> None:
        await greet(socket)
        await socket.close(code, reason)

    return handler


async def breaks(socket: ServerConnection) -> None:
    await greet(socket)
    socket.transport.abort()


@contextlib.asynccontextmanager
async def held(endpoint: Endpoint, **options: Any) -> AsyncIterator[tuple[Line, AsyncIterator[Any]]]:
    """A line, and what is told on it; a test that hangs fails."""
    async with asyncio.timeout(60), Line(endpoint, **options) as line, aclosing(line.events()) as told:
        yield line, told


async def heard(endpoint: Endpoint, count: int, **options: Any) -> list[Any]:
    """The first events of a line, each by its type."""
    events: list[Any] = []
    async with held(endpoint, **options) as (_, told):
        async for event in told:
            events.append(event)
            if len(events) == count:
                break
    return events


async def failure(endpoint: Endpoint, **options: Any) -> RtchatError:
    with pytest.raises(RtchatError) as caught:
        await heard(endpoint, 1000, **options)
    return caught.value


@pytest.mark.parametrize(
    "goes", [breaks, closes(1001), closes(1011), closes(1012, "service restart"), closes(1013)]
)
async def test_a_loss_that_may_be_temporary_is_told_and_dialled_again(goes):
    async with serving(goes, stays) as endpoint:
        events = await heard(endpoint, 5)
    assert [type(event) for event in events] == [
        SessionCreated,
        SessionUpdated,
        Lost,
        SessionCreated,
        SessionUpdated,
    ]
    assert isinstance(events[2].error, ConnectionLost)


@pytest.mark.parametrize("code", [1000, 1002, 1008, 4321])
async def test_a_server_that_is_done_is_not_dialled_again(code):
    async with serving(closes(code), stays) as endpoint:
        assert isinstance(await failure(endpoint), ConnectionLost)


def before_the_session_is_taken(goes: Handler, *, greeted: bool = True) -> Handler:
    """`goes`, which comes after `session.created` at most."""

    async def handler(socket: ServerConnection) -> None:
        if greeted:
            await socket.send(CREATED)
        await goes(socket)

    return handler


async def hangs_up(socket: ServerConnection) -> None:
    await socket.close(1001)


async def is_cut(socket: ServerConnection) -> None:
    socket.transport.abort()


@pytest.mark.parametrize("greeted", [True, False], ids=["greeted", "silent"])
@pytest.mark.parametrize("goes", [hangs_up, is_cut])
async def test_a_loss_before_the_session_is_taken_is_dialled_again_too(goes, greeted):
    async with serving(before_the_session_is_taken(goes, greeted=greeted), stays) as endpoint:
        events = await heard(endpoint, 3 + greeted)
    assert [type(event) for event in events[greeted:]] == [Lost, SessionCreated, SessionUpdated]


async def test_a_session_that_nobody_takes_ends_with_patience_and_with_what_the_last_loss_advises(monkeypatch):
    monkeypatch.setattr(line_module, "_LONGEST_PAUSE", 0.01)
    async with serving(before_the_session_is_taken(hangs_up, greeted=False)) as endpoint:
        error = await failure(endpoint, patience=0.3)
    assert isinstance(error, ConnectionLost) and "did not help" in error.message
    assert error.hint == "Check the address: it may not be a Realtime server."


@pytest.mark.parametrize("code", ["invalid_api_key", "insufficient_quota", "invalid_model"])
async def test_a_refusal_before_the_session_is_taken_is_the_end(code):
    async def handler(socket: ServerConnection) -> None:
        await socket.send(EXPIRED.replace("session_expired", code))
        await socket.close(1001)

    async with serving(handler, stays) as endpoint:
        error = await failure(endpoint)
    assert isinstance(error, Refused) and error.code == code


@pytest.mark.parametrize("code", [1000, 1002, 1008])
async def test_a_server_that_is_done_before_the_session_is_taken_is_not_dialled_again(code):
    async def handler(socket: ServerConnection) -> None:
        await socket.send(CREATED)
        await socket.close(code, "no")

    async with serving(handler, stays) as endpoint:
        assert isinstance(await failure(endpoint), ConnectionLost)


async def test_what_never_says_a_word_is_not_dialled_again(monkeypatch):
    monkeypatch.setattr(line_module, "DIAL_SECONDS", 1.5)

    async def handler(socket: ServerConnection) -> None:
        await socket.wait_closed()

    async with serving(handler, stays) as endpoint:
        assert "may not be a Realtime server" in str(await failure(endpoint))


async def test_a_first_connection_that_fails_is_the_end():
    with pytest.raises(ConnectFailed):
        async with Line(url("ws://127.0.0.1:9/v1")):
            pass


async def test_a_server_that_stays_away_is_lost_when_patience_ends():
    async def handler(socket: ServerConnection) -> None:
        await greet(socket)
        server.close(close_connections=False)
        socket.transport.abort()

    server = await serve(handler, "127.0.0.1", 0)
    address = url(f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1", label="the server")
    error = await failure(address, patience=0.4)
    await server.wait_closed()
    assert isinstance(error, ConnectionLost) and error.exit_code == 3
    assert error.message == "The connection to the server is lost: dialling again for 0.4 seconds did not help."


async def test_a_server_that_hangs_up_again_and_again_is_lost_too(monkeypatch):
    monkeypatch.setattr(line_module, "_LONGEST_PAUSE", 0.01)
    async with serving(closes(1011)) as endpoint:
        assert "did not help" in (await failure(endpoint, patience=0.5)).message


async def test_a_connection_that_held_begins_a_new_count(monkeypatch):
    monkeypatch.setattr(line_module, "_FIRST_PAUSE", 0.01)
    loop, held_for, lost = asyncio.get_running_loop(), 0.0, 0
    async with serving(closes(1011)) as endpoint, held(endpoint, patience=60) as (line, told):
        line._loop = SimpleNamespace(time=lambda: loop.time() + held_for)
        async for event in told:
            if isinstance(event, Lost):
                lost += 1
                held_for += line_module.STEADY_SECONDS + 1  # each is dialled in time, all of them are not
                if lost == 20:
                    break


async def test_a_refusal_of_the_new_connection_is_the_end():
    async def handler(socket: ServerConnection) -> None:
        await socket.send(EXPIRED.replace("session_expired", "invalid_api_key"))
        await socket.close(3000, "invalid_request_error.invalid_api_key")

    async with serving(breaks, handler) as endpoint:
        error = await failure(endpoint)
    assert isinstance(error, Refused) and error.code == "invalid_api_key"


async def test_a_session_whose_hour_is_over_goes_on_in_another_one():
    async def handler(socket: ServerConnection) -> None:
        await greet(socket)
        await socket.send(EXPIRED)
        await socket.close(1001)

    async with serving(handler, stays) as endpoint:
        lost, *after = (await heard(endpoint, 5))[2:]
    assert isinstance(lost, Lost) and "60 minutes" in lost.error.message
    assert [type(event) for event in after] == [SessionCreated, SessionUpdated]


async def test_a_session_may_be_given_up_though_the_server_has_not_hung_up():
    async with (
        serving(stays) as endpoint,
        asyncio.timeout(60),
        Line(endpoint) as line,
        aclosing(line.events()) as told,
    ):
        assert [type(await anext(told)) for _ in range(2)] == [SessionCreated, SessionUpdated]
        line.lose(ConnectionLost("The hour is over.", temporary=True))
        lost = await anext(told)
        assert isinstance(lost, Lost) and lost.error.message == "The hour is over."
        assert isinstance(await anext(told), SessionCreated)


async def test_what_was_meant_for_the_old_connection_does_not_reach_the_new_one():
    came: list[str] = []

    async def goes(socket: ServerConnection) -> None:
        await greet(socket)
        came.append(json.loads(await socket.recv())["type"])
        socket.transport.abort()

    async def comes(socket: ServerConnection) -> None:
        await greet(socket)
        async for frame in socket:
            came.append(json.loads(frame)["type"])
            await socket.send(CREATED)

    async with serving(goes, comes) as endpoint, asyncio.timeout(60), Line(endpoint) as line:
        writer = asyncio.create_task(line.write())
        updates = 0
        async with aclosing(line.events()) as told:
            async for event in told:
                updates += isinstance(event, SessionUpdated)
                if isinstance(event, SessionUpdated) and updates == 1:
                    line.send(ResponseCreate())
                elif isinstance(event, Lost):
                    line.send(InputAudioAppend(audio=bytes(960)))
                    line.send(ResponseCreate())
                elif isinstance(event, SessionUpdated):
                    line.send(InputAudioAppend(audio=bytes(960)))
                elif updates == 2:
                    break
        writer.cancel()
    assert came == ["response.create", "input_audio_buffer.append"]


# --- a server that answers nothing any more ---------------------------------------------------------------


@contextlib.asynccontextmanager
async def black_hole(endpoint: Endpoint, *, both: bool = True) -> AsyncIterator[tuple[Endpoint, asyncio.Event]]:
    """A way to the server that swallows everything, without a word, once its event is set; new ones work.

    With `both` false it swallows only what goes to the server.
    """
    swallow = asyncio.Event()
    tasks: set[asyncio.Task[Any]] = set()
    host, _, port = endpoint.host.partition(":")

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, hole: asyncio.Event) -> None:
        while data := await reader.read(65536):
            if not hole.is_set():
                writer.write(data)

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.add(asyncio.current_task())
        hole = asyncio.Event() if swallow.is_set() else swallow
        there, away = await asyncio.open_connection(host, int(port))
        try:
            await asyncio.gather(carry(reader, away, hole), carry(there, writer, hole if both else asyncio.Event()))
        except ConnectionError:
            pass
        finally:
            away.close()
            writer.close()

    async with await asyncio.start_server(handle, "127.0.0.1", 0) as server:
        yield url(f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1", label="the server"), swallow
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def test_a_server_behind_a_black_hole_is_found_out_by_a_check():
    async with serving(stays) as there, black_hole(there) as (endpoint, swallow), held(endpoint) as (line, told):
        assert [type(await anext(told)) for _ in range(2)] == [SessionCreated, SessionUpdated]
        await line.check(60)  # it is there
        swallow.set()
        checking = asyncio.create_task(line.check(0.2))
        lost = await anext(told)
        assert isinstance(lost, Lost) and lost.error.message == "the server stopped answering."
        assert isinstance(await anext(told), SessionCreated)
        await checking


async def test_a_server_that_is_busy_sending_is_alive_though_no_ping_is_answered():
    async def talks(socket: ServerConnection) -> None:
        await greet(socket)
        with contextlib.suppress(Exception):
            while True:
                await socket.send(CREATED)
                await asyncio.sleep(0.001)

    async with (
        serving(talks) as there,
        black_hole(there, both=False) as (endpoint, swallow),
        held(endpoint) as (line, told),
    ):
        swallow.set()
        checking = asyncio.create_task(line.check(0.5))
        while not checking.done():
            assert not isinstance(await anext(told), Lost)


def test_pauses_double_are_spread_and_have_a_limit():
    assert [pause(n, 1.0) for n in range(6)] == [0.5, 1.0, 2.0, 4.0, 5.0, 5.0]
    assert [pause(n, 0.0) for n in range(4)] == [0.0, 0.5, 1.0, 2.0]
