"""What a session would come to think of the echo, tried out on a recording of the test sound. Pure.

The same `Echo` that a session uses hears the recording `TIMES` times: a session speaks for longer than the test
sound, and judges a canceller that does not help only after eight seconds of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from rtchat.audio.echo import Echo
from rtchat.audio.microphone import CHUNK_MS
from rtchat.chunk import WIRE, to_pcm16

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rtchat.audio.echo import Process
    from rtchat.audio.echo_measure import Verdict

TIMES = 2
_CHUNK = WIRE.samples_in(CHUNK_MS)
_AHEAD = 10  # chunks: a device takes its sound before it plays it


@dataclass(frozen=True, slots=True)
class Rehearsed:
    """What came of it.

    Attributes:
        verdict: As of `Echo`.
        erle_db: By how many decibels the echo is weakened; None where that is not known.
    """

    verdict: Verdict
    erle_db: float | None


def rehearse(process: Process, played: NDArray[np.float32], recorded: NDArray[np.float32]) -> Rehearsed:
    """Take the echo out of a recording.

    Args:
        process: A canceller that has heard nothing yet.
        played: What left the loudspeaker, 24 kHz mono.
        recorded: What the microphone gave at the same times, as long.

    Raises:
        DeviceError: The canceller failed.
    """
    echo = Echo(process)
    whole = len(recorded) // _CHUNK * _CHUNK
    far, near = (_chunks(np.tile(samples[:whole], TIMES)) for samples in (played, recorded))
    seconds = CHUNK_MS / 1000
    for number in range(min(_AHEAD, len(far))):
        echo.played(number * seconds, far[number])
    for number, chunk in enumerate(near):
        if number + _AHEAD < len(far):
            echo.played((number + _AHEAD) * seconds, far[number + _AHEAD])
        echo.feed(number * seconds, chunk)
    return Rehearsed(echo.verdict, echo.erle_db)


def _chunks(samples: NDArray[np.float32]) -> list[bytes]:
    return [to_pcm16(piece) for piece in samples.reshape(-1, _CHUNK)]
