"""Keys that clients show: where they put them, and whether one is right."""

from __future__ import annotations

import hmac
from collections.abc import Iterable
from hashlib import sha256
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from rtchat.loopback import is_loopback
from rtchat.server.dialogue.refusals import LONGEST_ECHO, Rejected

if TYPE_CHECKING:
    from starlette.requests import HTTPConnection

_PROTOCOL = "openai-insecure-api-key."


class Keys:
    """The keys that let a client in.

    Args:
        keys: Each of them; none lets everybody in.
    """

    def __init__(self, keys: Iterable[str] = ()) -> None:
        self._digests = [_digest(key) for key in keys]

    def __bool__(self) -> bool:
        return bool(self._digests)

    def check(self, connection: HTTPConnection, shown: str) -> None:
        """Let this connection pass, or say why not.

        Args:
            connection: Whose.
            shown: What `shown_key` found.

        Raises:
            Rejected: The key is missing or wrong; or there are no keys, and a page of another site asks.
        """
        if not self:
            check_origin(connection)
        elif not shown:
            raise Rejected(None, "Missing bearer or basic authentication in header")
        elif not self._admits(shown):
            raise wrong_key(shown)

    def _admits(self, shown: str) -> bool:
        # Every key is compared, as digests of equal length: the time tells neither which nor how much was right.
        digest = _digest(shown)
        return any([hmac.compare_digest(digest, kept) for kept in self._digests])  # noqa: C419 - all, not the first


def shown_key(connection: HTTPConnection) -> str:
    """The key, from any of the places that clients put it; empty when there is none.

    `Authorization: Bearer …`, Azure's `api-key` as a header or in the query, or a browser's subprotocol.
    """
    scheme, _, shown = connection.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and shown.strip():
        return shown.strip()
    shown = connection.headers.get("api-key", "") or connection.query_params.get("api-key", "")
    if shown:
        return shown
    offered = connection.scope.get("subprotocols", [])
    return next((name.removeprefix(_PROTOCOL) for name in offered if name.startswith(_PROTOCOL)), "")


def wrong_key(shown: str) -> Rejected:
    """The refusal of a key, which tells it back only in part."""
    masked = f"{shown[:3]}…{shown[-4:]}" if len(shown) > 12 else "…"
    message = f"Incorrect API key provided: {masked}. Use a key that the server was started with."
    return Rejected("invalid_api_key", message)


def check_origin(connection: HTTPConnection) -> None:
    """Any web page may open a socket to this machine; without a key, only pages of this machine are let in.

    Raises:
        Rejected: It is another page's.
    """
    origin = connection.headers.get("origin")
    if origin is None:  # no page
        return
    try:
        host = urlsplit(origin).hostname
    except ValueError:
        host = None
    if host is None or not is_loopback(host):
        shown = (host or origin)[:LONGEST_ECHO]
        message = f"Pages of {shown} cannot use this server. Start it with a key, and give them the key."
        raise Rejected("invalid_origin", message)


def _digest(key: str) -> bytes:
    return sha256(key.encode("utf-8", "surrogateescape")).digest()
