"""One response at a time: who may ask for an answer, and when.

A conversation has one active response. Typed lines, tool results and announcements queue for it, and so does a
request that the server refused with `conversation_already_has_active_response` (the voice activity detector was
faster): it is sent again after `response.done`.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from rtchat.protocol.client_events import ClientEvent, ItemCreate, ResponseCreate
from rtchat.protocol.config import ResponseParams
from rtchat.protocol.items import Item

ALREADY_ACTIVE = "conversation_already_has_active_response"
_UNKNOWN = "?"


@dataclass(frozen=True, slots=True)
class Want:
    """An answer that is wanted.

    Attributes:
        item: To be put into the conversation first; None when all it needs is there.
        params: Overrides for the response.
    """

    item: Item | None = None
    params: ResponseParams | None = None


class Responses:
    """The active response and the queue for the next.

    Attributes:
        active: Id of the response under way; None when there is none.
        hold: True while the user speaks: the server will answer that first.
    """

    def __init__(self) -> None:
        self.active: str | None = None
        self.hold = False
        self._asked: tuple[str, Want] | None = None
        self._presumed: tuple[str, Want] | None = None
        self._queue: deque[Want] = deque()
        self._count = 0

    @property
    def busy(self) -> bool:
        """An answer is under way, asked for, or wanted."""
        return self.active is not None or self._asked is not None or bool(self._queue)

    @property
    def asked(self) -> bool:
        """A `response.create` was sent and not answered yet."""
        return self._asked is not None

    def want(self, want: Want) -> list[ClientEvent]:
        """Ask for an answer now or later; wants without an item of their own are the same want."""
        if want.item is not None or want not in self._queue:
            self._queue.append(want)
        return self.next()

    def next(self) -> list[ClientEvent]:
        """What may be sent now."""
        if self.active is not None or self._asked is not None or self.hold or not self._queue:
            return []
        want = self._queue.popleft()
        self._count += 1
        event_id = f"event_rtchat_response_{self._count}"
        self._asked = (event_id, want)
        events: list[ClientEvent] = [ItemCreate(item=want.item)] if want.item is not None else []
        if want.params is None:
            events.append(ResponseCreate(event_id=event_id))
        else:
            events.append(ResponseCreate(event_id=event_id, response=want.params))
        return events

    def created(self, response_id: str) -> None:
        """`response.created`: ours, or one that the server began by itself.

        One that the server began while the user spoke has seen everything sent so far, so a want without an
        item of its own is answered by it.
        """
        self.active = response_id
        if self._asked is not None:
            # Most likely the answer to our request; an error about that request can still say otherwise.
            self._presumed, self._asked = self._asked, None
        elif self.hold:
            self._queue = deque(want for want in self._queue if want.item is not None)
        self.hold = False

    def done(self, response_id: str) -> None:
        """`response.done`."""
        if self.active in (response_id, _UNKNOWN):
            self.active = self._presumed = None

    def failed(self, event_id: str, code: str | None) -> bool:
        """An error about our request. True when it was only early and will be sent again."""
        request = next((r for r in (self._asked, self._presumed) if r is not None and r[0] == event_id), None)
        if request is None:
            return False
        want = request[1]
        self._asked = self._presumed = None
        if code != ALREADY_ACTIVE:
            return False
        self._queue.appendleft(Want(params=want.params))  # its item is in the conversation already
        if self.active is None:
            self.active = _UNKNOWN
        return True
