"""What is kept about pairs of devices, and what becomes of a file that is not as it should be."""

import json
import os
import sys
from dataclasses import replace

import pytest

from rtchat.audio import soundchecks
from rtchat.audio.soundcheck import SoundCheck

CHECK = SoundCheck(
    "Built-in Microphone", "Built-in Output", 48_000, 48_000,
    noise_dbfs=-61.5, peak_dbfs=-20.0, echo_db=-17.2, echo_ms=43.0, round_trip_ms=71.0, erle_db=31.0,
    drift_ppm=-3.0, echo="aec", checked_at="2026-01-02T03:04:05+00:00",
)  # fmt: skip


@pytest.fixture(autouse=True)
def state(tmp_path, monkeypatch):
    """A state folder of one's own, and no sound server to ask."""
    monkeypatch.setattr(soundchecks.platformdirs, "user_state_path", lambda *a, **k: tmp_path / "state")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    return tmp_path / "state"


def load():
    return soundchecks.load("Built-in Microphone", "Built-in Output")


def test_what_is_saved_is_loaded():
    assert load() is None
    soundchecks.save(soundchecks.named(CHECK))
    assert load() == CHECK
    assert soundchecks.load("Built-in Microphone", "Other") is None


def test_people_can_read_it():
    soundchecks.save(CHECK)
    text = soundchecks.path().read_text()
    data = json.loads(text)
    assert data["version"] == 1 and data["checks"][0]["echo"] == "aec"
    assert len(text.splitlines()) > 10


def test_a_newer_check_of_a_pair_takes_the_place_of_the_older():
    soundchecks.save(CHECK)
    other = replace(CHECK, output_name="Other")
    soundchecks.save(other)
    newer = replace(CHECK, erle_db=2.0, echo="half-duplex", checked_at="2026-02-02T00:00:00+00:00")
    soundchecks.save(newer)
    assert load() == newer
    assert soundchecks.load("Built-in Microphone", "Other") == other
    assert len(json.loads(soundchecks.path().read_text())["checks"]) == 2


def test_the_oldest_are_forgotten():
    for number in range(soundchecks.KEPT + 5):
        soundchecks.save(replace(CHECK, output_name=str(number), checked_at=f"2026-01-01T00:00:{number:02}+00:00"))
    assert soundchecks.load("Built-in Microphone", "4") is None
    assert soundchecks.load("Built-in Microphone", "5") is not None


GARBAGE = [
    b"", b"\xff\xfe\x00", b"not json", b"[]", b"null", b"3", b'{"version": 1}', b'{"version": 99, "checks": []}',
    b'{"version": 1, "checks": 3}', b'{"version": 1, "checks": [3, null, {}, {"echo": "loud"}]}', b"[" * 100_000,
]  # fmt: skip


@pytest.mark.parametrize("garbage", GARBAGE)
def test_garbage_in_the_file_is_no_check_and_is_replaced(garbage):
    soundchecks.path().parent.mkdir(parents=True)
    soundchecks.path().write_bytes(garbage)
    assert load() is None
    soundchecks.save(CHECK)
    assert load() == CHECK


def test_an_entry_that_is_damaged_costs_only_itself():
    soundchecks.save(CHECK)
    data = json.loads(soundchecks.path().read_text())
    data["checks"].insert(0, {**data["checks"][0], "echo_db": "loud"})
    soundchecks.path().write_text(json.dumps(data))
    assert load() == CHECK


def test_fields_of_a_later_version_are_passed_over():
    soundchecks.save(CHECK)
    data = json.loads(soundchecks.path().read_text())
    data["checks"][0]["colour"] = "blue"
    soundchecks.path().write_text(json.dumps(data))
    assert load() == CHECK


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="nothing is read-only for root")
def test_a_folder_that_cannot_be_written_is_an_error(state):
    state.mkdir(mode=0o500)
    with pytest.raises(OSError):
        soundchecks.save(CHECK)


def test_a_file_in_the_way_is_an_error_and_nothing_is_left_behind(state):
    state.write_text("")
    with pytest.raises(OSError):
        soundchecks.save(CHECK)
    assert state.read_text() == ""


PACTL = """#!/bin/sh
[ "$LC_ALL" = C ] || exit 1
echo 'Server Name: pulseaudio'
echo 'Default Sink: alsa_output.usb-Jabra'
echo 'Default Source: alsa_input.usb-Jabra'
"""


@pytest.fixture
def pactl(tmp_path, monkeypatch):
    """Make a `pactl` that runs this script."""

    def make(script=PACTL):
        program = tmp_path / "bin" / "pactl"
        program.parent.mkdir(exist_ok=True)
        program.write_text(script)
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
        for name in ("PULSE_SINK", "PULSE_SOURCE"):
            monkeypatch.delenv(name, raising=False)

    monkeypatch.setattr(soundchecks, "_ASK_SECONDS", 60.0)
    return make


@pytest.mark.skipif(sys.platform == "win32", reason="no PulseAudio")
def test_a_pair_is_known_by_what_is_behind_the_sound_server(pactl):
    pactl()
    kept = soundchecks.named(replace(CHECK, input_name="default", output_name="default"))
    assert soundchecks.named(kept) == kept
    soundchecks.save(kept)
    assert kept.input_name == "default (alsa_input.usb-Jabra)"
    assert kept.output_name == "default (alsa_output.usb-Jabra)"
    assert soundchecks.load("default", "default") == kept
    pactl(PACTL.replace("Jabra", "Bose"))
    assert soundchecks.load("default", "default") is None
    assert soundchecks.known_as("HDA Intel (hw:0,0)", "microphone") == "HDA Intel (hw:0,0)"


@pytest.mark.skipif(sys.platform == "win32", reason="no PulseAudio")
@pytest.mark.parametrize("script", ["#!/bin/sh\nexit 1\n", "#!/bin/sh\necho Moin\n", "#!/no/such/shell\n", ""])
def test_a_sound_server_that_says_nothing_leaves_the_name(pactl, script):
    pactl(script)
    assert soundchecks.known_as("default", "loudspeaker") == "default"


@pytest.mark.skipif(sys.platform == "win32", reason="no PulseAudio")
def test_variables_of_pulseaudio_win(pactl, monkeypatch):
    pactl()
    monkeypatch.setenv("PULSE_SINK", "hdmi")
    assert soundchecks.known_as("default", "loudspeaker") == "default (hdmi)"
    assert soundchecks.known_as("default", "microphone") == "default (alsa_input.usb-Jabra)"
