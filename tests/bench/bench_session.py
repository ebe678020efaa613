"""Figures of a whole session: python tests/bench/bench_session.py [barge-ins]

The real session with real PortAudio on a private PulseAudio, against a server in a process of its own which plays a
tone at it, interrupts it, and notes when each frame left and came. Both processes, and what reads the loudspeaker's
monitor, read one clock (CLOCK_MONOTONIC, which all processes of a machine share). Silence at the monitor is an
upper bound: it counts from the moment that `speech_started` left the server to the delivery of the last sound.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import deque
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from private_pulse import PrivatePulse

from rtchat.audio.sound import Sound
from rtchat.conversation.microphone_gate import LOOK_BACK_MS
from rtchat.conversation.notices import Interruption, StateChanged
from rtchat.conversation.signals import Captured
from rtchat.link import dialers
from rtchat.modes import Mode
from rtchat.plan import make_plan
from rtchat.session import Session
from rtchat.settings import Settings

RATE = 24_000
LOUD = 0.15 * 32767  # half of the tone's amplitude
WINDOW = RATE // 1000  # samples of a millisecond
DELTA_SECONDS = 0.1


def tone(seconds: float) -> bytes:
    wave = 0.3 * 32767 * np.sin(2 * np.pi * 1000 * np.arange(int(RATE * seconds)) / RATE)
    return wave.astype("<i2").tobytes()


# --- the server, in a process of its own ------------------------------------------------------------------


class Server:
    """Speaks, interrupts and notes; prints what it noted when it is done."""

    def __init__(self, times: int) -> None:
        self.times = times
        self.arrivals: list[tuple[float, int]] = []  # of appends: when, bytes of sound
        self.departures: list[float] = []  # of deltas
        self.starts: list[float] = []  # of speech_started
        self.truncates: list[dict[str, object]] = []
        self.truncated = asyncio.Event()

    async def handle(self, socket) -> None:
        session = {"type": "realtime", "id": "sess_1", "model": "bench"}
        await self.say(socket, type="session.created", session=session)
        reading = asyncio.create_task(self.read(socket))
        await self.say(socket, type="session.updated", session=session)
        rng = random.Random(1)
        for n in range(self.times):
            await asyncio.sleep(0.5)
            await self.turn(socket, n, rng.uniform(0.8, 1.4))
        print(json.dumps([self.arrivals, self.departures, self.starts, self.truncates]), flush=True)
        reading.cancel()
        await socket.close()

    async def read(self, socket) -> None:
        async for frame in socket:
            now = time.monotonic()
            event = json.loads(frame)
            if event["type"] == "input_audio_buffer.append":
                self.arrivals.append((now, len(base64.b64decode(event["audio"]))))
            elif event["type"] == "conversation.item.truncate":
                self.truncates.append({"item_id": event["item_id"], "ms": event["audio_end_ms"]})
                self.truncated.set()

    async def say(self, socket, **event: object) -> None:
        await socket.send(json.dumps({"event_id": "event_x", **event}))

    async def turn(self, socket, n: int, seconds: float) -> None:
        """An answer that is interrupted after so many seconds: twice as fast as it plays, in pieces of 100 ms."""
        item, response = f"item_{n}", {"id": f"resp_{n}", "status": "in_progress", "output": []}
        message = {"id": item, "type": "message", "role": "assistant", "status": "in_progress", "content": []}
        where = {"response_id": response["id"], "item_id": item, "output_index": 0, "content_index": 0}
        await self.say(socket, type="response.created", response=response)
        await self.say(
            socket, type="response.output_item.added", response_id=response["id"], output_index=0, item=message
        )
        part = {"type": "audio", "transcript": ""}
        await self.say(socket, type="response.content_part.added", **where, part=part)
        sound = base64.b64encode(tone(DELTA_SECONDS)).decode()
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.departures.append(time.monotonic())
            await self.say(socket, type="response.output_audio.delta", **where, delta=sound)
            await asyncio.sleep(DELTA_SECONDS / 2)
        self.starts.append(time.monotonic())
        user = f"user_{n}"
        await self.say(socket, type="input_audio_buffer.speech_started", item_id=user, audio_start_ms=n * 2000)
        cancelled = {**response, "status": "cancelled"}
        cancelled["status_details"] = {"type": "cancelled", "reason": "turn_detected"}
        await self.say(socket, type="response.done", response=cancelled)
        async with asyncio.timeout(10):
            await self.truncated.wait()
        self.truncated.clear()
        await self.say(
            socket, type="conversation.item.truncated", item_id=item, content_index=0,
            audio_end_ms=self.truncates[-1]["ms"],
        )  # fmt: skip
        await asyncio.sleep(0.3)
        await self.say(socket, type="input_audio_buffer.speech_stopped", item_id=user, audio_end_ms=n * 2000 + 300)
        await self.say(socket, type="input_audio_buffer.committed", item_id=user, previous_item_id=item)


async def run_server(times: int) -> None:
    from websockets.asyncio.server import serve

    server, done = Server(times), asyncio.Event()

    async def handle(socket) -> None:
        await server.handle(socket)
        done.set()

    async with serve(handle, "127.0.0.1", 0, compression=None) as listening:
        print(listening.sockets[0].getsockname()[1], flush=True)
        await done.wait()


# --- the session ------------------------------------------------------------------------------------------


class TimedSound(Sound):
    """Notes when the callback ran that completed each chunk, and when each delta lay in the playback buffer."""

    def __init__(self, request, tap, display: Quiet) -> None:
        super().__init__(request, tap)
        self.display = display
        self.woken = 0.0
        self.complete: deque[float] = deque()  # when a chunk was, for each that is still to be handed out
        self.chunks: list[Chunk] = []
        self.played: list[float] = []
        self.sounding = False
        self.hear, self._microphone.hear = self._microphone.hear, self.timed_hear

    def _soon(self, work) -> None:
        super()._soon(partial(self.timed_work, work, time.monotonic()))

    def timed_work(self, work, woken: float) -> None:
        self.woken = woken
        work()

    def timed_hear(self, at: float, chunk: bytes):
        self.complete.append(self.woken)
        return self.hear(at, chunk)

    async def microphone(self):
        async for signal in super().microphone():
            if isinstance(signal, Captured):
                complete = self.complete.popleft()
                if not self.display.connecting:  # else nobody is there yet: it is not sent
                    self.chunks.append(Chunk(complete, len(signal.pcm), self.sounding))
            yield signal

    def play(self, item_id: str, content_index: int, pcm: bytes) -> None:
        super().play(item_id, content_index, pcm)
        self.played.append(time.monotonic())
        self.sounding = True

    def flush(self) -> float:
        self.sounding = False  # every answer here is interrupted
        return super().flush()


@dataclass(frozen=True)
class Chunk:
    """One of the microphone's.

    Attributes:
        complete: When the callback ran that completed it.
        size: Bytes.
        sounding: The assistant did, when the session got it.
    """

    complete: float
    size: int
    sounding: bool


class Quiet:
    """A display that keeps interruptions."""

    closed = False
    connecting = True

    def __init__(self) -> None:
        self.interruptions: list[Interruption] = []

    def show(self, t, notice) -> None:
        if isinstance(notice, StateChanged):
            self.connecting = notice.state == "connecting"
        if isinstance(notice, Interruption):
            self.interruptions.append(notice)

    def meter(self, microphone_dbfs, loudspeaker_dbfs, buffered_ms, underruns) -> None: ...
    def tell(self, text) -> None: ...
    def typing(self, text, cursor=0) -> None: ...
    def switches(self, talk, *, muted) -> None: ...
    def toggle_help(self) -> None: ...

    def __enter__(self):
        return self

    def __exit__(self, *_) -> None: ...


async def run_session(address: str) -> tuple[TimedSound, Quiet]:
    settings = Settings.load({"server": address, "echo": "off"})
    plan = make_plan(Mode.INTERACTIVE, settings, today=datetime.now().astimezone().date())
    display = Quiet()
    opened: list[TimedSound] = []

    def open_sound(request, tap) -> TimedSound:
        opened.append(TimedSound(request, tap, display))
        return opened[-1]

    await Session(plan, dialers.url(address), display, open_sound=open_sound).run()
    return opened[-1], display


class Monitor:
    """What the loudspeaker carries, on the clock: sample n was carried at `begin + n / RATE`."""

    def __init__(self) -> None:
        command = ["parec", "--raw", f"--rate={RATE}", "--channels=1", "--format=s16le", "--latency-msec=5"]
        self.process = subprocess.Popen([*command, "--device=speaker.monitor"], stdout=subprocess.PIPE)
        self.pieces: list[tuple[float, bytes]] = []
        self.running = threading.Event()
        self.thread = threading.Thread(target=self.read, daemon=True)
        self.thread.start()
        self.running.wait()

    def read(self) -> None:
        while piece := os.read(self.process.stdout.fileno(), 65536):
            self.pieces.append((time.monotonic(), piece))
            self.running.set()

    def stop(self) -> tuple[np.ndarray, np.ndarray]:
        """(loudest sample of each millisecond, time at which the millisecond had been delivered)."""
        self.process.terminate()
        self.process.wait()
        self.thread.join()
        samples = np.abs(np.frombuffer(b"".join(piece for _, piece in self.pieces), dtype="<i2").astype(int))
        loud = np.max(samples[: len(samples) // WINDOW * WINDOW].reshape(-1, WINDOW), axis=1)
        ends = np.cumsum([len(piece) // 2 for _, piece in self.pieces])
        delivered = np.array([when for when, _ in self.pieces])
        return loud, delivered[
            np.minimum(np.searchsorted(ends, (np.arange(len(loud)) + 1) * WINDOW), len(ends) - 1)
        ]


def segments(loud: np.ndarray) -> list[tuple[int, int, int]]:
    """Of each answer at the monitor: first millisecond with sound, last one, milliseconds of full tone."""
    sounding = np.nonzero(loud > 16)[0]
    breaks = np.nonzero(np.diff(sounding) > 150)[0]
    firsts, lasts = np.append(0, breaks + 1), np.append(breaks, len(sounding) - 1)
    found = [(int(sounding[a]), int(sounding[b])) for a, b in zip(firsts, lasts, strict=True)]
    return [(a, b, int(np.sum(loud[a : b + 1] > LOUD))) for a, b in found]


# --- the figures ------------------------------------------------------------------------------------------

Row = tuple[str, str, str]


def percentiles(values: list[float], *which: int) -> str:
    return "  ".join(f"p{p} {np.percentile(values, p):6.1f}" for p in which) + f"  n={len(values)}"


def barge_ins(times: int) -> list[Row]:
    server = subprocess.Popen([sys.executable, __file__, "--server", str(times)], stdout=subprocess.PIPE, text=True)
    try:
        port = int(server.stdout.readline())
        monitor = Monitor()
        sound, display = asyncio.run(run_session(f"ws://127.0.0.1:{port}/v1"))
        time.sleep(0.3)
        loud, delivered = monitor.stop()
        arrivals, departures, starts, truncates = json.loads(server.stdout.readline())
    finally:
        server.kill()
        server.wait()
        server.stdout.close()
    answers = segments(loud)
    assert len(answers) == len(truncates) == len(starts) == times, (len(answers), len(truncates), len(starts))
    silent = [(delivered[last] - start) * 1000 for (_, last, _), start in zip(answers, starts, strict=True)]
    told = [float(each.onset_to_silence_ms or 0) for each in display.interruptions]
    off = [truncate["ms"] - carried for (_, _, carried), truncate in zip(answers, truncates, strict=True)]
    microphone, held = (latencies(sound.chunks, arrivals, sounding) for sounding in (False, True))
    playback = [(done - left) * 1000 for done, left in zip(sound.played, departures, strict=False)]
    return [
        ("speech_started to silence at the monitor, ms", percentiles(silent, 50, 95), "40"),
        ("  the same, as the client tells it, ms", percentiles(told, 50, 95), "40"),
        ("audio_end_ms against the monitor, ms", percentiles([abs(each) for each in off], 50, 95), "20 (p95)"),
        ("  audio_end_ms less what it carried, ms", percentiles([float(each) for each in off], 5, 50, 95), ""),
        ("microphone callback to socket, assistant silent, ms", percentiles(microphone, 50, 95, 99), "5 (p99)"),
        (
            "  assistant speaking: held back on purpose, ms",
            percentiles(held, 50, 95, 99),
            f"{LOOK_BACK_MS:g} to 140",
        ),
        ("socket to playback buffer, ms", percentiles(playback, 50, 95, 99), "5 (p99)"),
        ("underruns; lost by the device", f"{sound.underruns}; {sound.device_flags}", "0; 0"),
    ]


def latencies(chunks: list[Chunk], came: list[tuple[float, int]], sounding: bool) -> list[float]:
    """Milliseconds from the callback that completed a chunk to its arrival, matched by bytes."""
    ends = np.cumsum([chunk.size for chunk in chunks])
    found, at = [], 0
    for when, size in came:
        at += size
        last = int(np.searchsorted(ends, at))
        if last < len(chunks) and chunks[last].sounding == sounding:
            found.append((when - chunks[last].complete) * 1000)
    return found


def start_to_listening(*arguments: str) -> float:
    began = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-m", "rtchat", *arguments, "--json", "--server", "local"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    try:
        for line in process.stdout:
            if '"listening"' in line:
                return (time.monotonic() - began) * 1000
        raise RuntimeError("it never listened")
    finally:
        process.terminate()
        process.communicate()


def takes(*command: str) -> float:
    began = time.monotonic()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return (time.monotonic() - began) * 1000


def starting() -> list[Row]:
    script = str(Path(sys.executable).with_name("rtchat"))
    pairs = [(takes(script, "--help"), takes(sys.executable, "-c", "import typer")) for _ in range(9)]
    helped, imported = (statistics.median(side) for side in zip(*pairs, strict=True))
    talks = statistics.median(start_to_listening("interactive") for _ in range(5))
    types = statistics.median(start_to_listening("text") for _ in range(5))
    return [
        ("start of the process to listening, interactive, ms", f"{talks:6.0f}  median of 5", ""),
        ("start of the process to listening, text, ms", f"{types:6.0f}  median of 5", ""),
        ("rtchat --help, ms", f"{helped:6.0f}  median of 9", ""),
        ('  times python -c "import typer"', f"{helped / imported:6.2f}  ({imported:.0f} ms)", "2"),
    ]


def main() -> None:
    """Print the table."""
    if sys.argv[1:2] == ["--server"]:
        asyncio.run(run_server(int(sys.argv[2])))
        return
    times = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL"):
        os.environ.pop(name, None)
    os.environ["XDG_CONFIG_HOME"] = tempfile.gettempdir()
    pulse = PrivatePulse()
    os.environ.update(pulse.env)
    try:
        pulse.start()
        rows = [("figure", "measured", "aim"), *barge_ins(times), *starting()]
    finally:
        pulse.stop()
    for figure, measured, aim in rows:
        print(f"{figure:<52}{measured:<46}{aim}")


if __name__ == "__main__":
    main()
