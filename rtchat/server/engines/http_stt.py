"""A recogniser behind `/v1/audio/transcriptions`: a WAV up, its words back."""

from __future__ import annotations

import io
import json
import wave

from rtchat.server.engines.base import Transcript
from rtchat.server.engines.upstream import Upstream


class HttpSpeechToText:
    """`SpeechToText` over HTTP.

    Args:
        upstream: Where.
    """

    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream

    @property
    def name(self) -> str:
        """The model and where it is."""
        return self._upstream.label

    async def transcribe(
        self, pcm: bytes, rate: int, *, language: str | None = None, grammar: str | None = None
    ) -> Transcript:
        """Recognise one turn of speech, see `SpeechToText`. Cancelling it cuts the connection.

        Raises:
            EngineError: It cannot be reached, refuses, or answers nonsense.
        """
        if not pcm:
            return Transcript("")
        fields = {"model": await self._upstream.model(), "response_format": "json"}
        if language:
            fields["language"] = language.lower().split("-")[0]
        files = {"file": ("speech.wav", in_wav(pcm, rate), "audio/wav")}
        async with self._upstream.post("/audio/transcriptions", data=fields, files=files) as response:
            body = await response.aread()
        try:
            heard = json.loads(body)
        except ValueError:
            raise self._upstream.nonsense("sent something that is not JSON") from None
        if not isinstance(heard, dict) or not isinstance(heard.get("text"), str):
            raise self._upstream.nonsense("sent no text")
        return Transcript(" ".join(heard["text"].split()), str(heard.get("language") or language or "en"))

    async def check(self) -> str | None:
        """What does not work now; None when all does."""
        return await self._upstream.check()

    async def close(self) -> None:
        """Close the connections."""
        await self._upstream.close()


def in_wav(pcm: bytes, rate: int) -> bytes:
    """Mono PCM16 as a WAV file."""
    file = io.BytesIO()
    with wave.open(file, "wb") as written:
        written.setnchannels(1)
        written.setsampwidth(2)
        written.setframerate(rate)
        written.writeframes(pcm)
    return file.getvalue()
