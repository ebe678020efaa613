"""What the wire costs: reading a frame, against the openai package's reading of the same one, and writing one.

Run: `python tests/bench/bench_wire.py`. The aim is a tenth of the openai package's time; figures are the best of
several rounds, in microseconds.
"""

from __future__ import annotations

import base64
import json
import os
import timeit
from collections.abc import Callable
from typing import Any, cast

from openai._models import construct_type_unchecked
from openai.types.realtime import RealtimeServerEvent

from rtchat.protocol import wire
from rtchat.protocol.client_events import InputAudioAppend

PART = {"event_id": "event_x", "response_id": "resp_x", "item_id": "item_x", "output_index": 0, "content_index": 0}


def frame(kind: str, delta: str) -> bytes:
    return json.dumps({"type": kind, **PART, "delta": delta}).encode()


def openai_reads(data: bytes) -> Any:
    """What `AsyncRealtimeConnection.parse_event` does."""
    union = cast(Any, RealtimeServerEvent)
    return construct_type_unchecked(value=json.loads(data), type_=union)


def openai_reads_sound(data: bytes) -> bytes:
    """The same, and the sound in it, as everyone who plays it has to."""
    return base64.b64decode(openai_reads(data).delta)


def best(call: Callable[[], object]) -> float:
    """Microseconds of one call, in the best of seven rounds."""
    number = 200
    return min(timeit.repeat(call, number=number, repeat=7)) / number * 1e6


def compare(name: str, ours: Callable[[], object], theirs: Callable[[], object]) -> None:
    mine, other = best(ours), best(theirs)
    print(f"{name:32} rtchat {mine:7.1f} µs   openai package {other:7.1f} µs   {other / mine:5.1f} times faster")


def main() -> None:
    sound = os.urandom(4800)
    audio = frame("response.output_audio.delta", base64.b64encode(sound).decode())
    text = frame("response.output_text.delta", " hello")
    transcript = frame("response.output_audio_transcript.delta", " hello")
    assert getattr(wire.decode_server_event(audio), "delta", None) == openai_reads_sound(audio) == sound
    compare("decode 100 ms of audio", lambda: wire.decode_server_event(audio), lambda: openai_reads_sound(audio))
    compare("decode a text delta", lambda: wire.decode_server_event(text), lambda: openai_reads(text))
    compare(
        "decode a transcript delta", lambda: wire.decode_server_event(transcript), lambda: openai_reads(transcript)
    )
    chunk = InputAudioAppend(audio=sound[:960])
    long = InputAudioAppend(audio=sound)
    print(f"{'encode 20 ms of audio':32} rtchat {best(lambda: wire.encode(chunk)):7.1f} µs")
    print(f"{'encode 100 ms of audio':32} rtchat {best(lambda: wire.encode(long)):7.1f} µs")
    made = best(lambda: wire.encode(InputAudioAppend(audio=sound[:960])))
    print(f"{'build and encode 20 ms of audio':32} rtchat {made:7.1f} µs")


if __name__ == "__main__":
    main()
