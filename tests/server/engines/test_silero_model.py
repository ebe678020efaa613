import asyncio
import contextlib

import numpy as np
import pytest
import soxr

from rtchat.errors import EngineError
from rtchat.server.engines.espeak import EspeakTextToSpeech
from rtchat.server.engines.silero_model import HISTORY, STATE, WINDOW, SileroModel
from rtchat.silero import SileroDetector


@pytest.fixture(scope="module")
def model():
    return SileroModel()


@pytest.fixture(scope="module")
def speech():
    """Sentences with pauses, in a quiet room, at 24 kHz."""

    async def speak() -> bytes:
        with contextlib.closing(EspeakTextToSpeech()) as speaker:
            pieces = speaker.speak("The quick brown fox. Jumps over the lazy dog! Twice?", voice="marin")
            return b"".join([piece async for piece in pieces if isinstance(piece, bytes)])

    said = np.frombuffer(asyncio.run(speak()), dtype="<i2").astype(int)
    noisy = np.concatenate([np.zeros(12_000, int), said, np.zeros(24_000, int)])
    return (noisy + np.random.default_rng(0).integers(-20, 21, noisy.size)).clip(-32768, 32767).astype("<i2")


def listened(model, sounds):
    """Probabilities of several sounds at once, window by window."""
    state = np.zeros((len(sounds), STATE), np.float32)
    padded = np.concatenate([np.zeros((len(sounds), HISTORY)), sounds], axis=1).astype(np.float32)
    found = []
    for at in range(0, padded.shape[1] - WINDOW - HISTORY + 1, WINDOW):
        probabilities, state = model.probabilities(
            np.ascontiguousarray(padded[:, at : at + HISTORY + WINDOW]), state
        )
        found.append(probabilities)
    return np.array(found).T


@pytest.mark.needs("espeak-ng")
def test_it_hears_what_the_library_hears(model, speech):
    """The same windows through the library at 16 kHz; the filter's millisecond of delay is taken from both."""
    ours = listened(model, speech[None])[0]
    late = np.concatenate([np.zeros(HISTORY // 2, "<i2"), speech])
    at_16k = soxr.resample(late, 24_000, 16_000).astype("<i2")
    library = SileroDetector()
    theirs = [library.probability(at_16k[at : at + 512].tobytes()) for at in range(0, len(ours) * 512, 512)]
    assert max(theirs) > 0.9 and min(theirs) < 0.1
    assert np.abs(ours - theirs).mean() < 0.01
    assert ((ours > 0.5) == (np.array(theirs) > 0.5)).mean() > 0.98


@pytest.mark.needs("espeak-ng")
def test_sessions_do_not_hear_each_other(model, speech):
    other = np.random.default_rng(1).integers(-3000, 3000, speech.size)
    both = listened(model, np.stack([speech, other]))
    assert np.allclose(both[0], listened(model, speech[None])[0], atol=1e-3)


def test_neither_silence_nor_noise_nor_a_tone_is_speech(model):
    time = np.arange(24_000) / 24_000
    sounds = [
        np.zeros(24_000),
        np.random.default_rng(0).integers(-2000, 2000, 24_000),
        8000 * np.sin(2 * np.pi * 440 * time),
    ]
    assert listened(model, np.stack(sounds)).max() < 0.5


def test_what_is_no_model_is_refused(tmp_path):
    for name, content in (("a", b""), ("b", b"lmgg" + bytes(99)), ("c", b"lmgg" + bytes(30) + b"_model.x" * 9)):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(EngineError, match="weights"):
            SileroModel(tmp_path / name)
