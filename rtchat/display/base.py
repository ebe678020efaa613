"""What every display can do, so that the session never asks which one it has.

===============  ===================================================  ======================
display          for                                                  writes
===============  ===================================================  ======================
`LiveDisplay`    a person at a terminal                               a live region (Rich)
`PlainDisplay`   screen readers, logs, pipes                          lines
`NdjsonDisplay`  programs (`--json`)                                  one object a line
===============  ===================================================  ======================
"""

from __future__ import annotations

import errno
import os
import sys
from contextlib import suppress
from types import TracebackType
from typing import Literal, Protocol, Self, TextIO

from rtchat.conversation.notices import Notice
from rtchat.display.bindings import Talk


class Display(Protocol):
    """Tells the user. Enter it before the first call: it acquires the terminal, and leaving restores it."""

    @property
    def closed(self) -> bool:
        """True once nobody reads any more (a broken pipe): the session may as well end."""
        ...

    def show(self, t: float, notice: Notice) -> None:
        """Tell one notice; `t` is seconds since the session started."""
        ...

    def meter(
        self, microphone_dbfs: float | None, loudspeaker_dbfs: float | None, buffered_ms: int, underruns: int
    ) -> None:
        """How the sound is. About 10 a second.

        Args:
            microphone_dbfs: Level in dB relative to full scale; None where there is no such device.
            loudspeaker_dbfs: The same.
            buffered_ms: Sound that waits for the loudspeaker.
            underruns: Gaps in the assistant's voice so far.
        """
        ...

    def tell(self, text: str) -> None:
        """One line for the user, for example that the embedded server answers."""
        ...

    def typing(self, text: str | None, cursor: int = 0) -> None:
        """The line that the user is editing, with the cursor before character `cursor`; None when none is."""
        ...

    def switches(self, talk: Talk, *, muted: bool) -> None:
        """How the keys have set the microphone; told first when there are keys. `muted` whatever the state is."""
        ...

    def toggle_help(self) -> None:
        """Show what the keys do, or hide it again."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


_NO_READER = (errno.EPIPE, errno.EIO, errno.EINVAL)
"""How writing fails when the reader is gone: a pipe, a terminal that hung up, a pipe on Windows."""


class Sink:
    """A text stream that may lose its reader: after a broken pipe it is silent, and says so.

    Args:
        stream: Where to write, flushed after each write; the standard stream of that name when None, whatever it
            is at the time.
        name: `stdout` or `stderr`.
    """

    def __init__(self, stream: TextIO | None, name: Literal["stdout", "stderr"] = "stdout") -> None:
        self._stream = stream
        self._name = name
        self.broken = False

    @property
    def stream(self) -> TextIO:
        """Where it writes now."""
        current: TextIO = self._stream or getattr(sys, self._name)
        return current

    def write(self, text: str) -> None:
        """Write and flush. A character that the stream's encoding lacks becomes `?`."""
        if self.broken:
            return
        stream = self.stream
        try:
            try:
                stream.write(text)
            except UnicodeEncodeError:
                encoding = stream.encoding or "ascii"
                stream.write(text.encode(encoding, "replace").decode(encoding))
            stream.flush()
        except OSError as error:
            if error.errno not in _NO_READER:
                raise
            self.broken = True
            _silence(stream)


def _silence(stream: TextIO) -> None:
    """Point the stream's descriptor nowhere, so that the flush at interpreter exit does not fail again."""
    with suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        try:
            os.dup2(nowhere, stream.fileno())
        finally:
            os.close(nowhere)
