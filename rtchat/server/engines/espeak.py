"""espeak-ng speaks: small, quick, a hundred languages, plainly a machine.

One process a text. Its WAV is resampled as it comes, so that the first sound does not wait for the last.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import soxr

from rtchat.errors import EngineError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

VOICES: dict[str, tuple[str, int]] = {
    "alloy": ("m4", 45),
    "ash": ("m3", 35),
    "ballad": ("m2", 55),
    "coral": ("f3", 50),
    "echo": ("m1", 45),
    "sage": ("f4", 45),
    "shimmer": ("f5", 65),
    "verse": ("m7", 50),
    "marin": ("f2", 55),
    "cedar": ("", 45),
}
"""The API's voice -> espeak-ng's variant ("" for the language's own voice) and pitch (0 to 99).

marin and cedar, the API's recommended ones, have the variants that our own recogniser understands best."""

LANGUAGES = {"en": "en-us", "fr": "fr-fr", "no": "nb", "zh": "cmn", "ar": "ar", "pt": "pt", "iw": "he"}
"""ISO 639-1 codes whose espeak-ng voice has another name, or which need one picked; others are the same."""

NORMAL_WPM = 175
"""espeak-ng's own default speed, words a minute: speed 1.0."""
SLOWEST_WPM = 80
"""espeak-ng speaks no slower than this; slower still is made of pauses between words."""
SLOWEST, FASTEST = 0.25, 1.5
"""The API's range of `speed`."""

_WAV_HEADER = 44
_READ = 4096  # bytes: 93 ms at 22.05 kHz

_INSTALL = (
    "Install it with `apt install espeak-ng` (Debian, Ubuntu), `brew install espeak-ng` (macOS) "
    "or `winget install eSpeak-NG.eSpeak-NG` (Windows)."
)


class EspeakTextToSpeech:
    """`TextToSpeech` by the `espeak-ng` command.

    Args:
        program: Name or path of the command.
    """

    name = "espeak-ng"
    rate = 24_000

    def __init__(self, program: str | None = None) -> None:
        self._program = program or _find_program()

    async def speak(
        self, text: str, *, voice: str, speed: float = 1.0, language: str = "en"
    ) -> AsyncIterator[bytes]:
        """Say `text`: mono PCM16 at 24 kHz, in chunks of about 90 ms.

        Args:
            text: Plain text; nothing in it is a command.
            voice: One of `VOICES`.
            speed: 0.25 to 1.5, clamped.
            language: ISO 639-1 code, or a name that espeak-ng knows ("en-gb").

        Raises:
            EngineError: espeak-ng is missing, or does not know the language or the voice.
        """
        spoken = plain_text(text)
        if not spoken:
            return
        process = await self._start(arguments(voice=voice, speed=speed, language=language))
        assert process.stdin is not None and process.stdout is not None and process.stderr is not None
        ended = False
        try:
            process.stdin.write(spoken.encode() + b"\n")
            process.stdin.close()
            try:
                header = await process.stdout.readexactly(_WAV_HEADER)
            except asyncio.IncompleteReadError:
                ended = True
                raise _failure((await process.stderr.read()).decode(errors="replace"), language) from None
            async for chunk in _resampled(process.stdout, int.from_bytes(header[24:28], "little"), self.rate):
                yield chunk
            ended = True
        finally:
            if not ended:
                _kill(process)
            await process.communicate()  # not just wait(): its pipes close when they are read to their end

    async def _start(self, options: list[str]) -> asyncio.subprocess.Process:
        try:
            return await asyncio.create_subprocess_exec(
                self._program,
                *options,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
            )
        except FileNotFoundError:
            raise EngineError("espeak-ng, which speaks for the local server, is missing.", hint=_INSTALL) from None
        except OSError as error:
            raise EngineError(f"espeak-ng did not start: {error.strerror or error}.", hint=_INSTALL) from error


def arguments(*, voice: str, speed: float, language: str) -> list[str]:
    """espeak-ng's options for a voice, a speed and a language.

    Raises:
        EngineError: No such voice.
    """
    if voice not in VOICES:
        raise EngineError(f"There is no voice named {voice!r}.", hint=f"The voices are {', '.join(VOICES)}.")
    variant, pitch = VOICES[voice]
    code = language.strip().lower().replace("_", "-") or "en"
    name = LANGUAGES.get(code, code) + (f"+{variant}" if variant else "")
    wpm = NORMAL_WPM * min(max(speed, SLOWEST), FASTEST)
    options = ["--stdin", "--stdout", "-b", "1", "-v", name, "-p", str(pitch), "-s", str(round(wpm))]
    if wpm < SLOWEST_WPM:
        # Measured: at 80 words a minute one unit of -g is 1/30 s in each gap between words.
        options += ["-g", str(round((60 / wpm - 60 / SLOWEST_WPM) * 30))]
    return options


def plain_text(text: str) -> str:
    """`text` without what espeak-ng would take for a command: control characters and `[[phonemes]]`."""
    return re.sub(r"\[\[+", "[", re.sub(r"[\x00-\x1f\x7f]+", " ", text)).strip()


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


def _failure(said: str, language: str) -> EngineError:
    if "voice does not exist" in said:
        return EngineError(
            f"espeak-ng does not speak the language {language!r}.",
            hint="`espeak-ng --voices` lists what it speaks.",
        )
    reason = " ".join(said.split()) or "it gave no reason"
    return EngineError(f"espeak-ng gave no sound: {reason}.", hint="Try it by hand: `espeak-ng hello`.")


def _find_program() -> str:
    found = shutil.which("espeak-ng")
    usual = Path(r"C:\Program Files\eSpeak NG\espeak-ng.exe")  # its installer does not touch PATH
    return found or (str(usual) if sys.platform == "win32" and usual.exists() else "espeak-ng")
