"""A server, a network or a laptop that goes away in the middle of a conversation, and comes back."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import wave
from collections.abc import Callable, Iterator
from contextlib import suppress
from urllib.parse import urlsplit

import pytest

from rtchat.recording import read_events
from rtchat.watch import WOKE_SECONDS

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform == "win32", reason="signals")]


BEFORE_THE_KEEPALIVE = 20
"""Seconds. The WebSocket library finds out a lost server too, by a ping every 15 s and 15 s for its answer."""


def is_state(name: str) -> Callable[[dict], bool]:
    return lambda record: record["type"] == "state" and record["state"] == name


def says(words: str) -> Callable[[dict], bool]:
    return lambda record: record["type"] == "assistant" and record["final"] and words in record["text"]


@pytest.fixture
def chat(start, lines):
    """`chat(url)`: rtchat in a pipe; `ask(line)` says something to it."""

    def begin(url: str, *arguments: str, **options):
        process = start("text", "--json", "--server", url, *arguments, **options)

        def ask(line: str) -> None:
            process.stdin.write(line.encode() + b"\n")
            process.stdin.flush()

        return process, lines(process), ask

    return begin


def exit_code(process: subprocess.Popen[bytes]) -> int:
    """Of a process to which nothing more is said."""
    process.stdin.close()
    return process.wait(timeout=120)


@pytest.fixture
def serving(start, own_port):
    """`serving()`: `rtchat serve`, where the one before was that has been killed; its address and process."""
    before: list[subprocess.Popen[bytes]] = []

    def begin():
        for one in before:
            one.wait(timeout=120)
        process = start("serve", "--port", str(own_port))
        before.append(process)
        line = process.stderr.readline().decode()
        assert line.startswith("Listening on ws://127.0.0.1:"), line
        return line.split()[-1].removesuffix("/realtime"), process

    return begin


def test_a_server_that_is_killed_and_started_again_knows_what_was_said(chat, serving, recording):
    url, server = serving()
    process, records, ask = chat(url, "--record")
    ask("my name is Ada")
    records.until(lambda r: r["type"] == "turn")
    server.kill()
    records.until(is_state("reconnecting"))
    (told,) = records.of("error")
    assert told["code"] == "connection_lost" and not told["fatal"] and told["hint"]
    seen = len(records.records)
    serving()
    records.until(lambda r: r in records.records[seen:] and is_state("listening")(r))
    ask("what is my name")
    records.until(says("Ada"))
    code = exit_code(process)
    records.finish()
    end = records.records[-1]
    assert (code, end["type"], end["reason"], end["turns"]) == (0, "end", "done", 2)
    kinds = [entry["event"]["type"] for entry in read_events(recording()) if entry["dir"] == "received"]
    assert kinds.count("session.created") == 2


def test_words_that_are_typed_meanwhile_are_answered_when_it_is_back(chat, serving):
    url, server = serving()
    process, records, ask = chat(url)
    ask("my name is Ada")
    records.until(lambda r: r["type"] == "turn")
    server.kill()
    records.until(is_state("reconnecting"))
    ask("what is my name")
    serving()
    records.until(says("Ada"))
    assert exit_code(process) == 0


def test_a_server_that_stays_away_is_lost_for_good(start, serving, lines, impatient):
    url, server = serving()
    process = start("text", "--json", "--server", url, command=impatient)
    records = lines(process)
    records.until(is_state("listening"))
    server.kill()
    records.until(is_state("reconnecting"))
    assert process.wait(timeout=120) == 3
    records.finish()
    *_, error, _, end = records.records
    assert error["fatal"] and "1 seconds" in error["message"] and error["hint"]
    assert (end["type"], end["reason"]) == ("end", "error")


def test_ctrl_c_ends_the_wait(chat, serving):
    url, server = serving()
    process, records, _ = chat(url)
    records.until(is_state("listening"))
    server.kill()
    records.until(is_state("reconnecting"))
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=120) == 130


@pytest.mark.sound
def test_a_voice_is_heard_again_by_the_server_that_comes_back(start, lines, serving, pulse, spoken):
    url, server = serving()
    process = start("interactive", "--json", "--server", url)
    records = lines(process)
    records.until(is_state("listening"))
    pulse.speak(spoken("what is seven times six", after=0.3))
    records.until(says("42"))
    server.kill()
    records.until(is_state("reconnecting"))
    seen = len(records.records)
    serving()
    records.until(lambda r: r in records.records[seen:] and is_state("listening")(r))
    pulse.speak(spoken("what is three times nine", after=0.3))
    records.until(says("27"))
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=120) == 130


def test_a_person_sees_that_it_is_dialled_again_and_can_type_meanwhile(terminal, serving, world):
    url, server = serving()
    program = terminal("interactive", "--server", url, PULSE_SERVER=f"unix:{world}/none")
    program.shows("○ no microphone · t types")
    server.kill()
    program.shows("◌ reconnecting")
    program.shows("Reconnecting.")
    program.type("trepeat after me: the sky is green\r")
    serving()
    program.shows("assistant  The sky is green")
    program.shows("○ no microphone · t types")
    program.type("q")
    assert program.exit_code() == 0
    program.assert_restored()
    assert sum("rtchat interactive" in row for row in program.everything()) == 1


# --- a network that swallows everything -------------------------------------------------------------------


class Tunnel:
    """A TCP relay that can fall silent without closing anything; connections made after that work."""

    def __init__(self, target: tuple[str, int]) -> None:
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._holes: list[threading.Event] = []
        self._sockets: list[socket.socket] = []
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def collapse(self) -> None:
        """Whatever goes through now is swallowed from here on."""
        for hole in self._holes:
            hole.set()

    def close(self) -> None:
        for each in [self._listener, *self._sockets]:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                far = socket.create_connection(self._target)
                hole = threading.Event()
                self._holes.append(hole)
                self._sockets += [near, far]
                for one, other in ((near, far), (far, near)):
                    threading.Thread(target=self._carry, args=(one, other, hole), daemon=True).start()

    @staticmethod
    def _carry(one: socket.socket, other: socket.socket, hole: threading.Event) -> None:
        with suppress(OSError):
            while data := one.recv(65536):
                if not hole.is_set():
                    other.sendall(data)
            if not hole.is_set():
                other.shutdown(socket.SHUT_WR)


@pytest.fixture
def tunnel() -> Iterator[Callable[[str], tuple[str, Tunnel]]]:
    dug: list[Tunnel] = []

    def dig(url: str) -> tuple[str, Tunnel]:
        port = urlsplit(url).port
        assert port is not None
        dug.append(Tunnel(("127.0.0.1", port)))
        return f"ws://127.0.0.1:{dug[-1].port}/v1", dug[-1]

    yield dig
    for each in dug:
        each.close()


def test_a_network_that_swallows_everything_is_found_out_while_an_answer_is_due(chat, serving, tunnel):
    url, hole = tunnel(serving()[0])
    process, records, ask = chat(url)
    ask("my name is Ada")
    records.until(lambda r: r["type"] == "turn")
    hole.collapse()
    ask("what is my name")
    thinking = records.until(lambda r: is_state("thinking")(r) and len(records.of("turn")) == 1 and r["t"] >
                             records.of("turn")[0]["t"])  # fmt: skip
    lost = records.until(is_state("reconnecting"))
    assert lost["t"] - thinking["t"] < BEFORE_THE_KEEPALIVE
    assert "stopped answering" in records.of("error")[0]["message"]
    records.until(says("Ada"))
    assert exit_code(process) == 0


def test_a_network_that_swallows_everything_is_found_out_while_the_user_may_be_speaking(chat, serving, tunnel):
    url, hole = tunnel(serving()[0])
    process, records, ask = chat(url)
    records.until(is_state("listening"))
    hole.collapse()
    records.until(is_state("reconnecting"), seconds=BEFORE_THE_KEEPALIVE)
    ask("repeat after me: here again")
    records.until(says("ere again"))
    assert exit_code(process) == 0


@pytest.mark.needs("espeak-ng")
def test_what_was_received_is_heard_to_its_end_and_recorded(chat, serving, recording):
    url, server = serving()
    process, records, ask = chat(url, "--speak", "--output-wav", "/dev/null", "--record")
    ask("tell me a long story")
    records.until(lambda r: r["type"] == "assistant" and r["heard_ms"] > 500)
    server.kill()
    lost = records.until(is_state("reconnecting"))
    serving()
    ask("repeat after me: all is well")
    records.until(says("ll is well"))
    assert exit_code(process) == 0
    records.finish()
    story = next(r for r in records.of("assistant") if r["final"])
    assert story["t"] > lost["t"] and 500 < story["heard_ms"] <= story["generated_ms"]
    with wave.open(str(recording() / "audio.wav")) as kept:
        assert kept.getnframes() / kept.getframerate() > story["t"] - 2


# --- a laptop that sleeps ---------------------------------------------------------------------------------


def sleep_through(process: subprocess.Popen[bytes], what: Callable[[], object]) -> None:
    """Stop the process, let something happen, and let it go on after a while that is long enough to be noticed."""
    os.kill(process.pid, signal.SIGSTOP)
    try:
        what()
        time.sleep(WOKE_SECONDS + 2)  # this is what is tested
    finally:
        os.kill(process.pid, signal.SIGCONT)


def test_who_wakes_finds_a_live_session(chat, serving):
    url, _ = serving()
    process, records, ask = chat(url)
    ask("my name is Ada")
    records.until(lambda r: r["type"] == "turn")
    sleep_through(process, lambda: None)
    ask("what is my name")
    records.until(says("Ada"))
    assert exit_code(process) == 0
    records.finish()
    assert not any(is_state("reconnecting")(record) for record in records.records)


def test_who_wakes_to_a_server_that_was_started_again_meanwhile_goes_on(chat, serving):
    url, server = serving()
    process, records, ask = chat(url)
    ask("my name is Ada")
    records.until(lambda r: r["type"] == "turn")

    def restart() -> None:
        server.kill()
        serving()

    sleep_through(process, restart)
    ask("what is my name")
    records.until(says("Ada"))
    assert exit_code(process) == 0


def test_who_wakes_to_a_network_that_forgot_the_connection_goes_on(chat, serving, tunnel, changed):
    """Nobody hangs up, and nothing is due: it is looked for at once, not when it has been quiet for a while."""
    url, hole = tunnel(serving()[0])
    process, records, ask = chat(url, command=changed("from rtchat import watch", "watch.IDLE_SECONDS = 120.0"))
    ask("my name is Ada")
    records.until(lambda r: r["type"] == "turn")
    sleep_through(process, hole.collapse)
    records.until(is_state("reconnecting"), seconds=BEFORE_THE_KEEPALIVE)
    ask("what is my name")
    records.until(says("Ada"))
    assert exit_code(process) == 0


# --- sound that is not there ------------------------------------------------------------------------------


def test_where_there_is_no_sound_a_conversation_is_typed(terminal, world):
    """One sentence, and it goes on: in a terminal, where somebody can type."""
    program = terminal("interactive", "--server", "local", PULSE_SERVER=f"unix:{world}/none")
    program.shows("Press t to type.")
    program.shows("○ no microphone")
    program.type("t")
    program.type("repeat after me: the sky is green\r")
    program.shows("assistant  The sky is green")
    program.type("q")
    assert program.exit_code() == 0
    program.assert_restored()


def test_where_there_is_no_sound_and_nobody_to_type_it_is_the_end(rtchat, world):
    for mode in ("interactive", "transcribe"):
        ran = rtchat(mode, "--json", "--server", "local", PULSE_SERVER=f"unix:{world}/none")
        assert ran.code == 5
        assert json.loads(ran.out.splitlines()[-1])["reason"] == "error"
