"""Figures of the embedded server: python tests/bench/bench_server.py [turns]

A spoken question is sent in real time, in 20 ms chunks; the figure runs from reading `speech_stopped`
(the detector's own silence is over) to reading the first `response.output_audio.delta`: recognition, answer and
first sound.
"""

from __future__ import annotations

import asyncio
import base64
import json
import statistics
import subprocess
import sys
import time

import numpy as np
import soxr
import websockets

from rtchat.server.engines.espeak import EspeakTextToSpeech
from rtchat.server.run import embedded

SERVER = """
import asyncio, sys
from rtchat.server.run import embedded

async def main():
    async with embedded() as url:
        print(url, flush=True)
        await asyncio.to_thread(sys.stdin.read)

asyncio.run(main())
"""
MODEL = "realtime?model=gpt-realtime-2.1"
LOAD_SECONDS = 6
CHUNK = 960  # bytes of 20 ms


async def question() -> bytes:
    """Someone asks what time it is: 24 kHz PCM16, with the silence that ends the turn."""
    flite = ["flite", "-voice", "slt", "-t", "What time is it?", "-o", "/dev/stdout"]
    try:
        wav = await asyncio.to_thread(subprocess.check_output, flite, stderr=subprocess.DEVNULL)
        rate = int.from_bytes(wav[24:28], "little")
        speech = soxr.resample(np.frombuffer(wav[44:], dtype="<i2"), rate, 24_000).tobytes()
    except FileNotFoundError:
        voice = EspeakTextToSpeech().speak("What time is it?", voice="alloy")
        speech = b"".join([chunk async for chunk in voice if isinstance(chunk, bytes)])
    return bytes(48 * 300) + speech + bytes(48 * 1000)


async def microphone(socket: websockets.ClientConnection, sound: bytes) -> None:
    began = time.perf_counter()
    for at in range(0, len(sound), CHUNK):
        await asyncio.sleep(began + at / 48_000 - time.perf_counter())
        audio = base64.b64encode(sound[at : at + CHUNK]).decode()
        await socket.send(json.dumps({"type": "input_audio_buffer.append", "audio": audio}))


async def turn(socket: websockets.ClientConnection, sound: bytes) -> tuple[float, float, str]:
    """Milliseconds from the end of speech to the first sound and to the whole answer, and the answer."""
    talking = asyncio.create_task(microphone(socket, sound))
    stopped = first = 0.0
    while True:
        event = json.loads(await socket.recv())
        now = time.perf_counter()
        if event["type"] == "input_audio_buffer.speech_stopped":
            stopped = now
        elif event["type"] == "response.output_audio.delta":
            first = first or now
        elif event["type"] == "response.done":
            await talking
            output = event["response"]["output"]
            words = output[0]["content"][0]["transcript"] if output else str(event["response"]["status_details"])
            return (first - stopped) * 1000, (now - stopped) * 1000, words


async def turns(count: int) -> None:
    sound = await question()
    async with embedded() as url, websockets.connect(f"{url}/{MODEL}") as socket:
        taken = [await turn(socket, sound) for _ in range(count + 1)]
    firsts = sorted(first for first, _, _ in taken[1:])
    whole = statistics.median(whole for _, whole, _ in taken[1:])
    print(f"first turn: {taken[0][0]:.0f} ms ({taken[0][2]})")
    print(
        f"end of speech to first sound, {count} turns: median {statistics.median(firsts):.0f} ms, "
        f"worst {firsts[-1]:.0f} ms (whole answer made: median {whole:.0f} ms)"
    )


def server() -> subprocess.Popen[str]:
    """A server in a process of its own; it ends when its input does, and prints its address."""
    return subprocess.Popen(
        [sys.executable, "-c", SERVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


async def load(count: int) -> None:
    """Sessions that all stream a quiet room, and how long one more waits for an answer to the smallest request."""
    quiet = np.random.default_rng(0).integers(-100, 100, 24_000 * LOAD_SECONDS).astype("<i2").tobytes()
    waits: list[float] = []

    async def listener(url: str, delay: float) -> None:
        async with websockets.connect(f"{url}/{MODEL}", compression=None) as socket:
            await asyncio.sleep(delay)
            await microphone(socket, quiet)

    async def probe(url: str) -> None:
        async with websockets.connect(f"{url}/{MODEL}", compression=None) as socket:
            await socket.recv()
            for _ in range(LOAD_SECONDS * 5):
                await asyncio.sleep(0.2)
                began = time.perf_counter()
                await socket.send('{"type": "input_audio_buffer.clear"}')
                await socket.recv()
                waits.append((time.perf_counter() - began) * 1000)

    with server() as process:
        url = process.stdout.readline().strip()
        listeners = [asyncio.create_task(listener(url, 0.02 * at / count)) for at in range(count)]
        await asyncio.sleep(1)  # while their detectors load
        await probe(url)
        await asyncio.gather(*listeners)
    waits.sort()
    print(
        f"{count} live sessions beside: one more waits {statistics.median(waits):.1f} ms in the median, "
        f"{waits[int(len(waits) * 0.95)]:.0f} ms p95"
    )


def ready(count: int) -> None:
    """Start of a process to a server that listens."""
    taken = []
    for _ in range(count):
        began = time.perf_counter()
        with server() as process:
            process.stdout.readline()
            taken.append((time.perf_counter() - began) * 1000)
    print(f"start of a process to listening, {count} starts: median {statistics.median(taken):.0f} ms")


def main() -> None:
    """Print the figures."""
    asyncio.run(turns(int(sys.argv[1]) if len(sys.argv) > 1 else 10))
    ready(5)
    for sessions in (10, 50, 100):
        asyncio.run(load(sessions))


if __name__ == "__main__":
    main()
