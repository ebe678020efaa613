"""The process in which espeak-ng speaks. Started by `espeak_process.py`, as a script; imports nothing of rtchat.

It loads libespeak-ng once, and forks a child for each text: a child starts as fresh as the `espeak-ng` command
does (the library keeps traces of what it has said, so that the same text would sound a little different each
time), costs a few milliseconds less, and ends when nobody listens to it any more.

Each message on standard input, which is a Unix socket, is one byte with one file descriptor: a socket of the text's
own. There the child reads a line of JSON and answers by frames, `TYPE u8, LENGTH u32, body`:

    {"text": "Hi there.", "voice": "en-us+f2", "wpm": 175, "pitch": 55, "gap": 0}
    "S" mono PCM16 at 24 kHz | "M" end u32, ms f64: a `WordMark` | "E" the end | "X" why not: "voice", "library ..."
"""

from __future__ import annotations

import ctypes
import gc
import json
import os
import signal
import socket
import struct
import sys
from ctypes.util import find_library
from typing import Any

RATE = 24_000
CHUNK_MS = 100
"""Sound in one frame; the first one comes as soon as there is any."""

# Of speak_lib.h, which promises them to stay.
_SYNCHRONOUS = 2
_DONT_EXIT = 0x8000
_RATE, _PITCH, _WORDGAP = 1, 3, 7
_UTF8, _ENDPAUSE = 1, 0x1000
_CHARACTERS = 1
_WORD = 1


class _Event(ctypes.Structure):
    _fields_ = (
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", ctypes.c_char * 8),
    )


class _Voice(ctypes.Structure):
    _fields_ = (
        ("name", ctypes.c_char_p),
        ("languages", ctypes.c_char_p),
        ("identifier", ctypes.c_char_p),
        ("gender", ctypes.c_ubyte),
        ("age", ctypes.c_ubyte),
        ("variant", ctypes.c_ubyte),
        ("unused", ctypes.c_ubyte),
        ("score", ctypes.c_int),
        ("spare", ctypes.c_void_p),
    )


_CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int, ctypes.POINTER(_Event))


class Words:
    """espeak-ng's word events as marks: `end` characters have been said when the next word begins.

    Args:
        text: What is being said.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self._end = 0  # of the word being said

    def begins(self, position: int, length: int) -> int | None:
        """A word begins: characters from 1, as espeak-ng counts. How much has been said by now, if it is news.

        A number or a symbol of several spoken words has an event for each, and some come without a length.
        """
        start = position - 1
        if length == 0:
            start = self._skip(start, False)
            length = self._skip(start, True) - start
        if start < self._end or not self._text[start : start + length].strip():
            return None
        said, self._end = self._end, start + length
        while self._end < len(self._text) and self._punctuation(self._text[self._end]):
            self._end += 1
        if self._end < len(self._text) and not self._text[self._end].isspace():
            self._end = start + length  # "one-two", "a.b": what stands between is not said with the first
        return said or None

    def _skip(self, at: int, letters: bool) -> int:
        while at < len(self._text) and self._text[at].isalnum() is letters:
            at += 1
        return at

    @staticmethod
    def _punctuation(character: str) -> bool:
        return not character.isalnum() and not character.isspace()


class Speaking:
    """One text, from the library to the socket."""

    def __init__(self, listener: socket.socket, text: str, rate: int) -> None:
        import soxr

        self._listener = listener
        self._rate = rate
        self._words = Words(text)
        self._resampler = soxr.ResampleStream(rate, RATE, 1, dtype="int16", quality="MQ")
        self._least = 1  # samples that are worth a frame
        self._raw: list[bytes] = []
        self._waiting = 0
        self.samples = 0

    def heard(self, wav: int | None, count: int, events: Any) -> int:
        """The library's callback. Whatever goes wrong, above all that nobody listens any more, ends the process."""
        try:
            if wav and count:
                self._sound(ctypes.string_at(wav, 2 * count))
            at = 0
            while events[at].type:
                if events[at].type == _WORD:
                    self._word(events[at])
                at += 1
        except BaseException:
            os._exit(1)
        return 0

    def _word(self, event: Any) -> None:
        if (said := self._words.begins(event.text_position, event.length)) is not None:
            # audio_position is rounded down to milliseconds, sample is exact
            self.mark(said, event.sample * 1000 / self._rate)

    def mark(self, end: int, ms: float) -> None:
        """Tell that so much has been said."""
        self._send(b"M", struct.pack("!Id", end, ms))

    def _sound(self, pcm: bytes) -> None:
        self._raw.append(pcm)
        self._waiting += len(pcm) // 2
        self.samples += len(pcm) // 2
        if self._waiting >= self._least:
            self._flush(last=False)

    def _flush(self, *, last: bool) -> None:
        import numpy as np

        raw, self._waiting, self._raw = b"".join(self._raw), 0, []
        if sound := self._resampler.resample_chunk(np.frombuffer(raw, dtype="<i2"), last=last).tobytes():
            self._send(b"S", sound)
            self._least = self._rate * CHUNK_MS // 1000

    def end(self, text: str) -> None:
        """All has been said."""
        self._flush(last=True)
        self.mark(len(text), self.samples * 1000 / self._rate)
        self._send(b"E", b"")

    def _send(self, kind: bytes, body: bytes) -> None:
        send(self._listener, kind, body)


def send(listener: socket.socket, kind: bytes, body: bytes) -> None:
    """One frame."""
    listener.sendall(struct.pack("!cI", kind, len(body)) + body)


class Library:
    """libespeak-ng.

    Raises:
        OSError: It is not installed, or lacks its data.
    """

    def __init__(self) -> None:
        name = find_library("espeak-ng") if sys.platform == "darwin" else "libespeak-ng.so.1"
        self._lib = ctypes.CDLL(name or "/opt/homebrew/lib/libespeak-ng.dylib")
        self.rate: int = self._lib.espeak_Initialize(_SYNCHRONOUS, 0, None, _DONT_EXIT)
        if self.rate <= 0:
            raise OSError("espeak-ng does not find its data")
        self._lib.espeak_SetVoiceByName(b"en-us")  # 2 ms for its dictionary, here and not in each child

    def speak(self, listener: socket.socket, asked: dict[str, Any]) -> None:
        """Say one text to `listener`. Only once in a process."""
        name = asked["voice"].encode()
        by_language = _Voice(languages=name)
        if self._lib.espeak_SetVoiceByName(name) and self._lib.espeak_SetVoiceByProperties(
            ctypes.byref(by_language)
        ):
            return send(listener, b"X", b"voice")
        for parameter, value in ((_RATE, asked["wpm"]), (_PITCH, asked["pitch"]), (_WORDGAP, asked["gap"])):
            if value:
                self._lib.espeak_SetParameter(parameter, value, 0)
        speaking = Speaking(listener, asked["text"], self.rate)
        callback = _CALLBACK(speaking.heard)
        self._lib.espeak_SetSynthCallback(callback)
        text = asked["text"].encode() + b"\0"
        self._lib.espeak_Synth(text, len(text), 0, _CHARACTERS, 0, _UTF8 | _ENDPAUSE, None, None)
        speaking.end(asked["text"])
        return None


def serve(requests: socket.socket) -> None:
    """Fork a child for each socket that comes, until no more can come."""
    library: Library | OSError
    try:
        library = Library()
        import numpy
        import soxr  # noqa: F401 - before the fork, so that the children have it

        numpy.frombuffer(b"", dtype="<i2")
    except OSError as error:
        library = error
    gc.freeze()  # a child that collects garbage would copy every page it looks at
    while True:
        _, listeners, _, _ = socket.recv_fds(requests, 1, 1)
        if not listeners:
            return
        if os.fork() == 0:
            requests.close()
            _child(library, socket.socket(fileno=listeners[0]))
        os.close(listeners[0])


def _child(library: Library | OSError, listener: socket.socket) -> None:
    try:
        with listener.makefile("rb") as lines:
            asked = json.loads(lines.readline())
        if isinstance(library, OSError):
            send(listener, b"X", f"library {library}".encode())
        else:
            library.speak(listener, asked)
    finally:  # a child must not do what its parent would do at its end
        os._exit(0)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's; it closes our input
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the children
    with socket.socket(fileno=0) as control:
        serve(control)
