import subprocess
import sys

import pytest

from rtchat.audio.quiet import quiet_libraries

C_STDERR = """
import ctypes, sys
from rtchat.audio.quiet import quiet_libraries
libc = ctypes.CDLL(None)
def say(text):
    stream = ctypes.c_void_p.in_dll(libc, "stderr" if sys.platform == "linux" else "__stderrp")
    libc.fputs(text.encode(), stream)
    libc.fflush(stream)
say("before ")
with quiet_libraries(), quiet_libraries():
    say("hidden ")
    print("Python ", end="", file=sys.stderr, flush=True)
say("after")
"""


@pytest.mark.skipif(sys.platform == "win32", reason="C's stderr is left alone on Windows")
def test_c_libraries_are_silent_and_python_is_not():
    done = subprocess.run([sys.executable, "-c", C_STDERR], capture_output=True, text=True, timeout=60, check=True)
    assert done.stderr == "before Python after"


def test_it_ends_with_the_block_whatever_happens():
    with pytest.raises(KeyError), quiet_libraries():
        raise KeyError
    with quiet_libraries():
        pass


@pytest.mark.sound
def test_looking_for_devices_prints_nothing(pulse):
    code = "from rtchat.audio.devices import list_devices; print(len(list_devices()))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert int(done.stdout) > 0
    assert done.stderr == ""
