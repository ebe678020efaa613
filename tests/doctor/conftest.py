"""A world without settings, keys and proxies but those that a test makes."""

import os

import pytest

from rtchat.doctor import machine, servers


@pytest.fixture(autouse=True)
def _quiet_world(monkeypatch, tmp_path):
    for name in list(os.environ):
        if name.upper().startswith(("RTCHAT_", "OPENAI_", "AZURE_")) or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    for name in ("CONFIG", "DATA", "STATE"):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(tmp_path / name.lower()))
    monkeypatch.chdir(tmp_path)


@pytest.fixture(autouse=True)
def _patience(monkeypatch):
    """A busy machine is waited for longer than a user would wait."""
    monkeypatch.setattr(machine, "_PROGRAM_SECONDS", 60)
    monkeypatch.setattr(servers, "REACH_SECONDS", 60)
    monkeypatch.setattr(servers, "SESSION_SECONDS", 60)
