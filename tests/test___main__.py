"""`python -m rtchat`."""

import subprocess
import sys

import pytest

from rtchat import __version__


def test_python_m_rtchat_is_the_same():
    done = subprocess.run([sys.executable, "-m", "rtchat", "--version"], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"rtchat {__version__}\n", "")


def test_ctrl_c_while_python_still_imports(tmp_path):
    (tmp_path / "typer.py").write_text("raise KeyboardInterrupt")
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); from rtchat.__main__ import main; main()"
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


@pytest.mark.parametrize(("library", "ended"), [("pyaudio", ""), ("livekit", ""), ("other", "ended\n")])
def test_no_thread_of_a_sound_library_meets_an_ending_interpreter(library, ended):
    code = (
        "import atexit, sys; from rtchat.__main__ import main\n"
        f"sys.argv, sys.modules[{library!r}] = ['rtchat', '--version'], sys\n"
        "atexit.register(print, 'ended')\n"
        "main()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"rtchat {__version__}\n{ended}", "")
