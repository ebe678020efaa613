from __future__ import annotations

import errno
import io
import os
import subprocess
import sys

import pytest

from rtchat.display.base import Sink
from rtchat.display.live import LiveDisplay
from rtchat.display.ndjson import NdjsonDisplay
from rtchat.display.plain import PlainDisplay

METHODS = ("closed", "show", "meter", "tell", "typing", "switches", "toggle_help", "__enter__", "__exit__")


@pytest.mark.parametrize("display", [LiveDisplay, PlainDisplay, NdjsonDisplay])
def test_every_display_can_do_what_the_session_asks(display):
    assert [name for name in METHODS if not hasattr(display, name)] == []


def test_sink_flushes_and_follows_the_standard_stream(capsys):
    sink = Sink(None)
    sink.write("one\n")
    assert capsys.readouterr().out == "one\n"
    other = io.StringIO()
    sys.stdout, before = other, sys.stdout
    try:
        sink.write("two\n")
    finally:
        sys.stdout = before
    assert other.getvalue() == "two\n"


def test_a_character_that_the_encoding_lacks_does_not_end_the_session():
    stream = io.TextIOWrapper(io.BytesIO(), encoding="latin-1")
    Sink(stream).write("naïve → 日\n")
    assert stream.buffer.getvalue() == "naïve ? ?\n".encode("latin-1")


def test_after_a_broken_pipe_the_sink_is_silent():
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "w") as stream:
        sink = Sink(stream)
        sink.write("nobody\n")
        assert sink.broken
        sink.write("nobody\n")


def test_other_failures_of_a_stream_are_not_hidden():
    class Full(io.StringIO):
        def write(self, text: str) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        Sink(Full()).write("x")


def test_a_reader_that_leaves_is_no_noise_on_standard_error():
    source = (
        "from rtchat.display.ndjson import NdjsonDisplay\n"
        "from rtchat.conversation.notices import StateChanged\n"
        "display = NdjsonDisplay()\n"
        "t = 0.0\n"
        "while not display.closed:\n"
        "    display.show(t, StateChanged('listening'))\n"
        "    t += 1\n"
    )
    program = subprocess.Popen([sys.executable, "-c", source], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert program.stdout is not None
    assert program.stderr is not None
    first = program.stdout.readline()
    program.stdout.close()
    assert program.wait(60) == 0
    assert program.stderr.read() == b""
    program.stderr.close()
    assert first == b'{"t": 0.0, "type": "state", "state": "listening"}\n'
