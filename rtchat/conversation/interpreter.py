"""A translation session: one stream in, one stream out, no turns and no responses.

It takes the same inputs and asks for the same effects as `machine.Conversation`, but nobody interrupts an
interpreter by speaking: a voice neither turns it down nor stops it. The server sends transcript deltas of both
languages without saying where a sentence ends, so a line ends with its sentence.
"""

from __future__ import annotations

from rtchat.conversation import devices, troubles
from rtchat.conversation import signals as s
from rtchat.conversation.items import Entry, Items
from rtchat.conversation.microphone_gate import MicrophoneGate
from rtchat.conversation.notices import AssistantSaid, AssistantStatus, DeviceTold, EchoTold, UserSaid
from rtchat.conversation.playback import Playback
from rtchat.conversation.rules import Echo, Rules
from rtchat.conversation.state import State, Trigger
from rtchat.conversation.status import Status
from rtchat.protocol import translation as wire
from rtchat.protocol.server_events import ErrorEvent

_SENTENCE_ENDS = (".", "!", "?", "…", "。", "？", "！")


class Interpreter:
    """A conversation through an interpreter, seen from the client.

    Args:
        rules: `rules.session` is not used; `rules.echo`, `rules.server` and `rules.mode` are.
        session: What is asked of the server: the target language, the transcription.

    Attributes:
        items: The lines of both languages, in the order in which they began.
    """

    def __init__(self, rules: Rules, session: wire.TranslationSession) -> None:
        self.rules = rules
        self.session = session
        self.items = Items()
        self._status = Status()
        # The sound is one stream; its parts are no lines, since nothing says which sound is which sentence.
        self._playback = Playback(Items())
        self._streams = 0
        self._echo: Echo = rules.echo
        self._gate = MicrophoneGate(half_duplex=rules.echo == "half-duplex", push_to_talk=False)
        self._open: dict[str, Entry] = {}
        self._lines = 0
        self._input_over = False
        self._server_done = False
        self._silent = False  # there is no loudspeaker

    @property
    def state(self) -> State:
        """What it does now, mute aside."""
        return self._status.state

    @property
    def _ready(self) -> bool:
        """There is a server that has taken the session."""
        return self.state not in (State.CONNECTING, State.RECONNECTING)

    def receive(self, signal: object) -> list[s.Effect]:
        """Take one input, ask for effects, in the order in which they are to be done."""
        if self.state is State.CLOSED:
            return []
        match signal:
            case wire.TranslationCreated():
                return [s.Send(wire.TranslationUpdate(event_id=troubles.UPDATE_ID, session=self.session))]
            case wire.TranslationUpdated():
                return self._updated(signal)
            case wire.TranslationInputTranscriptDelta(delta=delta):
                return self._source(delta)
            case wire.TranslationOutputTranscriptDelta(delta=delta):
                return self._words("assistant", delta)
            case wire.TranslationOutputAudioDelta(delta=pcm):
                return self._sound(pcm)
            case wire.TranslationClosed():
                return self._closed()
            case ErrorEvent():
                return self._error(signal)
            case s.Captured(pcm=pcm):
                return self._captured(pcm)
            case s.Heard():
                self._playback.heard(signal)
                return []
            case s.Drained():
                self._playback.drained()
                return [*self._quiet(), *self._end()]
            case s.InterruptPressed():
                return self._interrupt()
            case s.EchoChanged(echo=echo, erle_db=erle_db):
                self._echo, self._gate.half_duplex = echo, echo == "half-duplex"
                return [s.Show(EchoTold(echo, erle_db))]
            case s.DeviceLost(side=side):
                return [devices.lost(side, typed=False), *(self._mute() if side == "loudspeaker" else [])]
            case s.DeviceFound(side=side, name=name):
                self._silent = self._silent and side != "loudspeaker"
                return [s.Show(DeviceTold(side, name))]
            case s.Disconnected():
                return self._disconnected()
            case s.MuteToggled():
                self._gate.muted = self._status.muted = not self._gate.muted
                return self._status.show()
            case s.InputEnded():
                return self._input_ended()
            case _:
                return []

    def close(self) -> list[s.Effect]:
        """The session is over: every line gets its last word."""
        return [*self._finish("user"), *self._finish("assistant"), *self._status.go(Trigger.ENDED)]

    # --- session ------------------------------------------------------------------------------------------

    def _updated(self, event: wire.TranslationUpdated) -> list[s.Effect]:
        if self._ready:
            return []
        session = event.session if isinstance(event.session, wire.TranslationSession) else self.session
        started = self.rules.started(session.id, session.model, None, self._echo)
        effects = [s.Show(started), *self._status.go(Trigger.READY)]
        return [*effects, s.Send(wire.TranslationClose())] if self._input_over else effects

    def _disconnected(self) -> list[s.Effect]:
        """What was received is heard to its end; the next server begins in the middle of what is said then."""
        if not self._ready:
            return self._status.go(Trigger.LOST)
        drain: list[s.Effect] = [s.Drain(self._stream)] if self._playback.sounding else []
        return [*self._finish("user"), *self._finish("assistant"), *drain, *self._status.go(Trigger.LOST)]

    def _error(self, event: ErrorEvent) -> list[s.Effect]:
        if troubles.harmless(event.error):
            return []
        refusal = troubles.refusal(event.error, connecting=not self._ready)
        return refusal or troubles.told(event.error)

    def _input_ended(self) -> list[s.Effect]:
        if self._input_over:
            return []
        self._input_over = True
        return [s.Send(wire.TranslationClose())] if self._ready else []

    def _closed(self) -> list[s.Effect]:
        self._server_done = True
        drain: list[s.Effect] = [s.Drain(self._stream)] if self._playback.sounding else []
        return [*self._finish("user"), *self._finish("assistant"), *drain, *self._end()]

    def _end(self) -> list[s.Effect]:
        """The end, once the server has nothing more to say and all of it was heard."""
        if not self._server_done or self._playback.sounding:
            return []
        self._server_done = False
        return [s.End("done")]

    # --- sound --------------------------------------------------------------------------------------------

    @property
    def _stream(self) -> str:
        """Names the sound; another name after an interruption."""
        return f"translation_{self._streams}"

    def _captured(self, pcm: bytes) -> list[s.Effect]:
        if not self._ready or self._input_over:
            return []
        # "Keep appending silence": the service counts time by the sound that it gets.
        chunks = self._gate.pass_through(pcm, sounding=self._playback.sounding)
        return [s.Send(wire.TranslationAppend(audio=chunk)) for chunk in chunks]

    def _sound(self, pcm: bytes) -> list[s.Effect]:
        if not pcm or self._silent:
            return []
        self._playback.received(self._stream, 0, pcm)
        return [s.Play(self._stream, 0, pcm), *self._status.go(Trigger.ANSWER)]

    def _mute(self) -> list[s.Effect]:
        """No loudspeaker: the lines are read all the same."""
        self._silent = True
        return self._interrupt()

    def _interrupt(self) -> list[s.Effect]:
        if not self._playback.sounding:
            return []
        self._playback.cut(None)
        self._streams += 1
        return [s.Flush(), *self._quiet(), *self._end()]

    def _quiet(self) -> list[s.Effect]:
        """Nothing sounds any more; the user may be in the middle of a sentence all the same."""
        return self._status.go(Trigger.SPEECH if "user" in self._open else Trigger.QUIET)

    # --- words --------------------------------------------------------------------------------------------

    def _source(self, delta: str) -> list[s.Effect]:
        """The user's words; while the translation of earlier ones is heard, that is what is shown."""
        hearing = [] if self._playback.sounding else self._status.go(Trigger.SPEECH)
        return [*hearing, *self._words("user", delta)]

    def _words(self, role: str, delta: str) -> list[s.Effect]:
        line = self._open.get(role)
        if line is None:
            if not delta.strip():
                return []
            self._lines += 1
            name = "source" if role == "user" else "target"
            line = self._open[role] = self.items.append(f"{name}_{self._lines}", role)
        line.add_words(0, delta)
        if not line.text.rstrip().endswith(_SENTENCE_ENDS):
            return [_show(line)]
        effects = self._finish(role)
        if role == "assistant" and not self._playback.sounding:
            effects += self._quiet()
        return effects

    def _finish(self, role: str) -> list[s.Effect]:
        line = self._open.pop(role, None)
        if line is None:
            return []
        line.closed = True
        return [_show(line)]


def _show(line: Entry) -> s.Show:
    text = line.text.strip()
    if line.role == "user":
        return s.Show(UserSaid(line.item_id, text, final=line.closed))
    status: AssistantStatus = "completed" if line.closed else "in_progress"
    return s.Show(AssistantSaid(line.item_id, text, text, 0, 0, status, final=line.closed))
