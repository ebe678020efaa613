import pytest

from rtchat.errors import UsageError
from rtchat.link.dialers import Endpoint, azure, openai, url

KEY = "sk-very-secret"
BEARER = {"Authorization": f"Bearer {KEY}"}


def test_openai():
    endpoint = openai("gpt-realtime-2.1", KEY)
    assert endpoint.url == "wss://api.openai.com/v1/realtime?model=gpt-realtime-2.1"
    assert endpoint.headers == BEARER
    assert (endpoint.label, endpoint.credential, endpoint.model) == ("OpenAI", "OPENAI_API_KEY", "gpt-realtime-2.1")
    assert endpoint.greets
    assert not endpoint.translation


def test_an_ephemeral_key_is_a_bearer_token_too():
    assert openai("m", " ek_abc\n").headers == {"Authorization": "Bearer ek_abc"}


def test_openai_headers():
    endpoint = openai("m", KEY, organization="org-1", project="proj_1", safety_identifier="u5er")
    assert endpoint.headers == {
        **BEARER,
        "OpenAI-Organization": "org-1",
        "OpenAI-Project": "proj_1",
        "OpenAI-Safety-Identifier": "u5er",
    }


def test_a_transcription_names_no_model():
    assert openai("m", KEY, intent="transcription").url == "wss://api.openai.com/v1/realtime?intent=transcription"


def test_a_call_names_no_model_and_does_not_greet():
    endpoint = openai("m", KEY, call_id="rtc_u1")
    assert endpoint.url == "wss://api.openai.com/v1/realtime?call_id=rtc_u1"
    assert not endpoint.greets


def test_a_translation_has_its_own_path():
    endpoint = openai("gpt-realtime-translate", KEY, translation=True)
    assert endpoint.url == "wss://api.openai.com/v1/realtime/translations?model=gpt-realtime-translate"
    assert endpoint.translation


@pytest.mark.parametrize(
    ("base", "dialled"),
    [
        ("https://api.openai.com/v1", "wss://api.openai.com/v1/realtime?model=m"),
        ("https://api.openai.com/v1/", "wss://api.openai.com/v1/realtime?model=m"),
        ("http://127.0.0.1:8080/v1", "ws://127.0.0.1:8080/v1/realtime?model=m"),
        ("https://gateway.example/openai/eu", "wss://gateway.example/openai/eu/realtime?model=m"),
        ("wss://gateway.example/v1/realtime", "wss://gateway.example/v1/realtime?model=m"),
    ],
)
def test_openai_base_url(base: str, dialled: str):
    assert openai("m", KEY, base_url=base).url == dialled


def test_another_server_than_openai_is_named_by_its_host_and_may_do_without_a_key():
    endpoint = openai("m", None, base_url="http://127.0.0.1:8080/v1")
    assert endpoint.label == "127.0.0.1:8080"
    assert endpoint.headers == {}


def test_azure():
    endpoint = azure("https://res.openai.azure.com/", KEY, deployment="my voice")
    assert endpoint.url == "wss://res.openai.azure.com/openai/v1/realtime?model=my+voice"
    assert endpoint.headers == {"api-key": KEY}
    assert (endpoint.label, endpoint.credential) == ("Azure", "AZURE_OPENAI_API_KEY")


def test_azure_preview():
    endpoint = azure("https://res.openai.azure.com", KEY, deployment="d", api_version="2025-04-01-preview")
    assert endpoint.url == "wss://res.openai.azure.com/openai/realtime?api-version=2025-04-01-preview&deployment=d"


def test_azure_preview_transcription_still_names_its_deployment():
    endpoint = azure("https://r.example", KEY, deployment="d", api_version="v", intent="transcription")
    assert endpoint.url == "wss://r.example/openai/realtime?api-version=v&deployment=d&intent=transcription"


def test_azure_with_entra():
    endpoint = azure("https://res.openai.azure.com", deployment="d", entra_token=KEY)
    assert endpoint.headers == BEARER
    assert endpoint.credential == "the Entra token"


@pytest.mark.parametrize("given", ["", "/", "/openai", "/openai/v1/", "/openai/v1/realtime", "/openai/realtime"])
def test_azure_takes_its_address_in_any_length(given: str):
    assert azure(f"https://r.example/gw{given}", KEY, deployment="d").url == (
        "wss://r.example/gw/openai/v1/realtime?model=d"
    )


def test_azure_translation():
    endpoint = azure("https://r.example", KEY, deployment="d", translation=True)
    assert endpoint.url == "wss://r.example/openai/v1/realtime/translations?model=d"
    with pytest.raises(UsageError, match="no translation sessions"):
        azure("https://r.example", KEY, deployment="d", translation=True, api_version="v")


@pytest.mark.parametrize(
    ("given", "dialled"),
    [
        ("ws://localhost:8080", "ws://localhost:8080/v1/realtime?model=m"),
        ("http://localhost:8080/", "ws://localhost:8080/v1/realtime?model=m"),
        ("https://host/v1", "wss://host/v1/realtime?model=m"),
        ("wss://host/v1/realtime", "wss://host/v1/realtime?model=m"),
        ("wss://host/anything?x=1", "wss://host/anything?model=m&x=1"),
        ("wss://host/v1/realtime?model=mine", "wss://host/v1/realtime?model=mine"),
        ("wss://host/v1/realtime?call_id=rtc_1", "wss://host/v1/realtime?model=m&call_id=rtc_1"),
        ("ws://[::1]:9/v1#part", "ws://[::1]:9/v1/realtime?model=m"),
    ],
)
def test_any_address(given: str, dialled: str):
    assert url(given, model="m").url == dialled


def test_an_address_needs_no_key_and_has_a_label():
    assert url("ws://127.0.0.1:5").headers == {}
    assert url("ws://127.0.0.1:5").label == "127.0.0.1:5"
    assert url("ws://127.0.0.1:5", label="the embedded server").label == "the embedded server"


def test_a_key_for_an_address():
    assert url("ws://host", KEY).headers == BEARER
    assert url("wss://res.openai.azure.com/openai/v1/realtime", KEY).headers == {"api-key": KEY}


def test_an_address_with_a_translation_or_a_call():
    assert url("ws://host", model="m", translation=True).url == "ws://host/v1/realtime/translations?model=m"
    assert not url("ws://host/v1/realtime?call_id=rtc_1").greets
    assert not url("ws://host", call_id="rtc_1").greets


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        "host",
        "host:80",
        "ftp://host",
        "ws://",
        "ws:///path",
        "ws://host:99999",
        "ws://ho st",
        "ws://[::1",
        "ws://me@host",
    ],
)
def test_an_address_that_cannot_be_dialled(wrong: str):
    for build, where in (
        (lambda: url(wrong), ""),
        (lambda: openai("m", KEY, base_url=wrong or "x"), "OPENAI_BASE_URL="),
        (lambda: azure(wrong, KEY, deployment="d"), "AZURE_OPENAI_ENDPOINT="),
    ):
        with pytest.raises(UsageError, match=f"^{where}'.*' is not the address of a server") as caught:
            build()
        assert caught.value.hint


@pytest.mark.parametrize("key", [None, "", "  "])
def test_no_key(key: str | None):
    with pytest.raises(UsageError, match="There is no key") as caught:
        openai("m", key)
    assert "OPENAI_API_KEY" in caught.value.hint
    with pytest.raises(UsageError, match="There is no key"):
        azure("https://r.example", key, deployment="d")


@pytest.mark.parametrize("key", ["sk-se cret", "sk-se\r\nX: cret", "“sk-secret”"])
def test_a_key_that_cannot_stand_in_a_header_is_refused_and_not_shown(key: str):
    with pytest.raises(UsageError, match="OPENAI_API_KEY has a character in it") as caught:
        openai("m", key)
    assert "cret" not in str(caught.value)


def test_what_excludes_each_other():
    with pytest.raises(UsageError, match="exclude each other"):
        openai("m", KEY, call_id="rtc_1", intent="transcription")
    with pytest.raises(UsageError, match="exclude each other"):
        url("ws://host", call_id="rtc_1", translation=True)


def test_nothing_secret_is_shown():
    endpoint = Endpoint(
        url=f"wss://me:{KEY}@host:1/v1?api-key={KEY}&model=m",
        headers={"api-key": KEY},
        subprotocols=("realtime", f"openai-insecure-api-key.{KEY}"),
        label="a server",
    )
    assert KEY not in repr(endpoint)
    assert (
        repr(endpoint) == "Endpoint('wss://host:1/v1?api-key=***&model=m', headers=['api-key'], label='a server')"
    )
    assert endpoint.host == "host:1"
    with pytest.raises(UsageError) as caught:
        url(f"ftp://me:{KEY}@host?key={KEY}")
    assert KEY not in str(caught.value)
