import numpy as np
import pytest

from rtchat.audio.excess import BANDS, EDGES_HZ, LEARNT_CHUNKS, MOST_DB, Excess
from rtchat.chunk import WIRE, to_float, to_pcm16

CHUNK = WIRE.bytes_in(20)


def talk(seconds: float, seed: int) -> bytes:
    """Noise that comes and goes as syllables do, each of another colour."""
    draw = np.random.default_rng(seed)
    parts = []
    while sum(map(len, parts)) < seconds * WIRE.rate:
        noise = draw.standard_normal(WIRE.samples_in(int(draw.integers(60, 200))))
        kernel = np.cos(np.arange(24) * draw.uniform(0.03, 1.2)) * 0.8 ** np.arange(24)
        parts.append(draw.uniform(0, 0.06) * np.convolve(noise, kernel)[: len(noise)])
        parts.append(np.zeros(WIRE.samples_in(int(draw.integers(0, 80)))))
    return to_pcm16(np.concatenate(parts)[: int(seconds * WIRE.rate)].astype(np.float32))


def late(pcm: bytes, ms: float, gain: float) -> bytes:
    return to_pcm16(gain * to_float((WIRE.silence(ms) + pcm)[: len(pcm)]))


def room(pcm: bytes) -> bytes:
    noise = 0.001 * np.random.default_rng(9).standard_normal(WIRE.samples(pcm))
    return to_pcm16(to_float(pcm) + noise.astype(np.float32))


def feed(excess: Excess, near: bytes, far: bytes, *, learn: bool = True) -> np.ndarray:
    return np.array(
        [
            excess.feed(near[at : at + CHUNK], far[at : at + CHUNK], learn=learn).mean()
            for at in range(0, len(near) - CHUNK + 1, CHUNK)
        ]
    )


FAR = talk(10, seed=1)


@pytest.mark.parametrize(("ms", "gain"), [(30, 0.5), (130, 0.1), (330, 0.3)])
def test_an_echo_that_is_known_hardly_exceeds_whatever_its_delay_and_its_level(ms, gain):
    over = feed(Excess(), room(late(FAR, ms, gain)), FAR)[LEARNT_CHUNKS:]
    assert np.percentile(over, 95) < 4


def test_a_voice_exceeds_an_echo_as_loud():
    excess = Excess()
    feed(excess, room(late(FAR, 130, 0.3)), FAR)
    far, voice = talk(1, seed=2), late(talk(1, seed=3), 0, 0.4)
    both = room(to_pcm16(to_float(late(far, 130, 0.3)) + to_float(voice)))
    assert np.mean(feed(excess, both, far, learn=False)) > 4


def test_only_the_bands_exceed_in_which_something_sounds():
    excess = Excess()
    feed(excess, room(late(FAR, 130, 0.3)), FAR)
    whistle = to_pcm16(
        0.1 * np.sin(2 * np.pi * 2400 / WIRE.rate * np.arange(WIRE.samples(CHUNK))).astype(np.float32)
    )
    over = excess.feed(whistle, bytes(CHUNK), learn=False)
    assert over.shape == (BANDS,)
    assert over.argmax() == EDGES_HZ.index(2000) and over[0] < 1 < MOST_DB / 2 < over.max() <= MOST_DB


def test_it_is_learnt_after_two_seconds_of_the_loudspeaker():
    excess = Excess()
    feed(excess, room(late(FAR, 130, 0.3))[: 60 * CHUNK], FAR[: 60 * CHUNK])
    assert not excess.learnt
    feed(excess, room(late(FAR, 130, 0.3)), FAR)
    assert excess.learnt


def test_an_echo_that_jumps_is_learnt_anew():
    excess = Excess()
    feed(excess, room(late(FAR, 90, 0.3)), FAR)
    over = feed(excess, room(late(FAR, 170, 0.3)), FAR)
    assert np.mean(over[:50]) > np.mean(over[100:150])
    assert np.percentile(over[150:], 95) < 4


def test_what_is_not_to_be_learnt_goes_on_exceeding():
    excess = Excess()
    feed(excess, room(late(FAR, 130, 0.03)), FAR)
    over = feed(excess, room(late(FAR, 130, 0.3)), FAR, learn=False)
    assert np.mean(over[-100:]) > 4


def test_a_muted_microphone_exceeds_nothing_and_unteaches_nothing():
    excess = Excess()
    feed(excess, room(late(FAR, 130, 0.3)), FAR)
    assert not feed(excess, bytes(len(FAR)), FAR).any()
    over = feed(excess, room(late(FAR, 130, 0.3)), FAR)[25:]
    assert np.percentile(over, 95) < 4


def test_after_a_silence_what_was_learnt_is_checked_before_it_counts():
    excess = Excess()
    feed(excess, room(late(FAR, 130, 0.3)), FAR)
    feed(excess, room(WIRE.silence(2000)), WIRE.silence(2000))
    assert not excess.learnt
    feed(excess, room(late(FAR, 130, 0.3)), FAR)
    assert excess.learnt
