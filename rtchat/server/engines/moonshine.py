"""Moonshine hears while the user speaks, through moonshine-voice: small networks, on the processor.

In one thread of its own: the library is called through ctypes, which lets go of the interpreter's lock. Turns of
several sessions share the model and take turns in the thread. A *pass* hears what is new: with a streaming model
that alone, with the older ones all of the sentence again. None is begun while somebody's turn is over and waits for
its words.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from rtchat.errors import EngineError
from rtchat.server.dialogue.sound import Rate
from rtchat.server.engines import models
from rtchat.server.engines.base import Partial, Transcript
from rtchat.server.engines.on_thread import OnThread

DEFAULT_MODEL = "tiny-streaming-en"
RATE = 16_000
"""Hertz that Moonshine hears at."""
PASS_S = 0.3
"""Sound between two passes, at least: the end of a sentence has been seen before the silence ends the turn. A pass
is not made either before as much sound has come as the last one took seconds."""
AT_ONCE = 1
"""The library's flag: hear all that has come, however little it is."""
_STREAMING = "adapter.ort,cross_kv.ort,decoder_kv.ort,encoder.ort,frontend.ort,streaming_config.json,tokenizer.bin"
_OTHERS = "encoder_model.ort,decoder_model_merged.ort,tokenizer.bin"
_FROM = "https://download.moonshine.ai/model"


class MoonshineSpeechToText(OnThread):
    """`ListeningSpeechToText` by moonshine-voice.

    Args:
        model: A name (`tiny-streaming-en`, `small-streaming-en`, `medium-streaming-en`, `base-es`), looked for as
            `moonshine-NAME` in the models' folder, or the path of a folder that is called so.

    Raises:
        EngineError: The package or the model is missing, or its name is none of Moonshine's.
    """

    def __init__(self, model: str = "") -> None:
        super().__init__("moonshine")
        self.ending = 0  # turns that are over and wait for their words
        models.needs_package("moonshine_voice", "moonshine", "--stt moonshine")
        self._path = _found(model or DEFAULT_MODEL)
        kind = self._path.name.removeprefix("moonshine-")
        self.name = f"moonshine {kind}"
        self._kind, _, self.language = kind.rpartition("-")
        if self._kind.removesuffix("-streaming") not in ("tiny", "base", "small", "medium"):
            raise EngineError(
                f"{self._path} is not called as Moonshine's models are.",
                hint="The folder's name tells what is in it: moonshine-tiny-streaming-en, moonshine-base-es.",
            )

    async def transcribe(
        self, pcm: bytes, rate: int, *, language: str | None = None, grammar: str | None = None
    ) -> Transcript:
        """Recognise one turn of speech, see `SpeechToText`.

        Raises:
            EngineError: The model does not load, or is of another language.
        """
        if not pcm:
            return Transcript("", self.language)
        listener = self.listen(rate, language=language)
        try:
            return await listener.finish(pcm)
        finally:
            listener.close()

    def listen(self, rate: int, *, language: str | None = None, grammar: str | None = None) -> Hearing:
        """Hear a turn that begins now, see `ListeningSpeechToText`.

        Raises:
            EngineError: The model is of another language.
        """
        if language and language.lower().split("-")[0] != self.language:
            raise EngineError(
                f"{self.name} does not hear {language!r}.",
                hint=f"Choose a model whose name ends with -{language}, or leave the language out.",
            )
        return Hearing(self, rate)

    def new_stream(self) -> Any:
        """A stream of the library's, in which nothing is heard until it is asked; for the thread only."""
        stream = self._loaded().create_stream(update_interval=float("inf"))
        stream.start()
        return stream

    def close(self) -> None:
        """End the thread and free the model; what waits is given up."""
        model = self._model
        super().close()
        if model is not None:
            model.close()

    def _load(self) -> Any:
        from moonshine_voice import string_to_model_arch
        from moonshine_voice.transcriber import Transcriber

        try:
            options = {"return_audio_data": "false"}
            return Transcriber(str(self._path), string_to_model_arch(self._kind), options=options)
        except Exception as error:
            raise EngineError(
                f"The Moonshine model {self._path} does not load: {error}.",
                hint=f"Its library says more on standard error. Download it again: `{_download(self._path)}`.",
            ) from error


class Hearing:
    """`Listener` of one turn.

    Args:
        engine: Whose.
        rate: Hertz of what is fed.
    """

    def __init__(self, engine: MoonshineSpeechToText, rate: int) -> None:
        self._engine = engine
        self._rate = None if rate == RATE else Rate(rate, RATE)
        self._stream: Any = None  # the thread's
        self._fed = self._heard = 0  # samples: given to the library, and heard by it
        self._pass_s = 0.0
        self._partial = Partial("", 0)
        self._closed = False

    async def feed(self, pcm: bytes) -> Partial:
        """The turn's next sound."""
        return await self._engine.do(self._feed, pcm)

    async def finish(self, pcm: bytes = b"") -> Transcript:
        """The turn is over, after this sound: its words."""
        self._engine.ending += 1
        try:
            return await self._engine.do(self._finish, pcm)
        finally:
            self._engine.ending -= 1

    def close(self) -> None:
        """Let go of everything; what waits for its turn in the thread is not done."""
        self._closed = True
        self._engine.do_later(self._close)

    def _feed(self, pcm: bytes) -> Partial:
        if not self._closed:
            self._add(self._rate.feed(pcm) if self._rate else pcm)
            enough = self._fed - self._heard >= RATE * max(PASS_S, self._pass_s)
            if enough and not self._engine.ending:
                self._pass()
        return self._partial

    def _finish(self, pcm: bytes) -> Transcript:
        if not self._closed:
            self._add(self._rate.feed(pcm) + self._rate.finish() if self._rate else pcm)
            if self._fed > self._heard:
                self._pass()
        return Transcript(self._partial.text, self._engine.language)

    def _add(self, pcm: bytes) -> None:
        samples = np.frombuffer(pcm, "<i2").astype(np.float32) / 32768
        if len(samples):
            if self._stream is None:
                self._stream = self._engine.new_stream()
            self._stream.add_audio(samples.tolist(), RATE)
            self._fed += len(samples)

    def _pass(self) -> None:
        began = time.monotonic()
        try:
            lines = self._stream.update_transcription(AT_ONCE).lines
        except Exception as error:
            raise EngineError(
                f"{self._engine.name} could not hear it: {error}.", hint="Its library says more on standard error."
            ) from error
        self._pass_s = time.monotonic() - began
        self._heard = self._fed
        certain = list(itertools.takewhile(lambda line: line.is_complete, lines))
        self._partial = Partial(_text(lines), self._heard * 1000 / RATE, len(_text(certain)))

    def _close(self) -> None:
        if self._stream is not None:
            self._stream.close()


def _text(lines: Sequence[Any]) -> str:
    return " ".join(text for line in lines if (text := line.text.strip()))


def _found(model: str) -> Path:
    path = Path(model)
    if not ("/" in model or "\\" in model or path.is_dir()):
        path = models.folder() / f"moonshine-{model}"
    return models.needs_file(path, "--stt moonshine", _download(path))


def _download(place: Path) -> str:
    name = place.name.removeprefix("moonshine-")
    files = f"{{{_STREAMING}}}" if "-streaming" in name else f"{name}/{{{_OTHERS}}}"
    return f"curl -L --create-dirs -o '{place}/#1' '{_FROM}/{name}/quantized/{files}'"
