"""The key, the way to the server, and the server: a session is opened and closed again, which costs nothing."""

from __future__ import annotations

import asyncio
import time
from datetime import datetime
from typing import TYPE_CHECKING

from rtchat.doctor.findings import Finding, note, ok, problem
from rtchat.errors import ConnectionLost, RtchatError, WireError
from rtchat.link import dialers
from rtchat.link.connection import connect
from rtchat.link.reach import reach
from rtchat.modes import Mode
from rtchat.plan import LOCAL_MODEL, make_plan
from rtchat.protocol.server_events import ErrorEvent, SessionCreated
from rtchat.server.run import embedded

if TYPE_CHECKING:
    from rtchat.link.dialers import Endpoint
    from rtchat.plan import Plan
    from rtchat.settings import Settings

REACH_SECONDS = 3.0
SESSION_SECONDS = 4.0


def plan_for(settings: Settings) -> tuple[Plan | None, Finding | None]:
    """The session that these settings make: what it is, or why it cannot be."""
    try:
        return make_plan(Mode.INTERACTIVE, settings, today=datetime.now().astimezone().date()), None
    except RtchatError as error:
        return None, problem("session", error)


def key(settings: Settings, plan: Plan | None) -> Finding:
    """Which key a session would show, and whether it has the form of one; never the key itself."""
    if plan is None:
        return note("key", "not checked: there is no session to use it")
    sources = {row.name: row.source for row in settings.explain()}
    match plan.where:
        case "local":
            asked = settings.server == "local"
            text = "none is needed" if asked else "none is set: the embedded server answers, by simple rules"
            return ok("key", text) if asked else note("key", text, "Set OPENAI_API_KEY to talk with a model.")
        case "azure":
            return ok("key", f"Azure's, from {sources['azure_openai_api_key']}")
        case "url":
            given = settings.api_key is not None
            return ok("key", f"from {sources['api_key']}" if given else "none is given to this server")
    if settings.openai_api_key is None:
        return ok("key", "none is given to this server")
    text = f"OpenAI's, from {sources['openai_api_key']}"
    like_one = settings.openai_api_key.get_secret_value().startswith(("sk-", "ek_"))
    if settings.openai_base_url is None and not like_one:
        return note("key", f"{text}: it does not look like one", "OpenAI's keys begin with sk- or ek_.")
    return ok("key", text)


async def network(plan: Plan | None) -> Finding:
    """The way to the server: name, connection, TLS."""
    if plan is None:
        return note("network", "not checked: no server to reach")
    if plan.where == "local":
        return ok("network", "none is needed: the embedded server answers on this machine")
    endpoint = plan.endpoint()
    try:
        reached = await reach(endpoint, REACH_SECONDS)
    except RtchatError as error:
        return problem("network", error)
    if reached.proxy:
        return ok("network", f"{endpoint.host} through the proxy {reached.proxy}: {reached.connect_ms:.0f} ms")
    steps = f"name {reached.name_ms:.0f}, connection {reached.connect_ms:.0f}"
    tls = f", TLS {reached.tls_ms:.0f}" if reached.tls_ms is not None else ""
    return ok("network", f"{endpoint.host}: {steps}{tls} ms")


async def server(plan: Plan) -> Finding:
    """The server that a session would use: opens one with the key and the model."""
    endpoint = plan.endpoint()
    begun = time.perf_counter()
    try:
        model = await _session(endpoint)
    except RtchatError as error:
        return problem("server", error)
    ms = (time.perf_counter() - begun) * 1000
    return ok("server", f"{endpoint.label} opens a session{f' with {model}' if model else ''}: {ms:.0f} ms")


async def embedded_server(plan: Plan | None) -> Finding:
    """The server in this process: starts it, and opens a session. A problem only where a session would use it."""
    begun = time.perf_counter()
    name, needed = "embedded", plan is not None and plan.where == "local"
    try:
        async with embedded() as url:
            await _session(dialers.url(url, model=LOCAL_MODEL, label="the embedded server"))
            ms = (time.perf_counter() - begun) * 1000
    except RtchatError as error:
        return problem(name, error) if needed else note(name, error.message, error.hint)
    return ok(name, f"rtchat's own server opens a session: {ms:.0f} ms")


async def _session(endpoint: Endpoint) -> str:
    """Open a session and close it.

    Returns:
        The model that the server names.

    Raises:
        RtchatError: There was no session.
    """
    try:
        async with asyncio.timeout(SESSION_SECONDS), connect(endpoint, timeout=SESSION_SECONDS) as connection:
            async for event in connection:
                if isinstance(event, SessionCreated):
                    return str(getattr(event.session, "model", None) or "")
                if isinstance(event, ErrorEvent | WireError):
                    break
    except TimeoutError:
        raise ConnectionLost(
            f"{endpoint.label} opened no session in {SESSION_SECONDS:g} seconds.", hint="Try again in a moment."
        ) from None
    raise ConnectionLost(
        f"{endpoint.label} answered, but opened no session.",
        hint="Check the address: it may not be a Realtime server.",
    )
