import subprocess
import sys
import threading

import numpy as np
import pytest

from rtchat.audio.canceller import load_canceller
from rtchat.chunk import WIRE, level_dbfs, to_pcm16


def noise(seconds: float, dbfs: float) -> bytes:
    samples = np.random.default_rng(3).standard_normal(int(WIRE.rate * seconds)) * 10 ** (dbfs / 20)
    return to_pcm16(samples.astype(np.float32))


def test_what_was_played_is_taken_out_of_what_was_heard():
    pytest.importorskip("livekit.rtc")
    loaded = []
    thread = threading.Thread(target=lambda: loaded.append(load_canceller()))
    thread.start()
    thread.join(30)
    far = noise(4, -20)
    near = WIRE.silence(50) + far[: -WIRE.bytes_in(50)]
    given = loaded[0].process(near, far)
    assert len(given) == len(near)
    assert level_dbfs(given[-WIRE.bytes_in(1000) :]) < level_dbfs(near) - 20


def test_a_package_that_is_missing_is_named():
    code = (
        "import sys; sys.modules['livekit'] = None\n"
        "from rtchat.audio.canceller import load_canceller\n"
        "from rtchat.errors import DeviceError\n"
        "try: load_canceller()\n"
        "except DeviceError as error: print(error)\n"
    )
    told = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    ).stdout
    assert "cannot be loaded" in told
    assert "pip install 'rtchat[echo]'" in told


def test_a_library_that_does_not_load_is_named(tmp_path):
    pytest.importorskip("livekit.rtc")
    broken = tmp_path / "broken.so"
    broken.write_bytes(b"no library")
    code = (
        "from rtchat.audio.canceller import load_canceller\n"
        "from rtchat.errors import DeviceError\n"
        "try: load_canceller()\n"
        "except DeviceError as error: print(error)\n"
    )
    told = subprocess.run(
        [sys.executable, "-c", code],
        env={"LIVEKIT_LIB_PATH": str(broken), "PATH": ""},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    ).stdout
    assert "pip install 'rtchat[echo]'" in told
