"""`rtchat serve` as a process of its own, and clients of other people's making that talk to it, unmodified."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import soxr
import stock_clients

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
KEY = "sk-of-the-tests"

QUESTION = "What is two plus three?"
ERRAND = "What is the weather in London?"


class Served(NamedTuple):
    """A running server.

    Attributes:
        url: Its base, `ws://127.0.0.1:PORT/v1` or `wss://`.
        authority: The certificate to trust; None without encryption.
        key: What clients must show; any will do where none is asked for.
    """

    url: str
    authority: str | None = None
    key: str = "none"

    @property
    def http(self) -> str:
        return self.url.replace("ws", "http", 1)


@contextmanager
def serving(home: Path, *flags: str) -> Iterator[Served]:
    """The command that a user types, until the context ends."""
    env = {name: value for name, value in os.environ.items() if not name.startswith(("RTCHAT_", "OPENAI_"))}
    env |= {
        "PYTHONPATH": str(ROOT),
        **{f"XDG_{name}_HOME": str(home / name) for name in ("CONFIG", "DATA", "STATE")},
    }
    command = [sys.executable, "-m", "rtchat", "serve", "--port", "0", *flags]
    process = subprocess.Popen(command, env=env, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stderr
        told = process.stderr.readline()
        assert told.startswith("Listening on "), told
        url = told.split()[-1].removesuffix("/realtime")
        authority = process.stderr.readline().rpartition("=")[2].strip(" )\n") if "--tls" in flags else None
        yield Served(url, authority, KEY if "--api-key" in flags else "none")
    finally:
        process.kill()  # not a word on its end: other tests have that
        process.communicate()


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """`ws://`, for everybody on this machine."""
    with serving(tmp_path_factory.mktemp("served")) as server:
        yield server


@pytest.fixture(scope="session")
def served_tls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """`wss://`, with the certificate that `--tls self-signed` makes, and a key."""
    with serving(tmp_path_factory.mktemp("served-tls"), "--tls", "self-signed", "--api-key", KEY) as server:
        yield server


@pytest.fixture(scope="session")
def clients_python() -> str:
    """The interpreter that has the clients' Python packages."""
    if not stock_clients.INSTALLED:
        pytest.skip("the clients' packages are not installed: script/test does that")
    return str(stock_clients.PYTHON)


@pytest.fixture(scope="session")
def spoken() -> Callable[[str], bytes]:
    """Somebody says that: 24 kHz, with silence before and after. flite says the same in every run."""
    if shutil.which("flite") is None:
        pytest.skip("nobody to speak: flite is not installed")

    def speak(text: str) -> bytes:
        command = ["flite", "-voice", "slt", "-t", text, "-o", "/dev/stdout"]
        wav = subprocess.run(command, capture_output=True, check=True, timeout=60).stdout
        rate = int.from_bytes(wav[24:28], "little")
        speech = soxr.resample(np.frombuffer(wav[44:], dtype="<i2"), rate, 24_000).tobytes()
        return bytes(48 * 300) + speech + bytes(48 * 900)

    return speak


@pytest.fixture(scope="session")
def asked(spoken: Callable[[str], bytes], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `question.pcm` and `errand.pcm`."""
    folder = tmp_path_factory.mktemp("asked")
    (folder / "question.pcm").write_bytes(spoken(QUESTION))
    (folder / "errand.pcm").write_bytes(spoken(ERRAND))
    return folder


@pytest.fixture(scope="session")
def run(
    asked: Path, clients_python: str, tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., dict[str, Any]]:
    """`run("agents.py", served)`: what that client saw, scenario by scenario, as its program printed it.

    A program runs once, even where several processes share the tests: the others wait for it.
    """
    folder = tmp_path_factory.getbasetemp()
    shared = folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder

    def run(program: str, server: Served, *more: str) -> dict[str, Any]:
        done = shared / f"{program}.json"
        with open(shared / f"{program}.lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # let go when closed
            if not done.exists():
                done.write_text(json.dumps(started(program, server, *more)))
        ran = json.loads(done.read_text())
        assert ran["code"] == 0, ran["err"]
        return json.loads(ran["out"].splitlines()[-1])

    def started(program: str, server: Served, *more: str) -> dict[str, Any]:
        if program.endswith(".mjs"):
            # Node 20 has its own WebSocket behind this flag, 22 has it anyhow.
            command = ["node", "--experimental-websocket", str(HERE / "npm" / program)]
        else:
            command = [clients_python, str(HERE / "programs" / program)]
        env = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG", "TMPDIR")}
        if server.authority:
            env |= {"NODE_EXTRA_CA_CERTS": server.authority, "SSL_CERT_FILE": server.authority}
        ran = subprocess.run(
            [*command, server.url, str(asked), server.key, *more],
            env=env,
            capture_output=True,
            text=True,
            timeout=150,  # less than a test may take at all
            check=False,
        )
        return {"code": ran.returncode, "out": ran.stdout, "err": ran.stderr[-4000:]}

    return run
