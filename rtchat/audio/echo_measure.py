"""Whether there is an echo, and what is left of it. Pure.

Where there is an echo, the microphone's spectrum follows the loudspeaker's; where there is none it does not,
whoever else speaks. So the levels of eight bands are compared over some seconds, at every delay there may be. Only
a stretch in which one follows the other says how much the canceller takes away, for the user hardly spoke in it.

Chunks are looked at a few at a time, which costs little more than one does.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Literal

import numpy as np

from rtchat.chunk import WIRE, to_float

if TYPE_CHECKING:
    from numpy.typing import NDArray

Verdict = Literal["measuring", "cancelling", "no echo", "failing"]

FAILING_DB = 3.0
"""A canceller that takes away less than this from an echo that is there is of no use."""

CONVERGED_SECONDS = 3.0
"""WebRTC's canceller starts by taking away nearly all, for two and a half seconds of the far end: no proof."""

_CHUNK_SECONDS = 0.02
_WINDOW = 400  # chunks of 20 ms: eight seconds of the assistant's speech
_LEAST = 150
_SURE = 100  # chunks with an echo that prove a failure: two seconds
_EVERY = 50
_TOGETHER = 5  # chunks that are looked at at a time
_LATEST = 35  # chunks by which an echo may come later than its sound
_BANDS = (200, 400, 700, 1100, 1600, 2300, 3200, 4500, 7000)  # Hz
_DECAY = 4.0  # dB by which reverberation falls in a chunk

# Measured in rooms (tests/bench/bench_echo.py). Over a whole window the likeness is 0.5 to 0.95 where the echo is
# 10 dB above the noise, and at most 0.4 where there is none and the user speaks all the time.
_ALIKE = 0.5
_ALONE = 0.65  # the user hardly speaks
_UNLIKE = 0.3
_EVEN_DB = 6.0  # between the quiet and the loud chunks of a microphone that hears nothing but noise
_LOUD = -50.0  # dBFS of the loudspeaker's loudest band
_ABOVE_NOISE = 6.0  # dB


class Measure:
    """Chunks in, a verdict out.

    Attributes:
        erle_db: Echo return loss enhancement, what is taken away from the echo; None until known.
        verdict: How it goes.
    """

    def __init__(self) -> None:
        self.erle_db: float | None = None
        self.verdict: Verdict = "measuring"
        self._raw: deque[float] = deque(maxlen=_WINDOW)  # of all chunks; the others of those with an echo
        self._levels: deque[tuple[float, float, float, bool]] = deque(maxlen=_WINDOW)
        self._far: deque[NDArray[np.float32]] = deque(maxlen=_WINDOW)
        self._near: deque[NDArray[np.float32]] = deque(maxlen=_WINDOW)
        self._new: list[tuple[bytes, bytes, float, float]] = []  # not looked at yet
        self._noted = 0
        self._loud = 0

    @property
    def converged(self) -> bool:
        """The loudspeaker has sounded for `CONVERGED_SECONDS`."""
        return self._loud * _CHUNK_SECONDS >= CONVERGED_SECONDS

    def quiet(self, raw_dbfs: float) -> None:
        """The level of a chunk while nothing played."""
        self._raw.append(raw_dbfs)

    def note(self, far: bytes, raw: bytes, raw_dbfs: float, dbfs: float) -> None:
        """A chunk of 20 ms while the assistant sounds.

        Args:
            far: What the loudspeaker played.
            raw: What the microphone heard.
            raw_dbfs: Its level.
            dbfs: The level of what the canceller made of it.
        """
        self._raw.append(raw_dbfs)
        self._new.append((far, raw, raw_dbfs, dbfs))
        if len(self._new) < _TOGETHER:
            return
        self._look()
        if self._noted % _EVERY == 0 and len(self._levels) >= _LEAST:
            self._judge()

    def _look(self) -> None:
        """Find the bands of what is new."""
        new, self._new = self._new, []
        bands = _bands([far for far, *_ in new] + [raw for _, raw, *_ in new])
        played, heard = bands[: len(new)], bands[len(new) :]
        for (*_, raw_dbfs, dbfs), loudest in zip(new, played.max(axis=1).tolist(), strict=True):
            self._levels.append((loudest, raw_dbfs, dbfs, self.converged))
            self._loud += loudest > _LOUD
        for one in played:
            self._far.append(np.maximum(one, self._far[-1] - np.float32(_DECAY)) if self._far else one)
        self._near.extend(heard)
        self._noted += len(new)

    def _judge(self) -> None:
        likeness, delay = _likeness(np.array(self._far), np.array(self._near))
        far, raw, given, converged = np.array(self._levels).T
        loud = far[: len(far) - delay] > _LOUD
        raw, taken = raw[delay:], (_smooth(raw) - _smooth(given))[delay:]
        if loud.sum() < _LEAST // 3:
            return
        if likeness > _ALIKE * (_WINDOW / len(far)) ** 0.5:
            heard = loud & (converged[delay:] > 0) & (raw > np.percentile(self._raw, 10) + _ABOVE_NOISE)
            if heard.sum() >= _LEAST // 3:
                self._tell(taken[heard], likeness)
        elif likeness < _UNLIKE and float(np.ptp(np.percentile(raw[loud], [20, 80]))) < _EVEN_DB:
            self.verdict, self.erle_db = "no echo", None

    def _tell(self, taken: NDArray[np.float64], likeness: float) -> None:
        """What the canceller takes away where there is an echo; the user may speak in some of these chunks."""
        alone = likeness > _ALONE
        # What is hardly louder than the noise goes with it, however useless the canceller is.
        least = float(np.percentile(taken, 50 if alone else 80))
        if least > 2 * FAILING_DB:
            self.verdict = "cancelling"
        elif len(taken) >= _SURE and least < FAILING_DB:
            self.verdict = "failing"
        if self.erle_db is None or alone:
            self.erle_db = float(np.median(taken))


def _bands(pcm: list[bytes]) -> NDArray[np.float32]:
    """Levels of the bands of each sound, in dB of full scale; all are equally long."""
    sounds = to_float(b"".join(pcm)).reshape(len(pcm), -1)
    window, edges = _shape(sounds.shape[1])
    spectra = np.fft.rfft(sounds * window)
    power = np.add.reduceat(spectra.real**2 + spectra.imag**2, edges, axis=1)[:, :-1]
    return np.asarray(10 * np.log10(power / window.sum() ** 2 * 2 + 1e-9), dtype=np.float32)


_shapes: dict[int, tuple[NDArray[np.float32], NDArray[np.intp]]] = {}


def _shape(samples: int) -> tuple[NDArray[np.float32], NDArray[np.intp]]:
    if samples not in _shapes:
        edges = np.array(_BANDS) * samples // WIRE.rate
        _shapes[samples] = np.hanning(samples).astype(np.float32), edges
    return _shapes[samples]


def _likeness(far: NDArray[np.float32], near: NDArray[np.float32]) -> tuple[float, int]:
    """How much the second follows the first, from -1 to 1, at the delay in chunks at which it does so most."""
    size = len(far) - _LATEST
    one = far[:size] - far[:size].mean(axis=0)
    others = np.lib.stride_tricks.sliding_window_view(near - near.mean(axis=0), size, axis=0)[:_LATEST]
    together = np.einsum("cb,dbc->db", one, others)
    spread = np.einsum("dbc,dbc->db", others, others) - others.sum(axis=2) ** 2 / size
    alike = np.mean(together / np.sqrt((one * one).sum(axis=0) * spread + 1e-6), axis=1)
    delay = int(alike.argmax())
    return float(alike[delay]), delay


def _smooth(dbfs: NDArray[np.float64]) -> NDArray[np.float64]:
    """Levels of three chunks at a time: what is given is a little late."""
    return 10 * np.log10(np.convolve(10 ** (dbfs / 10), np.ones(3) / 3, mode="same"))
