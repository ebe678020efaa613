"""Talking with the real command through real PortAudio: a microphone to speak into, a loudspeaker to listen to."""

from __future__ import annotations

import asyncio
import json
import shutil
import threading
import wave
from contextlib import contextmanager

import numpy as np
import pytest

pytestmark = [pytest.mark.sound, pytest.mark.slow]

RATE = 24_000
LOCAL = ("--server", "local")
ENTER = "\r"

ARITHMETIC = """#JSGF V1.0;
grammar answer;
public <answer> = <n> times <n> is <big>;
<n> = two | three | four | five | six | seven | eight | nine;
<big> = (twenty | forty | ninety) [one | two | three | four | five | six | seven | eight | nine];
"""


@pytest.fixture
def talk(start, lines, pulse):
    """`talk("interactive", …)`: the running command and its NDJSON, once it listens."""

    def begin(*arguments):
        process = start(*arguments, "--json", *LOCAL)
        records = lines(process)
        records.until(lambda r: r["type"] == "state" and r["state"] == "listening")
        return process, records

    return begin


@pytest.fixture
def speaking_up(pulse):
    """Speak into the microphone while the test goes on; waits for the end of it."""

    @contextmanager
    def speak(pcm):
        thread = threading.Thread(target=pulse.speak, args=(pcm,))
        thread.start()
        yield
        thread.join()

    return speak


def recognised(pcm: bytes, grammar: str) -> str:
    """What is said in a recording."""
    pytest.importorskip("pocketsphinx")
    from rtchat.server.engines.sphinx import SphinxSpeechToText

    engine = SphinxSpeechToText()
    try:
        return asyncio.run(engine.transcribe(pcm, RATE, grammar=grammar)).text
    finally:
        engine.close()


def samples(pcm: bytes) -> np.ndarray:
    return np.abs(np.frombuffer(pcm[: len(pcm) // 2 * 2], dtype="<i2").astype(int))


def sounding(pcm: bytes, floor: int = 100) -> tuple[int, int]:
    """The first and the last millisecond with sound."""
    loud = np.nonzero(samples(pcm) > floor)[0]
    return int(loud[0] * 1000 / RATE), int(loud[-1] * 1000 / RATE)


def without_holes(pcm: bytes) -> bytes:
    """From the first sample with sound to the last, without digital silence: a busy machine makes some anywhere."""
    whole = np.frombuffer(pcm, dtype="<i2")
    loud = np.nonzero(np.abs(whole.astype(int)) > 100)[0]
    whole = whole[loud[0] : loud[-1] + 1]
    zeros = np.concatenate([[0], (whole == 0).astype(int), [0]])
    keep = np.ones(len(whole), bool)
    for begin, end in zip(*(np.nonzero(np.diff(zeros) == step)[0] for step in (1, -1)), strict=True):
        keep[begin:end] = end - begin < RATE // 200
    return whole[keep].tobytes()


def assert_as_long(pcm: bytes, heard_ms: int) -> None:
    """No less was heard than was told, and no more: holes only make it longer, leaving out all silence shorter."""
    begin, end = sounding(pcm)
    assert end - begin > heard_ms - 300
    assert len(without_holes(pcm)) / 2 * 1000 / RATE < heard_ms + 300


def until_a_pause(pcm: bytes) -> bytes:
    """What comes before the first second without sound."""
    loud = np.nonzero(samples(pcm) > 100)[0]
    return pcm[: 2 * (loud[np.nonzero(np.diff(loud) > RATE)[0][0]] + 1)]


def final(kind, **wanted):
    """Matches the last word about an item of this kind, with these fields."""
    return lambda r: r["type"] == kind and r["final"] and all(r[name] == value for name, value in wanted.items())


def sent_and_received(folder):
    lines = (folder / "events.jsonl").read_text().splitlines()
    return [(entry["dir"], entry["event"]) for entry in map(json.loads, lines)]


def test_a_spoken_question_gets_a_spoken_answer(talk, pulse, spoken):
    process, records = talk("interactive")
    with pulse.listen() as heard:
        pulse.speak(spoken("what is seven times six", after=0.3))
        assert records.until(final("user"))["text"] == "what is seven times six"
        answer = records.until(final("assistant"))
        heard.wait_for_ms(500)
    assert answer["text"] == "7 times 6 is 42." and answer["status"] == "completed"
    pause = bytes(2 * RATE // 2)  # before it, a recogniser makes words of a long silence
    assert recognised(pause + without_holes(heard.pcm) + pause, ARITHMETIC) == "seven times six is forty two"
    assert_as_long(heard.pcm, answer["heard_ms"])
    assert records.of("session")[0]["echo"] == "aec"
    process.terminate()
    assert process.wait(timeout=120) == 143


def test_speech_interrupts_a_long_story(talk, pulse, spoken, speaking_up, recording):
    process, records = talk("interactive", "--echo", "off", "--record")
    with pulse.listen() as heard:
        pulse.speak(spoken("tell me a long story", after=0.3))
        records.until(lambda r: r["type"] == "assistant" and r["heard_ms"] > 1500)
        with speaking_up(spoken("what is seven times six", after=0.3)):
            told = records.until(lambda r: r["type"] == "interruption")
        story = records.until(final("assistant", item_id=told["item_id"]))
        answer = records.until(final("assistant", status="completed"))
        heard.wait_for_ms(500)
    assert story["status"] == "interrupted" and story["heard_ms"] == told["heard_ms"] < story["generated_ms"]
    assert_as_long(until_a_pause(heard.pcm), told["heard_ms"])
    # From the first sample of the voice, which goes on for longer than that.
    assert 0 <= told["onset_to_duck_ms"] <= told["onset_to_silence_ms"] < 2000
    assert story["text"].startswith(story["heard_text"]) and len(story["heard_text"]) < len(story["text"])
    assert answer["item_id"] != story["item_id"]  # what it says is another test's: a busy machine loses sound
    process.terminate()
    process.wait(timeout=120)

    folder = recording()
    events = sent_and_received(folder)
    (truncate,) = [event for way, event in events if way == "sent" and event["type"].endswith("item.truncate")]
    assert (truncate["item_id"], truncate["audio_end_ms"]) == (told["item_id"], told["heard_ms"])
    assert not [event for _, event in events if event["type"] == "error"]

    with wave.open(str(folder / "audio.wav")) as wav:
        both = np.frombuffer(wav.readframes(wav.getnframes()), dtype="<i2").reshape(-1, 2)
    microphone, loudspeaker = (np.nonzero(samples(both[:, side].tobytes()) > 100)[0] / RATE for side in (0, 1))
    # One clock for both sides: the question, the story, the interruption while it is told, its end, the answer.
    story_began = loudspeaker[0]
    spoke_up = microphone[microphone > story_began][0]
    story_ended = loudspeaker[np.nonzero(np.diff(loudspeaker) > 1.0)[0][0]]
    assert microphone[0] < story_began < spoke_up < story_ended < spoke_up + 2.5
    assert_as_long(until_a_pause(both[:, 1].tobytes()), told["heard_ms"])


@contextmanager
def loudspeaker_beside_the_microphone(pulse):
    module = pulse.pactl(
        "load-module", "module-loopback", "source=speaker.monitor", "sink=mic_feed", "latency_msec=30"
    ).strip()
    try:
        yield
    finally:
        pulse.pactl("unload-module", module)


def test_half_duplex_does_not_interrupt_itself_and_space_does(terminal, pulse, recording):
    program = terminal("interactive", "--echo", "half-duplex", "--record", *LOCAL)
    program.shows("half duplex")
    with (
        loudspeaker_beside_the_microphone(pulse),
        pulse.listen() as heard,
        pulse.listen("mic_feed") as echo,
    ):
        program.type("ttell me a long story" + ENTER)
        program.shows("● speaking")
        heard.wait_for_ms(4000)
        assert samples(heard.pcm).any()
        assert samples(echo.pcm).any()
        program.read()
        program.shows("● speaking")
        assert not any("interrupted" in row for row in program.everything())
        program.type(" ")
        program.shows("(interrupted")
        program.shows("● listening")
        heard.wait_for_ms(1500)  # what is recorded comes later, on a busy machine
        before = len(heard.pcm)
        heard.wait_for_ms(1500)  # longer than any pause of the story
        assert not samples(heard.pcm[before:]).any()
    program.type("q")
    assert program.exit_code() == 0
    kinds = [event["type"] for _, event in sent_and_received(recording())]
    assert "input_audio_buffer.speech_started" not in kinds
    assert kinds.count("conversation.item.truncate") == 1


def test_a_muted_microphone_sends_silence(terminal, pulse, spoken, recording):
    program = terminal("interactive", "--record", *LOCAL)
    program.shows("● listening")
    program.type("m")
    program.shows("○ muted")
    pulse.speak(spoken("tell me a joke", after=0.5))
    program.type("m")
    program.shows("● listening")
    pulse.speak(spoken("what time is it", before=0.5, after=0.3))
    program.shows("you        what time is it")
    program.shows("assistant  It is ")
    program.type("q")
    assert program.exit_code() == 0
    events = sent_and_received(recording())
    assert [event["type"] for _, event in events].count("input_audio_buffer.speech_started") == 1


def test_a_loudspeaker_that_is_unplugged(talk, pulse, spoken):
    process, records = talk("interactive")
    pulse.speak(spoken("tell me a long story", after=0.3))
    records.until(lambda r: r["type"] == "assistant" and r["heard_ms"] > 500)
    pulse.unplug()
    lost = records.until(lambda r: r["type"] == "error" and r["code"] == "loudspeaker_lost")
    assert lost["hint"] and not lost["fatal"]
    rest = records.until(lambda r: final("assistant", status="completed")(r) and r["t"] > lost["t"])
    assert (rest["heard_ms"], rest["heard_text"]) == (0, rest["text"])  # it is read
    process.terminate()
    assert process.wait(timeout=120) == 143


def test_whether_it_listens_is_on_the_screen_also_while_there_is_no_microphone(terminal, pulse, spoken):
    program = terminal("interactive", *LOCAL)
    program.shows("● listening")
    pulse.unplug()
    program.shows("○ no microphone")
    program.shows("t types")
    assert not any("listening" in row for row in program.rows())
    program.type("trepeat after me: the sky is green" + ENTER)
    program.shows("assistant  The sky is green")
    pulse.start()
    program.shows("● listening")
    pulse.speak(spoken("what is seven times six", after=0.3))
    program.shows("7 times 6 is 42.")
    program.type("q")
    assert program.exit_code() == 0


def test_the_translator_speaks_spanish(talk, pulse, spoken):
    if shutil.which("apertium") is None:
        pytest.skip("apertium is not installed")
    import subprocess

    pairs = subprocess.run(["apertium", "-l"], capture_output=True, text=True, check=True).stdout.split()
    if not {"en-es", "eng-spa"} & set(pairs):
        pytest.skip("apertium-eng-spa is not installed")
    process, records = talk("translator", "--to", "es")
    with pulse.listen() as heard:
        pulse.speak(spoken("the house is very big", after=1.5))
        text = records.until(lambda r: r["type"] == "assistant" and len(r["text"].split()) > 2)["text"].lower()
        heard.wait_for_ms(1500)
    assert "casa" in text and "grande" in text
    begin, end = sounding(heard.pcm)
    assert end - begin > 500
    process.terminate()
    assert process.wait(timeout=120) == 143
