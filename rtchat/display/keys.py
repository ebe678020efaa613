"""Keys as they are pressed, through prompt_toolkit's input parser (raw mode on Unix and Windows).

What a key means is decided in `bindings`; how a terminal reports that a key came up, in `kitty`.

======================  ======================  ==============================================
of the terminal         changed                 put back
======================  ======================  ==============================================
raw mode                `keys`, first           when the iterator is closed; while suspended
bracketed paste         `keys`                  the same
keyboard protocol       when it is granted      the same; while a line is typed
focus reports           when it is granted      when the iterator is closed; while suspended
======================  ======================  ==============================================
"""

from __future__ import annotations

import asyncio
import codecs
import os
import sys
import time
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import ExitStack

from prompt_toolkit.input import Input, create_input
from prompt_toolkit.input.vt100_parser import Vt100Parser
from prompt_toolkit.key_binding import KeyPress
from prompt_toolkit.keys import Keys

from rtchat.display.bindings import Action, Key, KeyReader, Talk
from rtchat.display.kitty import SPACE, Attributes, Decoder, Focus, Granted, KeyUp, Plain, Protocol, Stroke, Token
from rtchat.display.taps import Taps
from rtchat.display.terminal import forget_keys, guarded, speaks_sequences, suspend, suspendable, suspending, write

__all__ = ["Action", "Key", "Talk", "keys"]

ESCAPE_SECONDS = 0.05
"""How long an Esc may still turn out to be the start of an arrow key."""

ANSWER_SECONDS = 1.0
"""How long a terminal may take to say that it reports releases, before it is taken for one that does not."""

_PASTES, _NO_PASTES = "\x1b[?2004h", "\x1b[?2004l"


async def keys(
    source: Input | None = None, *, push_to_talk: bool = False, to_terminal: Callable[[str], None] = write
) -> AsyncGenerator[Key, None]:
    """The keys of the terminal, until it closes.

    The first tells what the talk key does (`Action.TALK`). Ctrl-Z suspends the program.

    The terminal is in raw mode until the iterator is closed, whatever ends it. Wrap it in
    `contextlib.aclosing`, so that it is closed at once where an error leaves the loop.

    Args:
        source: Where keys come from; the terminal at standard input when None.
        push_to_talk: The talk key is wanted: the terminal is asked whether it reports when a key comes up, and
            `Action.TALK` tells what came of it.
        to_terminal: Writes to the terminal.
    """
    keyboard = _Keyboard(source or create_input(), to_terminal, asks=push_to_talk)
    with ExitStack() as stack:
        stack.enter_context(guarded())
        keyboard.open(stack)
        while (key := await keyboard.keys.get()) is not None:
            yield key


class _Keyboard:
    """What `keys` is made of: the input, its decoding, and what was changed of the terminal.

    Attributes:
        keys: What the user asked for; None when the terminal has closed.
    """

    def __init__(self, source: Input, to_terminal: Callable[[str], None], *, asks: bool) -> None:
        self.keys: asyncio.Queue[Key | None] = asyncio.Queue()
        self._source = source
        self._write = to_terminal
        self._asks = asks
        self._sequences = sys.platform != "win32" and speaks_sequences()
        self._protocol = Protocol(to_terminal)
        self._decoder = Decoder()
        self._parser = Vt100Parser(self._press)
        self._reader = KeyReader()
        self._taps = Taps()
        self._repeated = False
        self._mode = ExitStack()
        self._timers: dict[str, asyncio.TimerHandle] = {}

    def open(self, stack: ExitStack) -> None:
        """Change the terminal and begin to read, until `stack` is closed."""
        self._loop = asyncio.get_running_loop()
        stack.callback(self._leave)
        stack.enter_context(suspendable(self._leave, self._come_back))
        stack.enter_context(suspending(self._loop))
        self._come_back()
        stack.callback(self._cancel_timers)
        stack.enter_context(self._source.attach(self._readable()))
        if self._asks and self._sequences:
            self._protocol.ask()
            self._later("answer", ANSWER_SECONDS, self._told_nothing)
        elif self._asks:
            self._protocol.late()
        self.keys.put_nowait(Key(Action.TALK, talk=self._protocol.talk if self._asks else Talk.OPEN))

    def _come_back(self) -> None:
        self._mode.enter_context(self._source.raw_mode())
        if self._sequences:
            self._write(_PASTES)
            self._mode.callback(self._write, _NO_PASTES)
        self._protocol.come_back(typing=self._reader.typing)
        self._mode.callback(self._leave_protocol)

    def _leave(self) -> None:
        self._space_up()
        self._mode.close()

    def _leave_protocol(self) -> None:
        reports = self._protocol.active
        self._protocol.leave()
        if reports:  # the key that ends the program comes up later, which is not for whoever reads next
            forget_keys(self._source.fileno(), self._write)

    # --- reading ------------------------------------------------------------------------------------------

    def _readable(self) -> Callable[[], None]:
        """What to call when there is something to read."""
        source = self._source
        if sys.platform == "win32":
            return lambda: self._read_presses(source.read_keys(), source.flush_keys, closed=source.closed)
        utf8 = codecs.getincrementaldecoder("utf-8")("ignore")

        def ready() -> None:
            try:
                data = os.read(source.fileno(), 4096)
            except BlockingIOError:
                return
            except OSError:  # it hung up
                data = b""
            if not data:
                self._loop.remove_reader(source.fileno())
                self.keys.put_nowait(None)
            self._take(self._decoder.feed(utf8.decode(data)))
            self._later("flush", ESCAPE_SECONDS, self._flush)

        return ready

    def _flush(self) -> None:
        self._take(self._decoder.flush())
        self._parser.flush()

    def _read_presses(
        self, presses: Iterable[KeyPress], flush: Callable[[], list[KeyPress]], *, closed: bool
    ) -> None:
        self._press_all(presses)
        self._later("flush", ESCAPE_SECONDS, lambda: self._press_all(flush()))
        if closed:
            self.keys.put_nowait(None)

    def _take(self, tokens: Iterable[Token]) -> None:
        for token in tokens:
            match token:
                case Plain(text=text):
                    self._parser.feed(text)
                case Stroke(text=text, repeated=repeated):
                    self._repeated = repeated
                    self._parser.feed_and_flush(text)
                    self._repeated = False
                case KeyUp(code=code):
                    if code == SPACE:
                        self._space_up()
                case Focus(here=here):
                    if not here:
                        self._space_up()
                case Granted() | Attributes():
                    self._told(token)

    def _told(self, answer: Granted | Attributes) -> None:
        if not self._asks:
            return
        before = self._protocol.talk
        self._protocol.told(answer)
        if self._protocol.talk is not before:
            self._tell_talk()

    def _told_nothing(self) -> None:
        if self._protocol.talk is Talk.ASKED:
            self._protocol.late()
            self._tell_talk()

    def _tell_talk(self) -> None:
        self.keys.put_nowait(Key(Action.TALK, talk=self._protocol.talk))

    # --- keys ---------------------------------------------------------------------------------------------

    def _press_all(self, presses: Iterable[KeyPress]) -> None:
        for press in presses:
            self._press(press)

    def _press(self, press: KeyPress) -> None:
        name = press.key.value if isinstance(press.key, Keys) else press.key
        typing = self._reader.typing
        if self._repeated and not typing:
            return  # no command means more when its key is held down
        key = self._reader.feed(name, press.data)
        if key is None:
            return
        if key.action is Action.SUSPEND:
            suspend()
            return
        if key.action is Action.SPACE and self._protocol.talk is not Talk.HOLD:
            self._tap(key)
            return
        if self._reader.typing != typing:
            self._space_up()  # which a terminal that is used for typing does not tell
            self._protocol.typing(self._reader.typing)
        self.keys.put_nowait(key)

    def _space_up(self) -> None:
        if self._protocol.talk is Talk.HOLD:
            self.keys.put_nowait(Key(Action.SPACE_UP))

    def _tap(self, key: Key) -> None:
        """A space, of a terminal that sends the same for one that is pressed and one that repeats itself."""
        wait = self._taps.press(time.monotonic())
        if "tap" in self._timers:
            self._timers.pop("tap").cancel()
        if wait == 0:
            self.keys.put_nowait(key)
        elif wait is not None:
            self._later("tap", wait, lambda: self.keys.put_nowait(key))

    def _later(self, name: str, seconds: float, call: Callable[[], object]) -> None:
        """Call it then, unless it is asked for anew before."""
        if name in self._timers:
            self._timers[name].cancel()
        self._timers[name] = self._loop.call_later(seconds, call)

    def _cancel_timers(self) -> None:
        for timer in self._timers.values():
            timer.cancel()
