"""Whisper hears, through faster-whisper: a hundred languages, on the processor or on a GPU.

In one thread of its own: CTranslate2 lets go of the interpreter's lock while it works. Turns of several sessions
wait for each other.
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
import soxr

from rtchat.errors import EngineError
from rtchat.server.engines import models
from rtchat.server.engines.base import Transcript
from rtchat.server.engines.on_thread import OnThread

DEFAULT_MODEL = "base.en"
RATE = 16_000
"""Hertz that Whisper hears at."""


class WhisperSpeechToText(OnThread):
    """`SpeechToText` by faster-whisper.

    Args:
        model: A name (`tiny.en`, `base`, `small`, `large-v3-turbo`), looked for as `whisper-NAME` in the models'
            folder, or the path of a folder with a converted model.

    Raises:
        EngineError: The package or the model is missing.
    """

    def __init__(self, model: str = "") -> None:
        super().__init__("whisper")
        model = model or DEFAULT_MODEL
        self.name = f"whisper {Path(model).name}"
        models.needs_package("faster_whisper", "whisper", "--stt whisper")
        self._path = _found(model)

    async def transcribe(
        self, pcm: bytes, rate: int, *, language: str | None = None, grammar: str | None = None
    ) -> Transcript:
        """Recognise one turn of speech, see `SpeechToText`. Cancelled, it ends with the segment under way.

        Raises:
            EngineError: The model does not load, or does not know the language.
        """
        if not pcm:
            return Transcript("")
        unwanted = threading.Event()
        try:
            return await self.do(self._hear, pcm, rate, language, unwanted)
        finally:
            unwanted.set()

    def _load(self) -> Any:
        from faster_whisper import WhisperModel

        try:
            return WhisperModel(str(self._path), device="auto", compute_type="int8", local_files_only=True)
        except Exception as error:
            raise EngineError(
                f"The Whisper model {self._path} does not load: {error}.",
                hint="It must be a folder converted for faster-whisper, with model.bin and config.json.",
            ) from error

    def _hear(self, pcm: bytes, rate: int, language: str | None, unwanted: threading.Event) -> Transcript:
        if unwanted.is_set():
            return Transcript("")
        model = self._loaded()
        sound = np.frombuffer(pcm, "<i2").astype(np.float32) / 32768
        if rate != RATE:
            sound = soxr.resample(sound, rate, RATE, quality="MQ")
        code = language.lower().split("-")[0] if language else None
        if code and code not in model.supported_languages:
            raise EngineError(
                f"{self.name} does not hear {language!r}.",
                hint="Choose a model without .en, or leave the language out.",
            )
        segments, about = model.transcribe(
            sound, language=code, beam_size=1, condition_on_previous_text=False, without_timestamps=True
        )
        words = []
        for segment in segments:  # the work is done here, segment by segment
            words.append(segment.text.strip())
            if unwanted.is_set():
                break
        return Transcript(" ".join(words).strip(), str(about.language))


def _found(model: str) -> Path:
    if Path(model).is_dir():
        return Path(model)
    place = models.folder() / f"whisper-{model}"
    if "/" in model or "\\" in model:
        place = Path(model)
        model = DEFAULT_MODEL
    repository = (
        "mobiuslabsgmbh/faster-whisper-large-v3-turbo" if "turbo" in model else f"Systran/faster-whisper-{model}"
    )
    return models.needs_file(place, "--stt whisper", f"hf download {repository} --local-dir '{place}'")
