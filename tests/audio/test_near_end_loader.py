import sys

import numpy as np
import pytest

from rtchat.audio.near_end_loader import load_near_end
from rtchat.chunk import WIRE
from rtchat.conversation.signals import Captured


def noise(chunks: int) -> list[bytes]:
    draw = np.random.default_rng(3)
    size = WIRE.samples_in(20)
    return [(2000 * draw.standard_normal(size)).astype("<i2").tobytes() for _ in range(chunks)]


def test_a_canceller_takes_the_loudspeaker_out_of_the_microphone():
    loaded = load_near_end("while it works", barge_in=True)
    assert loaded.trouble is None
    assert loaded.news is not None
    played = noise(400)
    given = []
    for n, pcm in enumerate(played):
        loaded.near_end.played(5 + n * 0.02, pcm)
        heard = played[max(0, n - 2)]  # 40 ms later
        given += [s.pcm for s in loaded.near_end.feed(5 + n * 0.02, heard) if isinstance(s, Captured)]
    raw = np.frombuffer(b"".join(played[300:]), "<i2").astype(float)
    left = np.frombuffer(b"".join(given[300:]), "<i2").astype(float)
    assert 10 * np.log10(np.mean(raw**2) / np.mean(left**2)) > 10


@pytest.mark.parametrize("barge_in", [True, False])
def test_without_a_canceller_the_microphone_is_given_as_it_is(barge_in):
    loaded = load_near_end("no", barge_in=barge_in)
    assert (loaded.news, loaded.trouble) == (None, None)
    chunks = noise(4)
    loaded.near_end.played(7.0, b"".join(chunks))
    for n, chunk in enumerate(chunks):
        given = loaded.near_end.feed(7 + n * 0.02, chunk)[-1]
        assert isinstance(given, Captured)
        np.testing.assert_allclose(np.frombuffer(given.pcm, "<i2"), np.frombuffer(chunk, "<i2"), atol=1)


def test_a_missing_package_is_named_and_the_microphone_still_works(monkeypatch):
    monkeypatch.setitem(sys.modules, "livekit", None)
    loaded = load_near_end("while it works", barge_in=True)
    assert loaded.trouble is not None
    assert "livekit" in loaded.trouble.message
    assert "rtchat[echo]" in loaded.trouble.hint
    assert loaded.news is None
    assert loaded.near_end.feed(0.0, noise(1)[0]) == [Captured(noise(1)[0])]
