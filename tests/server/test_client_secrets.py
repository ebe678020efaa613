"""Ephemeral keys: made as the API makes them, and what they open."""

import json
from contextlib import asynccontextmanager

import pytest
from openai import AsyncOpenAI, AuthenticationError, BadRequestError
from openai.types.realtime import ClientSecretCreateResponse
from starlette.testclient import TestClient

from rtchat.server import client_secrets as module
from rtchat.server.app import Server
from rtchat.server.client_secrets import ClientSecrets, model_of, read_request
from rtchat.server.dialogue.checks import Rejected
from rtchat.server.run import ServerConfig, embedded

KEY = "sk-the-right-key-0001"
PATH = "/v1/realtime/client_secrets"
BODY = {
    "expires_after": {"anchor": "created_at", "seconds": 60},
    "session": {
        "type": "realtime",
        "model": "gpt-realtime",
        "instructions": "Be brief.",
        "output_modalities": ["audio"],
        "audio": {
            "input": {
                "format": {"type": "audio/pcm", "rate": 24000},
                "transcription": {"model": "gpt-realtime-whisper"},
                "turn_detection": {"type": "server_vad", "create_response": True, "interrupt_response": True},
            },
            "output": {"format": {"type": "audio/pcm", "rate": 24000}, "voice": "marin"},
        },
    },
}
"""As recorded from a client of the service, with its answer below."""
ANSWER = {
    "type": "realtime",
    "object": "realtime.session",
    "expires_at": 0,
    "model": "gpt-realtime",
    "output_modalities": ["audio"],
    "instructions": "Be brief.",
    "tools": [],
    "tool_choice": "auto",
    "max_output_tokens": "inf",
    "tracing": None,
    "truncation": "auto",
    "prompt": None,
    "include": None,
    "audio": {
        "input": {
            "format": {"type": "audio/pcm", "rate": 24000},
            "transcription": {"model": "gpt-realtime-whisper", "language": None, "prompt": None},
            "noise_reduction": None,
            "turn_detection": {
                "type": "server_vad",
                "threshold": 0.5,
                "prefix_padding_ms": 300,
                "silence_duration_ms": 200,
                "idle_timeout_ms": None,
                "create_response": True,
                "interrupt_response": True,
            },
        },
        "output": {"format": {"type": "audio/pcm", "rate": 24000}, "voice": "marin", "speed": 1.0},
    },
}


class Clock:
    now = 1_784_852_504.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def rest(engines, clock):
    """The server's HTTP side, with the test's clock."""
    server = Server(engines, keys=[KEY], client_secrets=ClientSecrets(clock))
    with TestClient(server.app, headers={"Authorization": f"Bearer {KEY}"}) as client:
        yield client


def test_the_answer_is_the_recorded_one(rest):
    answer = rest.post(PATH, json=BODY)
    assert answer.status_code == 200
    made = answer.json()
    ClientSecretCreateResponse.model_validate(made)
    assert made["value"].startswith("ek_") and len(made["value"]) == 35
    assert made["expires_at"] == 1_784_852_564
    assert made["session"].pop("id").startswith("sess_")
    assert made["session"] == ANSWER


@pytest.mark.parametrize("body", ["", "{}", '{"session": {"type": "realtime"}}', '{"session": null}'])
def test_nothing_needs_to_be_said(rest, body):
    made = rest.post(PATH, content=body).json()
    assert made["expires_at"] == 1_784_852_504 + 600
    assert (made["session"]["type"], made["session"]["model"]) == ("realtime", "gpt-realtime-2.1")


@pytest.mark.parametrize(
    ("body", "code", "param"),
    [
        ({"expires_after": {"seconds": 7201}}, "integer_above_max_value", "expires_after.seconds"),
        ({"expires_after": {"seconds": 9}}, "integer_below_min_value", "expires_after.seconds"),
        ({"expires_after": {"seconds": "60"}}, "invalid_type", "expires_after.seconds"),
        ({"expires_after": {"anchor": "now"}}, "invalid_value", "expires_after.anchor"),
        ({"expires_after": {"minutes": 1}}, "unknown_parameter", "expires_after.minutes"),
        ({"lifetime": 1}, "unknown_parameter", "lifetime"),
        ({"session": {"voice": "alloy", "type": "realtime"}}, "unknown_parameter", "session.voice"),
        ({"session": {"instructions": "Hi."}}, "missing_required_parameter", "session.type"),
        ({"session": {"type": "realtime", "model": "gpt-nope"}}, "invalid_model", "model"),
        (
            {"session": {"type": "realtime", "audio": {"output": {"voice": "nobody"}}}},
            "invalid_value",
            "session.audio.output.voice",
        ),
        (
            {"session": {"type": "realtime", "output_modalities": ["text", "audio"]}},
            "invalid_value",
            "session.output_modalities",
        ),
        (
            {"session": {"type": "realtime", "truncation": {"type": "retention_ratio", "retention_ratio": "0.5"}}},
            "invalid_type",
            "session.truncation.retention_ratio",
        ),
        ("nonsense", "invalid_json", None),
        ('{"session": {"type": "realtime", "max_output_tokens": NaN}}', "invalid_json", None),
        ("[]", "invalid_type", None),
        (json.dumps("x" * 2**20), "string_above_max_length", None),
    ],
)
def test_what_is_refused(rest, body, code, param):
    answer = rest.post(PATH, content=body if isinstance(body, str) else json.dumps(body))
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["param"]) == (400, code, param)
    assert (error["type"], set(error)) == ("invalid_request_error", {"type", "code", "message", "param"})


@pytest.mark.parametrize(
    ("headers", "code"), [({"Authorization": ""}, None), ({"Authorization": "Bearer sk-wrong"}, "invalid_api_key")]
)
def test_only_the_key_s_owner_makes_them(rest, headers, code):
    answer = rest.post(PATH, json=BODY, headers=headers)
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, code)


async def test_who_leaves_in_the_middle_of_a_request_breaks_nothing(engines):
    coming = [{"type": "http.request", "body": b"{", "more_body": True}, {"type": "http.disconnect"}]
    answer = []

    async def receive():
        return coming.pop(0)

    async def send(message):
        answer.append(message)

    scope = {"type": "http", "method": "POST", "path": PATH, "query_string": b"", "headers": []}
    await Server(engines).app(scope, receive, send)
    assert answer[0]["status"] == 400


def test_a_secret_makes_no_other_secret(rest):
    value = rest.post(PATH, json=BODY).json()["value"]
    assert rest.post(PATH, json=BODY, headers={"Authorization": f"Bearer {value}"}).status_code == 401


def test_they_are_bounded_and_the_expired_give_way(clock, monkeypatch):
    monkeypatch.setattr(module, "MAX_SECRETS", 4)
    store, asked = ClientSecrets(clock), read_request(b"")
    first, *_ = [store.add(asked) for _ in range(4)]
    with pytest.raises(Rejected) as full:
        store.add(asked)
    assert full.value.code == "rate_limit_exceeded"
    clock.now += 600
    with pytest.raises(Rejected, match=r"Ephemeral token expired"):
        store.find(first.value)
    late = store.add(asked)
    assert store.find(late.value) == late
    assert store.find(first.value) is None
    assert len(store) == 2


def test_so_are_their_bytes(clock, monkeypatch):
    monkeypatch.setattr(module, "MAX_BYTES", 1000)
    store = ClientSecrets(clock)
    asked = read_request(json.dumps({"session": {"type": "realtime", "instructions": "x" * 600}}).encode())
    store.add(asked)
    with pytest.raises(Rejected, match=r"expires_after"):
        store.add(asked)
    clock.now += 600
    store.add(asked)
    assert len(store) == 1


def test_the_model_of_a_configuration():
    assert model_of(read_request(json.dumps(BODY).encode()).preset) == "gpt-realtime"
    assert model_of(read_request(b'{"session":{"type":"transcription"}}').preset) == ""


# --- what they open ---------------------------------------------------------------------------------------


@asynccontextmanager
async def made(engines, key=KEY, **asked):
    """A server's address, and a secret made by the openai package's client."""
    config = ServerConfig(api_key=KEY if key == KEY else None)
    async with (
        embedded(config, engines=engines) as url,
        AsyncOpenAI(api_key=key, base_url=url.replace("ws", "http", 1), max_retries=0) as openai,
    ):
        yield url, (await openai.realtime.client_secrets.create(**asked))


@pytest.mark.parametrize("key", [KEY, "any"])
@pytest.mark.parametrize("browser", [False, True])
async def test_a_session_starts_as_its_secret_says(engines, connect, key, browser):
    async with made(engines, key, **BODY) as (url, secret):
        shown = (
            {"subprotocols": ["realtime", f"openai-insecure-api-key.{secret.value}"]}
            if browser
            else {"additional_headers": {"Authorization": f"Bearer {secret.value}"}}
        )
        for path in ("/realtime?model=gpt-realtime", "/realtime"):  # more than once, and the model is known
            async with connect(url, path=path, **shown) as client:
                session = client.created["session"]
                assert {**session, "expires_at": 0, "id": ""} == {**ANSWER, "id": ""}
                assert session["id"] != secret.session.id
                await client.say("hello")
                assert (await client.event())["type"] == "conversation.item.added"


async def test_the_openai_client_opens_it(engines):
    async with made(engines, session={"type": "realtime", "instructions": "Be kind."}) as (url, secret):
        guest = AsyncOpenAI(api_key=secret.value, base_url=url.replace("ws", "http", 1), max_retries=0)
        async with guest, guest.realtime.connect(model="gpt-realtime-2.1") as connection:
            assert (await connection.recv()).session.instructions == "Be kind."


async def test_a_transcription_s_secret_opens_one(engines, connect):
    session = {"type": "transcription", "audio": {"input": {"transcription": {"model": "gpt-realtime-whisper"}}}}
    async with made(engines, session=session) as (url, secret):
        headers = {"Authorization": f"Bearer {secret.value}"}
        async with connect(url, path="/realtime", additional_headers=headers) as client:
            assert client.created["session"]["type"] == "transcription"
            assert client.created["session"]["audio"]["input"]["transcription"]["model"] == "gpt-realtime-whisper"


async def test_one_for_translating(engines, connect):
    async with embedded(ServerConfig(api_key=KEY), engines=engines) as url:
        async with AsyncOpenAI(api_key=KEY, base_url=url.replace("ws", "http", 1), max_retries=0) as openai:
            session = {"model": "gpt-realtime-translate", "audio": {"output": {"language": "es"}}}
            secret = await openai.realtime.translations.client_secrets.create(session=session)
        assert secret.session.audio.output.language == "es"
        headers = {"Authorization": f"Bearer {secret.value}"}
        async with connect(url, path="/realtime/translations", additional_headers=headers) as client:
            assert client.created["session"]["audio"]["output"]["language"] == "es"
        async with connect(url, additional_headers=headers) as client:
            assert "/v1/realtime/translations" in client.created["error"]["message"]


async def test_the_openai_client_is_told_what_is_wrong(engines):
    async with embedded(ServerConfig(api_key=KEY), engines=engines) as url:
        base = url.replace("ws", "http", 1)
        async with AsyncOpenAI(api_key=KEY, base_url=base, max_retries=0) as openai:
            with pytest.raises(BadRequestError, match="7200"):
                await openai.realtime.client_secrets.create(expires_after={"seconds": 7201})
        async with AsyncOpenAI(api_key="sk-wrong-key-000001", base_url=base, max_retries=0) as openai:
            with pytest.raises(AuthenticationError, match="Incorrect API key"):
                await openai.realtime.client_secrets.create()


@pytest.mark.parametrize("keys", [[KEY], []])
def test_an_expired_one_is_told_so_after_the_upgrade(engines, clock, keys):
    server = Server(engines, keys=keys, client_secrets=ClientSecrets(clock))
    client = TestClient(server.app, headers={"Authorization": f"Bearer {KEY}"})
    value = client.post(PATH, json=BODY).json()["value"]
    clock.now += 60
    with client.websocket_connect("/v1/realtime", headers={"Authorization": f"Bearer {value}"}) as socket:
        error = socket.receive_json()["error"]
        assert (error["code"], error["message"][:23]) == ("token_expired", "Ephemeral token expired")
        close = socket.receive()
    assert (close["code"], close["reason"]) == (3000, "invalid_request_error.token_expired")


@pytest.mark.parametrize("keys", [[KEY], []])
def test_one_that_never_was_is_wrong_even_where_no_key_is_needed(engines, keys):
    client = TestClient(Server(engines, keys=keys).app)
    with client.websocket_connect(
        "/v1/realtime", headers={"Authorization": "Bearer ek_0123456789abcdef"}
    ) as socket:
        assert socket.receive_json()["error"]["code"] == "invalid_api_key"
        assert socket.receive()["code"] == 3000


def test_a_live_session_outlives_its_secret(engines, clock):
    server = Server(engines, keys=[KEY], client_secrets=ClientSecrets(clock))
    client = TestClient(server.app, headers={"Authorization": f"Bearer {KEY}"})
    value = client.post(PATH, json=BODY).json()["value"]
    with client.websocket_connect("/v1/realtime", headers={"Authorization": f"Bearer {value}"}) as socket:
        assert socket.receive_json()["type"] == "session.created"
        clock.now += 1e6
        socket.send_json({"type": "session.update", "session": {"type": "realtime", "instructions": "Still here."}})
        assert socket.receive_json()["session"]["instructions"] == "Still here."
