"""The HTTP side: a request's body, and refusals as the API tells them."""

from __future__ import annotations

import logging
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from rtchat.protocol.server_events import ErrorDetail
from rtchat.server.admission import RETRY_AFTER_S, Refusal
from rtchat.server.client_secrets import MAX_BODY
from rtchat.server.dialogue.refusals import MISTAKE, Rejected

LOG = logging.getLogger(__name__)
_STATUS = {
    None: 401,
    "invalid_api_key": 401,
    "invalid_origin": 403,
    "call_id_not_found": 404,
    "rate_limit_exceeded": 429,
}
"""By a refusal's code; all others are 400."""


def error(detail: ErrorDetail, status: int, retry_after_s: int | None = None) -> Response:
    """An answer that says what went wrong."""
    headers = None if retry_after_s is None else {"Retry-After": str(retry_after_s)}
    return JSONResponse({"error": detail.model_dump(exclude={"event_id"})}, status, headers)


def unavailable(refusal: Refusal) -> Response:
    """HTTP 503 with the time after which to try again."""
    message = f"{refusal.sentence} Try again in {RETRY_AFTER_S} s, or another server."
    return error(ErrorDetail(type="server_error", code=refusal.reason, message=message), 503, RETRY_AFTER_S)


def on_purpose(status: int) -> Response:
    """A refusal before the upgrade, because a fault is wanted."""
    code = "rate_limit_exceeded" if status == 429 else "server_error"
    return error(ErrorDetail(type=code, code=code, message="A fault on purpose: refuse."), status, 1)


async def body_of(request: Request) -> bytes:
    """The body, if it is whole and not too large.

    Raises:
        Rejected: It is not.
    """
    body = b""
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > MAX_BODY:
                raise Rejected("string_above_max_length", f"The body is larger than {MAX_BODY} bytes.")
    except ClientDisconnect:  # nobody is there to read this
        raise Rejected("invalid_json", "The body of your request has no end.") from None
    return body


async def _refused(_request: Request, rejected: Rejected) -> Response:
    return error(rejected.detail(), _STATUS.get(rejected.code, 400))


async def _no_such_url(request: Request, _error: Exception) -> Response:
    return error(ErrorDetail(message=f"Invalid URL ({request.method} {request.url.path})"), 404)


async def _mistake(_request: Request, error_of_ours: Exception) -> Response:
    LOG.error("a request could not be answered", exc_info=error_of_ours)
    return error(MISTAKE, 500)


HANDLERS: dict[Any, Any] = {Rejected: _refused, 404: _no_such_url, 405: _no_such_url, 500: _mistake}
"""What answers to an exception, for Starlette."""
