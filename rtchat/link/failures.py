"""What a failed, refused or lost connection is called: one sentence and what to do next. Values only, no sockets.

`connection` hands over what happened; nothing here quotes an address's query, a header or a proxy's address:
keys and passwords live there.
"""

from __future__ import annotations

import errno
import json
import socket
import ssl
from typing import TYPE_CHECKING, Any

from rtchat.catalog import model_hint
from rtchat.errors import ConnectFailed, ConnectionLost, Refused, RtchatError
from rtchat.protocol.error_codes import EXPIRED_CODES, KEY_CODES, MODEL_CODES, QUOTA_CODES, Severity, severity

if TYPE_CHECKING:
    from rtchat.link.dialers import Endpoint
    from rtchat.protocol.server_events import ErrorDetail

_NETWORK = "Check the address and your network connection."
_AGAIN = "Try again in a moment."
_OFFLINE = "Check your network connection, then start again."

STALLED = -1
"""A close code of our own: the server stopped answering pings."""

TEMPORARY_CODES = frozenset({None, 1001, 1005, 1006, 1011, 1012, 1013, 1014, STALLED})
"""How a connection ends that may come back: the network, a server that restarts, is overloaded or failed.

RFC 6455 section 7.4.1 and the registry that it opens. None is a connection that broke without a close frame. 1000
is not among them: the server was done. Nor are protocol errors: the next connection would meet the same.
"""


def not_connected(error: OSError | UnicodeError, endpoint: Endpoint, timeout: float) -> ConnectFailed:
    """Nobody could be reached: name, route, port, TLS or time."""
    where = f"{endpoint.label} ({endpoint.host})" if endpoint.label != endpoint.host else endpoint.host
    if isinstance(error, TimeoutError):
        return ConnectFailed(f"{where} did not answer within {timeout:g} seconds.", hint=_NETWORK)
    if isinstance(error, socket.gaierror | UnicodeError):
        return ConnectFailed(f"The host name {endpoint.hostname} cannot be resolved.", hint=_NETWORK)
    if isinstance(error, ssl.SSLCertVerificationError):
        why = error.verify_message.rstrip(".")
        return ConnectFailed(
            f"The certificate of {where} cannot be trusted: {why}.",
            hint="Check this computer's clock; for a certificate of your own, name its authority in SSL_CERT_FILE.",
        )
    if isinstance(error, ssl.SSLError):
        return ConnectFailed(
            f"{where} does not speak TLS.", hint="Check the port, or use ws:// for a server without TLS."
        )
    # asyncio joins the errors of several addresses (::1 and 127.0.0.1) into one text.
    if isinstance(error, ConnectionRefusedError) or f"[Errno {errno.ECONNREFUSED}]" in str(error):
        return ConnectFailed(f"Nothing answers at {where}.", hint="Check the address, and that the server runs.")
    if isinstance(error, ConnectionError):
        return ConnectFailed(f"{where} hung up before it answered.", hint=_NETWORK)
    return ConnectFailed(f"{where} cannot be reached: {error.strerror or 'no route'}.", hint=_NETWORK)


def not_a_websocket(endpoint: Endpoint, *, hung_up: bool = False) -> ConnectFailed:
    """Something answered, or closed, in another language than WebSocket's."""
    if hung_up:
        return ConnectFailed(f"{endpoint.host} hung up before it answered.", hint="Check the address and the port.")
    return ConnectFailed(
        f"What answers at {endpoint.host} is not a WebSocket server.", hint="Check the address and the port."
    )


def proxy_failed(what: str, *, hint: str = "") -> ConnectFailed:
    """The proxy of the environment is in the way."""
    return ConnectFailed(
        f"The proxy that the environment names {what}.",
        hint=hint or "Check HTTPS_PROXY, HTTP_PROXY and ALL_PROXY, or list the host in NO_PROXY.",
    )


def answered_http(status: int, body: bytes, location: str | None, endpoint: Endpoint) -> RtchatError:
    """An HTTP status other than 101 at the handshake."""
    code, sentence = _http_error(body)
    if 300 <= status < 400:
        where = f" to {location.partition('?')[0]}" if location else ""
        return ConnectFailed(f"{endpoint.host} redirects{where}.", hint="Give that address with --url.")
    if status in (400, 401, 403, 404, 429):
        known = {
            400: "The request was refused",
            401: "The key was refused",
            403: "Access was refused",
            404: "There is no Realtime API at this address, or no such deployment",
            429: "Too many requests",
        }[status]
        message = _sentence(sentence or known)
        return Refused(
            f"{endpoint.label} refused the connection (HTTP {status}): {message}",
            code=code or f"http_{status}",
            hint=_http_hint(status, code, endpoint),
        )
    if status >= 500:
        because = f": {_sentence(sentence)}" if sentence else "."
        return ConnectFailed(f"{endpoint.label} is out of order (HTTP {status}){because}", hint=_AGAIN)
    return ConnectFailed(
        f"What answers at {endpoint.host} is not a Realtime server (HTTP {status}).",
        hint="Check the address and the port.",
    )


def ended(
    endpoint: Endpoint,
    *,
    code: int | None,
    reason: str = "",
    ours: bool = False,
    error: ErrorDetail | None = None,
    silent: bool = False,
) -> RtchatError:
    """Why an open connection ended.

    Args:
        endpoint: What was dialled.
        code: The close code; None when the connection broke without one; `STALLED`.
        reason: The close frame's reason.
        ours: It was this side that closed it, because of what the server sent.
        error: The `error` event that came just before.
        silent: The server had said nothing at all until then.
    """
    name = endpoint.label
    if code == STALLED:
        return ConnectionLost(f"{name} stopped answering.", hint=_OFFLINE, temporary=True)
    if ours and code == 1009:
        return ConnectionLost(f"{name} sent a frame of more than 64 MiB.", close_code=code, hint=_AGAIN)
    if ours:
        return ConnectionLost(
            f"{name} sent something that is not WebSocket.", close_code=code, hint="Check the address and the port."
        )
    if error is not None:
        return _ended_with(error, code, endpoint)
    if code in (3000, 4000) or reason.startswith("invalid_request_error"):
        error_code = reason.partition(".")[2] or None
        return Refused(
            f"{name} refused the session ({reason or f'close code {code}'}).",
            code=error_code,
            hint=hint(error_code, endpoint),
        )
    if code is None:
        return ConnectionLost(f"The connection to {name} broke.", hint=_OFFLINE, temporary=True)
    because = f" ({reason})" if reason else f" (close code {code})"
    at_once = " at once" if silent else ""
    again = "Check the address: it may not be a Realtime server." if silent else "Start again."
    return ConnectionLost(
        f"{name} closed the connection{at_once}{because}.",
        close_code=code,
        hint=again,
        temporary=code in TEMPORARY_CODES,
    )


def said_nothing(endpoint: Endpoint, seconds: float) -> ConnectFailed:
    """The server accepted the connection, and then never greeted."""
    return ConnectFailed(
        f"{endpoint.label} accepted the connection and then said nothing for {seconds:g} seconds.",
        hint="Check the address: it may not be a Realtime server.",
    )


def temporary(error: RtchatError) -> bool:
    """Whether a session may go on, or begin, over another connection.

    A server that cannot be reached just now is as good as one that has hung up; one that says no is not.
    """
    return isinstance(error, ConnectFailed) or (isinstance(error, ConnectionLost) and error.temporary)


def gave_up(endpoint: Endpoint, seconds: float, hint: str = "") -> ConnectionLost:
    """It was dialled again and again, in vain. `hint`: what to do, where the network is not to blame."""
    return ConnectionLost(
        f"The connection to {endpoint.label} is lost: dialling again for {seconds:g} seconds did not help.",
        hint=hint or _OFFLINE,
    )


def expired(message: str, endpoint: Endpoint) -> ConnectionLost:
    """The server has said that this session is over; another one can be had."""
    return ConnectionLost(
        f"{endpoint.label} ended the session: {_sentence(message)}",
        hint=hint("session_expired", endpoint),
        temporary=True,
    )


def refused(code: str | None, message: str, endpoint: Endpoint) -> Refused:
    """The server does not take the session as it was asked for, or cannot go on with it."""
    known = code in KEY_CODES | MODEL_CODES | QUOTA_CODES | EXPIRED_CODES
    next_step = hint(code, endpoint) if known else "Choose another value; `rtchat config show` lists what is set."
    return Refused(message, code=code, hint=next_step)


def hint(code: str | None, endpoint: Endpoint) -> str:
    """What to do about a refusal of the API."""
    if code in KEY_CODES or code is None:
        return f"Check {endpoint.credential}."
    if code in MODEL_CODES:
        return (
            model_hint(endpoint.model) if endpoint.label == "OpenAI" else "Check the model or deployment you named."
        )
    if code in QUOTA_CODES:
        return "Check the account's plan and credit; --server local needs neither."
    if code in EXPIRED_CODES:
        return "Start again: a session lasts 60 minutes at most."
    if code == "beta_api_shape_disabled":
        return "Something between here and the server adds the header OpenAI-Beta; remove it."
    if code == "call_id_not_found":
        return "Check the call id; the call may have ended."
    return "Check the key, the model and the address."


def _ended_with(error: ErrorDetail, code: int | None, endpoint: Endpoint) -> RtchatError:
    """An `error` event, then the close."""
    sentence = _sentence(error.message or error.code or error.type)
    level = severity(error)
    if level is Severity.REFUSED or (code in (3000, 4000) and level is not Severity.EXPIRED):
        return Refused(
            f"{endpoint.label} refused the session: {sentence}", code=error.code, hint=hint(error.code, endpoint)
        )
    expired = level is Severity.EXPIRED
    return ConnectionLost(
        f"{endpoint.label} ended the session: {sentence}",
        close_code=code,
        hint=hint(error.code, endpoint) if expired else "Start again.",
        temporary=expired or code in TEMPORARY_CODES,
    )


def _http_error(body: bytes) -> tuple[str | None, str]:
    """Code and sentence of an API's error body; nothing where it is none (a proxy's HTML page)."""
    try:
        error: Any = json.loads(body)["error"]
        code, message = error.get("code"), error.get("message")
    except (ValueError, KeyError, TypeError, AttributeError):
        return None, ""
    return (str(code) if code else None), str(message or "")


def _http_hint(status: int, code: str | None, endpoint: Endpoint) -> str:
    if code in MODEL_CODES or code in QUOTA_CODES or code in KEY_CODES:
        return hint(code, endpoint)
    if status in (401, 403):
        return f"Check {endpoint.credential}."
    if status == 429:
        return _AGAIN
    return "Check the address and the model or deployment you named."


def _sentence(text: str) -> str:
    """One line with a full stop, whatever the server wrote; never endless."""
    line = " ".join(text.split())
    line = f"{line[:299]}…" if len(line) > 300 else line
    return line if line.endswith((".", "!", "?", "…")) else f"{line}."
