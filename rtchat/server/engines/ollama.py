"""Ollama on this machine: where it is, and whether it runs.

Asked over a bare socket, so that a start without it costs a refused connection and no library is loaded.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
from urllib.parse import urlsplit

PORT = 11434
LOOK_S = 0.15
"""Longest look for it where somebody waits."""
PATIENT_LOOK_S = 2.0
"""Longest look for it where nobody does."""


def address() -> str:
    """Its base, from `OLLAMA_HOST` as Ollama reads it: `http://host:port`; `0.0.0.0` is reached at 127.0.0.1."""
    said = os.environ.get("OLLAMA_HOST", "").strip().strip("\"'")
    scheme, _, rest = said.rpartition("://")
    usual = {"http": 80, "https": 443}.get(scheme, PORT)
    parts = urlsplit(f"//[{rest}]" if rest.count(":") > 1 and "[" not in rest else f"//{rest}")  # ::1 is an address
    try:
        port = parts.port or usual
    except ValueError:
        port = usual
    host = parts.hostname or "127.0.0.1"
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"{scheme or 'http'}://{f'[{host}]' if ':' in host else host}:{port}{parts.path.rstrip('/')}"


async def models(within_s: float = LOOK_S) -> list[str]:
    """The names of its models; none when it does not run or does not answer within that time."""
    where = urlsplit(address())
    if where.scheme != "http":
        return []
    try:
        async with asyncio.timeout(within_s):
            reader, writer = await asyncio.open_connection(where.hostname, where.port)
            try:
                writer.write(f"GET {where.path}/api/tags HTTP/1.0\r\nHost: {where.netloc}\r\n\r\n".encode())
                head, _, body = (await reader.read(-1)).partition(b"\r\n\r\n")
            finally:
                writer.close()
                with contextlib.suppress(OSError):
                    await writer.wait_closed()
        if b" 200 " not in head[:20]:
            return []
        return [str(model["name"]).removesuffix(":latest") for model in json.loads(body)["models"]]
    except (OSError, TimeoutError, ValueError, KeyError, TypeError):
        return []


def offer(names: list[str]) -> str:
    """The line that tells of it; empty when there is nothing to offer."""
    if not names:
        return ""
    chosen = next((name for name in names if "embed" not in name), names[0])
    listed = ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
    return f"Ollama is running here with {listed}: use it with --llm ollama --llm-model {chosen}"
