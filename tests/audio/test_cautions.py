import numpy as np
import pytest

from rtchat.audio import cautions
from rtchat.audio.cautions import Caution, Listener
from rtchat.chunk import AudioFormat

FORM = AudioFormat(48_000, 1)


def tone(seconds: float, amplitude: float) -> bytes:
    samples = 32767 * amplitude * np.sin(2 * np.pi * 440 * np.arange(int(48_000 * seconds)) / 48_000)
    return np.clip(samples, -32768, 32767).astype("<i2").tobytes()


def heard(listener: Listener, pcm: bytes, times: int = 1) -> set[Caution]:
    """All that is said while the sound comes in blocks of 10 ms, several times over."""
    blocks = [pcm[at : at + 960] for at in range(0, len(pcm), 960)] * times
    return {caution for block in blocks if (caution := listener.hear(block, "USB Mic")) is not None}


@pytest.fixture
def listener() -> Listener:
    return Listener(FORM, "linux")


def test_speech_is_nothing_to_say_anything_about(listener):
    assert heard(listener, tone(1, 0.1), times=90) == set()


def test_only_zeros_since_it_was_opened_are_told_after_two_seconds(listener):
    assert heard(listener, bytes(2 * 47_000), times=2) == set()
    assert heard(listener, bytes(9600)) == {cautions.zeros("USB Mic", "linux")}


def test_zeros_after_sound_are_a_noise_suppressor(listener):
    heard(listener, tone(0.01, 0.1))
    assert heard(listener, bytes(96_000), times=90) == set()


def test_forbidden_microphones_of_macos_are_allowed_in_its_settings():
    (caution,) = heard(Listener(FORM, "darwin"), bytes(96_000), times=3)
    assert "Privacy & Security" in caution.hint


def test_nothing_above_seventy_below_full_scale_in_a_minute_is_told(listener):
    faint = tone(1, 0.0003)  # -73.5 dBFS
    assert heard(listener, faint, times=59) == set()
    (caution,) = heard(listener, faint, times=2)
    assert caution.message == "The microphone 'USB Mic' has heard nothing above -70 dBFS in its first minute."


def test_one_word_in_that_minute_proves_it_good(listener):
    faint = tone(1, 0.0003)
    assert heard(listener, faint, times=30) | heard(listener, tone(0.2, 0.01)) == set()
    assert heard(listener, faint, times=90) == set()


def test_clipping_again_and_again_is_told(listener):
    (caution,) = heard(listener, tone(1, 3.0))
    assert caution == cautions.clipped("USB Mic")


def test_a_hand_on_the_microphone_now_and_then_is_not(listener):
    for _ in range(20):
        assert heard(listener, tone(0.1, 3.0) + tone(6, 0.1)) == set()


def test_another_microphone_is_heard_afresh(listener):
    heard(listener, bytes(96_000))
    listener.begin_anew()
    assert heard(listener, bytes(96_000)) == set()


def test_a_headset_in_telephone_quality_is_told_with_a_microphone_that_could_serve():
    caution = cautions.telephony("WH-1000XM4", ("Built-in Audio", "Webcam"))
    assert "'WH-1000XM4'" in caution.message and "'Built-in Audio'" in caution.hint
    assert "if there is one" in cautions.telephony("WH-1000XM4", ()).hint
