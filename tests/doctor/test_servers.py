"""Key, network and server: against real servers on loopback that behave, and that do not."""

import asyncio
import contextlib
import json
import socket

import pytest
from websockets.asyncio.server import serve
from websockets.http11 import Response

from rtchat.doctor import servers
from rtchat.doctor.findings import Mark
from rtchat.server.run import ServerConfig, embedded
from rtchat.settings import Settings

SECRET = "sk-very-secret"


def plan(**flags):
    settings = Settings.load(flags)
    found, trouble = servers.plan_for(settings)
    assert trouble is None
    return found


def key(settings):
    found = servers.key(settings, servers.plan_for(settings)[0])
    assert SECRET not in repr(found)
    return found


# --- the key ----------------------------------------------------------------------------------------------


def test_no_key_at_all_is_a_note():
    found = key(Settings.load({}))
    assert found.mark is Mark.NOTE and "embedded" in found.text and "OPENAI_API_KEY" in found.hint


def test_the_embedded_server_needs_none():
    assert key(Settings.load({"server": "local"})).text == "none is needed"


def test_where_a_key_comes_from_is_said(monkeypatch, tmp_path):
    monkeypatch.setenv("OPENAI_API_KEY", SECRET)
    assert key(Settings.load({})).text == "OpenAI's, from OPENAI_API_KEY"
    monkeypatch.delenv("OPENAI_API_KEY")
    (tmp_path / ".env").write_text(f"OPENAI_API_KEY={SECRET}\n")
    assert key(Settings.load({})).text == "OpenAI's, from OPENAI_API_KEY in .env"


def test_a_key_of_another_form_is_a_note(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "AIza-very-secret")
    found = key(Settings.load({}))
    assert found.mark is Mark.NOTE and "sk-" in found.hint and "very-secret" not in repr(found)


def test_another_server_may_go_without(monkeypatch):
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    assert "none" in key(Settings.load({"server": "openai"})).text
    assert "none" in key(Settings.load({"url": "ws://127.0.0.1:9/v1"})).text
    monkeypatch.setenv("RTCHAT_API_KEY", SECRET)
    assert key(Settings.load({"url": "ws://127.0.0.1:9/v1"})).text == "from RTCHAT_API_KEY"


def test_azure(monkeypatch):
    monkeypatch.setenv("AZURE_OPENAI_ENDPOINT", "https://x.openai.azure.com")
    monkeypatch.setenv("AZURE_OPENAI_API_KEY", SECRET)
    assert key(Settings.load({})).text == "Azure's, from AZURE_OPENAI_API_KEY"


def test_a_server_that_needs_a_key_without_one_is_a_problem():
    found, trouble = servers.plan_for(Settings.load({"server": "openai"}))
    assert found is None
    assert (trouble.mark, trouble.code) == (Mark.PROBLEM, 2) and "There is no OpenAI key." in trouble.text
    assert servers.key(Settings.load({"server": "openai"}), None).mark is Mark.NOTE


# --- the network ------------------------------------------------------------------------------------------


async def test_the_embedded_server_needs_no_network():
    assert (await servers.network(plan(server="local"))).mark is Mark.OK


async def test_a_server_that_is_there():
    async with serve(lambda peer: peer.wait_closed(), "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        found = await servers.network(plan(url=f"ws://127.0.0.1:{port}/v1"))
    assert found.mark is Mark.OK and f"127.0.0.1:{port}: name" in found.text


async def test_nobody_there_is_a_problem():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        found = await servers.network(plan(url=f"ws://127.0.0.1:{taken.getsockname()[1]}/v1"))
    assert (found.mark, found.code) == (Mark.PROBLEM, 3) and "Nothing answers" in found.text


async def test_without_a_session_there_is_nothing_to_reach():
    assert (await servers.network(None)).mark is Mark.NOTE


# --- the server -------------------------------------------------------------------------------------------


async def test_the_embedded_server_opens_a_session():
    for needed in (plan(server="local"), None):
        found = await servers.embedded_server(needed)
        assert found.mark is Mark.OK and "opens a session" in found.text


async def test_an_embedded_server_that_does_not_start_matters_where_it_is_used(monkeypatch):
    @contextlib.asynccontextmanager
    async def broken():
        async with embedded(ServerConfig(vad="none")) as url:
            yield url

    monkeypatch.setattr(servers, "embedded", broken)
    assert (await servers.embedded_server(plan(server="local"))).mark is Mark.PROBLEM
    found = await servers.embedded_server(plan(url="ws://127.0.0.1:9/v1"))
    assert (found.mark, found.code) == (Mark.NOTE, 0)


async def test_a_server_with_a_key(monkeypatch):
    async with embedded(ServerConfig(api_key=SECRET)) as url:
        monkeypatch.setenv("RTCHAT_API_KEY", SECRET)
        found = await servers.server(plan(url=url))
        assert found.mark is Mark.OK and "opens a session" in found.text
        monkeypatch.setenv("RTCHAT_API_KEY", "sk-another")
        found = await servers.server(plan(url=url))
        assert (found.mark, found.code) == (Mark.PROBLEM, 4) and "RTCHAT_API_KEY" in found.hint
        assert "sk-another" not in repr(found)


def greeting(peer):
    return peer.send(json.dumps({"type": "session.created", "event_id": "e", "session": {"type": "realtime"}}))


async def silent(peer):
    await peer.wait_closed()


async def off_the_subject(peer):
    await peer.send("garbage")
    await peer.wait_closed()


@pytest.mark.parametrize(
    ("behave", "code", "said"),
    [(silent, 3, "said nothing"), (off_the_subject, 3, "opened no session")],
)
async def test_a_server_that_opens_no_session(monkeypatch, behave, code, said):
    monkeypatch.setattr(servers, "SESSION_SECONDS", 1.0)
    async with serve(behave, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        found = await servers.server(plan(url=f"ws://127.0.0.1:{port}/v1"))
    assert (found.mark, found.code) == (Mark.PROBLEM, code)
    assert said in found.text or "opened no session" in found.text


async def test_a_server_that_names_no_model():
    async with serve(greeting, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        found = await servers.server(plan(url=f"ws://127.0.0.1:{port}/v1"))
    assert found.mark is Mark.OK and "opens a session:" in found.text


async def test_a_401_is_the_key():
    def refuse(peer, request):
        body = json.dumps({"error": {"message": "Incorrect API key", "code": "invalid_api_key"}}).encode()
        return Response(401, "Unauthorized", headers_of(body), body)

    def headers_of(body):
        from websockets.datastructures import Headers

        return Headers({"Content-Length": str(len(body)), "Connection": "close"})

    async with serve(silent, "127.0.0.1", 0, process_request=refuse) as server:
        port = server.sockets[0].getsockname()[1]
        found = await asyncio.wait_for(servers.server(plan(url=f"ws://127.0.0.1:{port}/v1")), 60)
    assert (found.mark, found.code) == (Mark.PROBLEM, 4) and "HTTP 401" in found.text
