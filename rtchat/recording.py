"""One session on disk: a folder, written as it happens.

::

    2026-11-20T15-40-37-3f9a/
        session.json   what was asked for, on what, and what came of it; no secrets
        events.jsonl   one line an event: {"t": 1.204, "dir": "sent"|"received", "event": {…}}
        audio.wav      24 kHz, 16 bit, stereo, one clock: left the microphone, right the loudspeaker

`t` is seconds on the session's clock. Sound inside an event is replaced by its size, `{"bytes": 4800}` (decoded);
what was said and what was really heard is in `audio.wav`. A frame that was no event is `"frame": "<its text>"`
instead of `"event"`. Authorizations of MCP tools are replaced by `…`.

Whoever calls only appends to a queue; a thread of its own does the writing, ten times a second, data before
headers. So a process that is killed leaves a folder that can be read, up to a tenth of a second ago; the last line
of `events.jsonl` may be cut, and `read_events` passes over it.
"""

from __future__ import annotations

import contextlib
import json
import platform
import re
import secrets
import struct
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO, Final, Literal

import numpy as np

from rtchat import __version__
from rtchat.chunk import WIRE
from rtchat.errors import RtchatError, UsageError

Side = Literal["microphone", "loudspeaker"]
Direction = Literal["sent", "received"]

_BEAT: Final = 0.1  # seconds between two writes
_MOST_WAITING: Final = 20_000  # entries; minutes of a session, should the disk hang
_WAV_HEADER: Final = 44
_WAV_LIMIT: Final = 0xFFFFFFFF - _WAV_HEADER  # bytes; 12 hours
_FRAME: Final = 2 * WIRE.frame_bytes
_SECRET = re.compile(r"(^|_|-)(key|token|secret|password|authorization)$", re.IGNORECASE)
_SECRET_IN_ADDRESS = re.compile(
    r"([?&][^=&\s]*(?:key|token|secret|password)=|://[^/@\s]*:(?=[^/@\s]*@))[^&#@\s]+", re.I
)
_HIDDEN = "…"


class Recording:
    """A recording under way; `start` begins one, `close` ends it. Any thread may call `event` and `tap`.

    Attributes:
        folder: Where it is.
        trouble: Why writing stopped before the end (a full disk); None while all is well. The session goes on.
        dropped: Entries lost because the disk could not keep up.
    """

    def __init__(
        self, folder: Path, about: dict[str, Any], on_trouble: Callable[[RtchatError], None] | None
    ) -> None:
        self.folder = folder
        self.trouble: RtchatError | None = None
        self.dropped = 0
        self._about = about
        self._on_trouble = on_trouble
        self._events: deque[tuple[float, Direction, str | bytes]] = deque()
        self._sound: deque[tuple[Side, int, bytes]] = deque()
        self._about_changed = False
        self._closing = threading.Event()
        self._lines = (folder / "events.jsonl").open("xb", buffering=0)
        self._wav = _StereoWav(folder / "audio.wav")
        self._thread = threading.Thread(target=self._write_until_closed, name="recording", daemon=True)

    @classmethod
    def start(
        cls,
        folder: Path,
        settings: Mapping[str, Any],
        *,
        on_trouble: Callable[[RtchatError], None] | None = None,
    ) -> Recording:
        """Begin a recording in a new folder inside `folder`, named for the time and a short id.

        Args:
            folder: Where recordings are kept; made if it is not there.
            settings: JSON values; members that are named like secrets are hidden all the same.
            on_trouble: Told once, on the writing thread, when writing has to stop.

        Raises:
            UsageError: Nothing can be written there.
        """
        began = datetime.now().astimezone()
        own = folder / f"{began:%Y-%m-%dT%H-%M-%S}-{secrets.token_hex(2)}"
        about = {
            "rtchat": __version__,
            "python": platform.python_version(),
            "system": platform.platform(),
            "began": began.isoformat(timespec="milliseconds"),
            "ended": None,
            "settings": _without_secrets(dict(settings)),
            "totals": None,
        }
        try:
            own.mkdir(parents=True)
            recording = cls(own, about, on_trouble)
            recording._write_about()
        except OSError as error:
            raise UsageError(
                f"No recording can be written in {folder}: {error.strerror}.",
                hint="Name another folder with --sessions-dir, or leave out --record.",
            ) from error
        recording._thread.start()
        return recording

    def event(self, t: float, direction: Direction, frame: str | bytes) -> None:
        """Note a frame as it crossed the wire, `t` seconds into the session."""
        self._put(self._events, (t, direction, frame))

    def tap(self, side: Side, start: int, pcm: bytes) -> None:
        """Note sound, 24 kHz mono PCM16, that began `start` samples into the session.

        The sides may come in any order, and pieces late; what nobody noted is silence.
        """
        self._put(self._sound, (side, start, pcm))

    def describe(self, **facts: Any) -> None:
        """Add to `session.json` what is known only now: devices, the server's session id."""
        self._about = {**self._about, **_without_secrets(facts)}
        self._about_changed = True

    def close(self, totals: Mapping[str, Any] | None = None) -> None:
        """Write what is waiting, and the totals; at most 5 seconds. Calling it again does nothing."""
        if self._closing.is_set():
            return
        ended = datetime.now().astimezone().isoformat(timespec="milliseconds")
        trouble = self.trouble.message if self.trouble else None
        figures = {**(totals or {}), "dropped": self.dropped, "trouble": trouble}
        self._about = {**self._about, "ended": ended, "totals": figures}
        self._closing.set()
        self._thread.join(timeout=5)

    def _put(self, queue: deque[Any], entry: Any) -> None:
        if self.trouble is not None or self._closing.is_set():
            return
        if len(queue) >= _MOST_WAITING:
            self.dropped += 1
            return
        queue.append(entry)

    # --- the writing thread -------------------------------------------------------------------------------

    def _write_until_closed(self) -> None:
        try:
            while not self._closing.wait(_BEAT):
                self._write()
            self._write()
        except OSError as error:
            self._stop(error)
            self._closing.wait()
        finally:
            self._lines.close()
            self._wav.close()
        with contextlib.suppress(OSError):
            self._write_about()

    def _write(self) -> None:
        # A call for each line, not one for all: each lets go of the interpreter, which the event loop may want.
        for _ in range(len(self._events)):
            _write_whole(self._lines, _line(*self._events.popleft()))
        taken = [self._sound.popleft() for _ in range(len(self._sound))]
        if taken:
            self._wav.write(taken)
        if self._about_changed:
            self._about_changed = False
            self._write_about()

    def _write_about(self) -> None:
        """`session.json`, whole or not at all."""
        path = self.folder / "session.json"
        fresh = path.with_suffix(".json.new")
        fresh.write_text(
            json.dumps(self._about, indent=2, ensure_ascii=False, default=str) + "\n", encoding="utf-8"
        )
        fresh.replace(path)

    def _stop(self, error: OSError) -> None:
        self.trouble = RtchatError(
            f"The recording stopped: {error.strerror or error}.", hint=f"What there is of it is in {self.folder}."
        )
        self._events.clear()
        self._sound.clear()
        if self._on_trouble is not None:
            self._on_trouble(self.trouble)


class _StereoWav:
    """Two mono sides in one WAV file, each written at its own place; the header always matches what is there."""

    _CHANNEL: Final = {"microphone": 0, "loudspeaker": 1}

    def __init__(self, path: Path) -> None:
        self._file = path.open("x+b", buffering=0)
        self._bytes = 0
        self._write_header()

    def write(self, pieces: list[tuple[Side, int, bytes]]) -> None:
        """Put pieces of sound where they belong, then the size into the header, of what a full disk took too."""
        try:
            for side, start, pcm in pieces:
                samples = np.frombuffer(pcm[: len(pcm) - len(pcm) % 2], dtype="<i2")
                samples = samples[max(0, -start) :]
                self._place(self._CHANNEL[side], max(0, start), samples)
        finally:
            self._write_header()

    def close(self) -> None:
        self._file.close()

    def _place(self, channel: int, start: int, samples: np.ndarray[Any, np.dtype[np.int16]]) -> None:
        end = (start + len(samples)) * _FRAME
        if not len(samples) or end > _WAV_LIMIT:
            return
        both = np.zeros((len(samples), 2), dtype="<i2")
        self._file.seek(_WAV_HEADER + start * _FRAME)
        there = self._file.read(both.nbytes) or b""
        both.reshape(-1)[: len(there) // 2] = np.frombuffer(there, dtype="<i2")
        both[:, channel] = samples
        self._file.seek(_WAV_HEADER + start * _FRAME)
        _write_whole(self._file, both.tobytes())
        self._bytes = max(self._bytes, end)

    def _write_header(self) -> None:
        riff = struct.pack("<4sI4s", b"RIFF", 36 + self._bytes, b"WAVE")
        shape = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 2, WIRE.rate, WIRE.rate * _FRAME, _FRAME, 16)
        self._file.seek(0)
        _write_whole(self._file, riff + shape + struct.pack("<4sI", b"data", self._bytes))


def read_events(folder: Path) -> Iterator[dict[str, Any]]:
    """The lines of `events.jsonl`, without a last one that was cut.

    Raises:
        UsageError: There is no such recording.
    """
    try:
        file = (folder / "events.jsonl").open("rb")
    except OSError as error:
        raise UsageError(
            f"{folder} is not a recording: {error.strerror}.", hint="See all of them with: rtchat sessions list"
        ) from error
    with file:
        for line in file:
            if line.endswith(b"\n"):
                yield json.loads(line)


def _line(t: float, direction: Direction, frame: str | bytes) -> bytes:
    """One line of `events.jsonl`."""
    entry: dict[str, Any] = {"t": round(t, 6), "dir": direction}
    try:
        event = json.loads(frame)
        whole = {**entry, "event": _without_sound(event)} if isinstance(event, dict) else None
    except (ValueError, RecursionError):
        whole = None
    if whole is None:
        whole = {**entry, "frame": frame if isinstance(frame, str) else frame.decode("utf-8", "replace")}
    return _json(whole).encode("utf-8", "replace") + b"\n"


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _without_sound(event: dict[str, Any]) -> dict[str, Any]:
    """The event with its sound replaced by its size, and without authorizations. Changes it in place."""
    kind = event.get("type")
    if isinstance(kind, str) and kind.endswith(("audio.delta", "audio_buffer.append")):
        for name in ("delta", "audio"):
            if isinstance(event.get(name), str):
                event[name] = _size(event[name])
        return event
    _replace_deep(event)
    return event


def _replace_deep(value: Any) -> None:
    """Sound in the content of items, keys in the description of tools."""
    if isinstance(value, list):
        for member in value:
            _replace_deep(member)
    elif isinstance(value, dict):
        for name, member in value.items():
            if name == "audio" and isinstance(member, str):
                value[name] = _size(member)
            elif name == "authorization" and member is not None:
                value[name] = _HIDDEN
            elif name == "headers" and isinstance(member, dict):
                value[name] = dict.fromkeys(member, _HIDDEN)
            else:
                _replace_deep(member)


def _size(base64_text: str) -> dict[str, int]:
    return {"bytes": len(base64_text) * 3 // 4 - base64_text[-2:].count("=")}


def _without_secrets(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Members named like secrets are hidden, on every level; so are those in the addresses."""
    return {
        name: _HIDDEN if value is not None and _SECRET.search(name) else _value_without_secrets(value)
        for name, value in facts.items()
    }


def _value_without_secrets(value: Any) -> Any:
    if isinstance(value, Mapping):
        return _without_secrets(value)
    if isinstance(value, list | tuple):
        return [_value_without_secrets(member) for member in value]
    if isinstance(value, str):
        return _SECRET_IN_ADDRESS.sub(lambda found: f"{found[1]}{_HIDDEN}", value)
    return value


def _write_whole(file: BinaryIO | Any, data: bytes) -> None:
    """All of `data` or an OSError; an unbuffered file may take only a part (the last bytes of a full disk)."""
    view = memoryview(data)
    while view:
        view = view[file.write(view) :]
