import errno
import json
import socket

import pytest

from rtchat.errors import ConnectFailed, ConnectionLost, Refused
from rtchat.link import failures
from rtchat.link.dialers import Endpoint, openai
from rtchat.protocol.server_events import ErrorDetail

OPENAI = openai("gpt-realtime-2.2", "sk-x")
OTHER = Endpoint("ws://10.0.0.9:1/x", label="10.0.0.9:1", credential="the key for 10.0.0.9:1", model="m")


def body(**error: str) -> bytes:
    return json.dumps({"error": error}).encode()


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (TimeoutError("x"), "OpenAI (api.openai.com) did not answer within 3 seconds."),
        (socket.gaierror(-2, "x"), "The host name api.openai.com cannot be resolved."),
        (UnicodeError("x"), "The host name api.openai.com cannot be resolved."),
        (ConnectionRefusedError(111, "x"), "Nothing answers at OpenAI (api.openai.com)."),
        (OSError(f"Multiple exceptions: [Errno {errno.ECONNREFUSED}] a, b"), "Nothing answers at OpenAI"),
        (ConnectionResetError(), "OpenAI (api.openai.com) hung up before it answered."),
        (OSError(101, "Network is unreachable"), "cannot be reached: Network is unreachable."),
        (OSError("strange"), "cannot be reached: no route."),
    ],
)
def test_not_connected(error: OSError, sentence: str):
    failed = failures.not_connected(error, OPENAI, 3.0)
    assert sentence in failed.message
    assert failed.hint
    assert failed.exit_code == 3


@pytest.mark.parametrize("status", [400, 401, 403, 404, 429])
def test_a_refusal_at_the_handshake(status: int):
    refused = failures.answered_http(status, b"<html>", None, OPENAI)
    assert isinstance(refused, Refused)
    assert refused.exit_code == 4
    assert refused.code == f"http_{status}"
    assert refused.message.startswith(f"OpenAI refused the connection (HTTP {status}): ")
    assert refused.hint


def test_a_server_that_is_full_or_down_is_not_there_for_now():
    failed = failures.answered_http(503, body(message="All sessions are taken"), None, OTHER)
    assert isinstance(failed, ConnectFailed) and failed.exit_code == 3
    assert failed.message == "10.0.0.9:1 is out of order (HTTP 503): All sessions are taken."


def test_the_servers_own_sentence_and_code_come_first():
    said = body(code="OpperationNotSupported", message="The realtime operation does\nnot work with model")
    refused = failures.answered_http(400, said, None, OTHER)
    assert isinstance(refused, Refused)
    assert refused.message == (
        "10.0.0.9:1 refused the connection (HTTP 400): The realtime operation does not work with model."
    )
    assert refused.code == "OpperationNotSupported"
    assert refused.hint == "Check the address and the model or deployment you named."


@pytest.mark.parametrize("strange", [b"", b"[]", b'{"error": "x"}', b'{"error": null}', b'{"error": {"code": 5}}'])
def test_a_strange_body_does_no_harm(strange: bytes):
    assert failures.answered_http(401, strange, None, OPENAI).hint == "Check OPENAI_API_KEY."


def test_an_endless_sentence_is_cut():
    assert len(failures.answered_http(400, body(message="a " * 9_000), None, OPENAI).message) < 400


def test_other_statuses_are_not_refusals():
    assert "is out of order (HTTP 502)" in failures.answered_http(502, b"", None, OPENAI).message
    assert "not a Realtime server (HTTP 200)" in failures.answered_http(200, b"", None, OPENAI).message
    moved = failures.answered_http(302, b"", "https://b/x?api-key=secret", OPENAI)
    assert moved.message == "api.openai.com redirects to https://b/x."
    assert isinstance(moved, ConnectFailed)


@pytest.mark.parametrize(
    ("code", "hint"),
    [
        ("invalid_api_key", "Check OPENAI_API_KEY."),
        (None, "Check OPENAI_API_KEY."),
        ("invalid_model", "Did you mean gpt-realtime-2.1? See all with: rtchat models"),
        ("insufficient_quota", "Check the account's plan and credit; --server local needs neither."),
        (
            "beta_api_shape_disabled",
            "Something between here and the server adds the header OpenAI-Beta; remove it.",
        ),
        ("call_id_not_found", "Check the call id; the call may have ended."),
        ("never_seen", "Check the key, the model and the address."),
    ],
)
def test_hints(code: str | None, hint: str):
    assert failures.hint(code, OPENAI) == hint


def test_another_servers_models_are_not_ours_to_list():
    assert "rtchat models" not in failures.hint("invalid_model", OTHER)


def test_a_close_without_an_error_event():
    refused = failures.ended(OPENAI, code=4000, reason="invalid_request_error.missing_model")
    assert isinstance(refused, Refused)
    assert refused.code == "missing_model"
    lost = failures.ended(OTHER, code=1011, reason="boom")
    assert isinstance(lost, ConnectionLost)
    assert (lost.message, lost.close_code) == ("10.0.0.9:1 closed the connection (boom).", 1011)


def test_an_expired_session_is_lost_whatever_the_close_code():
    error = ErrorDetail(code="session_expired", message="Your session hit the maximum duration of 60 minutes.")
    for code in (1000, 1001, 4000, None):
        lost = failures.ended(OPENAI, code=code, error=error)
        assert isinstance(lost, ConnectionLost)
        assert lost.message == ("OpenAI ended the session: Your session hit the maximum duration of 60 minutes.")
        assert "60 minutes" in lost.hint


@pytest.mark.parametrize("code", [None, failures.STALLED, 1001, 1006, 1011, 1012, 1013, 1014])
def test_a_network_that_failed_and_a_server_that_restarts_may_come_back(code: int | None):
    assert failures.temporary(failures.ended(OTHER, code=code))


@pytest.mark.parametrize("code", [1000, 1002, 1003, 1007, 1008, 1009, 4321])
def test_a_server_that_is_done_or_does_not_understand_us_does_not(code: int):
    assert not failures.temporary(failures.ended(OTHER, code=code))


def test_a_server_that_we_do_not_understand_is_not_dialled_again():
    assert not failures.temporary(failures.ended(OTHER, code=1011, ours=True))


def test_an_hour_that_is_over_begins_again_and_a_refusal_does_not():
    assert failures.temporary(failures.ended(OPENAI, code=1000, error=ErrorDetail(code="session_expired")))
    assert failures.temporary(failures.ended(OPENAI, code=1011, error=ErrorDetail(code="server_error")))
    assert not failures.temporary(failures.ended(OPENAI, code=1011, error=ErrorDetail(code="invalid_api_key")))
    assert not failures.temporary(failures.answered_http(401, b"", None, OPENAI))


def test_who_cannot_be_reached_now_may_be_reached_later():
    assert failures.temporary(failures.not_connected(ConnectionRefusedError(111, "x"), OPENAI, 3.0))
    assert failures.temporary(failures.answered_http(503, b"", None, OTHER))
    assert failures.temporary(failures.said_nothing(OTHER, 10))


def test_who_was_dialled_in_vain_is_lost():
    lost = failures.gave_up(OTHER, 30.0)
    assert "10.0.0.9:1 is lost" in lost.message and "30 seconds" in lost.message
    assert lost.hint and not failures.temporary(lost)


def test_an_error_without_a_sentence_is_named_by_its_code():
    assert failures.ended(OPENAI, code=1011, error=ErrorDetail(code="server_error")).message == (
        "OpenAI ended the session: server_error."
    )


def test_a_session_that_is_not_taken_as_it_was_asked_for():
    refused = failures.refused("invalid_value", "There is no such voice.", OPENAI)
    assert (refused.message, refused.code, refused.exit_code) == ("There is no such voice.", "invalid_value", 4)
    assert "rtchat config show" in refused.hint
    assert failures.refused("insufficient_quota", "No credit.", OPENAI).hint == failures.hint(
        "insufficient_quota", OPENAI
    )
