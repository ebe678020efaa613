"""`rtchat doctor` as a user runs it: with sound and without, with a server and without, in pipes and terminals."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from live_room import live_room
from rooms import Room, Shape

RATE = 24_000
LOCAL = ("--server", "local")
DESK = Shape(delay_ms=60, rt60=0.25, echo_db=-15, noise_dbfs=-60)

sound = pytest.mark.sound
slow = pytest.mark.slow


def checks(told: str) -> dict[str, dict]:
    """The findings of `--json`, by what they are about."""
    return {found["check"]: found for found in json.loads(told)["checks"]}


class Ear:
    """Records a device of the private PulseAudio, and when each piece came."""

    def __init__(self, pulse, device: str) -> None:
        self._pieces: list[tuple[float, bytes]] = []
        command = ["parec", "--raw", f"--rate={RATE}", "--channels=1", "--format=s16le", "--latency-msec=10"]
        self._process = subprocess.Popen(
            [*command, f"--device={device}"], env={**os.environ, **pulse.env}, stdout=subprocess.PIPE
        )
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        while piece := os.read(self._process.stdout.fileno(), 65536):
            self._pieces.append((time.monotonic(), piece))

    def stop(self) -> tuple[float, np.ndarray]:
        """When the first sample was recorded, and all of them."""
        self._process.terminate()
        self._process.wait()
        self._thread.join(5)
        self._process.stdout.close()
        sizes = np.cumsum([len(piece) // 2 for _, piece in self._pieces]) / RATE
        # A piece may come late, never early.
        began = float(np.percentile(np.array([at for at, _ in self._pieces]) - sizes, 5))
        return began, np.frombuffer(b"".join(piece for _, piece in self._pieces), "<i2").astype(float)


@contextmanager
def measured(pulse):
    """The echo's delay in ms and its level in dB, found by listening to the loudspeaker and the microphone."""
    truth: dict[str, float] = {}
    ears = [Ear(pulse, "speaker.monitor"), Ear(pulse, "microphone")]
    try:
        yield truth
    finally:
        (far_began, far), (near_began, near) = (ear.stop() for ear in ears)
    size = 1 << (len(far) + len(near)).bit_length()
    cross = np.fft.rfft(near, size) * np.conj(np.fft.rfft(far, size))
    matched = np.fft.irfft(cross / np.maximum(np.abs(cross), 1e-3 * np.abs(cross).max()), size)
    lag = int(np.argmax(matched))
    lag -= size if lag > size // 2 else 0
    truth["delay_ms"] = (lag / RATE + near_began - far_began) * 1000
    truth["level_db"] = 10 * float(np.log10(np.sum(near**2) / np.sum(far**2)))


# --- sound ------------------------------------------------------------------------------------------------


@sound
@slow
@pytest.mark.alone
def test_the_echo_of_a_room_is_measured_as_another_measurement_finds_it(rtchat, pulse, tmp_path):
    began = time.monotonic()
    rtchat("doctor", "--json", "--no-sound", *LOCAL)
    without = time.monotonic() - began
    for _ in range(3):
        with live_room(pulse, Room(3, shape=DESK)), measured(pulse) as truth:
            began = time.monotonic()
            code, out, err = rtchat("doctor", "--json", *LOCAL)
            took = time.monotonic() - began
        assert (code, err.count("\n")) == (0, 1) and "please be quiet" in err
        found = json.loads(out)["sound"]
        if not found["dropouts"]:
            break
    else:
        pytest.skip("this machine is too busy to measure on: sound was lost three times")
    assert found["echo_ms"] == pytest.approx(truth["delay_ms"], abs=15)
    assert found["echo_db"] == pytest.approx(truth["level_db"], abs=2)
    assert found["noise_dbfs"] == pytest.approx(-60, abs=2)
    assert found["round_trip_ms"] > found["echo_ms"] > 60
    assert not found["silent"] and found["clipped"] == 0
    assert took - without < 12 + 6  # six seconds for a busy machine
    (file,) = (tmp_path / "state").rglob("soundchecks.json")
    assert json.loads(file.read_text())["checks"] == [found]
    assert found["input_name"] == "default (microphone)" and found["output_name"] == "default (speaker)"


@sound
@slow
@pytest.mark.alone
def test_headphones_have_no_echo(rtchat, pulse):
    with live_room(pulse, Room(3, shape=Shape(echo_db=-90, noise_dbfs=-60))):
        code, out, _ = rtchat("doctor", "--json", *LOCAL)
    assert code == 0
    found = json.loads(out)["sound"]
    assert (found["echo"], found["echo_db"]) == ("none", None)
    assert "headphones" in checks(out)["echo"]["text"]


@sound
@slow
def test_a_muted_microphone_is_a_problem(rtchat, pulse):
    pulse.pactl("set-source-mute", "microphone", "1")
    try:
        with live_room(pulse, Room(3, shape=DESK)):
            code, out, _ = rtchat("doctor", *LOCAL)
    finally:
        pulse.pactl("set-source-mute", "microphone", "0")
    assert code == 5
    assert "problem  level        The microphone 'default (microphone)' gives nothing but digital silence.\n" in out
    assert "\x1b" not in out and out.endswith("A conversation does not work here yet: see the problems above.\n")


@sound
@slow
@pytest.mark.alone
def test_a_microphone_that_clips(rtchat, pulse):
    with live_room(pulse, Room(3, shape=Shape(delay_ms=60, echo_db=18, noise_dbfs=-60))):
        code, out, _ = rtchat("doctor", "--json", *LOCAL)
    assert code == 0, out
    told = json.loads(out)
    assert told["sound"]["clipped"] > 0.001
    assert any("Lower the volume" in found["text"] for found in told["checks"] if found["check"] == "advice")


@sound
def test_a_pair_is_known_by_what_the_sound_server_has_behind_it(rtchat, pulse):
    pulse.pactl("set-default-source", "speaker.monitor")
    code, out, _ = rtchat("doctor", "--json", "--no-sound", *LOCAL)
    assert code == 0 and checks(out)["microphone"]["text"].startswith("default (speaker.monitor), ")


@sound
@slow
def test_a_sound_server_that_hangs_holds_nothing_up(rtchat, pulse):
    pulse.freeze()
    try:
        code, out, _ = rtchat("doctor", *LOCAL)
    finally:
        pulse.unplug()
    assert code == 5 and "The sound system does not answer." in out and "\nok       network" in out


ONE_SIDED = """
pcm.default {{ type asym {side}.pcm {{ type pulse }} hint {{ show on description "default" }} }}
ctl.default {{ type pulse }}
"""


@pytest.fixture
def only(pulse, tmp_path, monkeypatch):
    """`only("capture")`: a machine with devices of one side alone."""

    def make(side: str) -> None:
        conf = tmp_path / "one-sided.conf"
        conf.write_text(ONE_SIDED.format(side=side))
        monkeypatch.setenv("ALSA_CONFIG_PATH", str(conf))

    return make


@sound
def test_a_microphone_alone(rtchat, only, pulse):
    only("capture")
    with live_room(pulse, Room(3, shape=DESK)):
        code, out, _ = rtchat("doctor", "--json", *LOCAL)
    found = checks(out)
    assert code == 5
    assert found["loudspeaker"]["mark"] == "problem" and "No loudspeaker" in found["loudspeaker"]["text"]
    assert found["microphone"]["mark"] == "ok" and "noise of the room -60" in found["level"]["text"]
    assert found["embedded"]["mark"] == "ok"


@sound
def test_a_loudspeaker_alone(rtchat, only):
    only("playback")
    code, out, _ = rtchat("doctor", "--json", *LOCAL)
    found = checks(out)
    assert code == 5
    assert found["microphone"]["mark"] == "problem" and found["loudspeaker"]["mark"] == "ok"
    assert "level" not in found and "sound" not in found


@sound
def test_a_device_is_chosen(rtchat, pulse):
    code, out, _ = rtchat("doctor", "--json", "--no-sound", *LOCAL, "--output-device", "headset")
    assert code == 0 and checks(out)["loudspeaker"]["text"].startswith("test_headset")
    code, out, _ = rtchat("doctor", "--json", "--no-sound", *LOCAL, "--input-device", "trumpet")
    assert code == 5 and "trumpet" in checks(out)["microphone"]["text"]


@sound
def test_files_stand_in_for_devices(rtchat, pulse):
    files = {"RTCHAT_INPUT_WAV": "in.wav", "RTCHAT_OUTPUT_WAV": "out.wav"}
    code, out, err = rtchat("doctor", "--json", *LOCAL, **files)
    assert (code, err) == (0, "") and checks(out)["microphone"]["text"] == "the file in.wav"


# --- no sound ---------------------------------------------------------------------------------------------


@pytest.fixture
def no_device(world, tmp_path, monkeypatch):
    """A machine without any sound."""
    if any(Path("/proc/asound").glob("card*[0-9]")):
        pytest.skip("this machine has a sound card")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PULSE_SERVER", f"unix:{tmp_path}/none")


def test_no_device_is_one_sentence_and_the_rest_is_checked(rtchat, no_device):
    code, out, err = rtchat("doctor", *LOCAL)
    assert (code, err) == (5, "")
    assert out.count("No sound device was found.") == 1
    assert "\nok       embedded " in out and "\nok       network " in out
    rows = out.splitlines()
    assert all(row.split(" ")[0] in ("ok", "note", "problem", "") for row in rows[:-1])


def test_settings_that_are_wrong_come_first(rtchat, no_device, world):
    (world / "mine.toml").write_text("volume = 11\n")
    code, out, _ = rtchat("doctor", "--json", "--no-sound", "--config", "mine.toml")
    assert code == 2 and "mine.toml:1" in checks(out)["settings"]["text"]


def test_a_key_is_never_shown(rtchat, no_device):
    port = {"OPENAI_BASE_URL": "http://127.0.0.1:9/v1", "OPENAI_API_KEY": "sk-very-secret"}
    for flags in ((), ("--json",)):
        _, out, err = rtchat("doctor", *flags, **port)
        assert "very-secret" not in out + err and "OPENAI_API_KEY" in out


@sound
def test_no_server_is_code_3(rtchat, pulse):
    code, out, _ = rtchat("doctor", "--json", "--no-sound", "--url", "ws://127.0.0.1:9/v1")
    told = checks(out)
    assert code == 3 and told["network"]["code"] == 3 and "Nothing answers" in told["network"]["text"]
    assert "server" not in told


@sound
def test_a_server_that_refuses_the_key_is_code_4(rtchat, pulse, serving):
    address, _ = serving("--api-key", "right")
    code, out, _ = rtchat("doctor", "--json", "--no-sound", "--url", address, RTCHAT_API_KEY="wrong")
    assert code == 4 and checks(out)["server"]["code"] == 4
    code, out, _ = rtchat("doctor", "--json", "--no-sound", "--url", address, RTCHAT_API_KEY="right")
    assert code == 0 and "opens a session" in checks(out)["server"]["text"]


# --- in a terminal ----------------------------------------------------------------------------------------


@sound
@slow
def test_a_terminal_shows_that_it_plays_and_reads_in_80_columns(terminal, pulse):
    with live_room(pulse, Room(3, shape=DESK)):
        program = terminal("doctor", "--no-voice", *LOCAL, lines=60)
        program.shows("[####")
        program.shows("A conversation works here.")
        assert program.exit_code() == 0
    rows = program.everything()
    assert not any("####" in row for row in rows)
    assert any(row[9:].startswith("timing       round trip") for row in rows)
    assert b"\x1b[32mok" in program.sent
    program.assert_restored()


@sound
@slow
def test_ctrl_c_in_the_middle_restores_all(terminal, pulse):
    program = terminal("doctor", *LOCAL, lines=60)
    program.shows("[###")
    program.kill(signal.SIGINT)
    assert program.exit_code() == 130
    *_, bar = re.findall(rb"\[#*\.*\]", program.sent)
    assert bar.count(b".") > 3, "it measures to the end"
    program.assert_restored()
    assert not any("###" in row for row in program.rows())
    assert "Traceback" not in "".join(program.everything())
