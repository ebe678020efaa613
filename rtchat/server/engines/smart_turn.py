"""Smart Turn tells whether a pause is an end: a small network that listens to the melody, 23 languages.

It looks at the log-mel spectrogram that Whisper defines, of the last 8 seconds, with silence before a shorter turn.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtchat.errors import EngineError
from rtchat.server.engines import models
from rtchat.server.engines.on_thread import OnThread

MODEL = "smart-turn-v3.2-cpu.onnx"
RATE = 16_000
SECONDS = 8
BANDS, WINDOW, HOP = 80, 400, 160
"""Whisper's spectrogram: mel bands, samples of a window and between windows."""

Floats = NDArray[np.float64]


class SmartTurn(OnThread):
    """`EndOfTurn` by a Smart Turn v3 model in onnxruntime.

    Args:
        model: Path of the ONNX file; "" for the newest `smart-turn*.onnx` in the models' folder.

    Raises:
        EngineError: The package or the model is missing.
    """

    name = "smart-turn"
    rate = RATE
    longest_ms = SECONDS * 1000

    def __init__(self, model: str = "") -> None:
        super().__init__("smart-turn")
        models.needs_package("onnxruntime", "smart-turn", "--end-of-turn smart-turn")
        path = Path(model) if model else next(reversed(installed()), models.folder() / MODEL)
        command = f"hf download pipecat-ai/smart-turn-v3 {MODEL} --local-dir '{path.parent}'"
        self._path = models.needs_file(path, "--end-of-turn smart-turn", command)

    async def probability(self, pcm: bytes) -> float:
        """Probability that the turn is over, see `EndOfTurn`.

        Raises:
            EngineError: The model does not load, or is none of this kind.
        """
        return await self.do(self._judge, pcm)

    async def check(self) -> str | None:
        """Load the model and try it; what is wrong with it."""
        try:
            await self.probability(bytes(2 * RATE))
        except EngineError as error:
            return str(error)
        return None

    def _load(self) -> Any:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        return onnxruntime.InferenceSession(str(self._path), options, providers=["CPUExecutionProvider"])

    def _judge(self, pcm: bytes) -> float:
        try:
            session = self._loaded()
            given = spectrogram(np.frombuffer(pcm, "<i2") / 32768)[None].astype(np.float32)
            (found, *_) = session.run(None, {session.get_inputs()[0].name: given})
            value = float(np.ravel(found)[0])
        except Exception as error:
            raise EngineError(
                f"The model {self._path} does not work: {error}.", hint="It must be one of Smart Turn's version 3."
            ) from error
        if not 0 <= value <= 1:
            raise EngineError(f"The model {self._path} gave {value:g}, no probability.", hint="Is it Smart Turn?")
        return value


def installed() -> list[Path]:
    """The models of this kind in the models' folder, oldest version first."""
    return sorted(models.folder().glob("smart-turn*.onnx"))


def spectrogram(sound: Floats) -> Floats:
    """Log-mel bands of the last 8 s: (80, 800). Samples are -1 to 1 at 16 kHz."""
    samples = SECONDS * RATE
    sound = np.pad(sound[-samples:], (max(samples - len(sound), 0), 0))
    sound = (sound - sound.mean()) / np.sqrt(sound.var() + 1e-7)
    padded = np.pad(sound, WINDOW // 2, mode="reflect")
    windows = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[::HOP][:-1]
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(WINDOW) / WINDOW)
    power = np.abs(np.fft.rfft(windows * hann)) ** 2
    bands = np.log10(np.maximum(mel_filters() @ power.T, 1e-10))
    shown: Floats = (np.maximum(bands, bands.max() - 8) + 4) / 4
    return shown


@cache
def mel_filters() -> Floats:
    """Triangular filters of equal area on Slaney's mel scale, 0 to 8 kHz: (80, 201)."""
    edges = _hertz(np.linspace(0, _mel(RATE / 2), BANDS + 2))
    bins = np.linspace(0, RATE / 2, WINDOW // 2 + 1)
    rise = (bins - edges[:-2, None]) / np.diff(edges)[:-1, None]
    fall = (edges[2:, None] - bins) / np.diff(edges)[1:, None]
    triangles: Floats = np.maximum(0, np.minimum(rise, fall)) * (2 / (edges[2:] - edges[:-2]))[:, None]
    return triangles


_LINEAR_TO, _MEL_THERE = (
    1000.0,
    15.0,
)  # linear up to 1 kHz, 66.7 Hz a mel; logarithmic above, 27 mel for a factor 6.4


def _mel(hertz: float) -> float:
    return _MEL_THERE + 27 * float(np.log(hertz / _LINEAR_TO) / np.log(6.4))


def _hertz(mel: Floats) -> Floats:
    linear = mel * _LINEAR_TO / _MEL_THERE
    hertz: Floats = np.where(mel < _MEL_THERE, linear, _LINEAR_TO * np.exp((mel - _MEL_THERE) * np.log(6.4) / 27))
    return hertz
