"""Function calls: each acted on once, never when its response was cancelled."""

from __future__ import annotations

from rtchat.protocol.items import FunctionCallItem, FunctionCallOutputItem


class Calls:
    """The calls that the model made and the tools have not answered yet."""

    def __init__(self) -> None:
        self._made: dict[str, list[FunctionCallItem]] = {}
        self._seen: dict[str, FunctionCallItem] = {}
        self._outputs: dict[str, FunctionCallOutputItem] = {}
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
            self._seen[call.call_id] = call
            self._running[call.call_id] = call
            due.append(call)
        return due

    def answered(self, call_id: str, output: str) -> FunctionCallItem | None:
        """A tool is done, its output is about to be sent: its call, None when nobody waits for it."""
        call = self._running.pop(call_id, None)
        if call is not None:
            self._sent.add(call_id)
            self._outputs[call_id] = FunctionCallOutputItem(call_id=call_id, output=output)
        return call

    def output_added(self, output: FunctionCallOutputItem) -> None:
        """An output is in the conversation."""
        self._sent.discard(output.call_id)
        if output.call_id in self._outputs:
            self._outputs[output.call_id] = output

    def lost(self) -> None:
        """The server is gone: calls of an unfinished response are never made; tools that are at work go on."""
        self._made.clear()
        self._sent.clear()

    def history(self) -> list[tuple[FunctionCallItem, FunctionCallOutputItem | None]]:
        """Every call that was acted on, with its output; None while its tool is at work."""
        return [(call, self._outputs.get(call_id)) for call_id, call in self._seen.items()]
