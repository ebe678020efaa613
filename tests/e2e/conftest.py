"""The real command as a process of its own, in a world of its own; and servers that misbehave."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import pytest
from pseudo_terminal import Program  # loaded by tests/conftest.py
from websockets.sync.server import serve

from rtchat.recording import read_events

RTCHAT = [sys.executable, "-m", "rtchat"]
ROOT = Path(__file__).parents[2]


class Ran(NamedTuple):
    """What a command did."""

    code: int
    out: str
    err: str


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to work in; no variable, config file or history but those that a test makes."""
    for name in list(os.environ):
        if name.upper().startswith(("RTCHAT_", "OPENAI_", "AZURE_")) or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    for name in ("CONFIG", "DATA", "STATE"):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(tmp_path / name.lower()))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("PYTHONWARNINGS", "default")
    monkeypatch.setenv("RTCHAT_SESSIONS_DIR", str(tmp_path / "kept"))
    folder = tmp_path / "world"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def start(world: Path) -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """`start("text", "hello")`: the process, with pipes; what still runs at the test's end is killed."""
    running: list[subprocess.Popen[bytes]] = []

    def start(*arguments: str, command: list[str] = RTCHAT, **options: Any) -> subprocess.Popen[bytes]:
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        running.append(subprocess.Popen([*command, *arguments], **{**pipes, **options}))
        return running[-1]

    yield start
    for process in running:
        if process.poll() is None:
            process.kill()
        process.wait(timeout=120)
        for stream in (process.stdin, process.stdout, process.stderr):
            with suppress(OSError):  # what was written and never read
                stream.close()


@pytest.fixture
def changed() -> Callable[..., list[str]]:
    """`changed("from rtchat import watch", "watch.IDLE_SECONDS = 60")`: the program, after these lines."""

    def command(*lines: str) -> list[str]:
        program = ("import sys", *lines, "from rtchat.cli import main", "sys.argv[0] = 'rtchat'", "main()")
        return [sys.executable, "-c", "\n".join(program)]

    return command


@pytest.fixture
def session_with(changed) -> Callable[..., list[str]]:
    """`session_with(stall_seconds=5.0)`: the program, whose session is given that."""

    def command(**seconds: float) -> list[str]:
        update = f"Session.__init__.__kwdefaults__.update({seconds!r})"
        return changed("from rtchat.session import Session", update)

    return command


@pytest.fixture
def impatient(session_with) -> list[str]:
    """The program, which dials a lost server again for a second only."""
    return session_with(patience_seconds=1.0)


@pytest.fixture
def hasty(session_with) -> list[str]:
    """The program, which waits five seconds only for a server that owes something."""
    return session_with(stall_seconds=5.0)


@pytest.fixture
def finish() -> Callable[..., Ran]:
    """Wait for a process to end, and read all of it."""

    def finish(process: subprocess.Popen[bytes], stdin: bytes | None = None, seconds: float = 120) -> Ran:
        out, err = process.communicate(stdin, timeout=seconds)
        return Ran(process.returncode, (out or b"").decode(), (err or b"").decode())

    return finish


@pytest.fixture
def rtchat(start, finish) -> Callable[..., Ran]:
    """`rtchat("text", "hello", stdin="")`: run the command to its end."""

    def run(
        *arguments: str, stdin: str = "", seconds: float = 120, command: list[str] = RTCHAT, **variables: str
    ) -> Ran:
        process = start(*arguments, command=command, env={**os.environ, **variables})
        return finish(process, stdin.encode(), seconds)

    return run


@pytest.fixture
def terminal(world: Path, tmp_path: Path) -> Iterator[Callable[..., Program]]:
    """`terminal("text")`: the command in a real terminal, to look at and type into."""
    started: list[Program] = []

    def start(
        *arguments: str, columns: int = 80, lines: int = 24, kitty: int | None = None, **variables: str
    ) -> Program:
        script = tmp_path / f"rtchat{len(started)}.py"
        script.write_text(
            f"import sys\nsys.argv = {['rtchat', *arguments]!r}\nfrom rtchat.__main__ import main\nmain()\n"
        )
        environment = {**os.environ, "TERM": "xterm-256color", **variables}
        started.append(Program(script, columns, lines, env=environment, kitty=kitty))
        return started[-1]

    yield start
    for one in started:
        one.close()


@pytest.fixture
def recording(tmp_path: Path) -> Callable[[], Path]:
    """The one recording that a test has made, checked to be whole."""

    def find() -> Path:
        (folder,) = (tmp_path / "kept").iterdir()
        about = json.loads((folder / "session.json").read_text())
        assert about["ended"] and about["totals"] is not None and about["totals"]["trouble"] is None
        assert all(entry["dir"] in ("sent", "received") for entry in read_events(folder))
        assert (folder / "audio.wav").read_bytes()[:4] == b"RIFF"
        return folder

    return find


@pytest.fixture
def serving(start) -> Callable[..., tuple[str, subprocess.Popen[bytes]]]:
    """`serving("--api-key", "k")`: `rtchat serve` on a free port; its address and process."""

    def begin(*arguments: str, command: list[str] = RTCHAT) -> tuple[str, subprocess.Popen[bytes]]:
        process = start("serve", "--port", "0", *arguments, command=command)
        line = process.stderr.readline().decode()
        assert line.startswith("Listening on ws://127.0.0.1:"), line
        return line.split()[-1].removesuffix("/realtime"), process

    return begin


@pytest.fixture
def own_port() -> Iterator[int]:
    """A port at which nobody listens but who is told to: the system gives it to nobody else meanwhile."""
    with socket.socket() as held:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # lets a server that sets it too listen there
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


# --- servers that misbehave -------------------------------------------------------------------------------

SESSION = {"type": "realtime", "id": "sess_1", "model": "gpt-realtime-2.1"}


class Peer:
    """What a misbehaving WebSocket server says, in a few words."""

    def __init__(self, socket: Any) -> None:
        self.socket = socket

    def say(self, **event: Any) -> None:
        """Send one event."""
        self.socket.send(json.dumps(event))

    def greet(self) -> None:
        """What every session begins with."""
        self.say(type="session.created", session=SESSION)
        self.socket.recv()
        self.say(type="session.updated", session=SESSION)


@pytest.fixture
def server_that(world: Path) -> Iterator[Callable[[Callable[[Peer], None]], str]]:
    """A WebSocket server that does what a function of its peer says; its address."""
    stops: list[Callable[[], None]] = []
    served: list[threading.Thread] = []

    def begin(behave: Callable[[Peer], None]) -> str:
        def handle(socket: Any) -> None:
            served.append(threading.current_thread())
            with suppress(Exception), socket.socket:  # the client leaves whenever it likes
                behave(Peer(socket))

        server = serve(handle, "127.0.0.1", 0)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        stops.append(server.shutdown)
        return f"ws://127.0.0.1:{server.socket.getsockname()[1]}/v1"

    yield begin
    for stop in stops:
        stop()
    for thread in served:
        thread.join(timeout=120)


@pytest.fixture
def port_that(world: Path) -> Iterator[Callable[[bytes | None], str]]:
    """A TCP port that answers with these bytes and hangs up; with None it says nothing at all. Its address."""
    stops: list[socket.socket] = []

    def begin(answer: bytes | None) -> str:
        listener = socket.create_server(("127.0.0.1", 0))
        stops.append(listener)

        def accept() -> None:
            with suppress(OSError):
                while True:
                    peer, _ = listener.accept()
                    stops.append(peer)
                    if answer:
                        peer.recv(65536)
                        peer.sendall(answer)
                    if answer is not None:
                        peer.close()

        threading.Thread(target=accept, daemon=True).start()
        return f"ws://127.0.0.1:{listener.getsockname()[1]}/v1"

    yield begin
    for one in stops:
        with suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)
        one.close()


# --- small things -----------------------------------------------------------------------------------------


@pytest.fixture
def spoken(tmp_path: Path) -> Callable[..., bytes]:
    """What a person says, 24 kHz mono PCM16 by flite, with silence around it; needs flite and sox."""

    def say(text: str, *, voice: str = "slt", before: float = 0.0, after: float = 0.0) -> bytes:
        wav = tmp_path / "spoken.wav"
        try:
            subprocess.run(["flite", "-voice", voice, "-t", text, "-o", wav], check=True, timeout=120)
            done = subprocess.run(
                ["sox", wav, "-t", "raw", "-r", "24000", "-c", "1", "-b", "16", "-e", "signed", "-"],
                check=True, capture_output=True, timeout=120,
            )  # fmt: skip
        except FileNotFoundError as missing:
            pytest.skip(f"nobody to speak: {missing.filename} is not installed")
        return bytes(int(before * 24_000) * 2) + done.stdout + bytes(int(after * 24_000) * 2)

    return say


@pytest.fixture
def wait() -> Callable[..., None]:
    """`wait(lambda: …, "what should have happened")`: until it is true."""

    def until(true: Callable[[], object], what: str, seconds: float = 120) -> None:
        end = time.monotonic() + seconds
        while not true():
            if time.monotonic() > end:
                pytest.fail(f"never happened: {what}")
            time.sleep(0.01)

    return until


class Lines:
    """The NDJSON of a process, read as it comes."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.records: list[dict[str, Any]] = []
        self._news = threading.Condition()
        self._ended = False
        # A stream of its own: the process's may be closed while this one is still read.
        stream = os.fdopen(os.dup(process.stdout.fileno()), "rb")
        self._thread = threading.Thread(target=self._read, args=(stream,), daemon=True)
        self._thread.start()

    def _read(self, stream: BinaryIO) -> None:
        with stream:
            for line in stream:
                if line.endswith(b"\n"):  # else it was killed in the middle of it
                    with self._news:
                        self.records.append(json.loads(line))
                        self._news.notify_all()
        with self._news:
            self._ended = True
            self._news.notify_all()

    def until(self, true: Callable[[dict[str, Any]], object], seconds: float = 120) -> dict[str, Any]:
        """The first record, come or coming, of which this is true."""
        found: list[dict[str, Any]] = []

        def there() -> bool:
            found[:] = [record for record in self.records if true(record)][:1]
            return bool(found) or self._ended

        with self._news:
            if not self._news.wait_for(there, seconds) or not found:
                pytest.fail("never happened; the last lines:\n" + "\n".join(map(str, self.records[-8:])))
        return found[0]

    def of(self, kind: str) -> list[dict[str, Any]]:
        """All records of a type, so far."""
        return [record for record in list(self.records) if record["type"] == kind]

    def finish(self) -> None:
        """Wait until the process writes no more."""
        self._thread.join(timeout=120)


@pytest.fixture
def lines() -> type[Lines]:
    return Lines
