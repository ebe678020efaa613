"""Figures of the embedded server's engines: python tests/bench/bench_hearing.py [voice...]

How well and how fast pocketsphinx hears what the assistant understands (with and without its grammar) and what it
does not, in the voices of flite (where it is installed) and of espeak-ng; what the recogniser, the voice and the
detector cost. Processor times are of this thread, so that they hold on a busy machine; the others are of the clock.
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

import numpy as np
import soxr

from rtchat.server.engines.espeak import EspeakTextToSpeech
from rtchat.server.engines.grammar import build
from rtchat.server.engines.sphinx import SphinxSpeechToText
from rtchat.server.engines.sphinx_worker import Hearing
from rtchat.silero import SileroDetector

COVERED = """
what time is it; what's the date today; what is the weather in paris; what's the weather in new york today;
tell me the weather in tokyo and in london; what is seventeen times twenty three; what is twelve divided by five;
how much is one hundred and five minus forty two; set a timer for five minutes; set a timer for thirty seconds;
tell me a joke; tell me a long story; count to ten; what can you do; who are you; what is my name; can you hear me;
what did you say; thank you very much; hello there; goodbye; stop
"""
NOT_COVERED = """
where can i buy a new bicycle; i think the train was late this morning; repeat after me the sky is blue;
my name is alice; my sister lives in a small house near the river; do you like music; please open the window;
the quick brown fox jumps over the lazy dog; how do i cook an egg; we should talk about the project tomorrow
"""
RATE = 16_000


def phrases(text: str) -> list[str]:
    return [" ".join(phrase.split()) for phrase in text.split(";")]


def spoken(voice: str, text: str) -> bytes:
    """`text` at 16 kHz with the quiet around it that the detector leaves."""
    if voice.startswith("espeak "):
        speaker = EspeakTextToSpeech()

        async def speak() -> bytes:
            return b"".join(
                [chunk async for chunk in speaker.speak(text, voice=voice.split()[1]) if isinstance(chunk, bytes)]
            )

        pcm, rate = asyncio.run(speak()), speaker.rate
    else:
        command = ["flite", "-voice", voice, "-t", text, "-o", "/dev/stdout"]
        wav = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True).stdout
        pcm, rate = wav[44:], int.from_bytes(wav[24:28], "little")
    samples = soxr.resample(np.frombuffer(pcm, dtype="<i2"), rate, RATE)
    noise = np.random.default_rng(1).integers(-4, 5, len(samples) + 9600).astype("<i2")
    noise[4800 : 4800 + len(samples)] += samples.astype("<i2")
    return noise.tobytes()


def hear(hearing: Hearing, pcm: bytes, grammar: str | None) -> tuple[str, str, float]:
    """What was heard, by which search, and the processor's seconds for each second of sound."""
    began = time.thread_time()
    text, by = hearing.hear(pcm, RATE, grammar)
    return text, by, (time.thread_time() - began) / (len(pcm) / 2 / RATE)


def recognition(voices: list[str]) -> None:
    hearing, grammar = Hearing(), build()
    hearing.compile(grammar)
    covered, others = phrases(COVERED), phrases(NOT_COVERED)
    print(
        f"exactly heard          of {len(covered)} that the grammar covers      of {len(others)} that it does not"
    )
    print("voice              with grammar   words only      with grammar   words only   taken for a command")
    costs: dict[str, list[float]] = {"grammar": [], "both": [], "words": []}
    for voice in voices:
        with_grammar = words_only = others_with = others_only = commands = 0
        for text in covered + others:
            pcm = spoken(voice, text)
            heard, by, cost = hear(hearing, pcm, grammar)
            words, _, words_cost = hear(hearing, pcm, None)
            # the grammar alone is cheaper than the words alone: that is how one sees which searches were needed
            costs["grammar" if by == "grammar" and cost < words_cost else "both"].append(cost)
            costs["words"].append(words_cost)
            if text in covered:
                with_grammar += heard == text
                words_only += words == text
            else:
                others_with += heard == text
                others_only += words == text
                commands += by == "grammar"
        print(f"{voice:18} {with_grammar:8} {words_only:13} {others_with:16} {others_only:12} {commands:14}")
    print("\nprocessor time for a second of sound, median (number of turns)")
    for kind, found in costs.items():
        if found:
            print(f"  {kind:8} {statistics.median(found) * 1000:6.0f} ms  ({len(found)})")


def worker() -> None:
    engine = SphinxSpeechToText()
    began = time.perf_counter()
    asyncio.run(engine.transcribe(bytes(RATE // 2), RATE))
    print(f"\nrecogniser's process, from nothing to an answer: {(time.perf_counter() - began) * 1000:.0f} ms")
    engine.close()


async def first_chunk(text: str) -> float:
    with contextlib.closing(EspeakTextToSpeech()) as speaker:
        async with contextlib.aclosing(speaker.speak("ready", voice="marin")) as voice:
            await anext(voice)
        began = time.perf_counter()
        async with contextlib.aclosing(speaker.speak(text, voice="marin")) as voice:
            await anext(voice)
            return time.perf_counter() - began


def milliseconds(what: Callable[[], float], times: int) -> str:
    found = sorted(what() * 1000 for _ in range(times))
    return f"median {statistics.median(found):.1f} ms, 95 of 100 under {found[int(times * 0.95) - 1]:.1f} ms"


def voice_and_detector() -> None:
    text = "The weather in Paris is fine today, with a light wind from the west."

    async def speak_many() -> list[float]:
        return [await first_chunk(text) for _ in range(40)]

    times = iter(asyncio.run(speak_many()))
    print(f"espeak-ng, from the text to the first sound: {milliseconds(lambda: next(times), 40)}")
    detector, window = SileroDetector(), np.random.default_rng(0).integers(-999, 999, 512).astype("<i2").tobytes()

    def detect() -> float:
        began = time.process_time()  # all threads: the library would use several if it were let
        detector.probability(window)
        return time.process_time() - began

    print(f"detector, processor time of a window of 32 ms: {milliseconds(detect, 500)}")


if __name__ == "__main__":
    flite = ["slt", "rms", "awb", "kal16"] if shutil.which("flite") else []
    recognition(sys.argv[1:] or [*flite, "espeak marin", "espeak cedar", "espeak alloy"])
    worker()
    voice_and_detector()
