import asyncio
import contextlib
import os
import shutil
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import soxr

from rtchat.errors import EngineError
from rtchat.server.engines.base import Transcript
from rtchat.server.engines.grammar import build
from rtchat.server.engines.sphinx import SphinxSpeechToText

pytestmark = pytest.mark.needs("flite")

GRAMMAR = build()
QUESTION = "what is the weather in london"


@pytest.fixture
def ears() -> Iterator[SphinxSpeechToText]:
    engine = SphinxSpeechToText()
    yield engine
    engine.close()


@cache
def spoken(text: str) -> bytes:
    """`text` at 24 kHz, by flite, which says the same in every run; espeak-ng 1.52 does not."""
    command = ["flite", "-voice", "slt", "-t", text, "-o", "/dev/stdout"]
    wav = subprocess.run(command, capture_output=True, check=True, timeout=60).stdout
    rate = int.from_bytes(wav[24:28], "little")
    return soxr.resample(np.frombuffer(wav[44:], dtype="<i2"), rate, 24_000).tobytes()


async def test_hears_and_never_stalls_the_event_loop(ears: SphinxSpeechToText):
    """The process stands still, as one that is slow does; the event loop goes on meanwhile."""
    await ears.transcribe(bytes(3200), 16_000, grammar=GRAMMAR)
    (worker,) = ears._workers
    assert worker.process is not None
    worker.process.send_signal(signal.SIGSTOP)
    going_on = threading.Timer(30, worker.process.send_signal, [signal.SIGCONT])  # if all waits for it
    going_on.start()
    task = asyncio.ensure_future(ears.transcribe(spoken(QUESTION), 24_000, language="en", grammar=GRAMMAR))
    for _ in range(100):
        await asyncio.sleep(0.001)
    assert not task.done()
    assert going_on.is_alive()
    going_on.cancel()
    worker.process.send_signal(signal.SIGCONT)
    assert await task == Transcript(QUESTION)


async def test_several_sessions_are_heard_at_once():
    pcm = spoken(QUESTION)
    with contextlib.closing(SphinxSpeechToText(workers=2)) as ears:
        heard = await asyncio.gather(*(ears.transcribe(pcm, 24_000, grammar=GRAMMAR) for _ in range(3)))
        assert [one.text for one in heard] == [QUESTION] * 3
        assert len({worker.process.pid for worker in ears._workers if worker.process}) == 2


async def test_nothing_is_nothing_and_starts_nothing(ears: SphinxSpeechToText):
    assert await ears.transcribe(b"", 24_000) == Transcript("")
    assert ears._workers == []


async def test_only_english(ears: SphinxSpeechToText):
    with pytest.raises(EngineError, match="hears English, not 'es'"):
        await ears.transcribe(bytes(48_000), 24_000, language="es")


async def test_a_bad_grammar_fails_one_turn(ears: SphinxSpeechToText):
    with pytest.raises(EngineError, match="JSGF"):
        await ears.transcribe(bytes(48_000), 24_000, grammar="#JSGF V1.0; grammar g; public <a> = ((;")
    assert (await ears.transcribe(spoken(QUESTION), 24_000, grammar=GRAMMAR)).text == QUESTION


async def test_a_dead_process_is_replaced(ears: SphinxSpeechToText):
    await ears.transcribe(bytes(3200), 16_000)
    for worker in ears._workers:
        worker.kill()
        assert worker.process is None or worker.process.wait() == -9
    with pytest.raises(EngineError, match=r"ended unexpectedly\. Try again"):
        await ears.transcribe(bytes(3200), 16_000)
    await ears.transcribe(bytes(3200), 16_000)


async def test_no_pocketsphinx_is_one_sentence(tmp_path: Path):
    """A Python without the package: the same interpreter, isolated from its site-packages."""
    bare = tmp_path / "python"
    bare.write_text(f'#!/bin/sh\nexec "{sys.executable}" -S "$@"\n')
    bare.chmod(bare.stat().st_mode | stat.S_IXUSR)
    engine = SphinxSpeechToText(str(bare))
    with pytest.raises(EngineError, match=r"No module named 'pocketsphinx'.*pip install pocketsphinx"):
        await engine.transcribe(bytes(3200), 16_000)
    engine.close()


@pytest.mark.parametrize(
    ("python", "why"), [("/no/such/python", "did not start"), (shutil.which("false") or "", "ended unexpectedly")]
)
async def test_no_python_is_one_sentence(python: str, why: str):
    engine = SphinxSpeechToText(python)
    with pytest.raises(EngineError, match=why):
        await engine.transcribe(bytes(3200), 16_000)
    engine.close()


async def test_closing_ends_the_process():
    engine = SphinxSpeechToText()
    await engine.transcribe(bytes(3200), 16_000)
    process = engine._workers[0].process
    assert process is not None
    pid = process.pid
    engine.close()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    engine.close()


def test_closing_while_it_starts_does_not_wait_for_it():
    engine = SphinxSpeechToText()
    engine.warm_up()
    engine.close()
    assert [worker.process for worker in engine._workers if worker.process] == []


def test_it_ends_with_its_parent():
    """The parent is killed and has no time to tidy up."""
    program = (
        "import asyncio, os; from rtchat.server.engines.sphinx import SphinxSpeechToText as S; s = S();"
        "asyncio.run(s.transcribe(bytes(3200), 16000)); print(s._workers[0].process.pid, flush=True);"
        "os.kill(os.getpid(), 9)"
    )
    run = subprocess.run([sys.executable, "-c", program], stdout=subprocess.PIPE, check=False, timeout=60)
    pid = int(run.stdout)
    for _ in range(6000):
        if not _alive(pid):
            return
        time.sleep(0.01)
    pytest.fail("the recogniser outlived its parent")


def _alive(pid: int) -> bool:
    """Neither gone nor a zombie that nobody has waited for."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
