"""What a server has seen of its clients, and assertions on it. Any thread may ask."""

from __future__ import annotations

import asyncio
import base64
import json
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from rtchat.protocol import wire
from rtchat.protocol.client_events import InputAudioAppend, ItemTruncate
from rtchat.protocol.server_events import UnknownEvent
from rtchat.protocol.translation import TranslationAppend
from rtchat.testing.matching import described, listed, mismatch

TRANSLATED = "session.input_audio_buffer.append"
"""Sound of a translation session."""
_SOUND = (InputAudioAppend, TranslationAppend)
PATIENCE_S = 5.0
"""How long `wait_for` waits."""
LEEWAY_S = 1.0
"""How long an assertion waits for what is still on its way through the socket."""


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame of a client.

    Attributes:
        session: Number of its session, from 0.
        text: As it came.
        raw: Its JSON object; empty when it is none.
        event: As one of `rtchat.protocol.client_events`; an `UnknownEvent` when it is none.
    """

    session: int
    text: str
    raw: dict[str, Any]
    event: Any


@dataclass(slots=True)
class Log:
    """Everything that crossed a server's sockets, in its order."""

    frames: list[Frame] = field(default_factory=list)
    sent: list[tuple[int, str | bytes]] = field(default_factory=list)
    heard_ms: list[float] = field(default_factory=list)
    news: threading.Condition = field(default_factory=threading.Condition)


class Seen:
    """What was seen of one session, or of all.

    Args:
        log: All.
        session: Which; None for all of them.
    """

    def __init__(self, log: Log, session: int | None = None) -> None:
        self._log = log
        self._session = session

    # --- what there is ------------------------------------------------------------------------------------

    @property
    def received(self) -> list[Any]:
        """The client's events, as `rtchat.protocol.client_events`; what is none is an `UnknownEvent`."""
        return [frame.event for frame in self._frames()]

    @property
    def sent(self) -> list[dict[str, Any]]:
        """The server's events, as JSON objects. What a fault sent that is no JSON object is left out."""
        loaded = [_object(frame) for frame in self.sent_frames]
        return [event for event in loaded if event]

    @property
    def sent_frames(self) -> list[str | bytes]:
        """The server's frames, as they were."""
        with self._log.news:
            return [frame for number, frame in self._log.sent if self._session in (None, number)]

    @property
    def audio(self) -> bytes:
        """All sound that the client appended, in the format in which it did."""
        return b"".join(event.audio for event in self.received if isinstance(event, _SOUND))

    @property
    def audio_seconds(self) -> float:
        """How long it lasts."""
        with self._log.news:
            heard = self._log.heard_ms
            return (sum(heard) if self._session is None else heard[self._session]) / 1000

    @property
    def truncations(self) -> list[ItemTruncate]:
        """What the client said was heard: `item_id` and `audio_end_ms`."""
        return [event for event in self.received if isinstance(event, ItemTruncate)]

    @property
    def troubles(self) -> list[str]:
        """What the server told as wrong: the sentences of errors, failed responses and failed transcriptions."""
        found = []
        for event in self.sent:
            details = event.get("response", {}).get("status_details") or {}
            error = event.get("error") or details.get("error") or {}
            found += [f"{event['type']}: {error['message']}"] if error.get("message") else []
        return found

    # --- waiting and asserting ----------------------------------------------------------------------------

    def wait_for(self, kind: str, *, within: float = PATIENCE_S, **wanted: Any) -> Any:
        """Wait until the client has sent an event.

        Args:
            kind: Its type.
            within: Seconds.
            wanted: What stands in it; `__` goes deeper: `session__type="realtime"`, `item__content__0__text=…`. A
                value, a compiled pattern to be found, or a function that must say yes.

        Returns:
            The first such event.

        Raises:
            AssertionError: It never did; lists what it sent.
        """
        __tracebackhide__ = True
        found = self._within(within, lambda: self._find(kind, wanted))
        if found is None:
            raise AssertionError(self._complaint(f"The client sent no {described(kind, wanted)}.", kind, wanted))
        return found.event

    async def wait_for_async(self, kind: str, *, within: float = PATIENCE_S, **wanted: Any) -> Any:
        """`wait_for`, while the client's event loop goes on."""
        return await asyncio.to_thread(self.wait_for, kind, within=within, **wanted)

    def assert_sent(self, kind: str, *, times: int | None = None, **wanted: Any) -> Any:
        """The client has sent such an event (or does so within a second); arguments as for `wait_for`.

        Args:
            kind: Its type.
            times: How many of them it must be, exactly.
            wanted: What stands in it.
        """
        __tracebackhide__ = True
        found = self.wait_for(kind, within=LEEWAY_S, **wanted) if times != 0 else None
        if times is not None:
            self._within(LEEWAY_S, lambda: len(self._all(kind, wanted)) >= times or None)
            count = len(self._all(kind, wanted))
            if count != times:
                sentence = f"The client sent {described(kind, wanted)} {_times(count)}, not {_times(times)}."
                raise AssertionError(self._complaint(sentence, "", {}))
        return found

    def assert_not_sent(self, kind: str, **wanted: Any) -> None:
        """The client has not sent such an event so far."""
        __tracebackhide__ = True
        found = self._find(kind, wanted)
        if found is not None:
            raise AssertionError(self._complaint(f"The client did send {described(kind, wanted)}.", "", {}))

    def assert_order(self, *kinds: str) -> None:
        """The client has sent events of these types in this order; others may stand between them."""
        __tracebackhide__ = True
        missing = [""]

        def in_order() -> bool | None:
            remaining = iter(frame.raw.get("type") for frame in self._frames())
            for kind in kinds:
                if not any(kind == seen for seen in remaining):
                    missing[0] = kind
                    return None
            return True

        if self._within(LEEWAY_S, in_order) is None:
            at = kinds.index(missing[0])
            after = f" after {kinds[at - 1]}" if at else ""
            raise AssertionError(self._complaint(f"The client sent no {missing[0]}{after}.", "", {}))

    # --- inside -------------------------------------------------------------------------------------------

    def _frames(self) -> list[Frame]:
        with self._log.news:
            return [frame for frame in self._log.frames if self._session in (None, frame.session)]

    def _all(self, kind: str, wanted: dict[str, Any]) -> list[Frame]:
        same = (frame for frame in self._frames() if frame.raw.get("type") == kind)
        return [frame for frame in same if mismatch(frame.raw, wanted) is None]

    def _find(self, kind: str, wanted: dict[str, Any]) -> Frame | None:
        return next(iter(self._all(kind, wanted)), None)

    def _within(self, seconds: float, look: Callable[[], Any]) -> Any:
        with self._log.news:
            found: list[Any] = []

            def there() -> bool:
                found[:] = [look()]
                return found[0] is not None

            self._log.news.wait_for(there, seconds)
            return found[0]

    def _complaint(self, sentence: str, kind: str, wanted: dict[str, Any]) -> str:
        frames = self._frames()
        lines = [sentence]
        for number in sorted({frame.session for frame in frames}):
            lines.append(f"Session {number + 1} sent:")
            lines += listed(
                [frame.raw or {"frame": frame.text[:80]} for frame in frames if frame.session == number]
            )
        if not frames:
            lines.append("It has sent nothing at all." if self._log.heard_ms else "No client has connected.")
        near = [frame for frame in frames if frame.raw.get("type") == kind]
        if near and wanted:
            lines.append(f"The last {kind}: {mismatch(near[-1].raw, wanted)}.")
        return "\n".join(lines)


def frame_of(session: int, text: str) -> Frame:
    """A client's frame, read."""
    raw = _object(text)
    kind = str(raw.get("type", ""))
    try:
        read = wire.decode_translation_client_event if kind == TRANSLATED else wire.decode_client_event
        event: Any = read(text)
    except ValidationError:
        event = UnknownEvent(type=kind, raw=raw)
    return Frame(session, text, raw, event)


def append(pcm: bytes, ms: int = 20) -> Iterable[dict[str, Any]]:
    """Sound as the events that append it, in pieces of so many milliseconds (24 kHz mono PCM16)."""
    size = ms * 48
    for at in range(0, len(pcm), size):
        yield {
            "type": "input_audio_buffer.append",
            "audio": base64.b64encode(pcm[at : at + size]).decode("ascii"),
        }


def _object(frame: str | bytes) -> dict[str, Any]:
    try:
        loaded = json.loads(frame)
    except (ValueError, RecursionError):
        return {}
    return loaded if isinstance(loaded, dict) else {}


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"
