"""The conversation: one function of its inputs, `receive(input) -> list[Effect]`. No clock, no I/O.

Here are errors and what is typed. Who has the word is in `turn`, the user's side of it in `hearing`, the
assistant's in `answering`; the session with the server, also the next one after a loss, in `handshake`.
"""

from __future__ import annotations

from rtchat.conversation import signals as s
from rtchat.conversation import troubles
from rtchat.conversation.answering import Answering
from rtchat.conversation.devices import Devices
from rtchat.conversation.handshake import Handshake
from rtchat.conversation.hearing import Hearing
from rtchat.conversation.responses import ALREADY_ACTIVE, Want
from rtchat.conversation.rules import Rules
from rtchat.conversation.signals import Handlers
from rtchat.conversation.state import State
from rtchat.conversation.turn import Turn
from rtchat.protocol import server_events as told
from rtchat.protocol.items import ContentPart, FunctionCallOutputItem, McpCallItem, MessageItem, user_text

__all__ = ["Conversation", "Rules"]


class Conversation:
    """A conversation with the model, seen from the client.

    Attributes:
        items: What was said, in order.
    """

    def __init__(self, rules: Rules | None = None) -> None:
        self.rules = rules or Rules()
        self._turn = turn = Turn(self.rules)
        self.items = turn.items
        self._typed = 0
        self._handlers: Handlers = {
            told.ErrorEvent: self._error,
            told.ItemAdded: self._item_added,
            told.ItemDone: self._item_added,
            told.ItemDeleted: turn.transcripts.deleted,
            s.Typed: self._typed_line,
            s.Announced: self._announced,
            s.InterruptPressed: self._interrupt_pressed,
            s.InputEnded: self._input_ended,
            **Handshake(turn).handlers,
            **Devices(turn).handlers,
            **Hearing(turn).handlers,
            **Answering(turn).handlers,
        }

    @property
    def state(self) -> State:
        """What it does now, mute aside."""
        return self._turn.state

    def receive(self, signal: object) -> list[s.Effect]:
        """Take one input, ask for effects, in the order in which they are to be done.

        Inputs that mean nothing here (events of WebRTC, rate limits, unknown ones) ask for nothing.
        """
        handler = self._handlers.get(type(signal))
        if handler is None or self.state is State.CLOSED:
            return []
        return handler(signal)

    def close(self) -> list[s.Effect]:
        """The session is over: every item gets its last word, and what was used is told."""
        return [] if self.state is State.CLOSED else self._turn.close()

    # --- the server ------------------------------------------------------------------------------------------

    def _error(self, event: told.ErrorEvent) -> list[s.Effect]:
        error, turn = event.error, self._turn
        if troubles.harmless(error):
            if error.code == "response_cancel_not_active":
                turn.responses.nothing_active()
            return turn.settle()
        refusal = troubles.refusal(error, connecting=not turn.ready)
        if refusal:
            return refusal
        if turn.responses.failed(error.event_id, error.code):
            return turn.settle()  # the server was faster: asked again after response.done
        if error.event_id is None and turn.server_owes_answer:
            # Nothing of ours caused it: the answer to the user's speech may not come by itself.
            turn.responses.hold = False
            if error.code == ALREADY_ACTIVE:
                turn.responses.want(Want(begins=True))
        if error.event_id is None and error.code == ALREADY_ACTIVE:
            return turn.settle()  # the server's own request, which the user knows nothing of
        return [*troubles.told(error), *turn.settle()]

    def _item_added(self, event: told.ItemAdded | told.ItemDone) -> list[s.Effect]:
        if isinstance(event.item, FunctionCallOutputItem):
            self._turn.calls.output_added(event.item)
        mcp = self._turn.mcp
        if isinstance(event, told.ItemAdded):
            mcp.begun(event.item)
            return self._turn.transcripts.added(event)
        effects = [*mcp.ended(event.item), *self._turn.transcripts.added(event)]
        return [*effects, *self._turn.settle()] if isinstance(event.item, McpCallItem) else effects

    # --- the user, but for the microphone -----------------------------------------------------------------

    def _typed_line(self, line: s.Typed) -> list[s.Effect]:
        self._typed += 1
        self._turn.resumption.forget()
        item_id = f"item_typed_{self._typed}"
        self._turn.responses.want(Want(item=user_text(line.text, item_id=item_id), begins=True))
        return [*self._turn.transcripts.typed(item_id, line.text), *self._turn.settle()]

    def _announced(self, news: s.Announced) -> list[s.Effect]:
        content = [ContentPart(type="input_text", text=news.text)]
        self._turn.responses.want(Want(item=MessageItem(role="system", content=content), begins=True))
        return self._turn.settle()

    def _interrupt_pressed(self, _: s.InterruptPressed) -> list[s.Effect]:
        self._turn.resumption.forget()
        self._turn.mcp.wait_no_more()
        return [*self._turn.interrupt(), *self._turn.settle()]

    def _input_ended(self, _: s.InputEnded) -> list[s.Effect]:
        turn = self._turn
        turn.input_over = True
        turn.end_onset()  # nobody is left to tell its end
        return [*turn.microphone.stopped(flushed=False), *turn.settle()]
