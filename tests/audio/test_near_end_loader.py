import asyncio
import sys

import numpy as np
import pytest

from rtchat.audio import near_end_loader
from rtchat.audio.cautions import Caution
from rtchat.audio.near_end_loader import NearEndLoader
from rtchat.chunk import WIRE
from rtchat.conversation.signals import Captured, EchoChanged
from rtchat.errors import DeviceError


def noise(chunks: int) -> list[bytes]:
    """Loud and soft in turn, as speech is."""
    draw = np.random.default_rng(3)
    size = WIRE.samples_in(20)
    levels = np.repeat(10 ** draw.uniform(1.5, 3.5, chunks // 5 + 1), 5)
    return [(levels[n] * draw.standard_normal(size)).astype("<i2").tobytes() for n in range(chunks)]


def echoed(loader: NearEndLoader, played: list[bytes]) -> list[bytes]:
    """What the microphone gives that hears nothing but the loudspeaker, 40 ms later."""
    given = []
    for n, pcm in enumerate(played):
        loader.near_end.played(5 + n * 0.02, pcm)
        heard = played[max(0, n - 2)]
        given += [s.pcm for s in loader.feed(5 + n * 0.02, heard) if isinstance(s, Captured)]
    return given


def taken_db(played: list[bytes], given: list[bytes]) -> float:
    raw = np.frombuffer(b"".join(played[300:]), "<i2").astype(float)
    left = np.frombuffer(b"".join(given[300:]), "<i2").astype(float)
    return float(10 * np.log10(np.mean(raw**2) / (np.mean(left**2) + 1e-9)))


async def test_a_canceller_takes_the_loudspeaker_out_of_the_microphone():
    told = []
    loader = NearEndLoader(told.append, "while it works")
    await loader.load()
    played = noise(400)
    assert taken_db(played, echoed(loader, played)) > 10
    assert all(isinstance(one, EchoChanged) for one in told)


@pytest.mark.parametrize("barge_in", [True, False])
async def test_without_a_canceller_the_microphone_is_given_as_it_is(barge_in):
    told = []
    loader = NearEndLoader(told.append, "no", barge_in=barge_in)
    await loader.load()
    assert (loader.near_end.echo is not None) == (loader.near_end.barge_in is not None) == barge_in
    chunks = noise(4)
    loader.near_end.played(7.0, bytes(4 * 960))
    for n, chunk in enumerate(chunks):
        given = loader.feed(7 + n * 0.02, chunk)[-1]
        assert isinstance(given, Captured)
        np.testing.assert_allclose(np.frombuffer(given.pcm, "<i2"), np.frombuffer(chunk, "<i2"), atol=1)
    assert told == []


async def test_a_missing_package_is_named_and_the_microphone_still_works(monkeypatch):
    monkeypatch.setitem(sys.modules, "livekit", None)
    told = []
    loader = NearEndLoader(told.append, "while it works", barge_in=True)
    await loader.load()
    caution, changed = told
    assert isinstance(caution, Caution)
    assert "livekit" in caution.message and "rtchat[echo]" in caution.hint
    assert changed == EchoChanged("half-duplex", None)
    assert loader.feed(0.0, noise(1)[0]) == [Captured(noise(1)[0])]


async def test_a_canceller_that_fails_is_done_without(monkeypatch):
    def fails(near: bytes, far: bytes) -> bytes:
        raise DeviceError("The echo canceller failed: oh.", hint="Use headphones.")

    told = []
    loader = NearEndLoader(told.append, "always")
    await loader.load()
    loader.near_end.muted = True
    loader.near_end.echo._process = fails
    chunk = noise(1)[0]
    loader.near_end.played(1.0, chunk)
    assert loader.feed(1.0, chunk) == [Captured(bytes(960))]
    assert told == [Caution("The echo canceller failed: oh.", "Use headphones."), EchoChanged("half-duplex", None)]
    loader.near_end.muted = False
    assert loader.feed(1.02, chunk) == [Captured(chunk)]
    assert len(told) == 2


async def test_other_devices_begin_anew_while_the_sound_goes_on(monkeypatch):
    loader = NearEndLoader(lambda told: None, "while it works", barge_in=True)
    await loader.load()
    loader.near_end.muted = True
    before, policy = loader.near_end.echo, loader.near_end.barge_in
    loading, may_load = asyncio.Event(), asyncio.Event()
    to_thread = asyncio.to_thread

    async def slowly(*call, **more):
        loading.set()
        await may_load.wait()
        return await to_thread(*call, **more)

    monkeypatch.setattr(near_end_loader.asyncio, "to_thread", slowly)
    keeping = asyncio.create_task(loader.keep())
    loader.begin_anew()
    await asyncio.wait_for(loading.wait(), 60)
    assert loader.near_end.echo is before
    may_load.set()
    async with asyncio.timeout(60):
        while loader.near_end.echo is before:  # noqa: ASYNC110 - it tells nobody
            await asyncio.sleep(0.01)
    assert loader.near_end.muted
    assert loader.near_end.barge_in is policy  # a voice that it has told of is followed to its end
    keeping.cancel()
    await asyncio.wait([keeping])


async def test_what_was_measured_of_other_devices_is_not_told_any_more():
    told = []
    loader = NearEndLoader(told.append, "always")
    await loader.load()
    loader.near_end.echo._measure.verdict, loader.near_end.echo._measure.erle_db = "cancelling", 20.0
    loader.begin_anew()
    loader.feed(0.0, noise(1)[0])
    assert told == []
