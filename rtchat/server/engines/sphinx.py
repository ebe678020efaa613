"""pocketsphinx hears: small, offline, English, the model inside its wheel. Good enough for commands, no more.

Measured by tests/bench/bench_hearing.py in four clear flite voices: of 88 commands it hears 86 exactly with the
assistant's grammar and 60 without; of 40 other sentences 27 exactly, and it takes 3 for a command. In espeak-ng's
voices it does worse (19 commands of 22 in the best).

It works in processes of its own, because it holds the interpreter's lock while it thinks, and audio callbacks and
the event loop must not wait for it.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from rtchat.errors import EngineError
from rtchat.server.engines.base import Transcript

_WORKER = Path(__file__).with_name("sphinx_worker.py")
_AGAIN = "Try again; if it happens again, choose another engine with --stt."
_HINT = "Install it with `pip install pocketsphinx`, or choose another engine with --stt."


class SphinxSpeechToText:
    """`SpeechToText` by pocketsphinx in worker processes.

    The first is started by the first use or by `warm_up`, another when all are busy, up to as many as there are
    cores; then turns wait for each other. `close` ends the processes; so does the end of this one.

    Args:
        python: The interpreter that runs the workers.
        workers: The most of them; as many as there are cores by default.
    """

    name = "pocketsphinx"

    def __init__(self, python: str = sys.executable, *, workers: int | None = None) -> None:
        self._python = python
        self._workers: list[_Worker] = []
        self._mine = threading.local()  # each thread has a process: `worker`
        self._threads = ThreadPoolExecutor(workers or os.cpu_count() or 1, thread_name_prefix="pocketsphinx")

    def warm_up(self, grammar: str | None = None) -> None:
        """Start a process now and compile `grammar`, in the background. What fails is told by `transcribe`."""
        self._threads.submit(self._ask, b"", 16_000, grammar)

    async def transcribe(
        self, pcm: bytes, rate: int, *, language: str | None = None, grammar: str | None = None
    ) -> Transcript:
        """Recognise one turn of speech, see `SpeechToText`; lower case, numbers in words.

        Raises:
            EngineError: A language other than English, no pocketsphinx, or a grammar that does not parse.
        """
        if language and language.lower().split("-")[0] != "en":
            raise EngineError(
                f"The local recogniser hears English, not {language!r}.",
                hint="Leave the language out, or say it is en.",
            )
        if not pcm:
            return Transcript("")
        answer = await asyncio.get_running_loop().run_in_executor(self._threads, self._ask, pcm, rate, grammar)
        if "error" in answer:
            raise EngineError(
                f"The recogniser failed: {answer['error']}.", hint="This turn was not heard; try again."
            )
        return Transcript(answer["text"])

    def close(self) -> None:
        """End the processes and the waiting turns."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        for worker in list(self._workers):
            worker.kill()
        self._threads.shutdown(wait=True)
        for worker in self._workers:
            worker.forget()

    def _ask(self, pcm: bytes, rate: int, grammar: str | None) -> dict[str, Any]:
        """One request to this thread's worker."""
        worker: _Worker | None = getattr(self._mine, "worker", None)
        if worker is None:
            worker = self._mine.worker = _Worker(self._python)
            self._workers.append(worker)
        return worker.ask(pcm, rate, grammar)


class _Worker:
    """One process, which is started when it is asked and not there."""

    def __init__(self, python: str) -> None:
        self._python = python
        self.process: subprocess.Popen[bytes] | None = None

    def ask(self, pcm: bytes, rate: int, grammar: str | None) -> dict[str, Any]:
        """One request."""
        if self.process is None:
            self._start()
        header = {"rate": rate, "bytes": len(pcm), "grammar": grammar}
        return self._exchange(json.dumps(header).encode() + b"\n" + pcm)

    def _start(self) -> None:
        try:
            # -P: the folder of this file, with its module `numbers`, must not come before the standard library;
            # a session of its own: Ctrl-C at the terminal is not for it
            self.process = subprocess.Popen(
                [self._python, "-P", str(_WORKER)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        except OSError as error:
            raise EngineError(f"The recogniser's process did not start: {error}.", hint=_HINT) from error
        greeting = self._exchange(b"")
        if "error" in greeting:
            self.forget()
            raise EngineError(f"The recogniser does not load: {greeting['error']}.", hint=_HINT)

    def _exchange(self, request: bytes) -> dict[str, Any]:
        process = self.process
        assert process is not None and process.stdin is not None and process.stdout is not None
        try:
            process.stdin.write(request)
            process.stdin.flush()
            answer: dict[str, Any] = json.loads(process.stdout.readline())
        except (OSError, ValueError):
            self.forget()
            raise EngineError("The recogniser's process ended unexpectedly.", hint=_AGAIN) from None
        return answer

    def kill(self) -> None:
        """End the process in the middle of whatever it does. May be called from another thread."""
        if process := self.process:
            process.kill()

    def forget(self) -> None:
        """End the process and take its parts back; the next turn starts another."""
        process, self.process = self.process, None
        if process:
            process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout):
                with contextlib.suppress(OSError):
                    if pipe:
                        pipe.close()
