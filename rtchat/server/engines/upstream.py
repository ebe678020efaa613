"""A server that speaks OpenAI's HTTP shapes (Ollama, llama.cpp, LM Studio, vLLM, speaches, …), as engines reach it.

Addresses, keys, and the sentences for all that can go wrong between here and there. How long an answer may take is
not decided here: a session waits for every engine in the same way (`rtchat.server.engine_timeouts`).
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Any, Literal
from urllib.parse import urlsplit

import httpx

from rtchat.errors import EngineError, UsageError
from rtchat.loopback import is_loopback
from rtchat.server.engines.http_window import Overflow, overflow

Kind = Literal["llm", "stt", "tts"]

CONNECT_S = 5.0
"""Longest wait for a connection."""
MODELS_S = 5.0
"""Longest wait for the list of models."""
MOST_OF_A_REFUSAL = 64 * 1024
"""Bytes that are read of what a refusal says."""
MOST_OF_A_LINE = 1024 * 1024
"""Bytes of one line of a stream; more without an end is no event."""
_TASKS = {"stt": "automatic-speech-recognition", "tts": "text-to-speech"}  # as speaches names them
_SHOWN = 300  # characters of a refusal in the sentence
_MAY_BE_TOO_MUCH = (400, 413, 422, 500)  # what servers answer to a conversation that is more than their window
_LARGER = "Shorten the instructions, or start that server with a larger context."


class RefusedError(EngineError):
    """The server answered with another status than 200.

    Args:
        status: Which.
        message: What it says.
        hint: What to do next.
        overflow: What was asked is more than the model takes.
    """

    def __init__(self, status: int, message: str, *, hint: str, overflow: Overflow | None = None) -> None:
        super().__init__(message, hint=hint)
        self.status = status
        self.overflow = overflow


class Upstream:
    """One such server, for one engine. It keeps its connections until `close`.

    Args:
        url: Its base, `http://127.0.0.1:11434/v1`; without a path, `/v1` is meant.
        kind: What it is for; names the flags and the environment's key in hints.
        model: The model's name; "" asks the server.
        key: Sent as a bearer token.
        any_model: With no model named, take the first of several.

    Raises:
        UsageError: The URL is not one.
    """

    def __init__(
        self, url: str, *, kind: Kind, model: str = "", key: str | None = None, any_model: bool = False
    ) -> None:
        self.kind = kind
        self.url = checked(url, kind)
        self._model = self._named = model
        self._key = key
        self._any_model = any_model
        self._list: dict[str, Mapping[str, Any]] | None = None
        self._client: httpx.AsyncClient | None = None

    @property
    def label(self) -> str:
        """What it is called in sentences."""
        return f"{self._model} at {self.url}" if self._model else self.url

    async def close(self) -> None:
        """Close its connections."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    async def check(self) -> str | None:
        """What does not work now, in one sentence; None when it answers and has the model."""
        try:
            names = await self.models()
        except EngineError as error:
            return str(error)
        except _NoList:
            return None
        if self._model and names and not any(same_model(self._model, name) for name in names):
            return f"{self.url} does not list the model {self._model}: it has {_listed(names)}."
        try:
            await self.model()
        except EngineError as error:
            return str(error)
        return None

    async def models(self) -> list[str]:
        """The names of its models; of a server that tells what each is for, of those for this.

        Raises:
            EngineError: Nothing answers, or it refuses.
            _NoList: It answers, but has no such list.
        """
        try:
            async with asyncio.timeout(MODELS_S):
                response = await self._http().get(f"{self.url}/models")
        except TimeoutError:
            raise EngineError(
                f"{self.url} gave no list of its models in {MODELS_S:g} s.", hint="Is it still starting?"
            ) from None
        except httpx.HTTPError as error:
            raise self._broken(error) from error
        if response.status_code in (401, 403, 503):
            raise await self._refusal(response)
        try:
            listed = response.json()["data"] or ()  # Ollama without a model says null
            self._list = {str(model["id"]): model for model in listed}
        except (ValueError, KeyError, TypeError):
            self._list = {}
            raise _NoList from None
        task = _TASKS.get(self.kind)
        return [name for name, model in self._list.items() if model.get("task") == task] or list(self._list)

    async def about(self) -> Mapping[str, Any]:
        """What the list says of the model, on some servers more than its id; empty when it says nothing.

        Raises:
            EngineError: There are several models, or none.
        """
        model = await self.model()
        if self._list is None:
            with suppress(EngineError, _NoList):
                await self.models()
        return (self._list or {}).get(model, {})

    async def model(self) -> str:
        """The model to ask for: the one that was named, or else the only one there is.

        Raises:
            EngineError: There are several, or none.
        """
        if self._model:
            return self._model
        try:
            names = await self.models()
        except _NoList:
            return "default"  # a server of one model, which does not look at the name
        chosen = [name for name in names if "embed" not in name] or names
        if len(chosen) == 1 or (chosen and self._any_model):
            self._model = chosen[0]
            return self._model
        if not names:
            raise EngineError(f"{self.url} has no model.", hint="Load one there, or `ollama pull llama3.2`.")
        raise EngineError(
            f"{self.url} has several models: {_listed(names)}.", hint=f"Choose one with --{self.kind}-model."
        )

    @asynccontextmanager
    async def post(self, path: str, **content: Any) -> AsyncIterator[httpx.Response]:
        """Post, and read the answer as it comes. Leaving before its end cuts the connection.

        Args:
            path: Behind the base, `/chat/completions`.
            content: `json`, or `data` and `files`, as httpx takes them.

        Raises:
            EngineError: Nothing answers, it refuses, or the connection breaks.
        """
        try:
            async with AsyncExitStack() as stack:
                response = await self._asked(stack, path, content)
                if response.status_code != 200:
                    raise await self._refusal(response)
                if "html" in response.headers.get("content-type", ""):
                    raise EngineError(
                        f"{self.url}{path} answered with a web page.",
                        hint=f"Check --{self.kind}: most servers want an address that ends in /v1.",
                    )
                yield response
        except httpx.HTTPError as error:
            raise self._broken(error) from error

    def nonsense(self, what: str) -> EngineError:
        """An answer that is not what was asked for.

        Args:
            what: What it did, as the rest of a sentence: "sent a line that is not JSON".
        """
        return EngineError(
            f"{self.label} {what}.",
            hint=f"Does --{self.kind} name a server of OpenAI's shape, and a fitting model?",
        )

    def failed(self, said: str) -> EngineError:
        """An answer that tells of a failure in its stream.

        Args:
            said: What it tells.
        """
        if too_much := overflow(said):
            return RefusedError(200, f"{self.label} failed: {said.rstrip('.')}.", hint=_LARGER, overflow=too_much)
        return self.nonsense(f"failed: {said.rstrip('.')}")

    # --- inside -------------------------------------------------------------------------------------------

    async def _asked(self, stack: AsyncExitStack, path: str, content: Mapping[str, Any]) -> httpx.Response:
        """The beginning of an answer. A connection that breaks before that is tried again, once.

        llama.cpp promises to keep a connection and closes it behind every stream, and any server closes one that
        was idle for a while: that may be at the moment in which it is used again.
        """
        try:
            return await stack.enter_async_context(self._http().stream("POST", f"{self.url}{path}", **content))
        except (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError):
            return await stack.enter_async_context(self._http().stream("POST", f"{self.url}{path}", **content))

    def _http(self) -> httpx.AsyncClient:
        if self._client is None:
            self._client = httpx.AsyncClient(
                verify=self.url.startswith("https:"),  # reading the certificates stops everything for a while
                headers={"Authorization": f"Bearer {self._key}"} if self._key else {},
                timeout=httpx.Timeout(None, connect=CONNECT_S),
                limits=httpx.Limits(max_connections=None, max_keepalive_connections=20),
                trust_env=not is_loopback(urlsplit(self.url).hostname or ""),  # no proxy to this machine
            )
        return self._client

    def _broken(self, error: httpx.HTTPError) -> EngineError:
        if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout):
            _, numbered, reason = str(error).partition("] ")  # "[Errno -2] Name or service not known"
            why = f" ({reason})" if numbered else ""
            return EngineError(
                f"Nothing answers at {self.url}{why}.", hint=f"Start that server, or correct --{self.kind}."
            )
        return EngineError(
            f"The connection to {self.label} broke ({type(error).__name__}).", hint="Look at that server's log."
        )

    async def _refusal(self, response: httpx.Response) -> RefusedError:
        body = b""
        if response.is_closed:  # read already
            body = response.content
        else:
            async for chunk in response.aiter_bytes():
                body += chunk
                if len(body) > MOST_OF_A_REFUSAL:
                    break
        status = response.status_code
        said = self._without_key(refusal_text(body))
        message = f"{self.url} answered {status}" + (f": {said.rstrip('.')}." if said else ".")
        if status in (401, 403):
            return RefusedError(status, message, hint=f"Put its key into RTCHAT_{self.kind.upper()}_API_KEY.")
        if status in _MAY_BE_TOO_MUCH and (too_much := overflow(said)):
            return RefusedError(status, message, hint=_LARGER, overflow=too_much)
        if status in (400, 404) and "model" in said.lower():
            self._model = self._named  # it may have another one by now
            try:
                return RefusedError(status, message, hint=f"It has {_listed(await self.models())}.")
            except (EngineError, _NoList):
                pass
        if status == 404:
            return RefusedError(status, message, hint=f"Check --{self.kind}: most addresses end in /v1.")
        if status == 429:
            return RefusedError(status, message, hint="It is busy: wait a moment.")
        if status == 503:
            return RefusedError(status, message, hint="It is still starting, or busy: wait a moment.")
        return RefusedError(status, message, hint="Look at that server's log.")

    def _without_key(self, text: str) -> str:
        return text.replace(self._key, "…") if self._key else text


class _NoList(Exception):
    """The server answers, but not with a list of models."""


async def lines(response: httpx.Response) -> AsyncGenerator[str]:
    """The lines of an answer, as they come.

    Raises:
        ValueError: A line has no end.
    """
    rest = b""
    async for chunk in response.aiter_bytes():
        *whole, rest = (rest + chunk).split(b"\n")
        for line in whole:
            yield line.decode(errors="replace").rstrip("\r")
        if len(rest) > MOST_OF_A_LINE:
            raise ValueError("a line without an end")
    if rest:
        yield rest.decode(errors="replace").rstrip("\r")


def checked(url: str, kind: Kind) -> str:
    """The base URL, without a slash at its end.

    Raises:
        UsageError: It is none.
    """
    example = f"For example --{kind} http://127.0.0.1:11434/v1."
    try:
        parts = urlsplit(url)
        _ = parts.port  # raises for a port that is no number
    except ValueError as error:
        raise UsageError(f"--{kind} {url!r} is not a URL: {error}.", hint=example) from None
    if parts.username or parts.password:
        raise UsageError(
            f"--{kind} holds a name or a password.", hint=f"Put the key into RTCHAT_{kind.upper()}_API_KEY."
        )
    if parts.scheme not in ("http", "https") or not parts.hostname or any(c.isspace() for c in url):
        raise UsageError(f"--{kind} {url!r} is not an HTTP URL.", hint=example)
    if parts.query or parts.fragment:
        raise UsageError(f"--{kind} {url!r} must end with its path.", hint=example)
    return f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/') or '/v1'}"


def refusal_text(body: bytes) -> str:
    """What a refusal says, in one line: `error.message`, `error`, `detail`, `message`, or the text itself."""
    text = body.decode(errors="replace")
    try:
        said = json.loads(text)
    except ValueError:
        return "" if "<html" in text.lower() else _short(text)
    while isinstance(said, dict):  # {"error": {"message": …}}, and that inside "detail"
        found = next((said[key] for key in ("error", "detail", "message") if said.get(key)), None)
        if found is None:
            break
        said = found
    return _short(said if isinstance(said, str) else json.dumps(said, ensure_ascii=False))


def same_model(asked: str, listed: str) -> bool:
    """Whether a listed model is the one asked for; Ollama lists `llama3.2:latest` for `llama3.2`."""
    return asked == listed or f"{asked}:latest" == listed


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(names[:12])
    return f"{shown} and {len(names) - 12} more" if len(names) > 12 else shown or "no model"
