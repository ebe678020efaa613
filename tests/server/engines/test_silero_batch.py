import asyncio

import numpy as np
import pytest

from rtchat.errors import EngineError
from rtchat.server.engines import silero_batch
from rtchat.server.engines.silero_batch import SileroSessions
from rtchat.silero import SileroDetector

WINDOW = 1536


def noise(seed, windows=5):
    sound = np.random.default_rng(seed).integers(-9000, 9000, 768 * windows).astype("<i2").tobytes()
    return [sound[at : at + WINDOW] for at in range(0, len(sound), WINDOW)]


@pytest.fixture(params=[1, 3, 64])
def sessions(request):
    sessions = SileroSessions()
    sessions._batch = request.param
    return sessions


async def test_together_they_hear_what_each_hears_alone(sessions):
    detectors = [sessions() for _ in range(7)]
    together = await asyncio.gather(
        *(detector.probabilities(noise(seed, 1 + seed)) for seed, detector in enumerate(detectors))
    )
    for seed, found in enumerate(together):
        alone = sessions()
        assert found == pytest.approx([alone.probability(window) for window in noise(seed, 1 + seed)], abs=1e-4)


async def test_what_one_heard_before_goes_on(sessions):
    one, two = sessions(), sessions()
    first, then = noise(1)[:2], noise(1)[2:]
    apart = await one.probabilities(first) + await one.probabilities(then)
    assert apart == pytest.approx(await two.probabilities([*first, *then]), abs=1e-4)
    two.reset()
    assert await two.probabilities(first) == pytest.approx(apart[:2], abs=1e-4)


async def test_a_session_that_ends_leaves_the_others_alone(sessions):
    one, two = sessions(), sessions()
    ended = asyncio.ensure_future(one.probabilities(noise(1)))
    goes_on = asyncio.ensure_future(two.probabilities(noise(2)))
    await asyncio.sleep(0)
    ended.cancel()
    assert len(await goes_on) == 5
    assert len(await two.probabilities(noise(3))) == 5


def test_a_window_of_another_size(sessions):
    with pytest.raises(ValueError, match="1536 bytes, not 1024"):
        sessions().probability(bytes(1024))


def test_weights_that_only_their_library_can_read(monkeypatch):
    def unknown():
        raise EngineError("Another kind.")

    monkeypatch.setattr(silero_batch, "SileroModel", unknown)
    assert isinstance(SileroSessions()(), SileroDetector)
