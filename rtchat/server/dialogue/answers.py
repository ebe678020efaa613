"""The responses of a conversation: at most one in it at a time, any number beside it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rtchat.protocol import server_events as ev
from rtchat.protocol.config import ResponseParams
from rtchat.protocol.items import FunctionCallItem, FunctionCallOutputItem
from rtchat.server.dialogue.checks import Rejected
from rtchat.server.dialogue.items import overhead
from rtchat.server.dialogue.mcp_calls import McpCalls
from rtchat.server.dialogue.plan import Plan
from rtchat.server.dialogue.response import Answer, Status
from rtchat.server.dialogue.signals import (
    Abort,
    Effect,
    Emit,
    Enough,
    Marked,
    Speak,
    SpeechEnded,
    Spoke,
    Think,
    Thought,
    ThoughtEnded,
)
from rtchat.server.dialogue.spoken import spoken
from rtchat.server.dialogue.usage import NOTHING, Parts, cached, context_of, entry_tokens, fixed_tokens, total
from rtchat.server.dialogue.window import TooLong, kept
from rtchat.server.engines.base import BrokenOff, Piece, ToolCall

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rtchat.server.dialogue.context import Context
    from rtchat.server.dialogue.hearing import Hearing
    from rtchat.server.dialogue.items import Entry
    from rtchat.server.engines.base import Prompt

MOST_AT_ONCE = 32
"""Responses under way: beyond it a client may begin no more beside the conversation."""
MAX_INPUT = 64 * 1024 * 1024
"""Bytes that clients sent for the responses under way: each `response.create`, and what its items take beside."""
TOKEN_LIMIT = 15_000_000
"""What `rate_limits.updated` says (recorded); nothing is limited here."""
TOO_LONG = ev.StatusError(
    type="invalid_request_error",
    code="context_length_exceeded",
    message="Your input exceeds the context window of this model. Please adjust your input and try again.",
)
"""Uncertain: the words of the service's other APIs."""


@dataclass(slots=True)
class _Running:
    answer: Answer
    own_input: list[Entry] | None  # instead of the conversation
    weight: int  # bytes that the client sent for it
    context: Parts = field(default_factory=list)  # what the model was given


class Answers:
    """Makes, feeds and ends responses."""

    def __init__(self, context: Context, hearing: Hearing) -> None:
        self._context = context
        self._hearing = hearing
        self._next: tuple[ResponseParams, int] | None = None  # asked for before the one under way was over
        self._running: dict[str, _Running] = {}
        self.calls = McpCalls(context)
        self._tokens_left = TOKEN_LIMIT
        self._before: dict[bool, Parts] = {}  # in the conversation or beside it -> what the model knows of it

    @property
    def active(self) -> Answer | None:
        """The one in the conversation."""
        running = (one.answer for one in self._running.values() if one.answer.plan.in_conversation)
        return next(running, None)

    def create(self, params: ResponseParams | None, size: int = 0) -> list[Effect]:
        """Begin a response.

        Args:
            params: What the client asked for.
            size: Characters in which it did.

        Raises:
            Rejected: One is already active, its input does not exist, or too much is kept for others.
        """
        params = params or ResponseParams()
        context = self._context
        if params.conversation == "none" and len(self._running) >= MOST_AT_ONCE:  # before any work for it
            message = f"{MOST_AT_ONCE} responses are already in progress. Wait until one of them is finished."
            raise Rejected("too_many_responses", message)
        plan, own = self._checked(params)
        if plan.in_conversation and self.active:
            if self._next is None and any(context.store.answered(call) for call in self.active.calls):
                # Recorded: asked for after the call's result but before `response.done`, it is begun after that.
                self._next = params, size
                return []
            raise Rejected(
                "conversation_already_has_active_response",
                f"Conversation already has an active response in progress: {self.active.id}. Wait until the "
                "response is finished before creating a new one.",
            )
        weight = self._check_room(size, own or ())
        answer = Answer(plan, context.store, context.new_id, context.conversation_id)
        self._running[answer.id] = running = _Running(answer, own, weight)
        answer.waits_for = {entry.id for entry in self._given(running) if entry.awaits_words}
        effects: list[Effect] = [Emit(event) for event in answer.created()]
        if params.tools is not None and plan.mcp:
            effects += context.mcp.name(plan.mcp)
            answer.waits_for |= context.mcp.unlisted(plan.mcp)
        for entry in self._own(own or ()):
            if entry.awaits_words:
                effects += self._hearing.aside(entry)
        return effects if answer.waits_for else effects + self._think(running)

    def _checked(self, params: ResponseParams) -> tuple[Plan, list[Entry] | None]:
        """What a response is to be, and its own input.

        Raises:
            Rejected: Something in it cannot be.
        """
        context = self._context
        if context.settings.kind != "realtime":
            raise Rejected("invalid_value", "A transcription session gives no responses.", "type")
        plan = Plan.of(context.settings.realtime, params, context.fixed_voice)
        known = ("auto", "none", "required", *(tool["name"] for tool in plan.tools))
        if plan.tool_choice not in known:
            message = f"Tool choice '{plan.tool_choice}' not found in 'tools' parameter."
            raise Rejected("invalid_value", message, "response.tool_choice")
        context.mcp.check(params.tools, "response.tools")
        if params.input is None:
            return plan, None
        return plan, context.store.resolve(params.input, context.new_id, context.settings.input_format)

    def _check_room(self, size: int, given: Sequence[Entry]) -> int:
        """Bytes that a response takes which was asked for in so many characters, with these items.

        Raises:
            Rejected: With them the responses in progress would hold more than this server keeps.
        """
        own = self._own(given)
        weight = size + sum(overhead(entry) for entry in own)
        if sum(running.weight for running in self._running.values()) + weight > MAX_INPUT:
            message = (
                "The responses in progress hold as much input of their own as there is room for: "
                f"{MAX_INPUT // 2**20} MiB. Wait until one of them is finished."
            )
            raise Rejected("response_input_full", message, "response")
        self._hearing.check_room(sum(len(entry.sound) for entry in own if entry.awaits_words))
        return weight

    def _own(self, given: Sequence[Entry]) -> list[Entry]:
        """Without those of the conversation."""
        return [entry for entry in given if self._context.store.find(entry.id) is not entry]

    def understood(self, item_id: str, failure: str | None = None) -> list[Effect]:
        """An item's words are known, or will never be; who waited for those fails with that reason."""
        effects: list[Effect] = []
        for running in list(self._running.values()):
            if item_id in running.answer.waits_for and failure is not None:
                effects += self._end(running.answer, "failed", failure)
            elif item_id in running.answer.waits_for:
                running.answer.waits_for.discard(item_id)
                if not running.answer.waits_for:
                    effects += self._think(running)
        return effects

    def cancel(self, response_id: str | None, reason: str) -> list[Effect]:
        """Stop one.

        Raises:
            Rejected: There is none.
        """
        answer = self.active
        if response_id is not None:
            running = self._running.get(response_id)
            answer = running.answer if running else None
        if answer is None:
            raise Rejected("response_cancel_not_active", "Cancellation failed: no active response found")
        return self._end(answer, "cancelled", reason)

    def receive(self, told: Thought | ThoughtEnded | Spoke | Marked | SpeechEnded) -> list[Effect]:
        """What an engine made; nothing for a response that is over."""
        running = self._running.get(told.response_id)
        if running is None:
            return []
        answer = running.answer
        if isinstance(told, ThoughtEnded | SpeechEnded) and told.error is not None:
            return self._end(answer, "failed", told.error)
        effects: list[Effect] = []
        if isinstance(told, Thought):
            if answer.cut_short:
                return []
            effects = self._piece(answer, told.piece)
        elif isinstance(told, Spoke):
            effects = [Emit(event) for event in answer.add_sound(told.pcm)]
            if answer.full:
                return effects + self._end(answer, "incomplete", "max_output_tokens")
        elif isinstance(told, Marked):
            answer.mark(told.mark)
        elif isinstance(told, ThoughtEnded):
            effects = self._say(answer, answer.sentences.rest())
            answer.thought_over = True
        else:
            effects = [Emit(event) for event in answer.sound_done()]
        if not answer.finished_work:
            return effects
        if answer.cut_short:
            return effects + self._end(answer, "incomplete", answer.cut_short)
        return effects + self._end(answer, "completed")

    def _piece(self, answer: Answer, piece: Piece) -> list[Effect]:
        if isinstance(piece, BrokenOff):
            said = self._say(answer, answer.sentences.rest())
            answer.cut_short, answer.thought_over = answer.cut_short or piece.reason, True
            return said
        if isinstance(piece, ToolCall):
            said = self._say(answer, answer.sentences.rest())
            one_too_many = answer.has_called and not answer.plan.parallel_tool_calls
            return said if answer.cut_short or one_too_many else [*said, *self._call(answer, piece)]
        if answer.plan.modality == "text":
            return self._say(answer, [piece.text])
        sentences = answer.sentences.feed(piece.text)
        return self._say(answer, [*sentences, *answer.sentences.rest()] if piece.whole else sentences)

    def _call(self, answer: Answer, call: ToolCall) -> list[Effect]:
        offers = self._context.offers(answer.plan) if answer.plan.mcp else []
        if offer := next((one for one in offers if one.shown == call.name), None):
            return self.calls.begin(answer, offer, call.arguments)
        return [Emit(event) for event in answer.add_call(call)]

    def _say(self, answer: Answer, texts: list[str]) -> list[Effect]:
        """Text as it comes, or sentences to be spoken."""
        effects: list[Effect] = []
        plan = answer.plan
        for whole in texts:
            if answer.cut_short:
                break
            text = answer.fitting(whole)
            if text != whole:
                answer.cut_short, answer.thought_over = "max_output_tokens", True
                effects.append(Enough(answer.id))
            if not text or (plan.modality == "audio" and not text.strip()):
                continue
            effects += [Emit(event) for event in answer.add_text(text)]
            if plan.modality == "audio":
                self._context.first_voice = self._context.first_voice or plan.voice
                language = spoken_language(self._context.model)
                effects.append(Speak(answer.id, spoken(text.strip()), plan.voice_name, plan.speed, language))
        return effects

    def _think(self, running: _Running) -> list[Effect]:
        plan = running.answer.plan
        try:
            self._drop(running, self._context.prompt(plan, []))
        except TooLong:
            return self._end(running.answer, "failed", TOO_LONG)
        entries = self._given(running)
        prompt = self._context.prompt(plan, entries)
        running.context = context_of(prompt, entries)
        running.answer.given = total(running.context)
        known = (cached(running.context, before) for before in self._before.values())
        running.answer.cached = max(known, key=lambda tokens: tokens.total, default=NOTHING)
        return [Think(running.answer.id, prompt)]

    def _given(self, running: _Running) -> list[Entry]:
        if running.own_input is not None:
            return running.own_input
        return [entry for entry in self._context.store if not entry.dropped]

    def _drop(self, running: _Running, prompt: Prompt) -> None:
        """Drop the oldest items for good that the model has no room for, and results whose call is gone."""
        entries = self._given(running)
        first = kept(
            entries,
            lambda entry: entry_tokens(entry).total,
            fixed=fixed_tokens(prompt),
            truncation=self._context.settings.realtime.truncation,
            model=self._context.model,
        )
        if first == 0:
            return
        gone = {entry.item.call_id for entry in entries[:first] if isinstance(entry.item, FunctionCallItem)}
        left = [
            entry
            for entry in entries[first:]
            if not (isinstance(entry.item, FunctionCallOutputItem) and entry.item.call_id in gone)
        ]
        if running.own_input is not None:
            running.own_input = left
            return
        stay = {entry.id for entry in left}
        for entry in entries:
            entry.dropped = entry.id not in stay

    def _end(self, answer: Answer, status: Status, reason: str | ev.StatusError | None = None) -> list[Effect]:
        running = self._running.pop(answer.id)
        context = running.context
        effects: list[Effect] = [Abort(answer.id), *(Emit(event) for event in answer.finish(status, reason))]
        for entry in self._own(running.own_input or ()):
            effects += self._hearing.drop(entry)
        if context:
            made = [(entry.id, entry_tokens(entry)) for entry in answer.entries]
            self._before[answer.plan.in_conversation] = [*context, *made]
        self._tokens_left = max(0, self._tokens_left - answer.tokens())
        limit = ev.RateLimit(name="tokens", limit=TOKEN_LIMIT, remaining=self._tokens_left, reset_seconds=0.0)
        effects.append(self._context.emit(ev.RateLimitsUpdated, rate_limits=[limit]))
        effects += self.calls.over(answer.id)
        if not answer.plan.in_conversation or self._next is None:
            return effects
        asked, self._next = self._next, None
        if status == "cancelled":
            return effects
        try:
            return effects + self.create(*asked)
        except Rejected as rejected:
            return [*effects, self._context.error(rejected)]


def spoken_language(model: str) -> str:
    """The language of a model's answers: English, or what `apertium:en-es` translates into."""
    kind, _, pair = model.partition(":")
    return pair.rpartition("-")[2] if kind == "apertium" and "-" in pair else "en"
