"""Two workers behind HAProxy, with the configuration that the documentation gives."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sys
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
import websockets
from openai import AsyncOpenAI
from websockets.exceptions import InvalidStatus

pytestmark = pytest.mark.needs("haproxy")
CONFIGURATION = Path(__file__).parents[2] / "examples" / "haproxy.cfg"
MODEL = "/v1/realtime?model=gpt-realtime-2.1"


@dataclass
class Worker:
    """A process of `rtchat serve`."""

    process: asyncio.subprocess.Process
    address: str

    async def get(self, path: str) -> httpx.Response:
        async with httpx.AsyncClient() as http:
            return await http.get(f"http://{self.address}{path}")

    async def live(self) -> int:
        return (await self.get("/v1/pool")).json()["live"]

    async def told(self, event: str) -> dict:
        """The next line of its journal about that."""
        async with asyncio.timeout(20):
            while line := await self.process.stderr.readline():
                if line.startswith(b"{") and (found := json.loads(line))["event"] == event:
                    return found
        raise AssertionError(f"no {event}")


@asynccontextmanager
async def worker(sessions: int):
    command = ["-m", "rtchat", "serve", "--port", "0", "--max-sessions", str(sessions), "--log", "json"]
    process = await asyncio.create_subprocess_exec(sys.executable, *command, stderr=asyncio.subprocess.PIPE)
    try:
        async with asyncio.timeout(60):
            while not (line := (await process.stderr.readline()).decode()).startswith("Listening on"):
                assert line, "it did not start"
        yield Worker(process, line.split()[2].removeprefix("ws://").split("/")[0])
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


@asynccontextmanager
async def balanced(sessions: int):
    """Two workers, and where HAProxy listens. It never asks how they are: it knows that from their 503 alone."""
    with socket.create_server(("127.0.0.1", 0)) as door:
        async with worker(sessions) as one, worker(sessions) as two:
            seen = {
                "RTCHAT_BIND": f"fd@{door.fileno()}",
                "RTCHAT_ONE": one.address,
                "RTCHAT_TWO": two.address,
                "RTCHAT_CHECK": "1h",
            }
            process = await asyncio.create_subprocess_exec(
                "haproxy", "-db", "-f", CONFIGURATION, env={**os.environ, **seen}, pass_fds=[door.fileno()]
            )
            try:
                yield f"127.0.0.1:{door.getsockname()[1]}", one, two
            finally:
                process.kill()
                await process.wait()


async def session(address: str, **options):
    """A session past its first event."""
    client = await websockets.connect(f"ws://{address}{MODEL}", **options)
    return client, json.loads(await asyncio.wait_for(client.recv(), 20))


async def test_sessions_are_spread_and_a_drained_worker_gets_no_new_ones():
    async with balanced(10) as (address, one, two):
        clients = [(await session(address))[0] for _ in range(4)]
        assert (await one.live(), await two.live()) == (2, 2)

        one.process.send_signal(signal.SIGTERM)
        await one.told("draining")
        clients += [(await session(address))[0] for _ in range(3)]
        assert (await one.live(), await two.live()) == (2, 5)

        for client in clients:  # those that were there go on
            await client.send('{"type":"input_audio_buffer.clear"}')
            assert json.loads(await client.recv())["type"] == "input_audio_buffer.cleared"
            await client.close()
        assert (await one.told("drained"))["sessions_closed"] == 0
        assert await asyncio.wait_for(one.process.wait(), 20) == 0
        client, created = await session(address)
        assert created["type"] == "session.created"
        await client.close()


async def test_a_full_worker_s_503_is_tried_again_on_the_other():
    async with balanced(2) as (address, one, two):
        clients = [(await session(one.address))[0] for _ in range(2)]  # past the balancer, which knows of none
        clients += [(await session(address))[0] for _ in range(2)]
        assert (await one.live(), await two.live()) == (2, 2)
        assert 'rtchat_refused_total{reason="full"}' in (await one.get("/metrics")).text

        with pytest.raises(InvalidStatus) as refused:
            await session(address)
        answer = refused.value.response
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
        for client in clients:
            await client.close()


async def test_a_client_secret_leads_to_the_worker_that_knows_it():
    async with balanced(10) as (address, *_):
        openai = AsyncOpenAI(api_key="any", base_url=f"http://{address}/v1", max_retries=0)
        async with openai:
            for number in range(4):
                asked = {"type": "realtime", "instructions": f"Be number {number}."}
                secret = (await openai.realtime.client_secrets.create(session=asked)).value
                for shown in (
                    {"additional_headers": {"Authorization": f"Bearer {secret}"}},
                    {"subprotocols": ["realtime", f"openai-insecure-api-key.{secret}"]},
                ):
                    client, created = await session(address, **shown)
                    assert created["type"] == "session.created", created
                    assert created["session"]["instructions"] == f"Be number {number}."
                    await client.close()
