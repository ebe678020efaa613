"""Kokoro speaks, through kokoro-onnx: a natural voice of 82 million weights, on the processor.

In one thread of its own: onnxruntime lets go of the interpreter's lock while it works. Sentences of several
sessions wait for each other.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import numpy as np

from rtchat.errors import EngineError
from rtchat.server.engines import models
from rtchat.server.engines.on_thread import OnThread

MODEL, VOICES_FILE = "kokoro-v1.0.int8.onnx", "voices-v1.0.bin"
VOICES = {
    "alloy": "af_alloy",
    "ash": "am_adam",
    "ballad": "bm_george",
    "coral": "af_nova",
    "echo": "am_echo",
    "sage": "af_sarah",
    "shimmer": "af_bella",
    "verse": "am_michael",
    "marin": "af_heart",
    "cedar": "am_fenrir",
}
"""The API's voices -> Kokoro's. Other names are taken as Kokoro's own."""
LANGUAGES = {"en": "en-us", "fr": "fr-fr", "pt": "pt-br", "zh": "cmn"}
"""ISO 639-1 codes that the phonemizer calls otherwise."""
SLOWEST, FASTEST = 0.5, 2.0
_CHUNK = 9_600  # bytes: 200 ms, so that an interruption finds little under way
_FROM = "https://github.com/thewh1teagle/kokoro-onnx/releases/download/model-files-v1.0"


class KokoroTextToSpeech(OnThread):
    """`TextToSpeech` by kokoro-onnx.

    Args:
        model: Path of the ONNX file; "" for `kokoro-v1.0.int8.onnx` in the models' folder. Voices are beside it.
        voice: Kokoro's own name of a voice, or a name of the API; "" for the one that a session names.

    Raises:
        EngineError: The package or the model is missing.
    """

    name = "kokoro"
    rate = 24_000

    def __init__(self, model: str = "", voice: str = "") -> None:
        super().__init__("kokoro")
        models.needs_package("kokoro_onnx", "kokoro", "--tts kokoro")
        path = Path(model) if model else models.folder() / MODEL
        self._path = models.needs_file(path, "--tts kokoro", _download(path.parent, MODEL))
        beside = sorted(path.parent.glob("voices*"))
        fallback = path.parent / VOICES_FILE
        self._voices = (
            beside[0]
            if beside
            else models.needs_file(fallback, "--tts kokoro", _download(path.parent, VOICES_FILE))
        )
        self._voice = voice

    async def speak(
        self, text: str, *, voice: str, speed: float = 1.0, language: str = "en"
    ) -> AsyncIterator[bytes]:
        """Say `text`, best one sentence: its sound comes when all of it is made.

        Raises:
            EngineError: The model does not load, or cannot say it.
        """
        if not any(letter.isalnum() for letter in text):
            return
        pcm = await self.do(self._say, text.strip(), self._voice or voice, speed, language)
        for at in range(0, len(pcm), _CHUNK):
            yield pcm[at : at + _CHUNK]

    def _load(self) -> Any:
        from kokoro_onnx import Kokoro

        logging.getLogger("phonemizer").setLevel(logging.ERROR)  # it warns of every contraction
        try:
            return Kokoro(str(self._path), str(self._voices))
        except Exception as error:
            raise EngineError(
                f"The Kokoro model {self._path} does not load: {error}.",
                hint=f"Download it again: `{_download(self._path.parent, MODEL)}`.",
            ) from error

    def _say(self, text: str, voice: str, speed: float, language: str) -> bytes:
        kokoro = self._loaded()
        there = list(kokoro.voices)
        name = VOICES.get(voice, voice)
        if name not in there:
            if voice not in VOICES:
                raise EngineError(f"Kokoro has no voice {voice!r}.", hint=f"It has {', '.join(there)}.")
            name = there[0]
        code = language.lower().replace("_", "-") or "en"
        spoken = "en-gb" if code == "en" and name.startswith("b") else LANGUAGES.get(code, code)
        try:
            samples, _ = kokoro.create(text, name, min(max(speed, SLOWEST), FASTEST), spoken)
        except Exception as error:
            raise EngineError(
                f"Kokoro could not say it: {error}.", hint=f"Is {language!r} a language of its?"
            ) from error
        return bytes((np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes())


def _download(where: Path, file: str) -> str:
    return f"curl -L --create-dirs -o '{where / file}' {_FROM}/{file}"
