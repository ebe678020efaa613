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

READY = """
import asyncio
from rtchat.server.run import embedded

async def main():
    async with embedded():
        print("ready", flush=True)

asyncio.run(main())
"""
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
        speech = b"".join([chunk async for chunk in voice])
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
    async with embedded() as url, websockets.connect(f"{url}/realtime?model=gpt-realtime-2.1") as socket:
        taken = [await turn(socket, sound) for _ in range(count + 1)]
    firsts = sorted(first for first, _, _ in taken[1:])
    whole = statistics.median(whole for _, whole, _ in taken[1:])
    print(f"first turn: {taken[0][0]:.0f} ms ({taken[0][2]})")
    print(
        f"end of speech to first sound, {count} turns: median {statistics.median(firsts):.0f} ms, "
        f"worst {firsts[-1]:.0f} ms (whole answer made: median {whole:.0f} ms)"
    )


def ready(count: int) -> None:
    """Start of a process to a server that listens."""
    taken = []
    for _ in range(count):
        began = time.perf_counter()
        with subprocess.Popen([sys.executable, "-c", READY], stdout=subprocess.PIPE) as process:
            process.stdout.readline()
            taken.append((time.perf_counter() - began) * 1000)
    print(f"start of a process to listening, {count} starts: median {statistics.median(taken):.0f} ms")


def main() -> None:
    """Print the figures."""
    asyncio.run(turns(int(sys.argv[1]) if len(sys.argv) > 1 else 10))
    ready(5)


if __name__ == "__main__":
    main()
