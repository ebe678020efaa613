"""`python -m rtchat`."""

import subprocess
import sys

from rtchat import __version__


def test_python_m_rtchat_is_the_same():
    done = subprocess.run([sys.executable, "-m", "rtchat", "--version"], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"rtchat {__version__}\n", "")
