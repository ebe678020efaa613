"""What to dial: address, headers and names of a Realtime server. Values only, no sockets.

=====================  ===================================================================================
server                 address
=====================  ===================================================================================
OpenAI, conversation   `wss://api.openai.com/v1/realtime?model=…`
-- transcription       `…/v1/realtime?intent=transcription`
-- a call (sideband)   `…/v1/realtime?call_id=rtc_…`
-- translation         `…/v1/realtime/translations?model=…`
Azure                  `wss://<resource>.openai.azure.com/openai/v1/realtime?model=<deployment>`
Azure, preview         `wss://<resource>.openai.azure.com/openai/realtime?api-version=…&deployment=…`
any other              as given; `/v1/realtime` where only a host is given
=====================  ===================================================================================

No `OpenAI-Beta` header is ever sent: since May 2026 the service refuses it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import SplitResult, parse_qsl, urlencode, urlsplit, urlunsplit

from rtchat.errors import UsageError

OPENAI_BASE_URL = "https://api.openai.com/v1"

_SCHEMES = {"ws": "ws", "wss": "wss", "http": "ws", "https": "wss"}
_PUBLIC_QUERY = frozenset({"model", "deployment", "api-version", "intent", "call_id"})
_AZURE_HOSTS = (".openai.azure.com", ".cognitiveservices.azure.com", ".services.ai.azure.com")


@dataclass(frozen=True, repr=False)
class Endpoint:
    """Where and how to connect. Its repr shows no key.

    Attributes:
        url: `ws://` or `wss://`, complete.
        headers: Sent with the handshake; they carry the key.
        subprotocols: Offered with the handshake.
        label: The server in a sentence: `OpenAI`, `Azure`, `the embedded server`, a host.
        credential: Where the key comes from, in a sentence: `OPENAI_API_KEY`.
        model: The model or deployment asked for; empty where the address names none.
        translation: It is a translation session: other events.
        greets: The server speaks first (`session.created`); it does not on the sideband of a call.
    """

    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    subprotocols: tuple[str, ...] = ()
    label: str = "the server"
    credential: str = "the key"
    model: str = ""
    translation: bool = False
    greets: bool = True

    def __repr__(self) -> str:
        return f"Endpoint({self.public_url!r}, headers={sorted(self.headers)}, label={self.label!r})"

    @property
    def host(self) -> str:
        """Host and port, as in the address; no user name, no password."""
        return urlsplit(self.url).netloc.rpartition("@")[2]

    @property
    def hostname(self) -> str:
        """The host alone, without port or brackets."""
        return urlsplit(self.url).hostname or ""

    @property
    def public_url(self) -> str:
        """The address without what may be secret in it."""
        parts = urlsplit(self.url)
        query = [(name, value if name in _PUBLIC_QUERY else "***") for name, value in parse_qsl(parts.query)]
        return urlunsplit((parts.scheme, self.host, parts.path, urlencode(query, safe="*"), ""))


def openai(
    model: str,
    key: str | None,
    *,
    base_url: str | None = None,
    organization: str | None = None,
    project: str | None = None,
    safety_identifier: str | None = None,
    call_id: str | None = None,
    intent: str | None = None,
    translation: bool = False,
) -> Endpoint:
    """OpenAI, or a server that stands in for it (`base_url`).

    Args:
        model: The model; not sent with `call_id` or `intent`, where the address takes none.
        key: An API key or an ephemeral key (`ek_…`). Only another server than OpenAI's may do without.
        base_url: What `OPENAI_BASE_URL` means everywhere: up to and with `/v1`.
        organization: Billed organization.
        project: Billed project.
        safety_identifier: A stable, anonymous name of the end user.
        call_id: The WebRTC or SIP call to listen in on and to control.
        intent: `transcription` for a transcription session.
        translation: A translation session.

    Raises:
        UsageError: The key, the address or the combination cannot be right.
    """
    base = _parse(base_url or OPENAI_BASE_URL, "OPENAI_BASE_URL")
    official = base.hostname == "api.openai.com"
    headers = _bearer(key, "OPENAI_API_KEY") if key or official else {}
    for name, value in (
        ("OpenAI-Organization", organization),
        ("OpenAI-Project", project),
        ("OpenAI-Safety-Identifier", safety_identifier),
    ):
        if value:
            headers[name] = _header_value(value, name)
    query = _query("model", model, call_id=call_id, intent=intent, translation=translation)
    return Endpoint(
        url=_build(base, base.path.rstrip("/").removesuffix("/realtime") + "/realtime", query, translation),
        headers=headers,
        label="OpenAI" if official else _host(base),
        credential="OPENAI_API_KEY",
        model=query.get("model", ""),
        translation=translation,
        greets=call_id is None,
    )


def azure(
    endpoint: str,
    key: str | None = None,
    *,
    deployment: str,
    api_version: str | None = None,
    entra_token: str | None = None,
    call_id: str | None = None,
    intent: str | None = None,
    translation: bool = False,
) -> Endpoint:
    """Azure OpenAI: its GA form, or the preview form when `api_version` is given.

    Args:
        endpoint: The resource, `https://<resource>.openai.azure.com`; a gateway's path before it is kept.
        key: The resource's key (header `api-key`).
        deployment: The name of the deployment (sent as `model` in the GA form).
        api_version: For example `2025-04-01-preview`: the form that Azure deprecated on 2026-04-30.
        entra_token: A Microsoft Entra access token, instead of the key.
        call_id: As for OpenAI.
        intent: As for OpenAI.
        translation: As for OpenAI; the preview form has none.

    Raises:
        UsageError: The address, the credentials or the combination cannot be right.
    """
    if api_version and translation:
        raise UsageError(
            "Azure's preview form has no translation sessions.",
            hint="Leave out the API version to use the GA form.",
        )
    base = _parse(endpoint, "AZURE_OPENAI_ENDPOINT")
    prefix = base.path.rstrip("/").removesuffix("/realtime").removesuffix("/v1").removesuffix("/openai")
    if entra_token:
        headers = _bearer(entra_token, "the Entra token")
    else:
        headers = {"api-key": _key(key, "AZURE_OPENAI_API_KEY")}
    name = "deployment" if api_version else "model"
    query = _query(name, deployment, call_id=call_id, intent=intent, translation=translation)
    if api_version:
        query = {"api-version": api_version, **query}
    path = f"{prefix}/openai/realtime" if api_version else f"{prefix}/openai/v1/realtime"
    return Endpoint(
        url=_build(base, path, query, translation),
        headers=headers,
        label="Azure",
        credential="the Entra token" if entra_token else "AZURE_OPENAI_API_KEY",
        model=deployment,
        translation=translation,
        greets=call_id is None,
    )


def url(
    address: str,
    key: str | None = None,
    *,
    model: str | None = None,
    label: str | None = None,
    call_id: str | None = None,
    intent: str | None = None,
    translation: bool = False,
) -> Endpoint:
    """Any server that speaks the Realtime API.

    Args:
        address: `ws://`, `wss://`, `http://` or `https://`. A bare host, and a path that ends in `/v1`, get the
            path of the API; any other path, and the query, stay as they are.
        key: Sent as a bearer token; to a host of Azure as `api-key`.
        model: Added to the query where the address does not name one.
        label: The server in a sentence; its host by default.
        call_id: As for OpenAI.
        intent: As for OpenAI.
        translation: As for OpenAI.

    Raises:
        UsageError: It is not such an address, or the key cannot be one.
    """
    base = _parse(address)
    given = dict(parse_qsl(base.query, keep_blank_values=True))
    query = _query(
        "model", given.get("model") or model or "", call_id=call_id, intent=intent, translation=translation
    )
    headers: dict[str, str] = {}
    if key:
        is_azure = (base.hostname or "").endswith(_AZURE_HOSTS)
        headers = {"api-key": _key(key, "the key")} if is_azure else _bearer(key, "the key")
    return Endpoint(
        url=_build(base, _free_path(base.path), {**query, **given}, translation),
        headers=headers,
        label=label or _host(base),
        credential=f"the key for {label or _host(base)}",
        model=query.get("model", ""),
        translation=translation,
        greets="call_id" not in {**query, **given},
    )


def _parse(address: str, variable: str = "") -> SplitResult:
    """The parts of an address that can be dialled, and where it was set unless that is plain."""
    try:
        parts = urlsplit(address.strip())
        usable = parts.scheme in _SCHEMES and bool(parts.hostname) and parts.port != 0
        usable = usable and bool(parts.username) == bool(parts.password)
    except ValueError:
        usable = False
    if not usable or any(mark.isspace() for mark in address.strip()):
        shown = address.rpartition("@")[2].partition("?")[0]
        raise UsageError(
            f"{variable and variable + '='}'{shown}' is not the address of a server.",
            hint="Give one like wss://host/v1/realtime or ws://127.0.0.1:8765/v1.",
        )
    return parts


def _host(parts: SplitResult) -> str:
    return parts.netloc.rpartition("@")[2]


def _free_path(path: str) -> str:
    """The path of an address that was given whole; the API's own where there is none yet."""
    path = path.rstrip("/") or "/v1"
    return f"{path}/realtime" if path.endswith("/v1") else path


def _build(base: SplitResult, path: str, query: Mapping[str, str], translation: bool) -> str:
    if translation and path.endswith("/realtime"):
        path += "/translations"
    return urlunsplit((_SCHEMES[base.scheme], base.netloc, path, urlencode(query), ""))


def _query(
    model_name: str, model: str, *, call_id: str | None, intent: str | None, translation: bool
) -> dict[str, str]:
    """What follows the `?`: a call, an intent or a model."""
    if sum((call_id is not None, intent is not None, translation)) > 1:
        raise UsageError(
            "A call, an intent and a translation exclude each other.",
            hint="Give one of call_id, intent, translation.",
        )
    if call_id is not None:
        return {"call_id": call_id}
    # The GA address of a transcription names no model; Azure's preview form always needs its deployment.
    named = {model_name: model} if model and (intent is None or model_name == "deployment") else {}
    return named | ({"intent": intent} if intent is not None else {})


def _bearer(key: str | None, credential: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {_key(key, credential)}"}


def _key(key: str | None, credential: str) -> str:
    """A key that may stand in a header. Errors name where it comes from, never what it is."""
    if key is None or not key.strip():
        raise UsageError("There is no key.", hint=f"Set {credential}, or use --server local, which needs none.")
    return _header_value(key, credential)


def _header_value(value: str, name: str) -> str:
    value = value.strip()
    if not value.isascii() or not value.isprintable() or " " in value:
        raise UsageError(
            f"{name} has a character in it that cannot be right (a space, a line break, a quote from a web page).",
            hint="Copy it again.",
        )
    return value
