"""Keep ALSA's, JACK's and PortAudio's chatter off the terminal.

They print straight to C's `stderr` while they look for devices, and when one vanishes. Python writes to file
descriptor 2 itself and does not use that C stream, so pointing the stream at the null device silences the
libraries alone: logging, tracebacks and child processes keep their standard error, and no thread is needed.

Where the C library has no such variable to set (Windows, musl), nothing is done: PortAudio is silent there.
"""

from __future__ import annotations

import ctypes
import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_NAMES = {"linux": "stderr", "darwin": "__stderrp"}
_depth = 0


@contextmanager
def quiet_libraries() -> Iterator[None]:
    """Silence C's `stderr` while the block runs. Blocks may nest and overlap."""
    global _depth
    stream = _c_stderr()
    if stream is None:
        yield
        return
    if _depth == 0:
        _Saved.value = stream.value
        stream.value = _Saved.null or _open_null()
    _depth += 1
    try:
        yield
    finally:
        _depth -= 1
        if _depth == 0:
            stream.value = _Saved.value


class _Saved:
    value: int | None = None
    null: int | None = None


def _open_null() -> int | None:
    fopen = ctypes.CDLL(None).fopen
    fopen.restype = ctypes.c_void_p
    fopen.argtypes = [ctypes.c_char_p, ctypes.c_char_p]
    _Saved.null = fopen(os.fsencode(os.devnull), b"w")
    return _Saved.null or _Saved.value


def _c_stderr() -> ctypes.c_void_p | None:
    name = _NAMES.get(sys.platform)
    if name is None:
        return None
    try:
        return ctypes.c_void_p.in_dll(ctypes.CDLL(None), name)
    except (OSError, ValueError):
        return None
