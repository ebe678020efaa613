import subprocess
import sys

import pytest

from rtchat.audio.devices import devices_of
from rtchat.audio.portaudio import GO_ON, PortAudio, ShapeRefused
from rtchat.errors import DeviceError


def run(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    return done.stdout


def test_pyaudio_is_not_imported_before_sound_is_wanted():
    assert run("import sys, rtchat.audio.sound; print('pyaudio' in sys.modules)") == "False\n"


def test_without_pyaudio_the_way_to_install_it_is_told():
    code = """
import sys
sys.modules["pyaudio"] = None  # what an import finds when it is not installed
from rtchat.audio.devices import list_devices
from rtchat.errors import DeviceError
try:
    list_devices()
except DeviceError as error:
    print(error)
"""
    said = run(code)
    assert "pip install 'rtchat[audio]'" in said
    assert "portaudio19-dev" in said
    assert said.count("\n") == 1


def test_without_the_portaudio_library_its_package_is_named(tmp_path):
    (tmp_path / "pyaudio.py").write_text('raise ImportError("libportaudio.so.2: cannot open shared object file")')
    code = f"""
import sys
sys.path.insert(0, {str(tmp_path)!r})
from rtchat.audio.devices import list_devices
from rtchat.errors import DeviceError
try:
    list_devices()
except DeviceError as error:
    print(error)
"""
    said = run(code)
    assert "libportaudio2" in said
    assert said.count("\n") == 1


@pytest.mark.parametrize(
    "broken",
    [
        # PortAudio 19.7 of 2026 on PulseAudio, as in Ubuntu 26.04, while no sound server runs
        "def __init__(self): raise OSError(-9999, 'Unanticipated host error')",
        "def get_device_count(self): raise OSError(-9999, 'Unanticipated host error')",
        "def get_device_count(self): return 0",
        "get_device_count = lambda self: 1\n    def get_device_info_by_index(self, i): raise OSError(-9996, '?')",
    ],
)
def test_no_sound_device_is_one_sentence_however_portaudio_says_it(tmp_path, broken):
    (tmp_path / "pyaudio.py").write_text(
        f"class PyAudio:\n    {broken}\n    def terminate(self): print('released')\n"
    )
    code = f"""
import sys
sys.path.insert(0, {str(tmp_path)!r})
from rtchat.audio.devices import list_devices
from rtchat.errors import DeviceError
try:
    list_devices()
except DeviceError as error:
    print(error)
"""
    *released, said = run(code).splitlines()
    assert said.startswith("No sound device was found. ")
    assert "sound server" in said and "rtchat text" in said
    assert released == ([] if "__init__" in broken else ["released"])


@pytest.fixture
def library(pulse):
    library = PortAudio()
    yield library
    library.close()


def silence(data, frames, times, flags):
    return bytes(2 * frames), GO_ON


@pytest.mark.sound
def test_a_shape_that_the_device_refuses_is_told_apart(library):
    index = next(device.index for device in devices_of(library) if device.name == "default")
    with pytest.raises(ShapeRefused):
        library.open(rate=48_000, channels=99, block=480, callback=silence, output_device=index, name="'default'")


@pytest.mark.sound
def test_a_device_that_cannot_be_opened_is_one_sentence(library):
    with pytest.raises(DeviceError) as caught:
        library.open(rate=48_000, channels=1, block=480, callback=silence, output_device=4242, name="'gone'")
    assert caught.value.message.startswith("'gone' ")
    assert "rtchat devices" in caught.value.hint
