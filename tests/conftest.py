"""Fixtures for every test: a private PulseAudio, so that sound tests need no sound card and disturb nobody."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator


def _load(name: str):
    """A helper module that lies beside this file (tests are not a package)."""
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


_pulse = _load("private_pulse")
_load("rooms")
_load("stock_clients")
_load("live_room")
_load("noises")
_load("rough_frames")
_load("rough_clients")


# A developer's own Ollama and models change what the server says at its start, and what it hears with.
os.environ["OLLAMA_HOST"] = "127.0.0.1:9"
os.environ["RTCHAT_MODELS"] = os.devnull


def pytest_runtest_setup(item: pytest.Item) -> None:
    """`@pytest.mark.needs("espeak-ng")`: skipped, with its reason, where that cannot be had."""
    needed = [program for mark in item.iter_markers("needs") for program in mark.args]
    if missing := [program for program in needed if shutil.which(program) is None]:
        pytest.skip(f"not installed: {', '.join(missing)}")


if sys.platform != "win32":
    _load("pseudo_terminal")


@pytest.fixture
def nothing_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No key, no config file, no .env, nothing kept: only what the test gives. Its folder is `tmp_path`."""
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "AZURE_OPENAI_ENDPOINT", "AZURE_OPENAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    for name in ("HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME"):
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="session")
def pulse_server() -> Iterator[_pulse.PrivatePulse]:
    """One PulseAudio server for each test process; use `pulse`."""
    missing = _pulse.PrivatePulse.missing()
    if missing or importlib.util.find_spec("pyaudio") is None:
        pytest.skip(f"no sound to test with: {', '.join(missing) or 'PyAudio'} is not installed")
    server = _pulse.PrivatePulse()
    yield server
    server.stop()


WAITS = (
    "rtchat.audio.devices._FRESH_SECONDS",
    "rtchat.audio.probe.LATE_SECONDS",
    "rtchat.audio.probe.OPEN_SECONDS",
    "rtchat.audio.soundchecks._ASK_SECONDS",
    "rtchat.audio.soundserver._ASK_SECONDS",
    "rtchat.doctor.sound.OPEN_SECONDS",
)
"""How long a user waits for a sound system that may hang; a test's machine may be busy for longer."""


@pytest.fixture
def pulse(pulse_server, monkeypatch: pytest.MonkeyPatch) -> _pulse.PrivatePulse:
    """A running private PulseAudio that this process, and what it starts, plays to and records from.

    `pulse.speak(pcm)` talks into the microphone; `with pulse.listen() as recording` hears the loudspeaker;
    `pulse.env` is what a child process needs; `pulse.unplug()` takes all sound away.
    """
    pulse_server.start()
    pulse_server.reset()
    for name, value in pulse_server.env.items():
        monkeypatch.setenv(name, value)
    for name in WAITS:
        monkeypatch.setattr(name, 30.0)
    return pulse_server
