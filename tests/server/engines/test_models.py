from pathlib import Path

import pytest

from rtchat.errors import EngineError
from rtchat.server.engines import models as where


def test_the_folder(monkeypatch):
    monkeypatch.setenv("RTCHAT_MODELS", "~/of/models")
    assert where.folder() == Path("~/of/models").expanduser()
    monkeypatch.delenv("RTCHAT_MODELS")
    assert where.folder().parts[-2:] == ("rtchat", "models")


def test_what_is_missing_is_named_with_its_command(tmp_path):
    where.needs_package("json", "whisper", "--stt whisper")
    with pytest.raises(EngineError, match=r"whisper needs the package no_such.*pip install 'rtchat\[whisper\]'"):
        where.needs_package("no_such", "whisper", "--stt whisper")
    assert where.needs_file(tmp_path, "--tts x", "curl") == tmp_path
    with pytest.raises(EngineError, match=r"--tts x needs the model .*gone, which is not there. .*`curl it`"):
        where.needs_file(tmp_path / "gone", "--tts x", "curl it")
