"""Turns heard while they are spoken, by an engine that does so, over a real socket."""

import asyncio
import base64
from collections import Counter
from dataclasses import dataclass, field
from itertools import groupby

import httpx
import numpy as np
import pytest

from rtchat.chunk import WIRE
from rtchat.errors import EngineError
from rtchat.server.engine_timeouts import EngineTimeouts
from rtchat.server.engines.base import Partial, Transcript
from rtchat.server.run import ServerConfig, embedded
from rtchat.server.staging import scenario
from rtchat.server.staging.stage import Stage

KIND = "conversation.item.input_audio_transcription"
NUMBERS = ["", "one", "two", "three", "four"]


def loud(number, ms=320):
    """A stretch of sound that is that number."""
    return np.full(ms * 24, number * 1000, "<i2").tobytes()


def numbers(pcm):
    """The numbers in a sound, however far the last has come."""
    heard = [(value, len(list(run))) for value, run in groupby(np.frombuffer(pcm, "<i2") // 1000)]
    return " ".join(NUMBERS[value] for value, samples in heard if value and samples >= 240)


@dataclass
class Counting:
    """Hears numbers, as they come; records what it was fed."""

    name = "counting"
    breaks_at: str = ""
    may: asyncio.Event = field(default_factory=asyncio.Event)
    reached: asyncio.Event = field(default_factory=asyncio.Event)
    closed: asyncio.Event = field(default_factory=asyncio.Event)
    opened: list["Ear"] = field(default_factory=list)
    told: list[tuple] = field(default_factory=list)
    whole: list[bytes] = field(default_factory=list)

    def __post_init__(self):
        self.may.set()

    async def transcribe(self, pcm, rate, *, language=None, grammar=None):
        self.whole.append(pcm)
        return Transcript(numbers(pcm))

    def listen(self, rate, *, language=None, grammar=None):
        self.told.append((rate, language, grammar))
        self.at("listen")
        self.opened.append(Ear(self))
        return self.opened[-1]

    def at(self, where):
        if self.breaks_at == where:
            self.breaks_at = ""
            raise EngineError("The ears are cold.", hint="Wear a hat.")


class Ear:
    def __init__(self, engine):
        self.engine, self.fed, self.busy, self.closed = engine, [], False, 0

    async def feed(self, pcm):
        async with self.alone("feed"):
            self.fed.append(pcm)
            text = numbers(b"".join(self.fed))
            return Partial(text, WIRE.ms(b"".join(self.fed)), sure=max(text.rfind(" "), 0))

    async def finish(self):
        async with self.alone("finish"):
            return Transcript(numbers(b"".join(self.fed)))

    def close(self):
        self.closed += 1
        self.engine.closed.set()

    def alone(self, where):
        return Alone(self, where)


class Alone:
    """Only one thing at a time, and nothing once it is closed."""

    def __init__(self, ear, where):
        self.ear, self.where = ear, where

    async def __aenter__(self):
        assert not self.ear.busy
        assert not self.ear.closed
        self.ear.busy = True
        self.ear.engine.reached.set()
        await self.ear.engine.may.wait()
        self.ear.engine.at(self.where)

    async def __aexit__(self, *_):
        self.ear.busy = False


@pytest.fixture
def ears(engines):
    engines.stt = Counting()
    return engines.stt


async def transcribing(client, model="gpt-4o-mini-transcribe", kind="realtime", **listening):
    listening = {"transcription": {"model": model, "language": "en"}, **listening}
    await client.send("session.update", session={"type": kind, "audio": {"input": listening}})
    await client.until("session.updated")


async def turn(client, *spoken, before=640):
    for pcm in (loud(0, before), *map(loud, spoken), loud(0, 640)):
        for at in range(0, len(pcm), 4800):
            await client.sound(pcm[at : at + 4800])


async def test_a_turn_is_heard_as_it_comes_with_its_padding_and_nothing_else(engines, ears, connect):
    async with embedded(engines=engines) as url, connect(url) as client:
        await transcribing(client)
        for spoken, said in (((1, 2), "one two"), ((3,), "three")):
            await turn(client, *spoken)
            events = await client.until("response.done")
            kinds = [event["type"] for event in events]
            assert kinds.index(f"{KIND}.delta") > kinds.index("conversation.item.done")
            completed = events[kinds.index(f"{KIND}.completed")]
            assert completed["transcript"] == said
            assert events[-1]["response"]["output"][0]["content"][0]["transcript"] == f"You said {said}."
            await client.send("conversation.item.retrieve", item_id=completed["item_id"])
            (part,) = (await client.until("conversation.item.retrieved"))[-1]["item"]["content"]
            ear = ears.opened[-1]
            assert b"".join(ear.fed) == base64.b64decode(part["audio"])
            assert b"".join(ear.fed).startswith(bytes(WIRE.bytes_in(250)))  # the padding
            assert len(ear.fed) > 1
            assert ear.closed == 1
    assert ears.whole == []
    assert len(ears.opened) == 2
    assert ears.told[0] == (24_000, "en", "#JSGF V1.0; grammar it; public <it> = hello;")


async def test_a_streaming_model_tells_before_the_commit_what_will_not_change(engines, ears, connect):
    async with embedded(engines=engines) as url, connect(url, path="/realtime?intent=transcription") as client:
        await transcribing(client, "gpt-live-transcribe", "transcription", turn_detection=None)
        for number in (1, 2, 3):
            await client.sound(loud(number))
        early = [(await client.until(f"{KIND}.delta"))[-1] for _ in range(2)]
        assert [event["delta"] for event in early] == ["one", " two"]
        await client.send("input_audio_buffer.commit")
        committed, *_, late, completed = await client.until(f"{KIND}.completed")
        assert (committed["type"], late["delta"]) == ("input_audio_buffer.committed", " three")
        assert completed["transcript"] == "one two three"
        assert {event["item_id"] for event in (*early, committed, late, completed)} == {committed["item_id"]}


async def test_what_comes_while_it_is_busy_is_given_together(engines, ears, connect):
    ears.may.clear()
    async with embedded(engines=engines) as url, connect(url) as client:
        await transcribing(client, turn_detection=None)
        await client.sound(loud(1))
        await asyncio.wait_for(ears.reached.wait(), 60)
        for number in (2, 3, 4):
            await client.sound(loud(number))
        await client.send("input_audio_buffer.commit")
        await client.until("conversation.item.done")
        ears.may.set()
        completed = (await client.until(f"{KIND}.completed"))[-1]
        assert completed["transcript"] == "one two three four"
    assert list(map(len, ears.opened[0].fed)) == [len(loud(1)), 3 * len(loud(1))]


@pytest.mark.parametrize("where", ["listen", "feed", "finish"])
async def test_what_breaks_fails_its_turn_and_the_next_is_heard(engines, ears, connect, where):
    ears.breaks_at = where
    async with embedded(engines=engines) as url, connect(url) as client:
        await transcribing(client)
        await turn(client, 1)
        events = await client.until("response.done")
        (failed,) = [event for event in events if event["type"] == f"{KIND}.failed"]
        assert "The ears are cold. Wear a hat." in failed["error"]["message"]
        assert "The ears are cold." in events[-1]["response"]["status_details"]["error"]["message"]
        await turn(client, 2)
        events = await client.until("response.done")
        assert events[-1]["response"]["output"][0]["content"][0]["transcript"] == "You said two."
    assert [ear.closed for ear in ears.opened] == [1] * len(ears.opened)


async def test_who_stalls_fails_its_turn(engines, ears, connect):
    engines.timeouts = EngineTimeouts(0.1)
    ears.may.clear()
    async with embedded(engines=engines) as url, connect(url) as client:
        await transcribing(client)
        await turn(client, 1)
        failed = (await client.until(f"{KIND}.failed"))[-1]
        assert "counting has given nothing for 0.1 s." in failed["error"]["message"]


async def test_who_is_too_far_behind_fails_its_turn(engines, ears, connect, monkeypatch):
    monkeypatch.setattr("rtchat.server.listeners.MAX_BEHIND", len(loud(2)))
    ears.may.clear()
    async with embedded(engines=engines) as url, connect(url) as client:
        await transcribing(client, turn_detection=None)
        await client.sound(loud(1))
        await asyncio.wait_for(ears.reached.wait(), 60)
        await client.sound(loud(2))
        await client.sound(loud(3))
        await client.send("input_audio_buffer.commit")
        await client.until("conversation.item.done")
        ears.may.set()
        failed = (await client.until(f"{KIND}.failed"))[-1]
        assert "counting is too far behind what is said." in failed["error"]["message"]


@pytest.mark.parametrize("end", ["clear", "leave"])
async def test_what_is_not_wanted_any_more_is_closed(engines, ears, connect, end):
    engines.timeouts = EngineTimeouts(600)
    ears.may.clear()
    async with embedded(engines=engines) as url:
        async with connect(url) as client:
            await transcribing(client, turn_detection=None)
            await client.sound(loud(1))
            await asyncio.wait_for(ears.reached.wait(), 60)
            if end == "clear":
                await client.send("input_audio_buffer.clear")
                await client.until("input_audio_buffer.cleared")
                await asyncio.wait_for(ears.closed.wait(), 60)
                ears.may.set()
                await client.sound(loud(2))
                await client.send("input_audio_buffer.commit")
                assert (await client.until(f"{KIND}.completed"))[-1]["transcript"] == "two"
        await asyncio.wait_for(ears.closed.wait(), 60)
    assert Counter(ear.closed for ear in ears.opened) == {1: 2 if end == "clear" else 1}


async def test_a_turn_that_the_client_ends_is_heard_again_as_a_whole(engines, ears, connect):
    async with embedded(engines=engines) as url, connect(url) as client:
        await transcribing(client)
        for number in (0, 1, 2):
            await client.sound(loud(number))
        await client.until("input_audio_buffer.speech_started")
        await client.send("input_audio_buffer.commit")
        assert (await client.until(f"{KIND}.completed"))[-1]["transcript"] == "one two"
    assert ears.whole == [loud(0) + loud(1) + loud(2)]
    assert [ear.closed for ear in ears.opened] == [1]


async def test_the_figures_tell_how_long_it_took_from_the_end_of_the_turn(engines, ears, connect):
    async with embedded(engines=engines) as url, connect(url) as client, httpx.AsyncClient() as http:
        await transcribing(client)
        await turn(client, 1)
        await client.until("response.done")
        figures = await http.get(url.replace("ws", "http").replace("/v1", "/metrics"))
    assert 'rtchat_engine_seconds_count{engine="stt"} 1' in figures.text


async def test_under_a_virtual_clock_every_run_is_alike(engines, ears, connect):
    async def run():
        config = ServerConfig(stage=Stage(seed=1, virtual=True))
        async with embedded(config, engines=engines) as url, connect(url) as client:
            await transcribing(client, "gpt-live-transcribe")
            await turn(client, 1, 2)
            return await client.until("response.done")

    first = await run()
    assert first == await run()
    kinds = [event["type"] for event in first]
    assert kinds.index(f"{KIND}.delta") < kinds.index("input_audio_buffer.committed")


async def test_where_a_scenario_hears_nobody_listens(engines, ears, connect):
    stage = Stage(scenario=scenario.made([{"hear": "what I wrote", "say": "Indeed."}]))
    async with embedded(ServerConfig(stage=stage), engines=engines) as url, connect(url) as client:
        await transcribing(client)
        await turn(client, 1)
        events = await client.until("response.done")
    assert "what I wrote" in [event.get("transcript") for event in events]
    assert (ears.opened, ears.whole) == ([], [])
