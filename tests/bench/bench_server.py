"""Figures of the embedded server, in a process of its own: python tests/bench/bench_server.py [sessions]

First audio is counted from reading `speech_stopped` (the detector's own silence is over) to reading the first
`response.output_audio.delta`: recognition, answer and first sound. "From the sound" counts from the moment in which
the silence's last chunk was sent, so the server's lateness in telling `speech_stopped` is in it, and up to 20 ms of
chunk. Clients are `server_load.py`'s, in another process.
"""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import soxr
import websockets
from server_load import CHUNK, TICK, append, connect, masked

SERVER = """
import asyncio, sys
from dataclasses import replace
from rtchat.server.engines import registry
from rtchat.server.engines.base import Transcript
from rtchat.server.run import embedded

class AtOnce:
    name = "at once"
    async def transcribe(self, pcm, rate, **how):
        return Transcript("what time is it")

async def main():
    engines = registry.build()
    if sys.argv[1] == "at once":
        engines = replace(engines, stt=AtOnce())
    async with embedded(engines=engines) as url:
        print(url, flush=True)
        await asyncio.to_thread(sys.stdin.read)
    await engines.close()

asyncio.run(main())
"""
ECHO = """
import asyncio, sys, websockets
async def echo(socket):
    async for frame in socket:
        await socket.send(frame)
async def main():
    async with websockets.serve(echo, "127.0.0.1", 0, compression=None) as server:
        print("ws://127.0.0.1:%d" % server.sockets[0].getsockname()[1], flush=True)
        await asyncio.to_thread(sys.stdin.read)
asyncio.run(main())
"""
PATH = "/realtime?model=gpt-realtime-2.1"
LOAD = Path(__file__).with_name("server_load.py")
PERIOD_S = 10
EVENTS = 5000
CLEAR = '{"type":"input_audio_buffer.clear"}'


def question(seconds: float) -> bytes:
    """Someone asks what time it is, in a quiet room: 24 kHz PCM16."""
    flite = ["flite", "-voice", "slt", "-t", "What time is it?", "-o", "/dev/stdout"]
    wav = subprocess.check_output(flite, stderr=subprocess.DEVNULL)
    speech = soxr.resample(np.frombuffer(wav[44:], dtype="<i2"), int.from_bytes(wav[24:28], "little"), 24_000)
    sound = np.random.default_rng(0).integers(-8, 9, int(24_000 * seconds))
    sound[7200 : 7200 + len(speech)] += speech.astype(int)
    return sound.clip(-32768, 32767).astype("<i2").tobytes()


@contextmanager
def server(program: str, *arguments: str) -> Iterator[tuple[str, int]]:
    """A server's address and process id; it ends when its input does."""
    process = subprocess.Popen(
        [sys.executable, "-c", program, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
    )
    with process:
        assert process.stdout is not None
        yield process.stdout.readline().strip(), process.pid


def rss_mb(pid: int) -> float:
    """Resident memory of a process."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE") / 2**20


def shown(name: str, figure: str, aim: str = "") -> None:
    """A row of the table."""
    print(f"| {name} | {figure} | {aim} |", flush=True)


def spread(values: list[float]) -> str:
    values = sorted(values) or [float("nan")]
    p50, p95, p99 = (values[min(len(values) - 1, int(len(values) * part))] for part in (0.5, 0.95, 0.99))
    return f"p50 {p50:.0f}, p95 {p95:.0f}, p99 {p99:.0f}, max {values[-1]:.0f} ms"


def live(ears: str, sessions: int, seconds: float, period_s: float = PERIOD_S) -> dict[str, Any]:
    """Sessions that ask every so many seconds, and when their answers began."""
    with server(SERVER, ears) as (url, _):
        asked = json.dumps({"sessions": sessions, "seconds": seconds})
        run = subprocess.run(
            [sys.executable, str(LOAD), url + PATH, asked],
            input=question(period_s),
            capture_output=True,
            check=True,
        )
    found: dict[str, Any] = json.loads(run.stdout)
    return found


def show_live(ears: str, sessions: int, seconds: float, aim: str) -> None:
    found = live(ears, sessions, seconds)
    heard = "recognised by pocketsphinx" if ears == "local" else "recognition at once"
    name = f"{sessions} live voice sessions, a question each {PERIOD_S} s, {heard}"
    answered = f"{len(found['from_event'])} answers, {found['failed']} failed"
    shown(f"{name}: first audio", f"{spread(found['from_event'])} ({answered})", aim)
    late = f"the load's own worst lateness {found['worst_lag']:.0f} ms"
    shown("the same from the sound", f"{spread(found['from_sound'])} ({late})")


async def idle_memory(count: int = 200) -> None:
    """Sessions that have sent some sound and now do nothing."""
    with server(SERVER, "at once") as (url, pid):
        first = await connect(url + PATH, lambda *_: None)
        first.transport.write(append(bytes(CHUNK * 10)))
        await asyncio.sleep(2)
        before = rss_mb(pid)
        clients = []
        for _ in range(count):
            clients.append(await connect(url + PATH, lambda *_: None))
            clients[-1].transport.write(append(bytes(CHUNK * 10)))
        await asyncio.sleep(3)
        shown("memory of an idle session", f"{(rss_mb(pid) - before) / count:.3f} MB", "under 1 MB")
        for client in [first, *clients]:
            client.transport.abort()


async def rate(url: str, skipped: int) -> float:
    """Frames a second, sent as fast as they are taken, one answer each."""
    async with websockets.connect(url, compression=None, max_queue=None) as socket:
        for _ in range(skipped):
            await socket.recv()
        began = time.perf_counter()

        async def send() -> None:
            for _ in range(EVENTS):
                await socket.send(CLEAR)

        sending = asyncio.create_task(send())
        for _ in range(EVENTS):
            await socket.recv()
        await sending
        return EVENTS / (time.perf_counter() - began)


async def events() -> None:
    with server(SERVER, "at once") as (url, _):
        ours = await rate(url + PATH, 1)
    with server(ECHO) as (url, _):
        echo = await rate(url, 0)
    shown("events a second through one text session", f"{ours:.0f} (raw websockets echo: {echo:.0f})", "reported")


async def barge_in(times: int = 10) -> None:
    """From reading `speech_started` to the last sound of the answer that it interrupts."""
    story = {"role": "user", "type": "message", "content": [{"type": "input_text", "text": "tell me a long story"}]}
    sound = question(2)
    found: list[float] = []
    with server(SERVER, "at once") as (url, _):
        for _ in range(times):
            state = {"started": 0.0, "last": 0.0}
            playing, done = asyncio.Event(), asyncio.Event()

            def heard(_client: Any, kind: bytes, *rest: Any, state: Any = state, on: Any = (playing, done)) -> None:
                now = rest[-1]
                if kind == b"input_audio_buffer.speech_started":
                    state["started"] = now
                elif kind == b"response.output_audio.delta":
                    state["last"] = now
                    on[0].set()
                elif kind == b"response.done":
                    on[1].set()

            client = await connect(url + PATH, heard)
            client.transport.write(masked(json.dumps({"type": "conversation.item.create", "item": story})))
            client.transport.write(masked('{"type":"response.create"}'))
            await playing.wait()
            for at in range(0, len(sound), CHUNK):
                client.transport.write(append(sound[at : at + CHUNK]))
                await asyncio.sleep(TICK)
                if done.is_set():
                    break
            if state["started"]:
                found.append(max(0.0, state["last"] - state["started"]) * 1000)
            client.transport.abort()
    shown("a barge-in: last audio after speech_started", f"{spread(found)} ({len(found)} of {times})", "40 ms")


async def opened_and_closed(count: int = 10_000, at_once: int = 20) -> None:
    """Memory after many sessions."""
    with server(SERVER, "at once") as (url, pid):

        async def some(number: int) -> None:
            for _ in range(number):
                client = await connect(url + PATH, lambda *_: None)
                client.transport.write(append(bytes(CHUNK)))
                client.transport.write(b"\x88\x82\0\0\0\0\x03\xe8")  # close 1000
                await client.closed

        async def many(number: int) -> float:
            await asyncio.gather(*(some(number // at_once) for _ in range(at_once)))
            await asyncio.sleep(1)
            return rss_mb(pid)

        began = time.perf_counter()
        early, late = await many(1000), await many(count - 1000)
        per_second = count / (time.perf_counter() - began)
        figure = f"{early:.0f} MB after 1,000, {late:.0f} MB after {count:,} ({per_second:.0f} sessions a second)"
        shown(f"{count:,} sessions opened and closed", figure, "flat")


def main() -> None:
    """Print the table."""
    sessions = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    print(f"{os.cpu_count()} cores, the load among them\n\n| figure | measured | aim |\n|---|---|---|")
    one = live("local", 1, 60, 5)["from_event"]
    median = statistics.median(one[1:]) if len(one) > 1 else float("nan")
    shown("end of speech to first audio, one session", f"median {median:.0f} ms of {len(one) - 1} turns", "60 ms")
    show_live("at once", sessions, 45, "100 sessions, p99 150 ms")
    show_live("local", 10, 30, "")
    asyncio.run(idle_memory())
    asyncio.run(events())
    asyncio.run(barge_in())
    asyncio.run(opened_and_closed())


if __name__ == "__main__":
    main()
