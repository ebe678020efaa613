"""Figures of the sound: python tests/bench/bench_audio.py [trials]

Through real PortAudio on a private PulseAudio server; times on the monitor are upper bounds, since they are read
when `parec` delivers what the loudspeaker has carried.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from private_pulse import PrivatePulse

from rtchat.audio.sound import Sound, SoundRequest
from rtchat.conversation.signals import Drained, Heard

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

    called = 0.0

    def _capture(self, form):
        on_capture = super()._capture(form)

        def timed(block: bytes, at: float) -> None:
            self.called = time.perf_counter()
            on_capture(block, at)

        return timed


async def microphone_delay(chunks: int) -> list[float]:
    """Milliseconds from the callback that completed a chunk to its receiver, while an item plays."""
    delays: list[float] = []
    async with TimedSound(SoundRequest()) as sound:
        sound.play("A", 0, tone(chunks * 0.02 + 1))
        async for _ in sound.microphone():
            delays.append((time.perf_counter() - sound.called) * 1000)
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


def show(name: str, values: list[float], unit: str = "ms") -> None:
    p50, p95, p99 = np.percentile(values, [50, 95, 99])
    print(
        f"{name:<52} p50 {p50:7.2f}  p95 {p95:7.2f}  p99 {p99:7.2f}  max {max(values):7.2f} {unit}  n={len(values)}"
    )


def main() -> None:
    """Print the figures."""
    trials = int(sys.argv[1]) if len(sys.argv) > 1 else 25
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
    finally:
        pulse.stop()


if __name__ == "__main__":
    main()
