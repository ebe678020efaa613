"""espeak-ng's command: one process a text, sound without word marks. Where the library cannot be used.

Its WAV is resampled as it comes, so that the first sound does not wait for the last.
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import soxr

from rtchat.errors import EngineError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator

_RATE = 24_000
_WAV_HEADER = 44
_READ = 4096  # bytes: 93 ms at 22.05 kHz

_INSTALL = (
    "Install it with `apt install espeak-ng` (Debian, Ubuntu), `brew install espeak-ng` (macOS) "
    "or `winget install eSpeak-NG.eSpeak-NG` (Windows)."
)


def find_program() -> str:
    """The command's name, or its path where it is not in PATH."""
    found = shutil.which("espeak-ng")
    usual = Path(r"C:\Program Files\eSpeak NG\espeak-ng.exe")  # its installer does not touch PATH
    return found or (str(usual) if sys.platform == "win32" and usual.exists() else "espeak-ng")


async def speak(
    program: str, text: str, *, voice: str, wpm: int, pitch: int, gap: int
) -> AsyncGenerator[bytes, None]:
    """Say `text`: mono PCM16 at 24 kHz, in chunks of about 90 ms. Closing the iterator ends the process.

    Args:
        program: Name or path of the command.
        text: Plain text; nothing in it is a command.
        voice: espeak-ng's name for it.
        wpm: Words a minute.
        pitch: 0 to 99.
        gap: Pause between words, in the command's units.

    Raises:
        EngineError: espeak-ng is missing, or does not know the voice.
    """
    options = ["--stdin", "--stdout", "-b", "1", "-v", voice, "-p", str(pitch), "-s", str(wpm)]
    process = await _start(program, [*options, *(["-g", str(gap)] if gap else [])])
    assert process.stdin is not None and process.stdout is not None and process.stderr is not None
    ended = False
    try:
        process.stdin.write(text.encode() + b"\n")
        process.stdin.close()
        try:
            header = await process.stdout.readexactly(_WAV_HEADER)
        except asyncio.IncompleteReadError:
            ended = True
            raise _failure((await process.stderr.read()).decode(errors="replace"), voice) from None
        async for chunk in _resampled(process.stdout, int.from_bytes(header[24:28], "little"), _RATE):
            yield chunk
        ended = True
    finally:
        if not ended:
            _kill(process)
        await process.communicate()  # not just wait(): its pipes close when they are read to their end


async def _start(program: str, options: list[str]) -> asyncio.subprocess.Process:
    try:
        return await asyncio.create_subprocess_exec(
            program,
            *options,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
    except FileNotFoundError:
        raise EngineError("espeak-ng, which speaks for the local server, is missing.", hint=_INSTALL) from None
    except OSError as error:
        raise EngineError(f"espeak-ng did not start: {error.strerror or error}.", hint=_INSTALL) from error


async def _resampled(stream: asyncio.StreamReader, source: int, target: int) -> AsyncIterator[bytes]:
    resampler = soxr.ResampleStream(source, target, 1, dtype="int16", quality="MQ")
    odd = b""
    while data := await stream.read(_READ):
        data = odd + data
        whole = len(data) - len(data) % 2
        odd = data[whole:]
        if chunk := resampler.resample_chunk(np.frombuffer(data[:whole], dtype="<i2")).tobytes():
            yield chunk
    if tail := resampler.resample_chunk(np.zeros(0, dtype="<i2"), last=True).tobytes():
        yield tail


def _kill(process: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(ProcessLookupError):  # it has just ended by itself
        process.kill()


def no_voice(language: str) -> EngineError:
    """espeak-ng does not know the voice of a language."""
    return EngineError(
        f"espeak-ng does not speak the language {language!r}.", hint="`espeak-ng --voices` lists what it speaks."
    )


def _failure(said: str, voice: str) -> EngineError:
    if "voice does not exist" in said:
        return no_voice(voice.partition("+")[0])
    reason = " ".join(said.split()) or "it gave no reason"
    return EngineError(f"espeak-ng gave no sound: {reason}.", hint="Try it by hand: `espeak-ng hello`.")
