"""Which keys open the door, and where clients put them."""

import pytest
from starlette.requests import HTTPConnection

from rtchat.server.dialogue.checks import Rejected
from rtchat.server.keys import Keys, shown_key, wrong_key

KEYS = Keys(["sk-the-first-key-0001", "sk-the-second-key-0002"])


def connection(query: str = "", subprotocols: tuple[str, ...] = (), **headers: str) -> HTTPConnection:
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return HTTPConnection(
        {"type": "websocket", "headers": raw, "query_string": query.encode(), "subprotocols": list(subprotocols)}
    )


@pytest.mark.parametrize("shown", ["sk-the-first-key-0001", "sk-the-second-key-0002"])
def test_each_of_several_keys_opens(shown):
    KEYS.check(connection(), shown)


@pytest.mark.parametrize(
    ("shown", "code"),
    [("", None), ("sk-the-first-key-000", "invalid_api_key"), ("sk-the-first-key-00011", "invalid_api_key"),
     ("sk-the-first-key-0001sk-the-second-key-0002", "invalid_api_key"), ("caf\udce9", "invalid_api_key")],
)  # fmt: skip
def test_nothing_else_does(shown, code):
    with pytest.raises(Rejected) as refused:
        KEYS.check(connection(), shown)
    assert refused.value.code == code


def test_without_keys_everybody_of_this_machine_comes_in():
    none = Keys()
    none.check(connection(), "")
    none.check(connection(origin="http://localhost:3000"), "any")
    with pytest.raises(Rejected, match=r"evil\.example"):
        none.check(connection(origin="https://evil.example"), "any")
    KEYS.check(connection(origin="https://evil.example"), "sk-the-first-key-0001")


@pytest.mark.parametrize(
    "origin", ["http://localhost", "https://127.0.0.1:3000", "http://[::1]:8000", "HTTP://LOCALHOST"]
)
def test_pages_of_this_machine(origin):
    Keys().check(connection(origin=origin), "")


@pytest.mark.parametrize(
    ("origin", "told"),
    [
        ("null", "Pages of null "),  # a frame of any site, if that site wants it so
        ("http://[::1", "Pages of http://[::1 "),
        ("file://", "Pages of file:// "),
        ("localhost", "Pages of localhost "),
        ("http://localhost.evil.example", "Pages of localhost.evil.example "),
        (f"http://{'x' * 5000}", f"Pages of {'x' * 200} "),
    ],
)
def test_other_pages_whatever_they_say(origin, told):
    with pytest.raises(Rejected) as refused:
        Keys().check(connection(origin=origin), "")
    assert (refused.value.code, refused.value.message.startswith(told)) == ("invalid_origin", True)


@pytest.mark.parametrize(
    "given",
    [
        {"authorization": "Bearer k"},
        {"authorization": "bearer  k "},
        {"authorization": "Basic abc", "api_key": "k"},
        {"query": "api-key=k"},
        {"subprotocols": ("realtime", "openai-insecure-api-key.k")},
    ],
)
def test_where_clients_put_it(given):
    assert shown_key(connection(**given)) == "k"


def test_nothing_shown():
    assert shown_key(connection(authorization="Bearer ", subprotocols=("realtime",))) == ""


@pytest.mark.parametrize(("key", "told"), [("sk-1234567890", "sk-…7890"), ("short", "…")])
def test_a_wrong_key_is_told_back_only_in_part(key, told):
    assert f": {told}. " in wrong_key(key).message
    assert key not in wrong_key(key).message
