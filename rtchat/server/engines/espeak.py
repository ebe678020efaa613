"""espeak-ng speaks: small, quick, a hundred languages, plainly a machine.

By its library, which tells when each word has been said (`espeak_process.py`); by its command where there is none.
"""

from __future__ import annotations

import contextlib
import re
from typing import TYPE_CHECKING, TypedDict

from rtchat.errors import EngineError
from rtchat.server.engines import espeak_command
from rtchat.server.engines.espeak_process import EspeakProcess, NoLibraryError, NoVoiceError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from rtchat.server.engines.base import WordMark

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


class Manner(TypedDict):
    """How espeak-ng speaks: its own voice name, words a minute, pitch (0 to 99), and gap between words."""

    voice: str
    wpm: int
    pitch: int
    gap: int


class EspeakTextToSpeech:
    """`TextToSpeech` by espeak-ng.

    Args:
        program: Name or path of the `espeak-ng` command, to use that and not the library.
    """

    name = "espeak-ng"
    rate = 24_000

    def __init__(self, program: str | None = None) -> None:
        self._program = program or espeak_command.find_program()
        self._process = EspeakProcess() if program is None and EspeakProcess.possible() else None

    def warm_up(self) -> None:
        """Start what speaks, so that the first text need not wait for it."""
        if self._process:
            self._process.warm_up()

    def close(self) -> None:
        """End what speaks."""
        if self._process:
            self._process.close()

    async def speak(
        self, text: str, *, voice: str, speed: float = 1.0, language: str = "en"
    ) -> AsyncGenerator[bytes | WordMark, None]:
        """Say `text`: mono PCM16 at 24 kHz, in chunks of about 100 ms, and a `WordMark` for each word.

        Args:
            text: Plain text; nothing in it is a command.
            voice: One of `VOICES`.
            speed: 0.25 to 1.5, clamped.
            language: ISO 639-1 code, or a name that espeak-ng knows ("en-gb").

        Raises:
            EngineError: espeak-ng is missing, or does not know the language or the voice.
        """
        how = manner(voice=voice, speed=speed, language=language)
        spoken = plain_text(text)
        if not spoken.strip():
            return
        while self._process is not None:
            try:
                async with contextlib.aclosing(self._process.speak(spoken, **how)) as sound:
                    async for piece in sound:
                        yield piece
                return
            except NoVoiceError:
                raise espeak_command.no_voice(language) from None
            except NoLibraryError:
                self._process.close()
                self._process = None
        async with contextlib.aclosing(espeak_command.speak(self._program, spoken.strip(), **how)) as command:
            async for chunk in command:
                yield chunk


def manner(*, voice: str, speed: float, language: str) -> Manner:
    """espeak-ng's parameters for a voice, a speed and a language.

    Raises:
        EngineError: No such voice.
    """
    if voice not in VOICES:
        raise EngineError(f"There is no voice named {voice!r}.", hint=f"The voices are {', '.join(VOICES)}.")
    variant, pitch = VOICES[voice]
    code = language.strip().lower().replace("_", "-") or "en"
    name = LANGUAGES.get(code, code) + (f"+{variant}" if variant else "")
    wpm = NORMAL_WPM * min(max(speed, SLOWEST), FASTEST)
    # Measured: at 80 words a minute one unit of the gap is 1/30 s between two words.
    gap = round((60 / wpm - 60 / SLOWEST_WPM) * 30) if wpm < SLOWEST_WPM else 0
    return Manner(voice=name, wpm=round(wpm), pitch=pitch, gap=gap)


def plain_text(text: str) -> str:
    """`text` without what espeak-ng would take for a command: control characters and `[[phonemes]]`.

    It keeps its length: a word stands where it stood.
    """
    text = re.sub(r"[\x00-\x1f\x7f\ud800-\udfff]", " ", text)
    return re.sub(r"\[\[+", lambda found: "[".ljust(len(found[0])), text)
