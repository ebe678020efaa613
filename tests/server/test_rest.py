"""The HTTP side's refusals, in the API's shape; tests/server/test_app.py asks for them over a socket."""

import json

import pytest

from rtchat.protocol.server_events import ErrorDetail
from rtchat.server import rest
from rtchat.server.admission import Refusal
from rtchat.server.dialogue.refusals import MISTAKE, Rejected

FULL = Refusal("full", "This server is full.")


async def handled(error: Exception, key=None):
    return await rest.HANDLERS[key or type(error)](None, error)


@pytest.mark.parametrize(
    ("code", "status"),
    [(None, 401), ("invalid_api_key", 401), ("invalid_origin", 403), ("rate_limit_exceeded", 429), ("other", 400)],
)
async def test_a_refusal_has_its_status(code, status):
    answer = await handled(Rejected(code, "No.", "session.voice"))
    assert answer.status_code == status
    assert json.loads(answer.body) == {
        "error": {"message": "No.", "type": "invalid_request_error", "code": code, "param": "session.voice"}
    }


@pytest.mark.parametrize(
    ("answer", "status", "after", "code", "said"),
    [
        (rest.unavailable(FULL), 503, "5", "full", "This server is full. Try again in 5 s, or another server."),
        (rest.on_purpose(503), 503, "1", "server_error", "A fault on purpose: refuse."),
        (rest.on_purpose(429), 429, "1", "rate_limit_exceeded", "A fault on purpose: refuse."),
        (rest.error(ErrorDetail(message="No."), 404), 404, None, None, "No."),
    ],
)
def test_what_is_told_without_a_handler(answer, status, after, code, said):
    error = json.loads(answer.body)["error"]
    assert (answer.status_code, answer.headers.get("Retry-After")) == (status, after)
    assert (error["code"], error["message"], error["param"]) == (code, said, None)
    assert error["type"] == {503: "server_error", 429: "rate_limit_exceeded"}.get(status, "invalid_request_error")


async def test_a_mistake_is_told_and_logged_but_not_explained(caplog):
    answer = await handled(ZeroDivisionError("a secret"), 500)
    assert json.loads(answer.body)["error"]["message"] == MISTAKE.message
    assert "ZeroDivisionError: a secret" in caplog.text
