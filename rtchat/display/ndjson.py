"""`--json`: one object a line on standard output, with the fields and the field order of the contract.

Unfinished lines of the user and the assistant are thinned out, so that a word more is not a line more: one is
written when a clause was completed or a moment has passed, and before anything else is told. The final line is
always written.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import fields
from types import TracebackType
from typing import Any, Self, TextIO, get_args

from rtchat.conversation.notices import AssistantSaid, Notice, UserSaid
from rtchat.display.base import Sink
from rtchat.display.bindings import Talk
from rtchat.display.transcript import clean
from rtchat.errors import UsageError

INTERVAL = 0.2
"""Seconds between two unfinished lines of one item while its text grows."""

HEARD_INTERVAL = 1.0
"""Seconds between two while only what was heard of it grows."""

_CLAUSE = re.compile(r"[.,;:!?…。、？！]\s*$")
_UNSAFE = re.compile("[\x7f-\x9f\u2028\u2029\ud800-\udfff]")


_NOTICES = {kind.type: kind for kind in get_args(Notice)}


def read_ndjson(lines: Iterable[str]) -> Iterator[tuple[float, Notice]]:
    """The notices that `--json` was written from, each with its `t`; unknown types and fields are left out.

    Raises:
        UsageError: A line is not an object of the contract.
    """
    for number, line in enumerate(lines, start=1):
        try:
            record = json.loads(line)
            kind = _NOTICES.get(record["type"])
            if kind is not None:
                yield float(record["t"]), kind(**{f.name: record[f.name] for f in fields(kind)})
        except (ValueError, KeyError, TypeError) as error:
            message = f"Line {number} is not an object that --json writes."
            raise UsageError(message, hint="Write the file with rtchat … --json > FILE.") from error


class NdjsonDisplay:
    """Writes NDJSON, flushed line by line.

    Args:
        stream: Where to write; standard output when None.
        stream_err: Where lines for people go (`tell`); standard error when None.
    """

    def __init__(self, stream: TextIO | None = None, stream_err: TextIO | None = None) -> None:
        self._sink = Sink(stream)
        self._err = Sink(stream_err, "stderr")
        encoding = (getattr(self._sink.stream, "encoding", None) or "utf-8").lower()
        self._ascii = not encoding.startswith("utf")
        self._written: dict[str, tuple[float, str, str]] = {}  # unfinished items: when, text, heard text
        self._held: dict[str, UserSaid | AssistantSaid] = {}  # unfinished items: the newest, not written yet

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    @property
    def closed(self) -> bool:
        """True once nobody reads any more."""
        return self._sink.broken

    def show(self, t: float, notice: Notice) -> None:
        """Write one object, or nothing where a fuller one of the same item comes soon."""
        if isinstance(notice, UserSaid | AssistantSaid):
            self._held.pop(notice.item_id, None)
            if not self._due(t, notice):
                self._held[notice.item_id] = notice
                return
        else:
            self._write_held(t)
        self._write(t, notice)

    def _write_held(self, t: float) -> None:
        """Something else happens: no word that was said before it stays unwritten."""
        for said in self._held.values():
            if self._written[said.item_id][1] != said.text:
                self._write(t, said)
                self._written[said.item_id] = (t, said.text, _heard(said))
        self._held.clear()

    def _write(self, t: float, notice: Notice) -> None:
        record: dict[str, Any] = {"t": round(t, 3), "type": notice.type}
        record |= {f.name: getattr(notice, f.name) for f in fields(notice)}
        line = json.dumps(record, ensure_ascii=self._ascii, default=str)
        self._sink.write(_UNSAFE.sub(_escape, line) + "\n")

    def meter(
        self, microphone_dbfs: float | None, loudspeaker_dbfs: float | None, buffered_ms: int, underruns: int
    ) -> None:
        """Nothing."""

    def tell(self, text: str) -> None:
        """One line on standard error: it is for people, not an object."""
        self._err.write(clean(text) + "\n")

    def typing(self, text: str | None, cursor: int = 0) -> None:
        """Nothing."""

    def switches(self, talk: Talk, *, muted: bool) -> None:
        """Nothing: the `state` says it."""

    def toggle_help(self) -> None:
        """Nothing."""

    def _due(self, t: float, said: UserSaid | AssistantSaid) -> bool:
        if said.final:
            self._written.pop(said.item_id, None)
            return True
        heard = _heard(said)
        last = self._written.get(said.item_id)
        if last is not None:
            when, text, heard_before = last
            clause = said.text != text and _CLAUSE.search(said.text)
            grown = said.text != text and t - when >= INTERVAL
            heard_more = heard != heard_before and t - when >= HEARD_INTERVAL
            if not (clause or grown or heard_more):
                return False
        self._written[said.item_id] = (t, said.text, heard)
        return True


def _heard(said: UserSaid | AssistantSaid) -> str:
    return said.heard_text if isinstance(said, AssistantSaid) else ""


def _escape(match: re.Match[str]) -> str:
    """A character that is legal in JSON but drives terminals, splits lines or cannot be encoded."""
    return f"\\u{ord(match.group()):04x}"
