"""Ephemeral keys for browsers and phones: `POST /v1/realtime/client_secrets`, and what such a key opens.

A secret holds the configuration that its sessions start with. It opens any number of them until it expires; they go
on after that (recorded: docs/protocol.md, REST).
"""

from __future__ import annotations

import json
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from rtchat.protocol.client_events import SessionUpdate
from rtchat.protocol.config import RealtimeSession
from rtchat.protocol.translation import TranslationSession, TranslationUpdate
from rtchat.server.dialogue.checks import Rejected, check_unknown, from_validation, no_number, read
from rtchat.server.translation import read_event

PREFIX = "ek_"
MAX_BODY = 1024 * 1024
"""Bytes of a request: instructions and tools are text."""
MAX_SECRETS = 10_000
"""Secrets kept at once."""
MAX_BYTES = 64 * 1024 * 1024
"""Bytes of their configurations."""

Preset = SessionUpdate | TranslationUpdate
"""What sessions of a secret start with, as the update that would have made it so."""


class _ExpiresAfter(BaseModel):
    model_config = ConfigDict(strict=True, extra="ignore")

    anchor: Literal["created_at"] = "created_at"
    seconds: int = Field(default=600, ge=10, le=7200)


class _Request(BaseModel):
    model_config = ConfigDict(extra="ignore")

    expires_after: _ExpiresAfter | None = None
    session: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Secret:
    """One key.

    Attributes:
        value: `ek_…`.
        expires_at: Unix seconds.
        preset: What its sessions start with.
        size: Bytes of the configuration, as it came.
    """

    value: str
    expires_at: int
    preset: Preset
    size: int


class ClientSecrets:
    """The secrets of one server, in memory and bounded.

    Args:
        clock: Unix seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._kept: OrderedDict[str, Secret] = OrderedDict()
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._kept)

    def add(self, asked: Asked) -> Secret:
        """Make a key for a configuration.

        Raises:
            Rejected: As many as this server keeps are waiting to expire.
        """
        size = len(asked.body)
        self._forget(size)
        if len(self._kept) >= MAX_SECRETS or self._bytes + size > MAX_BYTES:
            message = "Too many client secrets have not expired yet. Ask for shorter ones with expires_after."
            raise Rejected("rate_limit_exceeded", message, kind="rate_limit_error")
        value = f"{PREFIX}{secrets.token_hex(16)}"
        secret = Secret(value, int(self._clock()) + asked.seconds, asked.preset, size)
        self._kept[value] = secret
        self._bytes += size
        return secret

    def find(self, value: str) -> Secret | None:
        """The secret of this value; None when there never was one, or it was forgotten long after it expired.

        Raises:
            Rejected: It has expired.
        """
        # A dictionary's look-up is no comparison in constant time; 128 random bits are not guessed through it.
        secret = self._kept.get(value)
        if secret is not None and secret.expires_at <= self._clock():
            raise Rejected("token_expired", "Ephemeral token expired. Create another client secret.")
        return secret

    def _forget(self, size: int) -> None:
        """Make room among those that have expired; the others stay, so that a late client is told what is wrong."""
        now = self._clock()
        for value in [value for value, secret in self._kept.items() if secret.expires_at <= now]:
            if len(self._kept) < MAX_SECRETS // 2 and self._bytes + size < MAX_BYTES // 2:
                return
            self._bytes -= self._kept.pop(value).size


@dataclass(frozen=True, slots=True)
class Asked:
    """A request for a secret, right in every field.

    Attributes:
        body: As it came.
        seconds: How long the secret is to live.
        preset: What its sessions start with.
    """

    body: bytes
    seconds: int
    preset: Preset


def read_request(body: bytes, *, translation: bool = False) -> Asked:
    """The body of a request; its session is held to the rules of `session.update`.

    Args:
        body: JSON; empty for every default.
        translation: It is of `/v1/realtime/translations/client_secrets`.

    Raises:
        Rejected: Something in it is wrong.
    """
    raw = json_object(body)
    try:
        request = _Request.model_validate(raw)
    except ValidationError as error:
        raise from_validation(error, raw) from None
    known = request.model_dump(exclude_unset=True)
    check_unknown(raw, known)
    seconds = (request.expires_after or _ExpiresAfter()).seconds
    session = request.session or {}
    if translation:
        update = read_event(_frame(session))
        assert isinstance(update, TranslationUpdate)
        return Asked(body, seconds, update)
    event = read(_frame(session or {"type": "realtime"}))
    assert isinstance(event, SessionUpdate)
    return Asked(body, seconds, event)


def model_of(preset: Preset) -> str:
    """The model that a configuration names; empty where it names none, as for a transcription."""
    session = preset.session
    return (session.model or "") if isinstance(session, RealtimeSession | TranslationSession) else ""


def _frame(session: dict[str, Any]) -> str:
    return json.dumps({"type": "session.update", "session": session})


def json_object(body: bytes) -> dict[str, Any]:
    """A request's body; empty for an empty object.

    Raises:
        Rejected: It is no JSON object.
    """
    try:
        raw = json.loads(body, parse_constant=no_number) if body.strip() else {}
    except (ValueError, RecursionError) as error:
        message = f"We could not parse the JSON body of your request. {error}"
        raise Rejected("invalid_json", message) from None
    if not isinstance(raw, dict):
        raise Rejected("invalid_type", "Invalid type for the body: expected an object.")
    return raw
