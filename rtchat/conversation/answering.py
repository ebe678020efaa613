"""The assistant's side of the turn: responses and what they say and call."""

from __future__ import annotations

from rtchat.conversation import signals as s
from rtchat.conversation import troubles
from rtchat.conversation.notices import ToolCalled
from rtchat.conversation.responses import Want
from rtchat.conversation.signals import Handlers
from rtchat.conversation.state import Trigger
from rtchat.conversation.turn import Turn
from rtchat.protocol import server_events as told
from rtchat.protocol.client_events import ItemCreate
from rtchat.protocol.items import FunctionCallItem, FunctionCallOutputItem, McpCallItem


class Answering:
    """The server answers, the tools answer the server.

    Args:
        turn: Who has the word.
    """

    def __init__(self, turn: Turn) -> None:
        self._turn = turn
        self.handlers: Handlers = {
            told.ResponseCreated: self._created,
            told.ResponseDone: self._done,
            told.OutputItemAdded: self._item_added,
            told.OutputItemDone: self._item_done,
            told.OutputTextDelta: self._words,
            told.OutputTextDone: turn.answer.words_done,
            told.OutputTranscriptDelta: self._words,
            told.OutputTranscriptDone: turn.answer.words_done,
            told.OutputAudioDelta: self._sound,
            told.OutputAudioDone: turn.answer.sound_done,
            s.Heard: self._heard,
            s.Drained: turn.drained,
            told.McpArgumentsDone: turn.mcp.called,
            told.McpListToolsInProgress: turn.mcp.asks,
            told.McpListToolsCompleted: self._listed,
            told.McpListToolsFailed: self._listed,
            s.ToolDone: self._tool_done,
            s.Approved: self._decided,
        }

    def _created(self, event: told.ResponseCreated) -> list[s.Effect]:
        turn = self._turn
        gives_way = turn.resumption.due and turn.responses.hold  # the server answers what was nothing
        covers = turn.server_owes_answer and turn.calls.told
        wanted = turn.responses.created(event.response.id, covers=covers)
        turn.open = True
        turn.responses.hold = turn.user_speaks and turn.responses.hold
        if turn.user_speaks and turn.rules.speech_interrupts:
            return [*turn.interrupt_by_voice(known=False), *turn.settle()]  # the user has the word
        if gives_way or not wanted:
            return [*turn.interrupt(), *turn.settle()]
        return turn.asked()

    def _words(self, event: told.OutputTextDelta | told.OutputTranscriptDelta) -> list[s.Effect]:
        return self._answers(event.response_id, event.item_id, self._turn.answer.words(event))

    def _sound(self, event: told.OutputAudioDelta) -> list[s.Effect]:
        return self._answers(event.response_id, event.item_id, self._turn.answer.sound(event))

    def _answers(self, response_id: str, item_id: str, effects: list[s.Effect]) -> list[s.Effect]:
        late = self._turn.answer.playback.is_cut(response_id, item_id)
        if late or not effects:
            return effects
        if not self._turn.answer.spoken(item_id):
            self._turn.resumption.answered()
        return [*effects, *self._turn.status.go(Trigger.ANSWER)]

    def _heard(self, heard: s.Heard) -> list[s.Effect]:
        effects = self._turn.answer.heard(heard)
        if effects:
            self._turn.resumption.answered()
        return effects

    def _decided(self, decision: s.Approved) -> list[s.Effect]:
        return [*self._turn.mcp.decided(decision), *self._turn.settle()]

    def _listed(self, event: told.McpListToolsCompleted | told.McpListToolsFailed) -> list[s.Effect]:
        return [*self._turn.mcp.listed(event), *self._turn.settle()]

    def _item_added(self, event: told.OutputItemAdded) -> list[s.Effect]:
        self._turn.mcp.begun(event.item, event.response_id)
        return self._turn.answer.item_added(event)

    def _item_done(self, event: told.OutputItemDone) -> list[s.Effect]:
        if isinstance(event.item, FunctionCallItem):
            self._turn.calls.made(event.response_id, event.item)
        effects = [*self._turn.mcp.ended(event.item), *self._turn.answer.item_made(event)]
        return [*effects, *self._turn.settle()] if isinstance(event.item, McpCallItem) else effects

    def _done(self, event: told.ResponseDone) -> list[s.Effect]:
        turn, response = self._turn, event.response
        turn.responses.done(response.id)
        if response.usage is not None:
            turn.used(response.usage.model_dump(exclude_unset=True))
        effects = [*troubles.failure(response), *turn.answer.response_done(response)]
        calls = [item for item in response.output or [] if isinstance(item, FunctionCallItem)]
        cancelled = response.status == "cancelled" or turn.answer.playback.is_cut(response.id)
        if cancelled:
            turn.mcp.cancelled(response.id)
        for call in turn.calls.due(response.id, calls, cancelled=cancelled):
            running = ToolCalled(call.call_id or "", call.name, call.arguments, "", "running", 0)
            effects += [s.Show(running), s.CallTool(call.call_id or "", call.name, call.arguments)]
        return [*effects, *turn.settle()]

    def _tool_done(self, done: s.ToolDone) -> list[s.Effect]:
        turn = self._turn
        call = turn.calls.answered(done.call_id, done.output)
        if call is None:
            return []
        if not turn.calls.pending:
            # "Several calls of one response: send all outputs, then one response.create."
            turn.responses.want(Want())
        shown = s.Show(ToolCalled(done.call_id, call.name, call.arguments, done.output, done.status, done.ms))
        if not turn.ready:
            return [shown]  # the next server is given the output with all the rest
        output = FunctionCallOutputItem(call_id=done.call_id, output=done.output)
        return [shown, s.Send(ItemCreate(item=output)), *turn.settle()]
