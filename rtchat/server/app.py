"""The Realtime API as an ASGI application: who may come in, and what kind of session it gets."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocketDisconnect

from rtchat import catalog
from rtchat.protocol import wire
from rtchat.protocol.client_events import SessionUpdate
from rtchat.protocol.server_events import ErrorEvent
from rtchat.protocol.translation import TranslationUpdate
from rtchat.server import dialect, mcp_client, rest
from rtchat.server.admission import RETRY_AFTER_S, Admission, Refusal, Visit
from rtchat.server.beta import Beta
from rtchat.server.client_secrets import (
    PREFIX,
    ClientSecrets,
    Preset,
    Secret,
    json_object,
    model_of,
    read_request,
)
from rtchat.server.dialogue import Dialogue
from rtchat.server.dialogue.checks import Rejected
from rtchat.server.dialogue.settings import Kind
from rtchat.server.ids import new_id
from rtchat.server.journal import Journal
from rtchat.server.keys import Keys, shown_key, wrong_key
from rtchat.server.limits import Limits
from rtchat.server.live import Live, Machine
from rtchat.server.metrics import MEDIA_TYPE, Metrics
from rtchat.server.models import check_model, check_translation_model
from rtchat.server.staging.stage import Stage
from rtchat.server.translation import Translation

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.websockets import WebSocket

    from rtchat.server.engines.registry import Engines

LOG = logging.getLogger(__name__)
MCP_OFF = "This server calls no MCP servers: it must be started with --allow-mcp, or listen on this machine only."
_BETA_PROTOCOL = "openai-beta.realtime-v1"
NO_CALL = "No session found for the provided call_id"
GOODBYE_S = 0.5
"""How long sessions may take to close when the server goes away."""
_CALL_VERBS = ("accept", "reject", "refer", "hangup")
SECRET_HEADER = "rtchat-client-secret"
_SECRETS = ("/v1/realtime/client_secrets", "/v1/realtime/translations/client_secrets")
_OLD_SECRETS = ("/v1/realtime/sessions", "/v1/realtime/transcription_sessions")


class Server:
    """The sessions of one server.

    Args:
        engines: What answers.
        keys: What a client must show, one of several; none lets everybody in.
        limits: What it takes on.
        journal: Where lines about it go.
        client_secrets: Where ephemeral keys are kept.
        stage: What a test puts around each session.
        mcp: Are MCP servers called that clients name?
        beta: Are clients served that speak the API's withdrawn beta?
    """

    def __init__(
        self,
        engines: Engines,
        *,
        keys: Iterable[str] = (),
        limits: Limits | None = None,
        journal: Journal | None = None,
        client_secrets: ClientSecrets | None = None,
        stage: Stage | None = None,
        mcp: bool = True,
        beta: bool = False,
    ) -> None:
        self._engines = engines
        self._stage = stage or Stage()
        self._beta = beta
        self._no_mcp = None if mcp and mcp_client.installed() else mcp_client.NOT_INSTALLED if mcp else MCP_OFF
        self._keys = Keys(keys)
        self._limits = limits or Limits()
        self._journal = journal or Journal()
        self._secrets = ClientSecrets() if client_secrets is None else client_secrets
        self.admission = Admission(self._limits)
        self.metrics = Metrics(self.admission, self._secrets)
        self.app = Starlette(
            routes=[
                Route("/healthz", self._health),
                Route("/readyz", self._ready),
                self._with_key("/metrics", self._metrics),
                self._with_key("/v1/pool", self._pool),
                *(self._with_key(path, self._create_secret, "POST") for path in _SECRETS),
                *(
                    self._with_key(f"/v1/realtime/calls/{{call_id}}/{verb}", _no_call, "POST")
                    for verb in _CALL_VERBS
                ),
                *(self._with_key(path, self._create_old_secret, "POST") for path in _OLD_SECRETS if beta),
                WebSocketRoute("/v1/realtime", self._session),
                WebSocketRoute("/v1/realtime/translations", self._session),
            ],
            exception_handlers=rest.HANDLERS,
        )

    async def close(self) -> None:
        """Close every session, as a server does that goes away."""
        self.admission.draining = True
        going = self.admission.live
        for live in going:
            live.close(1001, "server shutting down")
        with suppress(TimeoutError):
            async with asyncio.timeout(GOODBYE_S):
                await asyncio.gather(*(live.closed.wait() for live in going))

    # --- HTTP ---------------------------------------------------------------------------------------------

    async def _health(self, _request: Request) -> Response:
        return JSONResponse({"status": "ok", "sessions": len(self.admission)})

    async def _ready(self, _request: Request) -> Response:
        refusal = self.admission.refusal()
        if refusal is None:
            return JSONResponse({"status": "ready"})
        return JSONResponse({"status": refusal.reason}, 503, {"Retry-After": str(RETRY_AFTER_S)})

    def _with_key(self, path: str, answer: Callable[[Request], Awaitable[Response]], method: str = "GET") -> Route:
        """A route for those who show a key."""

        async def checked(request: Request) -> Response:
            self._keys.check(request, shown_key(request))
            return await answer(request)

        return Route(path, checked, methods=[method])

    async def _metrics(self, _request: Request) -> Response:
        return Response(self.metrics.text(), media_type=MEDIA_TYPE)

    async def _pool(self, _request: Request) -> Response:
        return JSONResponse(self.admission.pool())

    async def _create_secret(self, request: Request) -> Response:
        secret, session = self._secret(await rest.body_of(request), "translations" in request.url.path)
        answer = {"value": secret.value, "expires_at": secret.expires_at, "session": session}
        return JSONResponse(answer, headers={SECRET_HEADER: secret.value})  # so a balancer can know whose it is

    async def _create_old_secret(self, request: Request) -> Response:
        """The beta's: the session with the key in it."""
        try:
            raw = json_object(await rest.body_of(request))
            asked = dialect.secret_request(raw, transcription="transcription" in request.url.path)
            temperature = dialect.temperature({"type": "session.update", "session": raw})
            secret, session = self._secret(json.dumps(asked).encode(), False)
        except Rejected as rejected:
            raise dialect.in_old_words(rejected) from None
        told = dialect.session_to_client(session)
        if session["type"] == "realtime":
            told["temperature"] = temperature or dialect.DEFAULT_TEMPERATURE
        answer = {**told, "client_secret": {"value": secret.value, "expires_at": secret.expires_at}}
        return JSONResponse(answer, headers={SECRET_HEADER: secret.value})

    def _secret(self, body: bytes, translation: bool) -> tuple[Secret, dict[str, Any]]:
        """A client secret and the session that it would open, as far as its first event.

        Raises:
            Rejected: The configuration is wrong, or too many secrets are there.
        """
        asked = read_request(body, translation=translation)
        model = model_of(asked.preset) or (None if translation else catalog.DEFAULT_MODEL)
        created = self._machine(asked.preset, translation, model, expires_at=0)[0].start()[0].event
        session: dict[str, Any] = json.loads(wire.encode(created))["session"]
        return self._secrets.add(asked), session

    # --- sessions -----------------------------------------------------------------------------------------

    async def _session(self, socket: WebSocket) -> None:
        refusal = self.admission.refusal()
        if refusal is not None:
            await self._turn_away(socket, refusal)
            return
        staged = self._stage.open(socket.query_params.get("chaos"), allowed=not self._keys)
        if staged.refusal is not None:
            await socket.send_denial_response(rest.on_purpose(staged.refusal))
            return
        translation = "translations" in socket.url.path
        with self.admission.visit("translation" if translation else "realtime") as visit:
            # Measured: the upgrade is always 101; key and model are judged after it.
            await accept(socket)
            try:
                staged.check()
                preset = self._let_in(socket, translation)
                if "call_id" in socket.query_params:
                    raise Rejected("call_id_not_found", NO_CALL, "")
                expires_at = int(staged.clock.time() + self._limits.session_s)
                asked = socket.query_params.get("model")
                transcribes = socket.query_params.get("intent") == "transcription"
                machine, visit.kind, visit.model = self._machine(
                    preset, translation, asked, expires_at=expires_at, transcribes=transcribes, ids=staged.new_id
                )
                around = staged.around(machine)
                if self._beta and isinstance(machine, Dialogue) and speaks_beta(socket):
                    around = Beta(around, staged.new_id, machine.conversation_id)
                live = visit.live = Live(
                    socket, around, self._engines, self._limits, staged.clock, self.metrics.took
                )
            except Rejected as rejected:
                self.metrics.refused(rejected.code or "no_key")
                self._journal.write("refused", kind=visit.kind, reason=rejected.code or "no_key")
                await refuse(socket, rejected)
                return
            await self._serve(visit, live)

    async def _turn_away(self, socket: WebSocket, refusal: Refusal) -> None:
        """HTTP 503, before the upgrade: a balancer can try the next server, which it cannot after it."""
        self.metrics.refused(refusal.reason)
        self._journal.write("refused", reason=refusal.reason)
        await socket.send_denial_response(rest.unavailable(refusal))

    def _let_in(self, socket: WebSocket, translation: bool) -> Preset | None:
        """Look at the key; what the session starts with, where it is a client secret.

        Raises:
            Rejected: It is missing, wrong or expired, or the client speaks the API's withdrawn beta.
        """
        if asks_for_beta(socket) and (translation or not self._beta):
            message = "The Realtime Beta API is no longer supported."
            message += " Please use the GA API, without the OpenAI-Beta header."
            raise Rejected("beta_api_shape_disabled", message)
        shown = shown_key(socket)
        secret = self._secrets.find(shown) if shown.startswith(PREFIX) else None
        if secret is None:
            if shown.startswith(PREFIX) and not self._keys:  # not any key: its session would lack its configuration
                raise wrong_key(shown)
            self._keys.check(socket, shown)
            return None
        if isinstance(secret.preset, TranslationUpdate) is not translation:
            where = "/v1/realtime/translations" if not translation else "/v1/realtime"
            raise Rejected("invalid_api_key", f"This client secret is for {where}.")
        return secret.preset

    def _machine(
        self,
        preset: Preset | None,
        translation: bool,
        asked: str | None,
        *,
        expires_at: int,
        transcribes: bool = False,
        ids: Callable[[str], str] = new_id,
    ) -> tuple[Machine, str, str]:
        """The session's machine, its kind and its model.

        Raises:
            Rejected: There is no such model, or the session cannot start with this preset.
        """
        asked = (model_of(preset) if preset else "") or asked
        if translation:
            assert not isinstance(preset, SessionUpdate)
            model = check_translation_model(asked)
            made = Translation(model=model, new_id=ids, expires_at=expires_at, preset=preset)
            return made, "translation", model
        assert not isinstance(preset, TranslationUpdate)
        if preset is not None:
            transcribes = preset.session.type == "transcription"
        kind: Kind = "transcription" if transcribes else "realtime"
        model = "" if transcribes else check_model(asked)
        dialogue = Dialogue(
            model=model,
            new_id=ids,
            expires_at=expires_at,
            kind=kind,
            preset=preset,
            no_mcp=self._no_mcp,
            listens=hasattr(self._engines.stt, "listen") and self._stage.scenario is None,
        )
        return dialogue, kind, model

    async def _serve(self, visit: Visit, live: Live) -> None:
        def tell(event: str, code: str | None) -> None:
            self._journal.write(
                event, session=live.tally.session_id, kind=visit.kind, model=visit.model or None, code=code
            )

        self.metrics.began(visit.kind)
        live.tally.tell = tell
        try:
            await live.run()
        except Exception:  # a mistake of ours, of which uvicorn says nothing here
            LOG.exception("a session could not go on")
        finally:
            visit.live = None
            tally, age = live.tally, self.admission.age(visit)
            self.metrics.ended(tally, live.ended, age)
            self._journal.write(
                "session_ended",
                session=tally.session_id,
                kind=visit.kind,
                model=visit.model or None,
                seconds=age,
                close=live.ended.code,
                reason=live.ended.reason or None,
                events_in=tally.events_in,
                events_out=tally.events_out,
                audio_in_s=tally.audio_in_s,
                audio_out_s=tally.audio_out_s,
                responses=sum(tally.responses.values()),
                failed=tally.responses["failed"] or None,
                errors=sum(tally.errors.values()) or None,
            )


async def _no_call(_request: Request) -> Response:
    """There are no calls here: neither WebRTC nor SIP is served (the sentence is recorded).

    Raises:
        Rejected: Always.
    """
    raise Rejected("call_id_not_found", NO_CALL, "")


async def accept(socket: WebSocket) -> None:
    """Upgrade; a browser offers its key as a subprotocol beside `realtime`, and gets that one back."""
    offered = socket.scope.get("subprotocols", [])
    await socket.accept(subprotocol="realtime" if "realtime" in offered else None)


def asks_for_beta(socket: WebSocket) -> bool:
    """Does the client say in its header that it speaks the API's withdrawn beta?"""
    return socket.headers.get("openai-beta", "").startswith("realtime=")


def speaks_beta(socket: WebSocket) -> bool:
    """Does it say so there, or (a browser) in its subprotocols?"""
    return asks_for_beta(socket) or _BETA_PROTOCOL in socket.scope.get("subprotocols", [])


async def refuse(socket: WebSocket, rejected: Rejected) -> None:
    """An `error` event and a close, as the service does it."""
    about_key = rejected.code in (None, "invalid_api_key", "token_expired")
    suffix = f".{rejected.code}" if rejected.code else ""
    with suppress(WebSocketDisconnect):  # it has gone already
        await socket.send_text(wire.encode(ErrorEvent(event_id=new_id("event"), error=rejected.detail())))
        await socket.close(3000 if about_key else 4000, f"{rejected.kind}{suffix}")
