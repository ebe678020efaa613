"""pocketsphinx hears: small, offline, English, the model inside its wheel. Good enough for commands, no more.

Measured by tests/bench/bench_hearing.py in four clear flite voices: of 88 commands it hears 86 exactly with the
assistant's grammar and 60 without; of 40 other sentences 27 exactly, and it takes 3 for a command. In espeak-ng's
voices it does worse (19 commands of 22 in the best).

It works in a process of its own, because it holds the interpreter's lock while it thinks, and audio callbacks and
the event loop must not wait for it.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from rtchat.errors import EngineError
from rtchat.server.engines.base import Transcript

_WORKER = Path(__file__).with_name("sphinx_worker.py")
_HINT = "Install it with `pip install pocketsphinx`, or choose another engine with --stt."


class SphinxSpeechToText:
    """`SpeechToText` by pocketsphinx in a worker process, which is started by the first use or by `warm_up`.

    Turns of several sessions wait for each other. `close` ends the process; so does the end of this one.

    Args:
        python: The interpreter that runs the worker.
    """

    name = "pocketsphinx"

    def __init__(self, python: str = sys.executable) -> None:
        self._python = python
        self._process: subprocess.Popen[bytes] | None = None
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="pocketsphinx")

    def warm_up(self, grammar: str | None = None) -> None:
        """Start the process now and compile `grammar`, in the background. What fails is told by `transcribe`."""
        self._thread.submit(self._ask, b"", 16_000, grammar)

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
        answer = await asyncio.get_running_loop().run_in_executor(self._thread, self._ask, pcm, rate, grammar)
        if "error" in answer:
            raise EngineError(
                f"The recogniser failed: {answer['error']}.", hint="This turn was not heard; try again."
            )
        return Transcript(answer["text"])

    def close(self) -> None:
        """End the process and the waiting turns."""
        self._thread.shutdown(wait=False, cancel_futures=True)
        if self._process:
            self._process.kill()
        self._thread.shutdown(wait=True)
        self._forget()

    def _ask(self, pcm: bytes, rate: int, grammar: str | None) -> dict[str, Any]:
        """One request to the worker. Runs on the one thread, so one at a time."""
        if self._process is None:
            self._start()
        header = {"rate": rate, "bytes": len(pcm), "grammar": grammar}
        return self._exchange(json.dumps(header).encode() + b"\n" + pcm)

    def _start(self) -> None:
        try:
            # -P: the folder of this file, with its module `numbers`, must not come before the standard library;
            # a session of its own: Ctrl-C at the terminal is not for it
            self._process = subprocess.Popen(
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
            self._forget()
            raise EngineError(f"The recogniser does not load: {greeting['error']}.", hint=_HINT)

    def _exchange(self, request: bytes) -> dict[str, Any]:
        assert self._process is not None and self._process.stdin is not None and self._process.stdout is not None
        try:
            self._process.stdin.write(request)
            self._process.stdin.flush()
            answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        except (OSError, ValueError):
            self._forget()
            raise EngineError("The recogniser's process ended unexpectedly.", hint=_HINT) from None
        return answer

    def _forget(self) -> None:
        """End the process and take its parts back; the next turn starts another."""
        process, self._process = self._process, None
        if process:
            process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout):
                with contextlib.suppress(OSError):
                    if pipe:
                        pipe.close()
