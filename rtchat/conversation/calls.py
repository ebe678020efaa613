"""Function calls: each acted on once, never when its response was cancelled."""

from __future__ import annotations

from rtchat.protocol.items import FunctionCallItem


class Calls:
    """The calls that the model made and the tools have not answered yet."""

    def __init__(self) -> None:
        self._made: dict[str, list[FunctionCallItem]] = {}
        self._seen: set[str] = set()
        self._running: dict[str, FunctionCallItem] = {}
        self._sent: set[str] = set()

    @property
    def pending(self) -> bool:
        """Some tool is still at work."""
        return bool(self._running)

    @property
    def told(self) -> bool:
        """Every output that was sent is in the conversation."""
        return not self._sent

    def made(self, response_id: str, call: FunctionCallItem) -> None:
        """The server finished a call item; it is acted on when its response is done."""
        if call.status != "incomplete":
            self._made.setdefault(response_id, []).append(call)

    def due(self, response_id: str, listed: list[FunctionCallItem], *, cancelled: bool) -> list[FunctionCallItem]:
        """The calls to make now that the response is done.

        The same call is told four times (arguments.done, item.done, output_item.done, response.done); its
        `call_id` tells them apart.
        """
        calls = [*self._made.pop(response_id, []), *(c for c in listed if c.status != "incomplete")]
        due = []
        for call in calls:
            if cancelled or call.call_id is None or call.call_id in self._seen:
                continue
            self._seen.add(call.call_id)
            self._running[call.call_id] = call
            due.append(call)
        return due

    def answered(self, call_id: str) -> FunctionCallItem | None:
        """A tool is done, its output is about to be sent: its call, None when nobody waits for it."""
        call = self._running.pop(call_id, None)
        if call is not None:
            self._sent.add(call_id)
        return call

    def output_added(self, call_id: str) -> None:
        """An output is in the conversation."""
        self._sent.discard(call_id)
