from __future__ import annotations

import signal

import pytest

from rtchat.display.terminal import guarded

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="Windows has no SIGHUP")


def test_sigterm_leaves_through_finally_blocks():
    left = []
    with pytest.raises(SystemExit) as leaving, guarded():
        try:
            signal.raise_signal(signal.SIGTERM)
        finally:
            left.append(True)
    assert (leaving.value.code, left) == (143, [True])
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_a_handler_that_somebody_chose_stays():
    seen = []
    before = signal.signal(signal.SIGHUP, lambda number, frame: seen.append(number))
    try:
        with guarded():
            signal.raise_signal(signal.SIGHUP)
        assert seen == [signal.SIGHUP]
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_handler_that_was_set_meanwhile_stays():
    def handler(number, frame): ...

    try:
        with guarded():
            signal.signal(signal.SIGTERM, handler)
        assert signal.getsignal(signal.SIGTERM) is handler
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def test_guards_nest():
    with guarded():
        with guarded():
            pass
        with pytest.raises(SystemExit):
            signal.raise_signal(signal.SIGTERM)


def test_settings_are_put_back(program):
    one = program(
        "import sys, termios\n"
        "from rtchat.display.terminal import guarded\n"
        "with guarded():\n"
        "    settings = termios.tcgetattr(0)\n"
        "    settings[3] &= ~(termios.ECHO | termios.ICANON | termios.ISIG)\n"
        "    termios.tcsetattr(0, termios.TCSANOW, settings)\n"
        "    print('changed', flush=True)\n"
        "    sys.stdin.read(1)\n"
    )
    one.shows("changed")
    assert one.raw()
    one.type("x")
    assert one.exit_code() == 0
    one.assert_restored()
