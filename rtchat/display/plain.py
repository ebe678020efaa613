"""The plain view: lines, for screen readers, logs and pipes.

What was said goes to standard output, everything about it to standard error. In text mode standard output
carries the assistant's words and nothing else, as they come for a terminal and in whole lines for a pipe.
"""

from __future__ import annotations

import shutil
from types import TracebackType
from typing import Self, TextIO

from rtchat.conversation.notices import (
    AssistantSaid,
    DeviceTold,
    EchoTold,
    ErrorTold,
    Notice,
    SessionEnded,
    SessionStarted,
    StateChanged,
    ToolCalled,
    TurnEnded,
    UserSaid,
)
from rtchat.display.base import Sink
from rtchat.display.bindings import Talk, help_lines
from rtchat.display.listening import listening
from rtchat.display.transcript import NO_MICROPHONE, Told, Transcript, clean, cleaned, latency_of, tokens_of
from rtchat.display.words import dollars, echo_text, error_text, seconds, session_summary, tool_call, tool_result
from rtchat.display.wordwrap import WordWrap


class PlainDisplay:
    """Prints lines; nothing is ever taken back.

    Args:
        stream_out: Where the words go; standard output when None.
        stream_err: Where all else goes; standard error when None.
        spoken: True for a spoken mode: `you: …` and `assistant: …` lines, final ones only. False for text
            mode: the assistant's words alone.
        transcribes: Nobody answers: the user's words alone.
        quiet: Print answers and errors only.
    """

    def __init__(
        self,
        stream_out: TextIO | None = None,
        stream_err: TextIO | None = None,
        *,
        spoken: bool = True,
        transcribes: bool = False,
        quiet: bool = False,
    ) -> None:
        self._out = Sink(stream_out)
        self._err = Sink(stream_err, "stderr")
        self._terminal = self._out.stream if self._out.stream.isatty() else None
        self._spoken = spoken
        self._transcribes = transcribes
        self._quiet = quiet
        self._transcript = Transcript()
        self._echo_told = ("", False)  # what is done against echo, and whether it was measured
        self._state_told = ""
        self._printed: dict[str, str] = {}  # text mode: what of each unfinished answer is out already
        self._wrap = WordWrap()
        self._open = ""  # text mode: the item whose last printed line has no newline yet

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for line in self._transcript.finish():
            self._line(line)
        self._close_line()

    @property
    def closed(self) -> bool:
        """True once nobody reads the answers any more."""
        return self._out.broken

    def show(self, t: float, notice: Notice) -> None:
        """Tell one notice; `t` is not printed."""
        if isinstance(notice, AssistantSaid) and not self._spoken:
            self._stream(cleaned(notice))
            return
        self._transcript.fold(notice)
        for line in self._transcript.settle():
            self._line(line)
        if not self._quiet:
            self._about(notice)

    def meter(
        self, microphone_dbfs: float | None, loudspeaker_dbfs: float | None, buffered_ms: int, underruns: int
    ) -> None:
        """Nothing: levels are not lines."""

    def tell(self, text: str) -> None:
        """One line on standard error."""
        if not self._quiet:
            self._note(clean(text))

    def typing(self, text: str | None, cursor: int = 0) -> None:
        """Nothing: the finished line is printed as the user's."""

    def switches(self, talk: Talk, *, muted: bool) -> None:
        """Print whether the microphone is open, and what opens it."""
        self._transcript.switch(talk, muted=muted)
        if self._spoken and not self._quiet:
            self._tell_state()

    def toggle_help(self) -> None:
        """Print what the keys do."""
        for keys, does in help_lines(self._transcript.status.talk or Talk.OPEN):
            self._note(f"{keys}: {does}")

    def _note(self, text: str) -> None:
        self._close_line()
        self._err.write(text + "\n")

    def _line(self, line: object) -> None:
        match line:
            case UserSaid(text=text) if self._transcribes:
                if text.strip():
                    self._out.write(_one_line(text) + "\n")
            case UserSaid(text=text) if self._spoken and not self._quiet:
                self._out.write(f"you: {_one_line(text) or '(no words recognised)'}\n")
            case AssistantSaid() if self._spoken:
                self._said(line)
            case ToolCalled() if not self._quiet:
                self._note(f"tool: {tool_call(line)} {tool_result(line)}")
            case ErrorTold():
                self._note(error_text(line))
            case Told(text=text) if not self._quiet:
                self._note(text)

    def _said(self, line: AssistantSaid) -> None:
        unheard = self._transcript.unheard(line).strip()
        if not unheard or not self._transcript.never_heard(line):
            self._out.write(f"assistant: {_one_line(line.text)}\n")
            return
        heard = _one_line(line.heard_text)
        self._out.write(
            f"assistant: ({line.status} after {seconds(line.heard_ms)}:"
            f' "{heard}" — not heard: "{_one_line(unheard)}")\n'
        )

    def _about(self, notice: Notice) -> None:
        match notice:
            case SessionStarted(server=server, model=model) if self._spoken:
                self._note(clean(f"[connected to {server}, {model}]"))
            case StateChanged() | DeviceTold() if self._spoken:
                self._tell_state()
            case ErrorTold(code=code) if self._spoken and code in NO_MICROPHONE:
                self._tell_state()
            case EchoTold(echo=echo, erle_db=erle_db) if self._spoken:
                told = (echo, erle_db is not None)
                if told != self._echo_told:  # not each time that it is measured
                    self._echo_told = told
                    self._note(f"[{echo_text(echo, erle_db)}]")
            case TurnEnded() if self._spoken:
                self._note(_turn(notice))
            case SessionEnded() if self._spoken:
                self._note(f"[{session_summary(self._transcript.status)}]")

    def _tell_state(self) -> None:
        now = listening(self._transcript.status)
        told = f"[{now.word}: {now.hint}]" if now.hint else f"[{now.word}]"
        if told != self._state_told:
            self._state_told = told
            self._note(told)

    def _stream(self, said: AssistantSaid) -> None:
        """Text mode: print what is new of this answer."""
        if self._open and self._open != said.item_id:
            self._close_line()
        printed = self._printed.get(said.item_id, "")
        if not said.text.startswith(printed):  # the final transcript may differ from its deltas
            if not said.final:
                return
            self._close_line()
            printed = ""
        text = said.text
        if not said.final and self._out.stream is not self._terminal:  # a pipe, or below a prompt
            text = text[: max(text.rfind("\n") + 1, len(printed))]
        self._words(text[len(printed) :], said.item_id)
        self._printed[said.item_id] = text
        if said.final:
            self._printed.pop(said.item_id)
            self._close_line()
            if said.status in ("interrupted", "cancelled", "failed") and not self._quiet:
                self._note(f"[{said.status}]")

    def _words(self, new: str, item_id: str) -> None:
        """Print the next words of an answer, on a terminal broken between words."""
        if not new:
            return
        if self._out.stream is self._terminal:
            new = self._wrap.feed(new, _columns())
            self._open = "" if self._wrap.at_row_start else item_id
        else:
            self._open = "" if new.endswith("\n") else item_id
        self._out.write(new)

    def _close_line(self) -> None:
        if self._open:
            self._open = ""
            self._out.write(self._wrap.end(_columns()) + "\n")


def _columns() -> int:
    return shutil.get_terminal_size().columns


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _turn(turn: TurnEnded) -> str:
    latency = latency_of(turn.latency)
    parts = [f"{latency} ms to the first sound"] if latency is not None else []
    tokens = tokens_of(turn.usage)
    parts += [f"{tokens} tokens"] if tokens else []
    parts += [dollars(turn.cost_usd)] if turn.cost_usd else []
    return f"[turn: {', '.join(parts)}]" if parts else "[turn]"
