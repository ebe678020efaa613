"""One line for what happens at admission and to a session, on standard error; never what was said, nor a key.

A thread writes: a terminal that is held, or a pipe that nobody reads, must not hold the sessions. Lines that find
the queue full are counted and told of later.
"""

from __future__ import annotations

import json
import queue
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Literal, TextIO

Style = Literal["json", "text"]
_WAITING = 1000
"""Lines kept while they cannot be written."""

Fact = str | int | float | None


class Journal:
    """Writes lines.

    Args:
        style: `json` for machines, `text` for people, None for none at all.
        stream: Where to; by default standard error.
        now: The time of a line.
    """

    def __init__(
        self,
        style: Style | None = None,
        stream: TextIO | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._style = style
        self._stream = stream
        self._now = now
        self._queue: queue.Queue[str | None] = queue.Queue(_WAITING)
        self.lost = 0
        """Lines that found the queue full, and have not been told of yet."""
        self._thread: threading.Thread | None = None

    def write(self, event: str, **facts: Fact) -> None:
        """One line.

        Args:
            event: What happened: `session_started`.
            facts: About it; None leaves one out. Nothing that a client or an engine said.
        """
        if self._style is None:
            return
        if self._thread is None:
            self._thread = threading.Thread(target=self._drain, name="journal", daemon=True)
            self._thread.start()
        time = self._now().isoformat(timespec="milliseconds").replace("+00:00", "Z")
        told = {name: _rounded(fact) for name, fact in facts.items() if fact is not None}
        if self.lost:
            told["lines_lost"] = self.lost
        try:
            self._queue.put_nowait(self._line(time, event, told))
            self.lost = 0
        except queue.Full:
            self.lost += 1

    @property
    def waiting(self) -> bool:
        """Something is still to be written."""
        return not self._queue.empty()

    def close(self) -> None:
        """Let what has been said be written, for a second at most."""
        thread, self._thread = self._thread, None
        if thread is not None:
            try:
                self._queue.put(None, timeout=0.5)
            except queue.Full:
                return
            thread.join(0.5)

    def _line(self, time: str, event: str, told: dict[str, Fact]) -> str:
        if self._style == "json":
            return json.dumps({"time": time, "event": event, **told}, ensure_ascii=False)
        return " ".join([time, event.replace("_", " "), *(f"{name}={_word(fact)}" for name, fact in told.items())])

    def _drain(self) -> None:
        while (line := self._queue.get()) is not None:
            stream = self._stream or sys.stderr
            try:
                stream.write(f"{line}\n")
                stream.flush()
            except (OSError, ValueError):  # it has been closed: nobody reads
                continue


def _rounded(fact: Fact) -> Fact:
    return round(fact, 3) if isinstance(fact, float) else fact


def _word(fact: Fact) -> str:
    text = str(fact)
    return json.dumps(text, ensure_ascii=False) if not text or any(c.isspace() or c in '"=' for c in text) else text
