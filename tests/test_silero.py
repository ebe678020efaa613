import asyncio
import os
import subprocess
import sys

import numpy as np
import pytest
import soxr

from rtchat.server.engines.espeak import EspeakTextToSpeech
from rtchat.silero import SileroDetector

pytestmark = pytest.mark.needs("espeak-ng")

WINDOW = 2 * SileroDetector.window_samples


def windows(pcm: bytes) -> list[bytes]:
    return [pcm[at : at + WINDOW] for at in range(0, len(pcm) - WINDOW + 1, WINDOW)]


@pytest.fixture(scope="module")
def speech() -> bytes:
    """A spoken sentence, 16 kHz."""

    async def speak() -> bytes:
        voice = EspeakTextToSpeech().speak("The quick brown fox jumps over the lazy dog.", voice="alloy")
        return b"".join([chunk async for chunk in voice if isinstance(chunk, bytes)])

    samples = np.frombuffer(asyncio.run(speak()), dtype="<i2")
    return soxr.resample(samples, 24_000, 16_000).tobytes()


def test_speech_is_speech(speech: bytes):
    detector = SileroDetector()
    probabilities = [detector.probability(window) for window in windows(speech)]
    assert max(probabilities) > 0.9
    assert np.mean(np.array(probabilities) > 0.5) > 0.5


def test_silence_and_a_tone_are_not():
    detector = SileroDetector()
    tone = (8000 * np.sin(2 * np.pi * 440 * np.arange(16_000) / 16_000)).astype("<i2").tobytes()
    for sound in (bytes(32_000), tone):
        detector.reset()
        assert max(detector.probability(window) for window in windows(sound)) < 0.5


def test_reset_forgets_and_sessions_are_apart(speech: bytes):
    one, other = SileroDetector(), SileroDetector()
    first = [one.probability(window) for window in windows(speech)]
    assert [other.probability(window) for window in windows(speech)] == first
    one.reset()
    assert [one.probability(window) for window in windows(speech)] == first


def test_a_wrong_window_is_a_mistake():
    with pytest.raises(ValueError, match="1024 bytes, not 3"):
        SileroDetector().probability(b"abc")


def test_it_stays_on_one_thread_and_leaves_the_environment_alone():
    """In a fresh process: OpenMP reads its limit when it is loaded, and its threads would spin."""
    program = (
        "import os, time\n"
        "from rtchat.silero import SileroDetector\n"
        "detector = SileroDetector()\n"
        "assert 'OMP_THREAD_LIMIT' not in os.environ\n"
        "thread, process = time.thread_time(), time.process_time()\n"
        "for _ in range(200): detector.probability(bytes(1024))\n"
        "print((time.process_time() - process) / (time.thread_time() - thread))\n"
    )
    environment = {name: value for name, value in os.environ.items() if name != "OMP_THREAD_LIMIT"}
    run = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
    )
    assert float(run.stdout) < 1.2
