"""One response at a time: who may ask for an answer, and when.

A conversation has one active response. Typed lines, tool results and announcements queue for it, and so does a
request that the server refused with `conversation_already_has_active_response` (the voice activity detector was
faster): it is sent again after `response.done`. What goes on with a turn comes before what begins a new one.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from rtchat.protocol.client_events import ClientEvent, ItemCreate, ResponseCancel, ResponseCreate
from rtchat.protocol.config import ResponseParams
from rtchat.protocol.items import Item

ALREADY_ACTIVE = "conversation_already_has_active_response"
_UNHEARD_OF = "?"
_REMEMBERED = 8
"""Requests of which a late error is still recognised."""


@dataclass(frozen=True, slots=True)
class Want:
    """An answer that is wanted.

    Attributes:
        item: To be put into the conversation first; None when all it needs is there.
        params: Overrides for the response.
        begins: It is a turn of its own, and does not go on with the present one.
    """

    item: Item | None = None
    params: ResponseParams | None = None
    begins: bool = False


@dataclass(slots=True)
class _Request:
    """A `response.create` on its way. `dropped`: it was interrupted before the server answered it."""

    event_id: str
    want: Want
    dropped: bool = False


class Responses:
    """The active response and the queue for the next.

    Attributes:
        hold: Nothing may be asked: the user speaks, or the server is about to answer that.
    """

    def __init__(self) -> None:
        self.hold = False
        self._active: str | None = None
        self._cancelled = False
        self._asked: _Request | None = None
        self._answered = Want()  # by the active response
        self._presumed: deque[_Request] = deque(maxlen=_REMEMBERED)  # answered, as far as can be known
        self._queue: deque[Want] = deque()
        self._count = 0

    @property
    def active(self) -> str | None:
        """Id of the response under way; None when there is none, or none whose id is known."""
        return None if self._active == _UNHEARD_OF else self._active

    @property
    def idle(self) -> bool:
        """No answer is under way or asked for."""
        return self._active is None and self._asked is None

    @property
    def turn_goes_on(self) -> bool:
        """An answer is under way, asked for, or wanted by the present turn."""
        return not self.idle or bool(self._queue and not self._queue[0].begins)

    @property
    def answering(self) -> bool:
        """An answer is under way and not cancelled."""
        return self._active is not None and not self._cancelled

    @property
    def unsent(self) -> set[str]:
        """Ids of items that wait here and are not in the conversation yet."""
        return {want.item.id for want in self._queue if want.item is not None and want.item.id is not None}

    @property
    def asked(self) -> bool:
        """An answer is asked for, has not begun, and is still wanted."""
        return self._asked is not None and not self._asked.dropped

    @property
    def expected(self) -> bool:
        """An answer is still to come: under way and not cancelled, asked for, or wanted."""
        return self.answering or self.asked or bool(self._queue)

    def want(self, want: Want) -> None:
        """Ask for an answer, now or later; one answer does for all wants without an item of their own."""
        if want.item is not None:
            self._queue.append(want)
            return
        self._forget_wants_without_item()
        self._queue.appendleft(want)

    def next(self, *, sounding: bool) -> list[ClientEvent]:
        """What may be sent now. A new turn also waits until the last one was heard."""
        if not self.idle or self.hold or not self._queue or (sounding and self._queue[0].begins):
            return []
        want = self._queue.popleft()
        self._count += 1
        request = _Request(f"event_rtchat_response_{self._count}", want)
        self._asked = request
        events: list[ClientEvent] = [ItemCreate(item=want.item)] if want.item is not None else []
        if want.params is None:
            return [*events, ResponseCreate(event_id=request.event_id)]
        return [*events, ResponseCreate(event_id=request.event_id, response=want.params)]

    def cancel(self) -> ResponseCancel | None:
        """Stop the answer under way; one that is asked for is stopped when it begins."""
        if self._asked is not None:
            self._asked.dropped = True
        if self._active is None or self._cancelled:
            return None
        self._cancelled = True
        return ResponseCancel() if self.active is None else ResponseCancel(response_id=self.active)

    def interrupted(self) -> None:
        """The server cancels the answer under way by itself."""
        self._cancelled = self._active is not None

    def created(self, response_id: str, *, covers: bool) -> bool:
        """`response.created`: ours, or one that the server began by itself.

        Args:
            response_id: The response.
            covers: Everything that was sent has reached the conversation. A response that the server began by
                itself then answers all that is wanted without an item of its own.

        Returns:
            False when the answer is not wanted any more.
        """
        self._active, self._cancelled = response_id, False
        request, self._asked = self._asked, None
        self._answered = Want(params=request.want.params if request is not None else None)
        if request is not None:
            # Most likely the answer to our request; an error about that request can still say otherwise.
            self._presumed.append(request)
            return not request.dropped
        if covers:
            self._forget_wants_without_item()
        return True

    def done(self, response_id: str) -> None:
        """`response.done`."""
        if self._active in (response_id, _UNHEARD_OF):
            self._active = None

    def lost(self) -> Want | None:
        """The server is gone. What was asked of it and not begun waits again, and all is on `hold`.

        Returns:
            What would ask again for the answer that was under way; None when none was, or it was cancelled.
        """
        under_way = self._answered if self.answering else None
        if self._asked is not None and not self._asked.dropped:
            want = self._asked.want
            named = want.item is not None and want.item.id is not None  # so it is known here, and restored
            self._queue.appendleft(Want(params=want.params) if named else want)
        self._active, self._cancelled, self._asked = None, False, None
        self._presumed.clear()
        self.hold = True
        return under_way

    def nothing_active(self) -> None:
        """The server had nothing to cancel: there is no response that it has not told us of."""
        if self._active == _UNHEARD_OF:
            self._active = None

    def failed(self, event_id: str | None, code: str | None) -> bool:
        """An error about our request, by the `event_id` that it names; True when it was only early.

        Then it will be sent again. A server that names none means the request that is still unanswered, where the
        error cannot be about anything else.
        """
        early = code == ALREADY_ACTIVE
        request = self._asked
        if request is not None and (request.event_id == event_id or (event_id is None and early and not self.hold)):
            self._asked = None
            if early:
                # The server is busy with a response that it has not told us of.
                self._active, self._cancelled = _UNHEARD_OF, False
        else:
            request = next((known for known in self._presumed if known.event_id == event_id), None)
            if request is None:
                return False
            self._presumed.remove(request)
        if early and not request.dropped:
            self.want(Want(params=request.want.params))  # its item is in the conversation already
        return early

    def _forget_wants_without_item(self) -> None:
        self._queue = deque(want for want in self._queue if want.item is not None)
