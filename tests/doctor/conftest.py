"""A world without settings, keys and proxies but those that a test makes."""

import os

import pytest


@pytest.fixture(autouse=True)
def _quiet_world(monkeypatch, tmp_path):
    for name in list(os.environ):
        if name.upper().startswith(("RTCHAT_", "OPENAI_", "AZURE_")) or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    for name in ("CONFIG", "DATA", "STATE"):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(tmp_path / name.lower()))
    monkeypatch.chdir(tmp_path)
