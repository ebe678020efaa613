"""WAV files as a microphone and as a loudspeaker."""

from __future__ import annotations

import asyncio
import io
import struct
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from rtchat.audio.codecs import alaw_decode, ulaw_decode
from rtchat.audio.duplex import now
from rtchat.audio.microphone import CHUNK_MS
from rtchat.audio.resample import Resampler
from rtchat.chunk import WIRE, AudioFormat, to_float, to_pcm16
from rtchat.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from numpy.typing import NDArray

TRAILING_SILENCE_MS = 1500
"""Silence after an input file, so that a server's voice activity detection closes the turn (0.2 to 1 s)."""

BLOCK_MS = 20
"""How much a file takes at a time when it is the loudspeaker."""

_PCM, _FLOAT, _ALAW, _ULAW, _EXTENSIBLE = 1, 3, 6, 7, 0xFFFE
_UNKNOWN_SIZE = 0xFFFFFFFF

_f32 = np.float32


def read_wav(path: Path) -> bytes:
    """A WAV file as 24 kHz mono PCM16.

    Any rate and number of channels; 8, 16, 24 or 32-bit, float, A-law or mu-law. A header written by a program that
    did not know the length (a pipe, a killed recorder) is accepted, and so is a file that is cut short.

    Args:
        path: The file; `-` is standard input, read to its end.

    Raises:
        UsageError: It cannot be read, is empty, or is not a WAV.
    """
    name = "standard input" if str(path) == "-" else str(path)
    try:
        data = sys.stdin.buffer.read() if str(path) == "-" else Path(path).read_bytes()
    except OSError as error:
        raise UsageError(
            f"{name} cannot be read: {(error.strerror or str(error)).lower()}.", hint="Check the path."
        ) from error
    try:
        return _decode(data)
    except _NotUsable as error:
        raise UsageError(
            f"{name} {error}.", hint="Give a WAV file; `sox FILE out.wav` makes one from most formats."
        ) from error


class _NotUsable(Exception):
    """Ends a sentence that begins with the file's name."""


def _decode(data: bytes) -> bytes:
    if not data:
        raise _NotUsable("is empty")
    if len(data) < 12 or data[:4] not in (b"RIFF", b"RF64") or data[8:12] != b"WAVE":
        raise _NotUsable("is not a WAV file")
    chunks = _chunks(data)
    if len(chunks.get(b"fmt ", b"")) < 16 or b"data" not in chunks:
        raise _NotUsable("is a WAV file without sound in it")
    kind, channels, rate, _, _, bits = struct.unpack_from("<HHIIHH", chunks[b"fmt "])
    if kind == _EXTENSIBLE and len(chunks[b"fmt "]) >= 26:
        kind = struct.unpack_from("<H", chunks[b"fmt "], 24)[0]
    if not 1 <= channels <= 32 or not 1000 <= rate <= 768_000:
        raise _NotUsable(f"has a broken header ({channels} channels at {rate} Hz)")
    samples = _samples(chunks[b"data"], kind, bits)
    mono = samples[: len(samples) - len(samples) % channels].reshape(-1, channels).mean(axis=1, dtype=np.float32)
    if mono.size == 0:
        raise _NotUsable("is a WAV file without sound in it")
    resampler = Resampler(rate, WIRE.rate)
    return to_pcm16(np.concatenate([resampler.feed(mono), resampler.finish()]))


def _chunks(data: bytes) -> dict[bytes, bytes]:
    """The RIFF chunks; the last may be shorter than it says."""
    chunks: dict[bytes, bytes] = {}
    at = 12
    while at + 8 <= len(data):
        name, size = data[at : at + 4], struct.unpack_from("<I", data, at + 4)[0]
        # A length of 0 or of all ones was never filled in: the sound goes on to the end.
        if name == b"data" and size in (0, _UNKNOWN_SIZE):
            size = len(data) - at - 8
        chunks.setdefault(name, data[at + 8 : at + 8 + size])
        at += 8 + size + size % 2
    return chunks


def _samples(data: bytes, kind: int, bits: int) -> NDArray[np.float32]:
    """All channels, interleaved, in [-1, 1)."""
    if kind == _PCM and bits == 8:
        return (np.frombuffer(data, dtype=np.uint8).astype(np.float32) - _f32(128)) / _f32(128)
    if kind == _PCM and bits == 16:
        return to_float(data)
    if kind == _PCM and bits == 24:
        whole = np.frombuffer(data[: len(data) - len(data) % 3], dtype=np.uint8).reshape(-1, 3)
        wide = np.zeros((len(whole), 4), dtype=np.uint8)
        wide[:, 1:] = whole
        return wide.view("<i4").reshape(-1).astype(np.float32) / _f32(2**31)
    if kind in (_PCM, _FLOAT) and bits in (32, 64) and (kind, bits) != (_PCM, 64):
        dtype = np.dtype("<i4" if kind == _PCM else f"<f{bits // 8}")
        values = np.frombuffer(data[: len(data) - len(data) % dtype.itemsize], dtype=dtype).astype(np.float32)
        return values / _f32(2**31) if kind == _PCM else np.nan_to_num(values).astype(np.float32)
    if kind in (_ALAW, _ULAW) and bits == 8:
        return to_float(alaw_decode(data) if kind == _ALAW else ulaw_decode(data))
    raise _NotUsable(f"holds sound in a form that is not supported (WAV format {kind}, {bits}-bit)")


class WavWriter:
    """A WAV file that is whole after each write, so that killing the process leaves it readable.

    Args:
        path: Where; `-` is standard output, whose header then says that the length is unknown, as pipes do.
        format: What will be written.

    Raises:
        UsageError: The file cannot be made.
    """

    def __init__(self, path: Path, format: AudioFormat = WIRE) -> None:
        self._format = format
        self._size = 0
        try:
            self._file = _create(path)
        except OSError as error:
            raise _not_written(path, error) from error
        try:
            self._fixed = str(path) == "-" or not self._file.seekable()
            self._file.write(self._header(_UNKNOWN_SIZE if self._fixed else 0))
        except OSError as error:
            self._file.close()
            raise _not_written(path, error) from error

    def write(self, pcm: bytes) -> None:
        """Append whole frames.

        Raises:
            OSError: The disk is full, or the reader of a pipe has gone.
        """
        self._file.write(pcm)
        self._size += len(pcm)
        if not self._fixed:
            self._file.seek(0)
            self._file.write(self._header(self._size))
            self._file.seek(0, io.SEEK_END)

    def close(self) -> None:
        """Close the file; the header is right already."""
        self._file.close()

    def _header(self, size: int) -> bytes:
        form = self._format
        # A RIFF size has 32 bits: past 4 GiB it says "unknown".
        data, riff = min(size, _UNKNOWN_SIZE), min(size + 36, _UNKNOWN_SIZE)
        return (
            struct.pack("<4sI4s4sI", b"RIFF", riff, b"WAVE", b"fmt ", 16)
            + struct.pack(
                "<HHIIHH",
                _PCM,
                form.channels,
                form.rate,
                form.rate * form.frame_bytes,
                form.frame_bytes,
                8 * form.width,
            )
            + struct.pack("<4sI", b"data", data)
        )


def _create(path: Path) -> io.FileIO:
    """The file, unbuffered: what was written is in it, whatever happens to this process."""
    if str(path) == "-":
        # The process's own: `sys.stdout` may be put aside, so that nothing else is written between the samples.
        return io.FileIO((sys.__stdout__ or sys.stdout).fileno(), "wb", closefd=False)
    return io.FileIO(path, "wb")


def _not_written(path: Path, error: OSError) -> UsageError:
    reason = (error.strerror or str(error)).lower()
    return UsageError(f"{path} cannot be written: {reason}.", hint="Give another file with --output-wav.")


async def play_as_microphone(pcm: bytes) -> AsyncIterator[tuple[float, bytes]]:
    """Sound as a microphone gives it: chunks in real time, then `TRAILING_SILENCE_MS` of silence, then the end.

    Args:
        pcm: 24 kHz mono PCM16.

    Yields:
        (seconds of the first sample, a chunk of `CHUNK_MS`), each once its last sample would have been recorded.
    """
    size = WIRE.bytes_in(CHUNK_MS)
    sound = pcm + bytes(-len(pcm) % size) + WIRE.silence(TRAILING_SILENCE_MS)
    begin = now()
    for n, at in enumerate(range(0, len(sound), size)):
        await asyncio.sleep(begin + (n + 1) * CHUNK_MS / 1000 - now())
        yield begin + n * CHUNK_MS / 1000, sound[at : at + size]


async def record_as_loudspeaker(writer: WavWriter, fill: Callable[[int, float], bytes]) -> None:
    """Be a loudspeaker that is a file: take sound in real time, silence included, for ever.

    Args:
        writer: Where it goes.
        fill: Gives the next frames: (frames, seconds at which the first of them counts as heard).

    Raises:
        OSError: The file cannot be written any more.
    """
    frames = WIRE.samples_in(BLOCK_MS)
    begin, taken = now(), 0
    while True:
        at = begin + taken / WIRE.rate
        await asyncio.sleep(at - now())
        writer.write(fill(frames, at))
        taken += frames
