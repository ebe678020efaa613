"""A scenario, played: it stands in for the recogniser and the language model of one session.

Speech detection is real, and so is the voice. A response is the next turn; speech is heard as the next `hear` that
is neither used nor before the next turn. In a translation session a turn is what was heard, and its translation.
What the scenario does not foresee fails, with a sentence that names the turn; that stays the next one.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from rtchat.complaints import show
from rtchat.protocol.server_events import InputAudioCommitted, InputAudioTimeout
from rtchat.server.dialogue.signals import (
    Abandon,
    Abort,
    After,
    Emit,
    Enough,
    NotRecognised,
    NotTranslated,
    Prepare,
    Recognised,
    Think,
    Thought,
    ThoughtEnded,
    Transcribe,
    Translate,
    Translated,
)
from rtchat.server.engines.base import TextPiece, ToolCall
from rtchat.server.staging.around import Around, Due
from rtchat.server.staging.scenario import Call, Sentence
from rtchat.server.translation import PROBE

if TYPE_CHECKING:
    from rtchat.server.live import Machine
    from rtchat.server.staging.scenario import Scenario, Turn


_MORE = "Write another [[turn]], or loop = true."


@dataclass(slots=True)
class _Saying:
    """A response's pieces still to come, each with the seconds before it."""

    response_id: str
    pieces: deque[tuple[float, Thought | ThoughtEnded]] = field(default_factory=deque)


class Script(Around):
    """Plays a scenario to one session.

    Args:
        machine: The dialogue, or the translation.
        scenario: What is to happen.
    """

    def __init__(self, machine: Machine, scenario: Scenario) -> None:
        super().__init__(machine)
        self._scenario = scenario
        self._next = 0  # turns begun, over and over in a loop
        self._heard = (0, 0)  # the turn and its `hear` that come next
        self._ahead: str | None = None  # key of a recognition before the end of its turn
        self._silent = ""  # item that an idle timeout made of silence
        self._saying: dict[str, _Saying] = {}

    def due(self, what: Any) -> list[Any]:
        """The next piece of a response, or words."""
        if not isinstance(what, _Saying):
            return self.inside(what)
        if not what.pieces or self._saying.get(what.response_id) is not what:
            return []
        _, told = what.pieces.popleft()
        return [*self.inside(told), *self._continue(what)]

    def effect(self, effect: Any) -> list[Any]:
        """What the script does instead."""
        match effect:
            case Prepare():
                return []
            case Transcribe():
                return self._hear(effect)
            case Abandon():
                if effect.key == self._ahead:
                    self._ahead = None
                return []
            case Think():
                return self._think(effect)
            case Translate():
                return self._translate(effect)
            case Enough():  # of what nobody else thinks
                self._saying.pop(effect.response_id, None)
                return []
            case Abort():
                self._saying.pop(effect.response_id, None)
            case Emit() if isinstance(effect.event, InputAudioTimeout):
                self._silent = effect.event.item_id
            case Emit() if isinstance(effect.event, InputAudioCommitted) and self._ahead is not None:
                self._ahead = None
                self._used()  # what was recognised ahead is this turn's
        return [effect]

    # --- hearing ------------------------------------------------------------------------------------------

    def _hear(self, asked: Transcribe) -> list[Any]:
        if asked.key == self._silent:
            return [self._later(0, Recognised(asked.key, ""))]
        found = self._words()
        if asked.key.startswith("ahead_"):
            self._ahead = asked.key
        elif found is not None:
            self._used()
        if found is None:
            return [self._later(0, NotRecognised(asked.key, self._nothing_to_hear()))]
        turn, words = found
        if turn.hear_fail is not None:
            return [self._later(turn.hear_ms, NotRecognised(asked.key, turn.hear_fail))]
        return [self._later(turn.hear_ms, Recognised(asked.key, words))]

    def _words(self) -> tuple[Turn, str] | None:
        """The next `hear`: of the next turn, or of one after it."""
        at, number = max(self._heard, (self._next, 0))
        while (turn := self._turn(at)) is not None:
            hear = turn.hear or (("",) if turn.hear_fail is not None else ())
            if number < len(hear):
                self._heard = (at, number)
                return turn, hear[number]
            at, number = at + 1, 0
            if at - self._next > len(self._scenario.turn):  # a loop without words
                return None
        return None

    def _used(self) -> None:
        at, number = self._heard
        self._heard = (at, number + 1)

    def _nothing_to_hear(self) -> str:
        if self._turn(self._next) is None:
            return f"{self._scenario.name} has no more turns, so there are no words for this speech. {_MORE}"
        where = self._scenario.where(self._next % len(self._scenario.turn))
        return f"{where} has no words for this speech. Give it `hear`, here or in a turn after it."

    # --- answering ----------------------------------------------------------------------------------------

    def _think(self, asked: Think) -> list[Any]:
        turn = self._turn(self._next)
        saying = self._saying[asked.response_id] = _Saying(asked.response_id)
        last = asked.prompt.messages[-1].text if asked.prompt.messages else ""
        unexpected = self._unexpected(turn, last, "response")
        if turn is None or unexpected is not None:
            saying.pieces.append((0, ThoughtEnded(asked.response_id, unexpected)))
            return self._continue(saying)
        self._next += 1
        saying.pieces.extend(_pieces(asked.response_id, turn))
        return self._continue(saying)

    def _translate(self, asked: Translate) -> list[Any]:
        if asked.key == PROBE:  # a scenario is in every language
            return [self._later(0, Translated(asked.key, asked.text))]
        turn = self._turn(self._next)
        unexpected = self._unexpected(turn, asked.text, "translation")
        if turn is None or unexpected is not None:
            return [self._later(0, NotTranslated(asked.key, str(unexpected)))]
        where = self._scenario.where(self._next % len(self._scenario.turn))
        self._next += 1
        ms = turn.delay_ms + sum(said.after_ms for said in turn.say)
        why = turn.fail or (
            None if turn.say else f"{where} has no `say`, which is the translation of what was heard."
        )
        if why is not None:
            return [self._later(ms, NotTranslated(asked.key, why))]
        return [self._later(ms, Translated(asked.key, " ".join(said.text for said in turn.say)))]

    def _unexpected(self, turn: Turn | None, last: str, what: str) -> str | None:
        count = len(self._scenario.turn)
        if turn is None:
            turns = "1 turn" if count == 1 else f"{count} turns"
            return f"{self._scenario.name} has {turns}, and this is {what} {self._next + 1}. {_MORE}"
        if turn.match is not None and not turn.match.search(last):
            where = self._scenario.where(self._next % count)
            return f"{where} expects what matches {show(turn.match.pattern)}, not {show(last)}."
        return None

    def _turn(self, number: int) -> Turn | None:
        turns = self._scenario.turn
        if self._scenario.loop:
            return turns[number % len(turns)]
        return turns[number] if number < len(turns) else None

    def _continue(self, saying: _Saying) -> list[Any]:
        if not saying.pieces:
            return []
        return [After(saying.pieces[0][0], Due(self, saying))]

    def _later(self, ms: float, told: Any) -> After:
        return After(ms / 1000, Due(self, told))


def _pieces(response_id: str, turn: Turn) -> list[tuple[float, Thought | ThoughtEnded]]:
    """What the language model gives, each with the seconds before it."""
    wait = turn.delay_ms
    pieces: list[tuple[float, Thought | ThoughtEnded]] = []
    said: list[Sentence | Call] = [*turn.say, *turn.call]
    for number, one in enumerate(said):
        space = " " if number and isinstance(one, Sentence) and not one.text[:1].isspace() else ""
        piece = (
            ToolCall(one.name, one.arguments) if isinstance(one, Call) else TextPiece(space + one.text, whole=True)
        )
        pieces.append(((wait + one.after_ms) / 1000, Thought(response_id, piece)))
        wait = 0
    if not turn.hold:
        pieces.append((wait / 1000, ThoughtEnded(response_id, turn.fail)))
    return pieces
