"""The sound of a session: one microphone, one loudspeaker, each a device or a file, behind one door.

=====================  ==============================  ======================================
resource               acquired                        released
=====================  ==============================  ======================================
devices, by `Keeper`   `__aenter__`                    `__aexit__`, or a failing `__aenter__`
output WAV             `__aenter__`                    the same
pump, keeper, files    `__aenter__`, a task for each   the same, cancelled and awaited
=====================  ==============================  ======================================
"""

from __future__ import annotations

import asyncio
import sys
import threading
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Literal, Self

from rtchat.audio.cautions import Caution as Caution
from rtchat.audio.cautions import Listener
from rtchat.audio.clock import Track
from rtchat.audio.files import WavWriter, play_as_microphone, read_wav, record_as_loudspeaker
from rtchat.audio.keeper import Keeper
from rtchat.audio.microphone import Microphone
from rtchat.audio.near_end import EchoNews, NearEnd
from rtchat.audio.near_end_loader import CancelEcho, load_near_end
from rtchat.audio.speaker import Speaker
from rtchat.audio.stream import now
from rtchat.chunk import WIRE, AudioFormat, level_dbfs
from rtchat.conversation.signals import Captured, DeviceFound, DeviceLost, Drained, EchoChanged, Heard
from rtchat.errors import DeviceError, RtchatError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine
    from pathlib import Path
    from types import TracebackType

    from rtchat.audio.barge_in import Voice
    from rtchat.audio.devices import Side

    Tap = Callable[[Literal["microphone", "loudspeaker"], int, bytes], None]
    """(side, first sample at 24 kHz since the session's sound began, 24 kHz mono PCM16), on the event loop."""

REPORT_SECONDS = 0.05
"""How often the heard position is told while something plays."""

_IDLE_SECONDS = 0.5
_KEPT_CHUNKS = 250


@dataclass(frozen=True, slots=True)
class SoundRequest:
    """What a session wants to hear and say with.

    Attributes:
        capture: A microphone is wanted.
        playback: A loudspeaker is wanted.
        input_device: Number or part of the name of the microphone; None for the default.
        output_device: Number or part of the name of the loudspeaker; None for the default.
        input_wav: A file as the microphone, in real time; `-` is standard input.
        output_wav: A file as the loudspeaker, in real time; `-` is standard output.
        echo: Whether the echo of the loudspeaker in the microphone is cancelled.
        barge_in: The user's voice is to be told while the loudspeaker sounds. Like the echo, only between devices.
        sensitivity: How easily a voice is taken for an interruption.
        auto_gain: The microphone's level is to be evened out.
    """

    capture: bool = True
    playback: bool = True
    input_device: str | None = None
    output_device: str | None = None
    input_wav: Path | None = None
    output_wav: Path | None = None
    echo: CancelEcho = "no"
    barge_in: bool = False
    sensitivity: Literal["low", "medium", "high"] = "medium"
    auto_gain: bool = False


Report = Heard | Drained | EchoChanged | DeviceLost | DeviceFound | Caution | DeviceError
"""What `Sound.reports` tells. A `DeviceError` is the last: sound has ended."""


class Sound:
    """Opens in `async with`, and always lets go of everything at its end.

    Args:
        request: What is wanted.
        tap: Sees all that was recorded and all that left the loudspeaker, on one clock, for a recording.

    Attributes:
        tap: The same; may be set or replaced at any time.
        input_name: What records, for people; empty where nothing does.
        output_name: What plays, for people; empty where nothing does.

    Raises:
        DeviceError: From `async with`: no such device, a busy one, or PyAudio is missing.
        UsageError: From `async with`: a file that cannot be read or written.
    """

    def __init__(self, request: SoundRequest, tap: Tap | None = None) -> None:
        self.tap = tap
        self.input_name = ""
        self.output_name = ""
        self._request = request
        self._stack = AsyncExitStack()
        self._begin = now()
        self._recorded, self._played = Track(), Track()
        self._keeper: Keeper | None = None
        self._listener: Listener | None = None
        self._near_end = NearEnd()
        self._echo_news: EchoNews | None = None
        self._speaker = Speaker(WIRE)
        self._file_pcm: bytes | None = None
        self._last_chunk = b""
        self._captured: asyncio.Queue[Captured | Voice | None] = asyncio.Queue()
        self._reports: asyncio.Queue[Report | Exception | None] = asyncio.Queue()
        self._wake = asyncio.Event()
        self._closed = False
        self._told: set[str] = set()

    async def __aenter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        self._begin = now()
        try:
            await self._open()
        except BaseException:
            await self._close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._close()

    # --- the microphone -----------------------------------------------------------------------------------

    async def microphone(self) -> AsyncIterator[Captured | Voice]:
        """What is recorded, as it is: `Captured` for each 20 ms, 24 kHz mono PCM16, without the loudspeaker in it.

        What a chunk tells of the user's voice while the loudspeaker sounds comes before it.

        Ends when the input file has ended (after `files.TRAILING_SILENCE_MS`), when the sound is closed, and at
        once when no microphone was asked for. A device that is lost is told by `reports`; this waits.
        A reader that is more than 5 s behind loses the oldest chunks.
        """
        if self._file_pcm is not None:
            async for at, chunk in play_as_microphone(self._file_pcm):
                for signal in self._heard(at, chunk):
                    yield signal
            return
        if not self._request.capture:
            return
        while (captured := await self._captured.get()) is not None:
            yield captured

    def mute(self, muted: bool) -> None:
        """Silence in place of all that the microphone hears: it is not recorded, not shown, not told."""
        self._near_end.muted = muted

    def _on_block(self, microphone: Microphone, block: bytes, at: float) -> None:
        """A block of the device has arrived; on the event loop."""
        self._pass_on_played()
        if self._listener and (caution := self._listener.hear(block, self.called("microphone"))):
            self._caution(caution)
        for begins, chunk in microphone.feed(block, at):
            for signal in self._heard(begins, chunk):
                if self._captured.qsize() >= _KEPT_CHUNKS:
                    self._forget_chunks()
                self._captured.put_nowait(signal)

    def _heard(self, at: float, chunk: bytes) -> list[Captured | Voice]:
        try:
            signals = self._near_end.feed(at, chunk)
        except DeviceError as error:  # the canceller broke
            self._go_half_duplex(error)
            signals = [Captured(chunk)]
        for signal in signals:
            if isinstance(signal, Captured):
                self._note_chunk(at, signal.pcm)
        return signals

    def _forget_chunks(self) -> None:
        """Nobody reads: what was said of the voice stays, its sound goes."""
        kept = [self._captured.get_nowait() for _ in range(self._captured.qsize())]
        for signal in kept:
            if not isinstance(signal, Captured):
                self._captured.put_nowait(signal)

    def _note_chunk(self, at: float, chunk: bytes) -> None:
        self._last_chunk = chunk
        if self.tap is not None:
            self.tap("microphone", *self._recorded.place(at - self._begin, chunk))

    def _capture(self, form: AudioFormat) -> Callable[[bytes, float], None]:
        """The receiver of the microphone's blocks, for a device of this format."""
        microphone = Microphone(form)
        self._listener = Listener(form, sys.platform)

        def on_capture(block: bytes, at: float) -> None:
            if not self._closed:
                self._loop.call_soon_threadsafe(self._on_block, microphone, block, at)

        return on_capture

    # --- the loudspeaker ----------------------------------------------------------------------------------

    def play(self, item_id: str, content_index: int, pcm: bytes) -> None:
        """Queue sound of a part: 24 kHz mono PCM16, any number of bytes. Never blocks.

        Without a loudspeaker (`playback=False`) it is dropped, and nothing is ever heard.
        """
        if self._request.playback:
            self._speaker.play(item_id, content_index, pcm, now())
            self._wake.set()

    def drain(self, item_id: str) -> None:
        """No more sound of this item comes: play what there is without waiting for a full prebuffer.

        Call it at the end of each item's sound. `Drained` always follows, at once when all was heard already.
        """
        if self._request.playback:
            self._speaker.drain(item_id)
            self._wake.set()

    def flush(self) -> float:
        """Fade out in 12 ms, then be silent; what was queued is forgotten. `Drained` follows what sounded.

        Returns:
            Seconds until the loudspeaker is silent, by the device's clock; 0.0 when it is.
        """
        silent_at = self._speaker.flush()
        self._wake.set()
        return 0.0 if silent_at is None else max(0.0, silent_at - now())

    def duck(self) -> float:
        """Turn the loudspeaker down (`Speaker.duck`).

        Returns:
            Seconds until it is down, by the device's clock; 0.0 when nothing sounds.
        """
        down_at = self._speaker.duck()
        return 0.0 if down_at is None else max(0.0, down_at - now())

    def restore(self) -> None:
        """Turn the loudspeaker up again."""
        self._speaker.restore()

    def cut_points(self) -> list[Heard]:
        """What will have been heard of each queued or sounding part if `flush` were called now.

        It counts what the device has taken and half of the fade, and is never more than was given to `play`.
        """
        return self._speaker.cut_points()

    async def reports(self) -> AsyncIterator[Report]:
        """What happens, for one reader.

        `Heard` about every 50 ms while something plays, and at the end of each part, then with all of it. `Drained`
        when all that was played has left the loudspeaker. `DeviceLost` when there is nothing to record from, or to
        play to; what is queued waits. `DeviceFound` when there is again, or when another device serves. `Caution`
        when something is odd, once for each kind. `DeviceError` when sound cannot go on; it is the last. Ends when
        the sound is closed.
        """
        while (report := await self._reports.get()) is not None:
            if isinstance(report, Exception) and not isinstance(report, DeviceError):
                raise report
            yield report
            if isinstance(report, DeviceError):
                return

    @property
    def levels(self) -> tuple[float, float]:
        """(microphone, loudspeaker) now, RMS in dBFS, -96 for silence."""
        return level_dbfs(self._last_chunk), self._speaker.level

    def called(self, side: Side) -> str:
        """What people call the device, where a sound server is in between too; empty where there is none."""
        name = self._keeper.serving.get(side) if self._keeper else None
        return name or (self.input_name if side == "microphone" else self.output_name)

    @property
    def underruns(self) -> int:
        """Gaps in the middle of an item, because its sound came too late."""
        return self._speaker.underruns

    @property
    def buffer_ms(self) -> int:
        """How much sound an answer waits for before it starts, and after a gap: more where it comes unevenly."""
        return round(self._speaker.target_ms)

    @property
    def device_flags(self) -> int:
        """Times that a device said it had lost or missed sound."""
        return self._keeper.flags if self._keeper else 0

    def _playback(self, form: AudioFormat, since: float | None = None) -> Callable[[int, float], bytes]:
        """The source of the loudspeaker's blocks, for a device of this format.

        Args:
            form: Its rate and channels.
            since: Seconds at which the one before it played for the last time, None for the first.
        """
        if since is None:
            self._speaker = Speaker(form, threading.Lock())
        else:  # what is queued, and what that one took with it, goes on at this one
            self._speaker.move(form, since)
        return self._speaker.read

    # --- inside -------------------------------------------------------------------------------------------

    async def _open(self) -> None:
        request = self._request
        if request.capture and request.input_wav is not None:
            self._file_pcm = await asyncio.to_thread(read_wav, request.input_wav)
            self.input_name = str(request.input_wav)
        if request.playback and request.output_wav is not None:
            writer = WavWriter(request.output_wav)
            self._stack.callback(writer.close)
            self.output_name = str(request.output_wav)
            self._start(partial(record_as_loudspeaker, writer, self._playback(WIRE)))
        wants_microphone = request.capture and request.input_wav is None
        wants_loudspeaker = request.playback and request.output_wav is None
        if wants_microphone or wants_loudspeaker:
            await self._open_devices(wants_microphone, wants_loudspeaker)
        self._start(self._pump)

    async def _open_devices(self, capture: bool, playback: bool) -> None:
        keeper = Keeper(self._capture if capture else None, self._playback if playback else None, self._note_device)
        self._stack.push_async_callback(keeper.close)
        opening = keeper.open(self._request.input_device, self._request.output_device)
        await asyncio.gather(opening, self._load_near_end() if capture and playback else asyncio.sleep(0))
        self._keeper = keeper
        self._note_names(keeper)
        self._start(keeper.keep)
        self._start(keeper.watch)

    async def _load_near_end(self) -> None:
        request = self._request
        loaded = await asyncio.to_thread(
            load_near_end,
            request.echo,
            barge_in=request.barge_in,
            sensitivity=request.sensitivity,
            auto_gain=request.auto_gain,
        )
        self._near_end, self._echo_news = loaded.near_end, loaded.news
        if loaded.trouble is not None:
            self._go_half_duplex(loaded.trouble)

    def _go_half_duplex(self, why: RtchatError) -> None:
        """There is no canceller (any more): the microphone has to be shut while the assistant speaks."""
        self._near_end, self._echo_news = NearEnd(), None
        self._reports.put_nowait(Caution(why.message, why.hint))
        self._reports.put_nowait(EchoChanged("half-duplex", None))

    def _note_device(self, report: DeviceLost | DeviceFound | Caution) -> None:
        if isinstance(report, Caution):
            self._caution(report)
            return
        if self._keeper is not None:
            self._note_names(self._keeper)
        if isinstance(report, DeviceFound) and report.side == "microphone" and self._listener is not None:
            self._listener.begin_anew()
        self._reports.put_nowait(report)

    def _caution(self, caution: Caution) -> None:
        """Tell it, once."""
        if caution.message not in self._told:
            self._told.add(caution.message)
            self._reports.put_nowait(caution)

    def _note_names(self, keeper: Keeper) -> None:
        self.input_name = keeper.names.get("microphone", self.input_name)
        self.output_name = keeper.names.get("loudspeaker", self.output_name)

    def _start(self, work: Callable[[], Coroutine[None, None, None]]) -> None:
        """Run a task until the sound is closed; what goes wrong in it is reported."""
        task = asyncio.create_task(self._guarded(work))
        self._stack.push_async_callback(_end, task)

    async def _guarded(self, work: Callable[[], Coroutine[None, None, None]]) -> None:
        try:
            await work()
        except DeviceError as error:
            self._reports.put_nowait(error)
        except OSError as error:
            self._reports.put_nowait(
                DeviceError(
                    f"{self.output_name} cannot be written: {(error.strerror or str(error)).lower()}.",
                    hint="Free some space, or give another file with --output-wav.",
                )
            )
        except Exception as error:
            self._reports.put_nowait(error)

    async def _pump(self) -> None:
        """Tell what was heard and what went wrong, until cancelled."""
        while True:
            self._wake.clear()
            for report in self._speaker.heard(now()):
                self._reports.put_nowait(report)
            self._pass_on_played()
            if self._echo_news is not None and (news := self._echo_news.look()) is not None:
                self._reports.put_nowait(news)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), self._pause())

    def _pass_on_played(self) -> None:
        """Give what the loudspeaker has taken to who wants it."""
        for begins, pcm in self._speaker.take_played():
            self._near_end.played(begins, pcm)
            if self.tap is not None:
                self.tap("loudspeaker", *self._played.place(begins - self._begin, pcm))

    def _pause(self) -> float:
        if not self._speaker.busy:
            return _IDLE_SECONDS
        ends = self._speaker.ends_at
        return REPORT_SECONDS if ends is None else min(REPORT_SECONDS, max(0.002, ends - now()))

    async def _close(self) -> None:
        self._closed = True
        await self._stack.aclose()
        self._captured.put_nowait(None)
        self._reports.put_nowait(None)


async def _end(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.wait([task])
