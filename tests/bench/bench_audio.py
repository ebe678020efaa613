"""Figures of the sound: python tests/bench/bench_audio.py [trials] [rounds of the processor's time]

Through real PortAudio on a private PulseAudio server; times on the monitor are upper bounds, since they are read
when `parec` delivers what the loudspeaker has carried.

The processor's time is that of the whole process, PulseAudio's and PortAudio's own threads included; so two bare
PortAudio streams with empty callbacks stand beside it. Of several rounds, in turns, the least and the greatest are
printed: another program's work makes caches cold, and everything dearer.
"""

from __future__ import annotations

import asyncio
import io
import os
import random
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

import rooms
from private_pulse import PrivatePulse
from rich.console import Console

from rtchat.audio.portaudio import GO_ON, PortAudio
from rtchat.audio.sound import Sound, SoundRequest
from rtchat.audio.stream import BLOCK_MS
from rtchat.conversation.notices import SessionStarted, StateChanged
from rtchat.conversation.signals import Drained, Heard
from rtchat.display.live import LiveDisplay
from rtchat.sound_side import METER_SECONDS

RATE = 24_000
LOUD = 0.15 * 32767  # half of the tone's amplitude


def tone(seconds: float) -> bytes:
    wave = 0.3 * 32767 * np.sin(2 * np.pi * 1000 * np.arange(int(RATE * seconds)) / RATE)
    return wave.astype("<i2").tobytes()


class Monitor:
    """What the loudspeaker carries, with the time at which each piece was delivered."""

    def __init__(self, pulse: PrivatePulse) -> None:
        command = ["parec", "--raw", f"--rate={RATE}", "--channels=1", "--format=s16le", "--latency-msec=5"]
        self._process = subprocess.Popen([*command, "--device=speaker.monitor"], stdout=subprocess.PIPE)
        self.pieces: list[tuple[float, bytes]] = []
        self.running = threading.Event()
        threading.Thread(target=self._read, daemon=True).start()
        self.running.wait()

    def _read(self) -> None:
        while piece := os.read(self._process.stdout.fileno(), 65536):
            self.pieces.append((time.perf_counter(), piece))
            self.running.set()

    def close(self) -> tuple[float, float]:
        """(milliseconds that carried sound, time at which the last piece with sound was delivered)."""
        self._process.terminate()
        self._process.wait()
        samples = np.frombuffer(b"".join(piece for _, piece in self.pieces), dtype="<i2").astype(int)
        windows = np.max(np.abs(samples[: len(samples) // 24 * 24].reshape(-1, 24)), axis=1)
        last, at = int(np.nonzero(np.abs(samples) > 16)[0][-1]), 0
        for when, piece in self.pieces:
            at += len(piece) // 2
            if at > last:
                return float(np.sum(windows > LOUD)), when
        raise AssertionError


class TimedSound(Sound):
    """Notes when the microphone's callback last ran."""

    called_at = 0.0

    def _soon(self, work) -> None:
        self.called_at = time.perf_counter()
        super()._soon(work)


async def microphone_delay(chunks: int) -> list[float]:
    """Milliseconds from the callback that completed a chunk to its receiver, while an item plays."""
    delays: list[float] = []
    async with TimedSound(SoundRequest()) as sound:
        sound.play("A", 0, tone(chunks * 0.02 + 1))
        async for _ in sound.microphone():
            delays.append((time.perf_counter() - sound.called_at) * 1000)
            if len(delays) == chunks:
                break
    return delays


async def play_delay(deltas: int) -> list[float]:
    """Milliseconds from `play` of 100 ms to the sound lying ready for the device (when `play` returns)."""
    delays: list[float] = []
    piece = tone(0.1)
    async with Sound(SoundRequest(capture=False)) as sound:
        for _ in range(deltas):
            begin = time.perf_counter()
            sound.play("A", 0, piece)
            delays.append((time.perf_counter() - begin) * 1000)
            await asyncio.sleep(0.02)
    return delays


async def cut(pulse: PrivatePulse, n: int) -> tuple[float, float, bool]:
    """(cut point less what the monitor carried, ms from flush to silence there, never above what was played)."""
    async with Sound(SoundRequest(capture=False)) as sound:
        monitor = Monitor(pulse)
        for _ in range(20):
            sound.play("A", 0, tone(0.1))
        async for report in sound.reports():
            if isinstance(report, Heard) and report.ms >= 200:
                break
        await asyncio.sleep(0.0037 * n)
        begin = time.perf_counter()
        points = sound.cut_points()
        sound.flush()
        async for report in sound.reports():
            if isinstance(report, Drained):
                break
        await asyncio.sleep(0.15)
        carried, silent = monitor.close()
    return points[0].ms - carried, (silent - begin) * 1000, points[0].ms <= 2000


# --- the processor's time ---------------------------------------------------------------------------------

SECONDS = 5.0
FULL = SoundRequest(echo="while it works", barge_in=True)


class Share:
    """Percent of a core that this process took."""

    percent = 0.0


@contextmanager
def share() -> Iterator[Share]:
    found, wall, used = Share(), time.perf_counter(), time.process_time()
    yield found
    found.percent = 100 * (time.process_time() - used) / (time.perf_counter() - wall)


def bare() -> float:
    """Two streams as a session's, whose callbacks do nothing."""
    library = PortAudio()
    default = next(info for info in library.infos() if info["name"] == "default")
    rate, index = int(default["defaultSampleRate"]), int(default["index"])
    shape = {"rate": rate, "channels": 1, "block": rate * BLOCK_MS // 1000, "name": "bare"}

    def record(*_):
        return None, GO_ON

    def play(_, frames, *__):
        return bytes(2 * frames), GO_ON

    streams = [
        library.open(**shape, callback=record, input_device=index, output_device=None),
        library.open(**shape, callback=play, input_device=None, output_device=index),
    ]
    time.sleep(1)
    with share() as found:
        time.sleep(SECONDS)
    for stream in streams:
        stream.close()
    library.close()
    return found.percent


async def sound_path(request: SoundRequest, said: bytes) -> float:
    """A session's sound with nobody behind it; the microphone hears the loudspeaker."""
    async with Sound(request) as sound:

        async def listen() -> None:
            async for _ in sound.microphone():
                pass

        async def follow() -> None:
            async for _ in sound.reports():
                pass

        tasks = [asyncio.create_task(listen()), asyncio.create_task(follow())]
        await asyncio.sleep(1)
        if said:
            sound.play("A", 0, said)
            await asyncio.sleep(1)
        with share() as found:
            await asyncio.sleep(SECONDS)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    return found.percent


async def meters() -> float:
    """Both meters on a screen, at levels that change all the time."""
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=True, width=100, height=30)
    draw = random.Random(1)
    with suppress(asyncio.CancelledError), LiveDisplay(stream, console=console) as display:
        display.show(0, SessionStarted("embedded", "m", "v", "sess_1", "aec", "interactive"))
        display.show(0, StateChanged("speaking"))
        silent = SoundRequest(capture=False, playback=False)
        async with Sound(silent) as sound:
            with share() as found:
                end = time.perf_counter() + SECONDS
                while time.perf_counter() < end:
                    _ = sound.levels
                    display.meter(draw.uniform(-60, 0), draw.uniform(-60, 0), 120, 0)
                    await asyncio.sleep(METER_SECONDS)
    return found.percent


def speech(seconds: float) -> bytes:
    voice = np.concatenate([utterance.samples for utterance in rooms.synthetic("flite slt")])
    return rooms.to_wire(np.resize(voice, int(RATE * seconds)))


def processor(pulse: PrivatePulse, rounds: int) -> None:
    """Print what the processor does."""
    if missing := rooms.missing():
        print(f"processor: not measured without {', '.join(missing)}")
        return
    pulse.pactl("set-default-source", "speaker.monitor")
    said = speech(SECONDS + 6)
    kinds = {
        "bare PortAudio, empty callbacks": bare,
        "sound alone, silent": lambda: asyncio.run(sound_path(SoundRequest(), b"")),
        "sound alone, speaking": lambda: asyncio.run(sound_path(SoundRequest(), said)),
        "with canceller and detector, silent": lambda: asyncio.run(sound_path(FULL, b"")),
        "with canceller and detector, speaking": lambda: asyncio.run(sound_path(FULL, said)),
        "both meters on the screen": lambda: asyncio.run(meters()),
    }
    found: dict[str, list[float]] = {name: [] for name in kinds}
    for _ in range(rounds):
        for name, measure in kinds.items():
            found[name].append(measure())
    floor = min(found["bare PortAudio, empty callbacks"])
    print(f"processor, % of a core (load {os.getloadavg()[0]:.1f}; the aim for the sound is 3)")
    for name, values in found.items():
        over = "" if name.startswith(("bare", "both")) else f"  {min(values) - floor:+5.1f} over bare"
        print(f"  {name:<50} least {min(values):5.1f}  most {max(values):5.1f}{over}")


def show(name: str, values: list[float], unit: str = "ms") -> None:
    p50, p95, p99 = np.percentile(values, [50, 95, 99])
    print(
        f"{name:<52} p50 {p50:7.2f}  p95 {p95:7.2f}  p99 {p99:7.2f}  max {max(values):7.2f} {unit}  n={len(values)}"
    )


def main() -> None:
    """Print the figures."""
    trials, rounds = (int(given) for given in [*sys.argv[1:], *("25", "3")[len(sys.argv) - 1 :]])
    pulse = PrivatePulse()
    os.environ.update(pulse.env)
    try:
        pulse.start()
        show("microphone callback to chunk handed out", asyncio.run(microphone_delay(250)))
        show("play() to playback buffer (100 ms of sound)", asyncio.run(play_delay(200)))
        cuts = [asyncio.run(cut(pulse, n)) for n in range(trials)]
        show("flush() to silence at the monitor", [silent for _, silent, _ in cuts])
        show("cut point against the monitor, absolute", [abs(error) for error, _, _ in cuts])
        show("cut point less what the monitor carried", [error for error, _, _ in cuts])
        print(f"cut points above what was played: {sum(not within for _, _, within in cuts)}")
        processor(pulse, rounds)
    finally:
        pulse.stop()


if __name__ == "__main__":
    main()
