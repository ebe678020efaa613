"""A recorded session as a scenario: the server plays the other side of it.

Read from `events.jsonl` of a recording (`docs/programs.md`): each response that was made becomes a turn, with what
was heard before it, when its pieces came, and how it ended. One that was interrupted goes on until it is again.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rtchat.errors import RtchatError, UsageError
from rtchat.protocol import server_events as ev
from rtchat.protocol import wire
from rtchat.protocol.items import FunctionCallItem, MessageItem
from rtchat.server.staging.scenario import Call, Scenario, Sentence, Turn


@dataclass(slots=True)
class _Piece:
    """What a response gave, in its order, and when it began."""

    at: float
    text: str = ""
    call: Call | None = None


@dataclass(slots=True)
class _Made:
    """A response as it is read."""

    at: float
    hear: list[str]
    pieces: dict[str, _Piece] = field(default_factory=dict)  # by item
    turn: Turn | None = None


def read_recording(folder: Path) -> Scenario:
    """The scenario that a recording's folder tells.

    Raises:
        UsageError: It is no recording, or nothing was answered in it.
    """
    reading = _Reading()
    for at, event in _received(folder):
        reading.event(at, event)
    turns = reading.turns()
    if not turns:
        raise UsageError(
            f"The recording {folder} has no finished response.", hint="Record a session with: rtchat --record"
        )
    return Scenario(turn=tuple(turns), name=str(folder))


class _Reading:
    """The turns of a session, gathered event by event."""

    def __init__(self) -> None:
        self._waiting: dict[str, str] = {}  # user's item, not answered yet -> its words
        self._made: dict[str, _Made] = {}
        self._order: list[_Made] = []
        self._items_of: dict[str, _Made] = {}  # user's item -> the response that answered it

    def event(self, at: float, event: Any) -> None:
        """The next event of the server."""
        match event:
            case ev.InputAudioCommitted():
                self._waiting[event.item_id] = ""
            case ev.TranscriptionCompleted():
                self._heard(event.item_id, event.transcript)
            case ev.ResponseCreated():
                self._created(at, event.response.id or "")
            case ev.OutputTranscriptDelta() | ev.OutputTextDelta():
                self._piece(at, event.response_id, event.item_id).text += event.delta
            case ev.FunctionArgumentsDelta():
                self._piece(at, event.response_id, event.item_id)
            case ev.OutputItemAdded() if isinstance(event.item, FunctionCallItem):
                self._piece(at, event.response_id, event.item.id or "")
            case ev.ResponseDone():
                self._done(at, event.response)

    def turns(self) -> list[Turn]:
        """All responses that came to an end."""
        return [
            made.turn.model_copy(update={"hear": tuple(made.hear)}) for made in self._order if made.turn is not None
        ]

    def _heard(self, item_id: str, words: str) -> None:
        made = self._items_of.get(item_id)
        if made is None:
            self._waiting[item_id] = words
        else:  # transcripts may come long after the answer began
            made.hear[list(self._items_of).index(item_id) - self._first(made)] = words

    def _first(self, made: _Made) -> int:
        return next(number for number, one in enumerate(self._items_of.values()) if one is made)

    def _created(self, at: float, response_id: str) -> None:
        made = self._made[response_id] = _Made(at, list(self._waiting.values()))
        self._items_of.update(dict.fromkeys(self._waiting, made))
        self._waiting.clear()
        self._order.append(made)

    def _piece(self, at: float, response_id: str, item_id: str) -> _Piece:
        made = self._made.setdefault(response_id, _Made(at, []))
        return made.pieces.setdefault(item_id, _Piece(at))

    def _done(self, at: float, response: ev.Response) -> None:
        made = self._made.get(response.id or "")
        if made is None:
            return
        before = made.at
        say: list[Sentence] = []
        calls: list[Call] = []
        for item in response.output or ():
            item_id = item.id or ""
            piece = made.pieces.get(item_id) or _Piece(before)
            waited = max(0, round((piece.at - before) * 1000))
            before = max(before, piece.at)
            if isinstance(item, FunctionCallItem):
                calls.append(Call(name=item.name, arguments=item.arguments, after_ms=waited))
            elif isinstance(item, MessageItem):
                text = _words(item) or piece.text
                say += [Sentence(text=text, after_ms=waited)] if text.strip() else []
        fail = None
        if response.status == "failed":
            details = response.status_details
            fail = (details.error.message if details and details.error else None) or "The recorded response failed."
        made.turn = Turn(say=tuple(say), call=tuple(calls), fail=fail, hold=response.status == "cancelled")


def _words(item: MessageItem) -> str:
    return "".join(part.transcript or part.text or "" for part in item.content)


def _received(folder: Path) -> Iterator[tuple[float, Any]]:
    """The server's events with their times in seconds; a last line that was cut is left out."""
    path = folder / "events.jsonl"
    try:
        lines = path.read_bytes().split(b"\n")[:-1]
    except OSError as error:
        raise UsageError(
            f"{folder} is not a recorded session: {error.strerror}.",
            hint="Give a TOML file, or a folder that holds events.jsonl. See: rtchat sessions list",
        ) from None
    for number, line in enumerate(lines, 1):
        try:
            entry = json.loads(line)
            if entry["dir"] == "received" and "event" in entry:
                yield float(entry["t"]), wire.decode_server_event(json.dumps(entry["event"]))
        except (ValueError, KeyError, TypeError, RtchatError):
            raise UsageError(
                f"{path}:{number}: this is not a line of a recording.", hint="Each line has t, dir and event."
            ) from None
