"""The sound of a session: one microphone, one loudspeaker, each a device or a file, behind one door.

=========================  ==============================  ======================================
resource                   acquired                        released
=========================  ==============================  ======================================
devices, by `Keeper`       `__aenter__`                    `__aexit__`, or a failing `__aenter__`
output WAV                 `__aenter__`                    the same
tasks: one of each side,   `__aenter__`                    the same, cancelled and awaited
keepers, files
=========================  ==============================  ======================================
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Self

from rtchat.audio.cautions import Caution as Caution
from rtchat.audio.files import WavWriter, play_as_microphone, read_wav, record_as_loudspeaker
from rtchat.audio.keeper import Keeper
from rtchat.audio.loudspeaker_side import LoudspeakerSide
from rtchat.audio.microphone_side import MicrophoneSide
from rtchat.audio.near_end_loader import CancelEcho, NearEndLoader
from rtchat.audio.stream import now
from rtchat.audio.tape import Tape
from rtchat.chunk import WIRE
from rtchat.conversation.signals import Captured, DeviceFound, DeviceLost, Drained, EchoChanged, Heard
from rtchat.errors import DeviceError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine
    from pathlib import Path
    from types import TracebackType

    from rtchat.audio.barge_in import Sensitivity, Voice
    from rtchat.audio.devices import Side
    from rtchat.audio.tape import Tap


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
    sensitivity: Sensitivity = "medium"
    auto_gain: bool = False


Report = Heard | Drained | EchoChanged | DeviceLost | DeviceFound | Caution | DeviceError
"""What `Sound.reports` tells. A `DeviceError` is the last: sound has ended."""


class Sound:
    """Opens in `async with`, and always lets go of everything at its end.

    Args:
        request: What is wanted.
        tap: Sees all that was recorded and all that left the loudspeaker, on one clock, for a recording.

    Attributes:
        input_name: What records, as its driver calls it; empty where nothing does. For people: `called`.
        output_name: What plays, in the same way.

    Raises:
        DeviceError: From `async with`: no such device, a busy one, or PyAudio is missing.
        UsageError: From `async with`: a file that cannot be read or written.
    """

    def __init__(self, request: SoundRequest, tap: Tap | None = None) -> None:
        self.input_name = ""
        self.output_name = ""
        self._request = request
        self._stack = AsyncExitStack()
        self._keeper: Keeper | None = None
        self._file_pcm: bytes | None = None
        self._reports: asyncio.Queue[Report | Exception | None] = asyncio.Queue()
        self._cautions: set[str] = set()
        self._tape = Tape(tap)
        self._near_end = NearEndLoader(
            self._report,
            request.echo,
            barge_in=request.barge_in,
            sensitivity=request.sensitivity,
            auto_gain=request.auto_gain,
        )
        self._loudspeaker = LoudspeakerSide(tell=self._report, taken=self._taken)
        self._microphone = MicrophoneSide(
            self._near_end,
            self._tape,
            played=self._loudspeaker.pass_on,
            caution=self._report,
            name=partial(self.called, "microphone"),
            soon=self._soon,
        )

    async def __aenter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        self._tape.begin(now())
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
                for signal in self._microphone.hear(at, chunk):
                    yield signal
        elif self._request.capture:
            async for signal in self._microphone.signals():
                yield signal

    def mute(self, muted: bool) -> None:
        """Silence in place of all that the microphone hears: it is not recorded, not shown, not told."""
        self._near_end.near_end.muted = muted

    # --- the loudspeaker ----------------------------------------------------------------------------------

    def play(self, item_id: str, content_index: int, pcm: bytes) -> None:
        """Queue sound of a part: 24 kHz mono PCM16, any number of bytes. Never blocks.

        Without a loudspeaker (`playback=False`) it is dropped, and nothing is ever heard.
        """
        if self._request.playback:
            self._loudspeaker.play(item_id, content_index, pcm)

    def drain(self, item_id: str) -> None:
        """No more sound of this item comes: play what there is without waiting for a full prebuffer.

        Call it at the end of each item's sound. `Drained` always follows, at once when all was heard already.
        """
        if self._request.playback:
            self._loudspeaker.drain(item_id)

    def flush(self) -> float:
        """Fade out in 12 ms, then be silent; what was queued is forgotten. `Drained` follows what sounded.

        Returns:
            Seconds until the loudspeaker is silent, by the device's clock; 0.0 when it is.
        """
        return self._loudspeaker.flush()

    def duck(self) -> float:
        """Turn the loudspeaker down (`Speaker.duck`).

        Returns:
            Seconds until it is down, by the device's clock; 0.0 when nothing sounds.
        """
        return self._loudspeaker.duck()

    def restore(self) -> None:
        """Turn the loudspeaker up again."""
        self._loudspeaker.restore()

    def cut_points(self) -> list[Heard]:
        """What will have been heard of each queued or sounding part if `flush` were called now.

        It counts what the device has taken and half of the fade, and is never more than was given to `play`.
        """
        return self._loudspeaker.cut_points()

    # --- what happens -------------------------------------------------------------------------------------

    async def reports(self) -> AsyncIterator[Report]:
        """What happens, for one reader.

        `Heard` about every 50 ms while something plays, and at the end of each part, then with all of it. `Drained`
        when all that was played has left the loudspeaker. `DeviceLost` when there is nothing to record from, or to
        play to; what is queued waits. `DeviceFound` when there is again, or when another device serves; the echo is
        measured anew then. `Caution` when something is odd, once for each kind. `DeviceError` when sound cannot go
        on; it is the last. Ends when the sound is closed.
        """
        while (report := await self._reports.get()) is not None:
            if isinstance(report, Exception) and not isinstance(report, DeviceError):
                raise report
            yield report
            if isinstance(report, DeviceError):
                return

    @property
    def tap(self) -> Tap | None:
        """Sees both sides' sound; may be set or replaced at any time."""
        return self._tape.tap

    @tap.setter
    def tap(self, tap: Tap | None) -> None:
        self._tape.tap = tap

    @property
    def levels(self) -> tuple[float, float]:
        """(microphone, loudspeaker) now, RMS in dBFS, -96 for silence."""
        return self._microphone.level, self._loudspeaker.level

    def called(self, side: Side) -> str:
        """What people call the device, where a sound server is in between too; empty where there is none."""
        name = self._keeper.serving.get(side) if self._keeper else None
        return name or (self.input_name if side == "microphone" else self.output_name)

    @property
    def underruns(self) -> int:
        """Gaps in the middle of an item, because its sound came too late."""
        return self._loudspeaker.underruns

    @property
    def buffer_ms(self) -> int:
        """How much sound an answer waits for before it starts, and after a gap: more where it comes unevenly."""
        return self._loudspeaker.buffer_ms

    @property
    def device_flags(self) -> int:
        """Times that a device said it had lost or missed sound."""
        return self._keeper.flags if self._keeper else 0

    # --- inside -------------------------------------------------------------------------------------------

    async def _open(self) -> None:
        request = self._request
        self._stack.callback(self._loudspeaker.pass_on)  # at the end: what the device took last
        if request.capture and request.input_wav is not None:
            self._file_pcm = await asyncio.to_thread(read_wav, request.input_wav)
            self.input_name = str(request.input_wav)
        if request.playback and request.output_wav is not None:
            writer = WavWriter(request.output_wav)
            self._stack.callback(writer.close)
            self.output_name = str(request.output_wav)
            self._start(partial(record_as_loudspeaker, writer, self._loudspeaker.source(WIRE)))
        wants_microphone = request.capture and request.input_wav is None
        wants_loudspeaker = request.playback and request.output_wav is None
        if wants_microphone or wants_loudspeaker:
            await self._open_devices(wants_microphone, wants_loudspeaker)
        self._start(self._loudspeaker.follow)

    async def _open_devices(self, capture: bool, playback: bool) -> None:
        sources = self._microphone.capture if capture else None, self._loudspeaker.source if playback else None
        keeper = Keeper(*sources, self._note_device)
        self._stack.push_async_callback(keeper.close)
        opening = keeper.open(self._request.input_device, self._request.output_device)
        if capture and playback:
            await asyncio.gather(opening, self._near_end.load())
            self._start(self._near_end.keep)
        else:
            await opening
        self._keeper = keeper
        self._note_names(keeper)
        self._start(keeper.keep)
        self._start(keeper.watch)

    def _soon(self, work: Callable[[], None]) -> None:
        self._loop.call_soon_threadsafe(work)

    def _taken(self, begins: float, pcm: bytes) -> None:
        """The loudspeaker's device has taken this."""
        self._near_end.near_end.played(begins, pcm)
        self._tape.note("loudspeaker", begins, pcm)

    def _note_device(self, report: DeviceLost | DeviceFound | Caution) -> None:
        if self._keeper is not None:
            self._note_names(self._keeper)
        if isinstance(report, DeviceFound):
            self._near_end.begin_anew()
            if report.side == "microphone":
                self._microphone.begin_anew()
        self._report(report)

    def _note_names(self, keeper: Keeper) -> None:
        self.input_name = keeper.names.get("microphone", self.input_name)
        self.output_name = keeper.names.get("loudspeaker", self.output_name)

    def _report(self, report: Report) -> None:
        """Tell it; a caution once."""
        if isinstance(report, Caution):
            if report.message in self._cautions:
                return
            self._cautions.add(report.message)
        self._reports.put_nowait(report)

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

    async def _close(self) -> None:
        self._microphone.close()
        try:
            await self._stack.aclose()
        finally:
            self._reports.put_nowait(None)


async def _end(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.wait([task])
