"""A voice behind `/v1/audio/speech`: text up, sound back as it is made."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any, Literal

import numpy as np
import soxr

from rtchat.server.engines.upstream import Upstream

Format = Literal["pcm", "wav"]

_OTHER = {b"ID3": "MP3", b"\xff\xfb": "MP3", b"\xff\xf3": "MP3", b"OggS": "Ogg", b"fLaC": "FLAC"}
"""How sound begins that nobody asked for."""
_RATES = range(8000, 192_001)  # hertz
_HEADER_MOST = 4096  # bytes within which a WAV's samples begin


class HttpTextToSpeech:
    """`TextToSpeech` over HTTP.

    Args:
        upstream: Where.
        voice: The voice for every session; "" hands on the session's.
        wanted: What is asked for: raw PCM16 at 24 kHz, or a WAV of any rate.
    """

    rate = 24_000

    def __init__(self, upstream: Upstream, *, voice: str = "", wanted: Format = "pcm") -> None:
        self._upstream = upstream
        self._voice = voice
        self._wanted = wanted

    @property
    def name(self) -> str:
        """The model and where it is."""
        return self._upstream.label

    async def speak(
        self, text: str, *, voice: str, speed: float = 1.0, language: str = "en"
    ) -> AsyncIterator[bytes]:
        """Say `text`: mono PCM16 at 24 kHz, as it comes. Closing the iterator cuts the connection.

        Raises:
            EngineError: It cannot be reached, refuses, or sends what is not sound.
        """
        if not any(letter.isalnum() for letter in text):
            return
        about = await self._upstream.about()
        body: dict[str, Any] = {
            "model": await self._upstream.model(),
            "input": text.strip(),
            "voice": self._voice or _known(voice, about),
            "response_format": self._wanted,
        }
        if speed != 1.0:
            body["speed"] = speed
        silent = True
        async with self._upstream.post("/audio/speech", json=body) as response:
            kind = response.headers.get("content-type", "")
            if "json" in kind or kind.startswith("text/"):
                raise self._upstream.nonsense(f"sent {kind.partition(';')[0]} in place of sound")
            sound = Sound(self.rate, raw=_rate(about) or self.rate)
            try:
                async for data in response.aiter_bytes():
                    if pcm := sound.feed(data):
                        silent = False
                        yield pcm
                if pcm := sound.end():
                    silent = False
                    yield pcm
            except ValueError as error:
                raise self._upstream.nonsense(f"sent {error}") from None
        if silent:
            raise self._upstream.nonsense("sent no sound")

    async def check(self) -> str | None:
        """What does not work now; None when all does."""
        return await self._upstream.check()

    async def close(self) -> None:
        """Close the connections."""
        await self._upstream.close()


def _known(voice: str, about: Mapping[str, Any]) -> str:
    """The session's voice, or the model's first where the server lists them without that one."""
    listed = about.get("voices")
    names = [one.get("name") for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
    return voice if voice in names or not names or not isinstance(names[0], str) else names[0]


def _rate(about: Mapping[str, Any]) -> int | None:
    """Hertz of the model's raw sound, where the server tells; speaches' Piper has 16 000 or 22 050."""
    rate = about.get("sample_rate")
    return rate if isinstance(rate, int) and rate in _RATES else None


class Sound:
    """Bytes in any portions to mono PCM16: raw, or a WAV, which is known by its first bytes.

    Args:
        rate: Hertz wanted.
        raw: Hertz of raw sound; the same unless told.
    """

    def __init__(self, rate: int, *, raw: int | None = None) -> None:
        self._rate = rate
        self._raw = raw or rate
        self._head: bytes | None = b""  # until it is known what comes
        self._rest = b""
        self._channels = 1
        self._left: int | None = None  # bytes of samples to come, where the header says how many
        self._resampler: soxr.ResampleStream | None = None

    def feed(self, data: bytes) -> bytes:
        """The samples that are whole by now.

        Raises:
            ValueError: It is not sound that can be read; the words say what it is.
        """
        if self._head is not None:
            data = self._head = self._head + data
            if len(data) < 12:
                return b""
            if (begun := self._begin(data)) is None:
                return b""
            data, self._head = begun, None
        return self._samples(data)

    def end(self) -> bytes:
        """What is left.

        Raises:
            ValueError: It ended in the middle of a sample.
        """
        if self._head is not None:  # shorter than any header
            if self._head.startswith(b"RIFF"):
                raise ValueError("a WAV without samples")
            head, self._head = self._head, None
            self._come_at(self._raw)
            begun = self._samples(head)
        else:
            begun = b""
        if self._rest:
            raise ValueError("sound that ends in the middle of a sample")
        if self._resampler is None:
            return begun
        return begun + bytes(self._resampler.resample_chunk(np.zeros(0, "<i2"), last=True).tobytes())

    def _begin(self, data: bytes) -> bytes | None:
        """The sound behind the header; None while that is not whole."""
        for magic, name in _OTHER.items():
            if data.startswith(magic):
                raise ValueError(f"{name}, which is not spoken here: try --tts-format wav")
        if not data.startswith(b"RIFF"):
            self._come_at(self._raw)
            return data
        at = 12
        while at + 8 <= len(data):
            chunk, size = data[at : at + 4], int.from_bytes(data[at + 4 : at + 8], "little")
            if chunk == b"data":
                # A streamed WAV does not know its size and says 0 or nearly 2 or 4 GB: they go on to the end.
                self._left = size if 0 < size < 0x7FFF_0000 else None
                return data[at + 8 :]
            if chunk == b"fmt ":
                if len(data) < at + 24:
                    return None
                self._format(data[at + 8 : at + 24])
            at += 8 + size + size % 2
        if at > _HEADER_MOST:
            raise ValueError("a WAV without samples")
        return None

    def _format(self, fmt: bytes) -> None:
        self._channels = int.from_bytes(fmt[2:4], "little")
        rate, bits = int.from_bytes(fmt[4:8], "little"), int.from_bytes(fmt[14:16], "little")
        if bits != 16 or self._channels not in (1, 2) or rate not in _RATES:
            raise ValueError(f"a WAV of {bits} bits, {self._channels} channels and {rate} Hz, not of 16-bit PCM")
        self._come_at(rate)

    def _come_at(self, rate: int) -> None:
        if rate != self._rate:
            self._resampler = soxr.ResampleStream(rate, self._rate, 1, dtype="int16", quality="MQ")

    def _samples(self, data: bytes) -> bytes:
        if self._left is not None:  # behind the samples may be other chunks
            data = data[: self._left]
            self._left -= len(data)
        data = self._rest + data
        whole = len(data) - len(data) % (2 * self._channels)
        data, self._rest = data[:whole], data[whole:]
        if self._channels == 2:
            data = np.frombuffer(data, "<i2").reshape(-1, 2).mean(axis=1).astype("<i2").tobytes()
        if self._resampler is None or not data:
            return data
        return bytes(self._resampler.resample_chunk(np.frombuffer(data, "<i2")).tobytes())
