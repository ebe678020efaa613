import numpy as np
import pytest

from rtchat.chunk import WIRE, level_dbfs
from rtchat.server.dialogue.sound import Decoder, Encoder, Rate, decoded, encoded


def tone(rate: int, seconds: float = 1.0) -> bytes:
    return (8000 * np.sin(2 * np.pi * 440 * np.arange(int(rate * seconds)) / rate)).astype("<i2").tobytes()


def test_half_a_sample_waits_for_its_other_half():
    decoder = Decoder("audio/pcm")
    assert [decoder.feed(part) for part in (b"\1", b"\2\3", b"\4")] == [b"", b"\1\2", b"\3\4"]


@pytest.mark.parametrize("kind", ["audio/pcmu", "audio/pcma"])
def test_there_and_back_over_the_telephone(kind):
    sound = tone(WIRE.rate)
    encoder, decoder = Encoder(kind), Decoder(kind)
    wire = b"".join(encoder.feed(sound[at : at + 960]) for at in range(0, len(sound), 960)) + encoder.finish()
    assert len(wire) == 8000
    back = decoder.feed(wire)
    assert abs(level_dbfs(back) - level_dbfs(sound)) < 0.5


def test_pcm_passes_as_it_is():
    encoder = Encoder("audio/pcm")
    assert encoder.feed(b"\1\2") + encoder.finish() == b"\1\2"


def test_full_scale_does_not_wrap():
    square = (np.sign(np.sin(2 * np.pi * 200 * np.arange(24_000) / 24_000)) * 32767).astype("<i2").tobytes()
    rate = Rate(24_000, 16_000)
    made = np.frombuffer(rate.feed(square) + rate.finish(), dtype="<i2")
    assert len(made) == 16_000
    assert np.sum(np.abs(np.diff(made.astype(int))) > 40_000) < 450  # an edge each half period, and no more


@pytest.mark.parametrize(("kind", "bytes_per_ms"), [("audio/pcm", 48), ("audio/pcmu", 8), ("audio/pcma", 8)])
def test_whole_recordings(kind, bytes_per_ms):
    sound = tone(WIRE.rate)
    wire = encoded(sound, kind)
    assert abs(len(wire) - 1000 * bytes_per_ms) <= bytes_per_ms
    assert abs(len(decoded(wire, kind)) - len(sound)) <= 48


def test_half_a_sample_at_the_end_of_a_recording_is_dropped():
    assert decoded(b"\1\2\3", "audio/pcm") == b"\1\2"
