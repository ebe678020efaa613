"""Who has the word: what is under way, what waits for it, what stops it, and when it is over."""

from __future__ import annotations

from typing import Any

from rtchat.conversation import signals as s
from rtchat.conversation.answer import Answer
from rtchat.conversation.barge_in import BargeIn
from rtchat.conversation.calls import Calls
from rtchat.conversation.items import Entry, Items
from rtchat.conversation.mcp import McpCalls
from rtchat.conversation.microphone_gate import MicrophoneGate
from rtchat.conversation.notices import TurnEnded
from rtchat.conversation.responses import Responses, Want
from rtchat.conversation.restore import message, predecessor
from rtchat.conversation.resumption import Resumption
from rtchat.conversation.rules import Echo, Rules
from rtchat.conversation.state import State, Trigger
from rtchat.conversation.status import Status
from rtchat.conversation.transcripts import Transcripts
from rtchat.conversation.usage import add_usage
from rtchat.protocol.client_events import ItemCreate, ResponseCancel


class Turn:
    """The turn under way, and the parts of the conversation that have a share in it.

    Attributes:
        session: What is asked of the server now.
        echo: What keeps the assistant from hearing itself now.
        talking: The user has the word: the server hears speech, or the talk key is down.
        onset: So this machine's detector says; the server has not said it yet.
        open: Something was asked or answered that no `TurnEnded` has told yet.
        words_due: Commits of a transcription session that were not written down yet.
        unknown: Items that a new server is told of when they were heard.
        known: Ids of the items that it was told of.
        resumption: What may have to be said again.
        input_over: Nothing more comes from the user.
    """

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self.session = rules.session
        self.echo: Echo = rules.echo
        self.items = Items()
        self.status = Status()
        self.transcripts = Transcripts(self.items)
        self.answer = Answer(self.items)
        self.responses = Responses()
        self.responses.hold = True  # until the session is there
        self.calls = Calls()
        self.mcp = McpCalls()
        half_duplex = rules.echo == "half-duplex"
        self.microphone = BargeIn(
            MicrophoneGate(half_duplex=half_duplex, push_to_talk=rules.push_to_talk, looks_back=rules.barge_in)
        )
        self.talking = False
        self.onset = False
        self.open = False
        self.words_due = 0
        self.unknown: list[Entry] = []
        self.known: set[str] = set()
        self.resumption = Resumption()
        self.input_over = False
        self._usage: dict[str, Any] = {}
        self._ended = False

    @property
    def state(self) -> State:
        """What the session does now, mute aside."""
        return self.status.state

    @property
    def ready(self) -> bool:
        """There is a server that has taken the session."""
        return self.state not in (State.CONNECTING, State.RECONNECTING, State.CLOSED)

    @property
    def sounding(self) -> bool:
        """Something of the assistant's is still to be heard."""
        return self.answer.playback.sounding

    @property
    def user_speaks(self) -> bool:
        """Whoever says so."""
        return self.talking or self.onset

    @property
    def server_owes_answer(self) -> bool:
        """The user has spoken, and the server will answer that by itself."""
        return self.responses.hold and not self.user_speaks and self.ready

    def used(self, usage: dict[str, Any]) -> None:
        """A response of this turn has used this."""
        self._usage = add_usage(self._usage, usage)

    def interrupt(self, *, by_user: bool = True) -> list[s.Effect]:
        """Stop the answer where the server does not know yet."""
        return self._cut(self.responses.cancel(), by_user=by_user)

    def interrupt_by_voice(self, *, known: bool) -> list[s.Effect]:
        """Stop the answer for what may be speech. `known`: the server says so, and has cancelled its response."""
        under_way = self.responses.answering or (self.responses.asked and not known)
        if known:
            self.responses.interrupted()
            effects = self._cut(None, by_user=True)
        else:
            effects = self.interrupt()
        if (under_way or self.answer.broken_off) and self.rules.resume_false_interruptions:
            self.resumption.broke_off(self.answer.broken_off)
        return effects

    def _cut(self, cancel: ResponseCancel | None, *, by_user: bool) -> list[s.Effect]:
        effects = self.answer.cut(self.responses.active, cancel, by_user=by_user)
        return [*effects, *self.microphone.stopped(flushed=True)]

    def drained(self, _: s.Drained) -> list[s.Effect]:
        """The assistant was heard to the end of all that was received."""
        return [*self.answer.drained(), *self.microphone.stopped(flushed=False), *self.settle()]

    def end_onset(self) -> None:
        """What this machine took for the user's voice is over, and the server never heard it."""
        if self.onset:
            self.onset = self.responses.hold = False

    def settle(self) -> list[s.Effect]:
        """End the turn when it is over, send what has waited for that, and say what is left to wait for."""
        if not self.ready:
            return []
        told = self._tell_heard()
        if self.resumption.due and not (self.sounding or self.user_speaks or self.responses.hold):
            self.responses.want(self.resumption.take(self.rules.session))
        if self.mcp.due(self.responses.active):
            self.responses.want(Want())
        at_work = self.calls.pending or self.mcp.pending
        over = not (self.responses.turn_goes_on or at_work or self.sounding)
        effects = [*told, *(self.end() if over and self.open else [])]
        requests = [] if self.mcp.listing else self.responses.next(sounding=self.sounding)
        if requests:
            self.open = True
            return [*effects, *(s.Send(event) for event in requests), *self.asked()]
        if self.user_speaks or self.responses.hold or (self.responses.answering and self.state is State.SPEAKING):
            return effects
        if self.responses.expected or at_work:
            return [*effects, *self.asked()]
        if self.sounding or self.words_due:
            return effects
        effects += self.status.go(Trigger.QUIET)
        if self.input_over and self.responses.idle and not self._ended and not self._awaits_words:
            self._ended = True
            effects.append(s.End("done"))
        return effects

    def asked(self) -> list[s.Effect]:
        """An answer is due, which is not shown while the last one is still heard."""
        if self.user_speaks or (self.state is State.SPEAKING and self.sounding):
            return []
        return self.status.go(Trigger.ASKED)

    def end(self) -> list[s.Effect]:
        """Tell that the turn is over, and what it used."""
        self.open = False
        usage, self._usage = self._usage, {}
        return [s.Show(TurnEnded({}, usage, 0.0))]

    def _tell_heard(self) -> list[s.Effect]:
        """What has sounded on since the server was lost is over now: the new one is told what was heard of it."""
        if self.sounding or not self.unknown:
            return []
        entries, self.unknown = self.unknown, []
        effects: list[s.Effect] = []
        for entry in entries:
            item = message(entry)
            if item is not None:
                before = predecessor(self.items, entry, self.known)
                effects.append(s.Send(ItemCreate(item=item, previous_item_id=before)))
                self.known.add(entry.item_id)
        return effects

    def close(self) -> list[s.Effect]:
        """The session is over: every item gets its last word, and what was used is told."""
        effects = [*self.transcripts.close(), *self.answer.close()]
        if self.open and self._usage:
            effects += self.end()
        return [*effects, *self.status.go(Trigger.ENDED)]

    @property
    def _awaits_words(self) -> bool:
        """Nobody answers, so the words are the answer."""
        return not (self.rules.server_answers or self.rules.push_to_talk) and self.transcripts.waiting
