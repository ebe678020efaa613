"""A translation session: one stream in, one stream out, no turns and no responses.

It takes the same inputs and asks for the same effects as `machine.Conversation`. The server sends transcript
deltas of both languages without saying where a sentence ends, so a line ends with its sentence.
"""

from __future__ import annotations

from rtchat.conversation import signals as s
from rtchat.conversation.items import Entry, Items
from rtchat.conversation.machine import HARMLESS, Rules
from rtchat.conversation.microphone_gate import MicrophoneGate
from rtchat.conversation.notices import (
    AssistantSaid,
    AssistantStatus,
    ErrorTold,
    SessionStarted,
    StateChanged,
    UserSaid,
)
from rtchat.conversation.playback import Playback
from rtchat.conversation.state import State, Trigger, after
from rtchat.protocol import translation as wire
from rtchat.protocol.server_events import ErrorEvent

_UPDATE_ID = "event_rtchat_session"
_STREAM = "translation"
_SENTENCE_ENDS = (".", "!", "?", "…", "。", "？", "！")


class Interpreter:
    """A conversation through an interpreter, seen from the client.

    Args:
        rules: `rules.session` is not used; `rules.echo`, `rules.server` and `rules.mode` are.
        session: What is asked of the server: the target language, the transcription.
    """

    def __init__(self, rules: Rules, session: wire.TranslationSession) -> None:
        self.rules = rules
        self.session = session
        self.state = State.CONNECTING
        self.items = Items()
        self._playback = Playback(self.items)
        self._gate = MicrophoneGate(half_duplex=rules.echo == "half-duplex", push_to_talk=False)
        self._lines: dict[str, Entry] = {}
        self._count = 0
        self._shown: StateChanged | None = None

    def receive(self, signal: object) -> list[s.Effect]:
        """Take one input, ask for effects."""
        if self.state is State.CLOSED:
            return []
        match signal:
            case wire.TranslationCreated():
                return [s.Send(wire.TranslationUpdate(event_id=_UPDATE_ID, session=self.session))]
            case wire.TranslationUpdated():
                return self._ready(signal)
            case wire.TranslationInputTranscriptDelta(delta=delta):
                return [*self._go(Trigger.SPEECH), *self._words("user", delta)]
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
                return self._go(Trigger.QUIET)
            case s.InterruptPressed():
                sounding = self._playback.sounding
                self._playback.cut(None)
                self._new_stream()
                return [s.Flush(), *self._go(Trigger.QUIET)] if sounding else []
            case s.MuteToggled():
                self._gate.muted = not self._gate.muted
                return self._show_state()
            case s.InputEnded():
                return [s.Send(wire.TranslationClose())]
            case _:
                return []

    def close(self) -> list[s.Effect]:
        """The session is over: every line gets its last word."""
        return [*self._finish("user"), *self._finish("assistant"), *self._go(Trigger.ENDED)]

    def _ready(self, event: wire.TranslationUpdated) -> list[s.Effect]:
        if self.state is not State.CONNECTING:
            return []
        session = event.session if isinstance(event.session, wire.TranslationSession) else self.session
        started = SessionStarted(
            server=self.rules.server,
            model=session.model or "",
            voice="",
            session_id=session.id or "",
            echo=self.rules.echo,
            mode=self.rules.mode,
        )
        return [s.Show(started), *self._go(Trigger.READY)]

    def _error(self, event: ErrorEvent) -> list[s.Effect]:
        if event.error.code in HARMLESS:
            return []
        if event.error.event_id == _UPDATE_ID or self.state is State.CONNECTING:
            return [s.Refuse(event.error.code, event.error.message)]
        return [s.Show(ErrorTold(event.error.code, event.error.message, "", fatal=False))]

    def _captured(self, pcm: bytes) -> list[s.Effect]:
        if self.state is State.CONNECTING:
            return []
        # Keep sending silence: the service counts time by the sound that it gets.
        chunk = self._gate.pass_through(pcm, sounding=self._playback.sounding)
        return [s.Send(wire.TranslationAppend(audio=chunk))]

    def _sound(self, pcm: bytes) -> list[s.Effect]:
        item_id = self._stream_id
        if self._playback.received(_STREAM, item_id, 0, pcm) is None:
            return []
        return [s.Play(item_id, 0, pcm), s.Drain(item_id), *self._go(Trigger.ANSWER)]

    @property
    def _stream_id(self) -> str:
        return f"{_STREAM}_{self._count}"

    def _new_stream(self) -> None:
        self._count += 1

    def _closed(self) -> list[s.Effect]:
        return [*self._finish("user"), *self._finish("assistant"), s.End("done")]

    def _words(self, role: str, delta: str) -> list[s.Effect]:
        line = self._lines.get(role)
        if line is None:
            item_id = f"{'source' if role == 'user' else 'target'}_{sum(1 for _ in self.items.ordered()) + 1}"
            line = self._lines[role] = self.items.place(item_id, None, role)
        line.text += delta
        if line.text.rstrip().endswith(_SENTENCE_ENDS):
            return self._finish(role)
        return [self._show(line)]

    def _finish(self, role: str) -> list[s.Effect]:
        line = self._lines.pop(role, None)
        if line is None:
            return []
        line.closed = True
        return [self._show(line)]

    def _show(self, line: Entry) -> s.Show:
        text = line.text.strip()
        if line.role == "user":
            return s.Show(UserSaid(line.item_id, text, final=line.closed))
        status: AssistantStatus = "completed" if line.closed else "in_progress"
        return s.Show(AssistantSaid(line.item_id, text, text, 0, 0, status, final=line.closed))

    def _go(self, trigger: Trigger) -> list[s.Effect]:
        self.state = after(self.state, trigger)
        return self._show_state()

    def _show_state(self) -> list[s.Effect]:
        muted = self._gate.muted and self.state in (State.LISTENING, State.HEARING)
        notice = StateChanged(str(State.MUTED if muted else self.state))
        if notice == self._shown:
            return []
        self._shown = notice
        return [s.Show(notice)]
