"""Two workers behind HAProxy, with the configuration that the documentation gives."""

from __future__ import annotations

import asyncio
import csv
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
        async with asyncio.timeout(60):
            while line := await self.process.stderr.readline():
                if line.startswith(b"{") and (found := json.loads(line))["event"] == event:
                    return found
        raise AssertionError(f"no {event}")


@dataclass
class Balancer:
    """HAProxy, and what it says of itself."""

    address: str
    statistics: int

    async def sees(self, name: str, *wanted: str) -> None:
        """Wait until a worker's state, and what its last check found, are these."""
        async with asyncio.timeout(60):
            while True:
                if await self._of(name) == wanted:
                    return
                await asyncio.sleep(0.01)

    async def ask(self, command: str) -> str:
        """What it answers to a command of its statistics socket."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.statistics)
        writer.write(f"{command}\n".encode())
        answer = (await reader.read()).decode()
        writer.close()
        return answer

    async def checks(self, *names: str, on: bool) -> None:
        """Have workers checked, or no more: then they stay as they are, however late they would answer."""
        for name in names:
            assert not (await self.ask(f"{'enable' if on else 'disable'} health workers/{name}")).strip()

    async def _of(self, name: str) -> tuple[str, ...]:
        rows = csv.DictReader((await self.ask("show stat")).removeprefix("# ").splitlines())
        (row,) = [row for row in rows if row["svname"] == name]
        return row["status"], row["check_status"], row["check_code"]


@asynccontextmanager
async def worker(sessions: int, port: int = 0):
    command = ["-m", "rtchat", "serve", "--port", str(port), "--max-sessions", str(sessions), "--log", "json"]
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
async def balanced(folder: Path, sessions: int, check: str | None = None, port: int = 0):
    """Two workers behind HAProxy. Unless told so it never asks how they are: it knows that from their 503 alone."""
    statistics = folder / "statistics.cfg"
    with socket.create_server(("127.0.0.1", 0)) as door, socket.create_server(("127.0.0.1", 0)) as told:
        statistics.write_text(f"global\n    stats socket fd@{told.fileno()} level admin\n")
        async with worker(sessions, port) as one, worker(sessions) as two:
            seen = {
                "RTCHAT_BIND": f"fd@{door.fileno()}",
                "RTCHAT_ONE": one.address,
                "RTCHAT_TWO": two.address,
                "RTCHAT_CHECK": check or "1h",
            }
            process = await asyncio.create_subprocess_exec(
                *("haproxy", "-db", "-f", CONFIGURATION, "-f", statistics),
                env={**os.environ, **seen},
                pass_fds=[door.fileno(), told.fileno()],
            )
            try:
                balancer = Balancer(f"127.0.0.1:{door.getsockname()[1]}", told.getsockname()[1])
                if check is None:
                    await balancer.checks("one", "two", on=False)
                yield balancer, one, two
            finally:
                process.kill()
                await process.wait()


async def session(address: str, **options):
    """A session past its first event."""
    client = await websockets.connect(f"ws://{address}{MODEL}", **options)
    return client, json.loads(await asyncio.wait_for(client.recv(), 60))


async def drained(worker: Worker, clients: list[websockets.ClientConnection]) -> None:
    """Those that were there go on; when they have left, so does the worker."""
    for client in clients:
        await client.send('{"type":"input_audio_buffer.clear"}')
        assert json.loads(await client.recv())["type"] == "input_audio_buffer.cleared"
        await client.close()
    assert (await worker.told("drained"))["sessions_closed"] == 0
    assert await asyncio.wait_for(worker.process.wait(), 60) == 0


async def test_sessions_are_spread_and_a_drained_worker_gets_no_new_ones(tmp_path):
    async with balanced(tmp_path, 10) as (balancer, one, two):
        clients = [(await session(balancer.address))[0] for _ in range(4)]
        assert (await one.live(), await two.live()) == (2, 2)

        one.process.send_signal(signal.SIGTERM)
        await one.told("draining")
        clients += [(await session(balancer.address))[0] for _ in range(3)]
        assert (await one.live(), await two.live()) == (2, 5)

        await drained(one, clients)
        client, created = await session(balancer.address)
        assert created["type"] == "session.created"
        await client.close()


async def test_the_check_takes_out_a_worker_that_drains_and_takes_its_successor_in(tmp_path, own_port):
    async with balanced(tmp_path, 10, "1s", own_port) as (balancer, one, two):
        for name in ("one", "two"):
            await balancer.sees(name, "UP", "L7OK", "200")
        await balancer.checks("one", "two", on=False)
        clients = [(await session(balancer.address))[0] for _ in range(2)]
        assert (await one.live(), await two.live()) == (1, 1)

        one.process.send_signal(signal.SIGTERM)
        await balancer.checks("one", on=True)
        await balancer.sees("one", "DOWN", "L7STS", "503")
        clients += [(await session(balancer.address))[0] for _ in range(3)]
        assert (await one.live(), await two.live()) == (1, 4)
        assert "rtchat_refused_total{" not in (await one.get("/metrics")).text  # nobody was sent there first

        await drained(one, clients)

        async with worker(10, own_port) as successor:
            await balancer.sees("one", "UP", "L7OK", "200")
            await balancer.checks("one", on=False)
            clients = [(await session(balancer.address))[0] for _ in range(2)]
            assert (await successor.live(), await two.live()) == (1, 1)
            for client in clients:
                await client.close()


async def test_a_full_worker_s_503_is_tried_again_on_the_other(tmp_path):
    async with balanced(tmp_path, 2) as (balancer, one, two):
        clients = [(await session(one.address))[0] for _ in range(2)]  # past the balancer, which knows of none
        clients += [(await session(balancer.address))[0] for _ in range(2)]
        assert (await one.live(), await two.live()) == (2, 2)
        assert 'rtchat_refused_total{reason="full"}' in (await one.get("/metrics")).text

        with pytest.raises(InvalidStatus) as refused:
            await session(balancer.address)
        answer = refused.value.response
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
        for client in clients:
            await client.close()


async def test_a_client_secret_leads_to_the_worker_that_knows_it(tmp_path):
    async with balanced(tmp_path, 10) as (balancer, *_):
        openai = AsyncOpenAI(api_key="any", base_url=f"http://{balancer.address}/v1", max_retries=0)
        async with openai:
            for number in range(4):
                asked = {"type": "realtime", "instructions": f"Be number {number}."}
                secret = (await openai.realtime.client_secrets.create(session=asked)).value
                for shown in (
                    {"additional_headers": {"Authorization": f"Bearer {secret}"}},
                    {"subprotocols": ["realtime", f"openai-insecure-api-key.{secret}"]},
                ):
                    client, created = await session(balancer.address, **shown)
                    assert created["type"] == "session.created", created
                    assert created["session"]["instructions"] == f"Be number {number}."
                    await client.close()
