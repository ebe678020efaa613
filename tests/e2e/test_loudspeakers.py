"""Talking on loudspeakers, as docs/sound.md promises: the real command, real PortAudio, and a room in between."""

from __future__ import annotations

import base64
import json
import os
import re
import sys
import wave
from contextlib import ExitStack

import numpy as np
import pytest
import rooms
from live_room import live_room
from noises import noise
from rooms import RATE, Room, Shape, dbfs, from_wire, to_wire, utter

from rtchat.audio import soundchecks
from rtchat.audio.soundcheck import SoundCheck
from rtchat.audio.speech import WINDOW_MS, Speech

pytestmark = [
    pytest.mark.sound,
    pytest.mark.slow,
    pytest.mark.alone,
    pytest.mark.skipif(sys.platform == "win32", reason="PulseAudio"),
    pytest.mark.skipif(bool(rooms.missing()), reason=f"nobody to speak: {', '.join(rooms.missing())}"),
]

LOCAL = ("--server", "local")
LAPTOP = Shape(delay_ms=40, rt60=0.25, echo_db=-12, noise_dbfs=-60)
HEADPHONES = Shape(echo_db=-90, noise_dbfs=-60)
SILENT = 0.0005
"""Of full scale: what is under it is no sound of the loudspeaker."""


class ShiftedRoom(Room):
    """Its loudspeaker plays all of it 60 Hz too high, as amplifiers against howling do: it cannot be cancelled."""

    _at, _before = 0, np.zeros(510, np.float32)
    _delayed = np.sinc(0.5 * (np.arange(511) - 255)) * 0.5 * np.hanning(511)

    def play(self, far):
        at = self._at + np.arange(len(far)) - 255
        self._at += len(far)
        heard, self._before = np.concatenate([self._before, far]), np.concatenate([self._before, far])[-510:]
        # The half with positive frequencies alone: a low-pass turned up by a quarter of the rate.
        turned = self._delayed * np.exp(0.5j * np.pi * (np.arange(511) - 255))
        positive = 2 * np.convolve(heard, turned, "valid")
        super().play((positive * np.exp(2j * np.pi * 60 / RATE * at)).real.astype(np.float32))


@pytest.fixture
def furnish(pulse):
    """`furnish(LAPTOP)`: a room between the loudspeaker and the microphone, until the test's end."""
    with ExitStack() as stack:

        def begin(room):
            return stack.enter_context(live_room(pulse, room if isinstance(room, Room) else Room(3, shape=room)))

        yield begin


@pytest.fixture
def talk(start, lines, pulse):
    """`talk("--echo", "off")`: an interactive session and its NDJSON, once it listens."""

    def begin(*arguments, **variables):
        process = start("interactive", "--json", *LOCAL, *arguments, env={**os.environ, **variables})
        records = lines(process)
        records.until(lambda r: r["type"] == "state" and r["state"] == "listening")
        return process, records

    return begin


@pytest.fixture
def stop():
    """End a session; what it wrote on standard error."""

    def end(process):
        process.terminate()
        errors = process.stderr.read().decode()
        assert process.wait(timeout=120) == 143
        return errors

    return end


def voice(text):
    return utter("flite rms", text).samples


def ask_for_a_story(room, records):
    """Ask for the long story, in the room, until it is told."""
    for _ in range(4):
        turns = len(records.of("turn"))
        room.wait_until(room.say(voice("tell me a long story")).end)
        over = lambda _, n=turns: len(records.of("turn")) > n  # noqa: E731
        if heard(0)(records.until(lambda r, over=over: heard(0)(r) or over(r))):
            return
    pytest.fail("nobody understood the question")


def heard(ms):
    """Matches the story, once so much of it was heard."""
    return lambda r: r["type"] == "assistant" and "lighthouse" in r["text"] and r["heard_ms"] >= ms


def energy_db(samples):
    return 10 * np.log10(np.sum(np.square(samples, dtype=np.float64)))


def speech_ms(samples):
    """How much of it a detector takes for speech."""
    return sum(WINDOW_MS for window in Speech().feed(to_wire(samples), 0.0) if window.probability > 0.5)


def channels(folder):
    """The microphone and the loudspeaker of a recording."""
    with wave.open(str(folder / "audio.wav")) as wav:
        both = np.frombuffer(wav.readframes(wav.getnframes()), dtype="<i2").reshape(-1, 2)
    return (both / 32768).astype(np.float32).T


def test_on_a_laptop_it_hears_the_user_and_never_itself(furnish, talk, stop, pulse, recording):
    room = furnish(LAPTOP)
    process, records = talk("--record")
    with pulse.listen("mic_feed") as carried:
        ask_for_a_story(room, records)
        question = from_wire(carried.pcm)
        measured = records.until(lambda r: r["type"] == "echo")
        records.until(heard(6000))
        story = from_wire(carried.pcm)[len(question) :]
    assert speech_ms(story) > 2000, "what the test is about is not there: nothing to interrupt itself by"
    assert (measured["echo"], records.of("session")[0]["echo"]) == ("aec", "aec") and measured["erle_db"] > 10
    for sound in (noise("cough", 1), noise("click", 2)):
        begin = room.at
        room.wait_until(room.say(sound.samples).end + RATE)
        before, after = (room.played(at, at + RATE) for at in (begin - RATE, room.at - RATE))
        assert abs(dbfs(after) - dbfs(before)) < 9, f"the story stays turned down: {records.records[-5:]}"
    records.until(heard(8000))
    assert not records.of("interruption") and records.of("state")[-1]["state"] == "speaking"

    said = room.say(voice("what is seven times six"))
    told = records.until(lambda r: r["type"] == "interruption")
    assert 0 <= told["onset_to_duck_ms"] <= told["onset_to_silence_ms"] < 2000
    understood = records.until(lambda r: r["type"] == "user" and r["final"] and r["t"] > told["t"])
    assert "seven" in understood["text"] or "six" in understood["text"]
    story = records.until(lambda r: r["type"] == "assistant" and r["final"] and r["item_id"] == told["item_id"])
    assert story["status"] == "interrupted" and 8000 < story["heard_ms"] == told["heard_ms"]
    assert story["heard_text"] and story["text"].startswith(story["heard_text"])
    assert len(story["heard_text"]) < len(story["text"])
    (sounding,) = np.nonzero(np.abs(room.played(said.begin, said.end)) > SILENT)
    assert len(sounding) and (said.end - said.begin - sounding[-1]) / RATE > 0.3, "the story goes on"

    stop(process)
    microphone, loudspeaker = channels(recording())
    begins = np.nonzero(loudspeaker)[0][0]
    assert energy_db(microphone[:begins]) == pytest.approx(energy_db(question), abs=1)
    assert speech_ms(microphone[begins : begins + 5 * RATE]) < 200


def known_as(echo):
    """What rtchat doctor would have found about these devices."""
    names = (soundchecks.known_as("default", side) for side in ("microphone", "loudspeaker"))
    soundchecks.save(SoundCheck(*names, echo=echo, echo_db=-12.0, erle_db=1.0))


def test_half_duplex_hears_nobody_while_it_speaks(furnish, talk, stop, pulse):
    """By a sound check that recommends it; the canceller's own measurement opens the microphone again."""
    known_as("half-duplex")
    room = furnish(LAPTOP)
    process, records = talk()
    assert records.of("session")[0]["echo"] == "half-duplex"
    ask_for_a_story(room, records)
    records.until(heard(1000))
    users = len(records.of("user"))
    room.wait_until(room.say(voice("what is seven times six")).end)
    works = records.until(lambda r: r["type"] == "echo")
    assert works["echo"] == "aec" and works["erle_db"] > 10
    assert not records.of("interruption") and len(records.of("user")) == users
    room.say(voice("what is seven times six"))
    records.until(lambda r: r["type"] == "interruption")
    assert stop(process).count("rtchat doctor found that the echo of these devices cannot be cancelled") == 1


@pytest.mark.parametrize(("asked", "mode"), [("auto", "half-duplex"), ("aec", "aec")])
def test_an_echo_that_cannot_be_cancelled(furnish, talk, world, asked, mode):
    """It finds out while it speaks; nobody may interrupt: else its own voice would, all the time."""
    profile = world / "patient.toml"
    profile.write_text('instructions = "Go on."\n[turn_taking]\nvad = "server"\ninterrupt_response = false\n')
    room = furnish(ShiftedRoom(3, shape=Shape(delay_ms=40, rt60=0.25, echo_db=-3, noise_dbfs=-65)))
    _, records = talk("--profile", str(profile), "--echo", asked)
    ask_for_a_story(room, records)
    found = records.until(lambda r: r["type"] == "echo")
    assert (found["echo"], found["erle_db"] is None) == (mode, mode == "half-duplex")


def test_headphones_need_nothing(furnish, terminal, pulse):
    room = furnish(HEADPHONES)
    program = terminal("interactive", *LOCAL, columns=100)
    program.shows("AEC · full duplex")
    program.type("ttell me a long story\r")
    program.shows("no echo · full duplex")
    room.wait_until(room.at + 3 * RATE)  # the canceller takes away nearly all at first
    program.shows("● speaking")
    room.say(voice("what is seven times six"))
    program.shows("(interrupted after")
    program.until(lambda: sum(row.startswith("you        ") for row in program.rows()) == 2)  # and what it was
    program.type("q")
    assert program.exit_code() == 0


BROKEN = {
    "not installed": ("", None),
    "breaks on import": ("", "raise ImportError('liblivekit_ffi.so: cannot open shared object file')"),
    "cannot be looked for": ("raise OSError('liblivekit_ffi.so: wrong ELF class')", None),
}


@pytest.mark.parametrize("how", BROKEN)
def test_without_a_canceller_that_loads_it_is_half_duplex_and_says_why(talk, stop, pulse, spoken, tmp_path, how):
    package, rtc = BROKEN[how]
    for name, text in (("livekit", package), ("livekit/rtc", rtc)):
        if text is not None:
            (tmp_path / "broken" / name).mkdir(parents=True)
            (tmp_path / "broken" / name / "__init__.py").write_text(text + "\n")
    path = f"{tmp_path / 'broken'}{os.pathsep}{os.environ['PYTHONPATH']}"
    process, records = talk(PYTHONPATH=path)
    pulse.speak(spoken("what is seven times six", after=0.3))
    records.until(lambda r: r["type"] == "assistant" and r["text"] == "7 times 6 is 42.")
    doing = [*records.of("session"), *records.of("echo")][-1]
    assert doing["echo"] == "half-duplex"
    told = [error["message"] + error["hint"] for error in records.of("error")] + stop(process).splitlines()
    assert sum("livekit" in text and "pip install" in text for text in told) == len(told) == 1


def test_what_was_broken_off_for_nothing_is_said_again(furnish, terminal, world, recording):
    """What is like a voice stops it; the server, which is told to be hard of hearing, hears none."""
    profile = world / "deaf.toml"
    profile.write_text('instructions = "Go on."\n[turn_taking]\nvad = "server"\nthreshold = 1.0\n')
    room = furnish(HEADPHONES)
    options = ("--resume-false-interruptions", "--record", "--echo", "off", "--profile", str(profile))
    program = terminal("interactive", *options, *LOCAL)
    program.shows("● listening")
    program.type("ttell me a long story\r")
    program.shows("● speaking")
    room.wait_until(room.at + 2 * RATE)
    room.say(voice("what is seven times six")[::-1])
    program.shows("(interrupted after")
    program.until(lambda: sum(row.startswith("assistant  ") for row in program.everything()) == 2)
    program.shows("● speaking")
    room.wait_until(room.at + RATE)
    program.type("q")
    assert program.exit_code() == 0
    sent = [json.loads(line) for line in (recording() / "events.jsonl").read_text().splitlines()]
    events = [entry["event"] for entry in sent]
    _, rest = (event for event in events if event["type"] == "response.create")
    assert "Not heard yet" in rest["response"]["instructions"]
    texts: dict[str, str] = {}
    for event in events:
        if event["type"] == "response.output_audio_transcript.delta":
            texts[event["item_id"]] = texts.get(event["item_id"], "") + event["delta"]
    story, again = texts.values()
    assert story.startswith("This is the story of the lighthouse")
    heard_before = json.loads(re.search('Heard so far: (".*")', rest["response"]["instructions"])[1])
    assert story.startswith(heard_before) and again.split()[:3] == story[len(heard_before) :].split()[:3]


# --- noise that a server takes for speech -----------------------------------------------------------------


def response(name, status="in_progress"):
    return {"id": name, "object": "realtime.response", "status": status, "output": []}


def answer_that_a_noise_breaks_off(peer):
    """An answer of ten seconds; after one, what the server takes for speech, and then writes no word of."""
    peer.greet()
    said = {"id": "A", "type": "message", "role": "assistant", "status": "in_progress", "content": []}
    where = {"response_id": "R", "item_id": "A", "output_index": 0, "content_index": 0}
    peer.say(type="response.created", response=response("R"))
    peer.say(type="response.output_item.added", response_id="R", output_index=0, item=said)
    peer.say(type="conversation.item.added", previous_item_id=None, item=said)
    peer.say(type="response.content_part.added", **where, part={"type": "output_audio", "transcript": ""})
    peer.say(
        type="response.output_audio_transcript.delta", **where, delta="One two three four five six seven eight"
    )
    sound = base64.b64encode(b"\x10\x10" * 24_000).decode()
    for _ in range(10):
        peer.say(type="response.output_audio.delta", **where, delta=sound)
    for _ in range(50):  # a second of the microphone
        peer.socket.recv()
    peer.say(type="input_audio_buffer.speech_started", audio_start_ms=700, item_id="U")
    peer.say(type="response.done", response=response("R", "cancelled"))
    peer.say(type="input_audio_buffer.speech_stopped", audio_end_ms=1000, item_id="U")
    peer.say(type="input_audio_buffer.committed", item_id="U", previous_item_id="A")


def written(peer):
    kind = "conversation.item.input_audio_transcription.completed"
    peer.say(type=kind, item_id="U", content_index=0, transcript="")


def answered(peer):
    peer.say(type="response.created", response=response("R2"))


@pytest.mark.parametrize("order", [(written, answered), (answered, written)])
def test_a_noise_that_the_server_took_for_speech_does_not_end_the_answer(start, lines, server_that, wait, order):
    """Through files in place of devices: here the server alone decides, and answers the nothing that it heard."""
    sent = []

    def behave(peer):
        answer_that_a_noise_breaks_off(peer)
        for happens in order:
            happens(peer)
        while not sent or sent[-1]["type"] != "response.create":
            event = json.loads(peer.socket.recv())
            if event["type"] != "input_audio_buffer.append":
                sent.append(event)
            if event["type"] == "response.cancel":
                peer.say(type="response.done", response=response("R2", "cancelled"))

    with wave.open("silence.wav", "wb") as wav:
        wav.setparams((1, 2, RATE, 0, "NONE", ""))
        wav.writeframes(bytes(2 * 20 * RATE))
    options = ("--resume-false-interruptions", "--input-wav", "silence.wav", "--output-wav", "/dev/null")
    process = start("interactive", "--json", "--server", server_that(behave), *options)
    records = lines(process)
    broken = records.until(lambda r: r["type"] == "assistant" and r["final"])
    assert broken["status"] == "interrupted" and broken["heard_text"].startswith("One")
    wait(lambda: sent and sent[-1]["type"] == "response.create", "the rest is asked for")
    process.terminate()
    process.wait(timeout=120)
    kinds = [event["type"] for event in sent]
    assert sorted(kinds[-3:-1]) == ["conversation.item.delete", "response.cancel"], kinds
    assert "Not heard yet: " in sent[-1]["response"]["instructions"]
