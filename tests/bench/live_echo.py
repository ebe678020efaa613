"""Conversations with the embedded server in rooms between a loudspeaker and a microphone; part of bench_echo.py.

The real program, real PortAudio on a private PulseAudio, and a room that passes the loudspeaker on to the
microphone (`live_room`). A user asks for a story, lets it go on, coughs, and interrupts it again and again. Onset
and silence are read on the room's clock, from the first sample of the user's voice to the last sound of the
loudspeaker, so PulseAudio's own buffers are in it twice.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import noises
import numpy as np
from live_room import LiveRoom, live_room
from private_pulse import PrivatePulse
from rooms import RATE, Room, Shape, Utterance, people, synthetic, utter

ROOMS = {
    "a quiet desk": Shape(delay_ms=20, rt60=0.25, echo_db=-15, noise_dbfs=-62),
    "loud, and clipping": Shape(delay_ms=20, rt60=0.3, echo_db=-5, clip=0.15, noise_dbfs=-55),
    "a hall, and a fan": Shape(delay_ms=60, rt60=0.6, direct_db=0, echo_db=-10, noise_dbfs=-42),
    "a microphone with gain": Shape(delay_ms=40, rt60=0.35, echo_db=-12, noise_dbfs=-58, auto_gain=True),
    "headphones": Shape(echo_db=-90, noise_dbfs=-60),
}
SILENT = 0.0005
"""Of full scale: what is under it is no sound of the loudspeaker."""


class Program:
    """`rtchat interactive --json`, and what it has told so far."""

    def __init__(self, pulse: PrivatePulse, *arguments: str) -> None:
        environment = {**os.environ, **pulse.env, "XDG_CONFIG_HOME": tempfile.gettempdir()}
        for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL"):
            environment.pop(name, None)
        self.told: list[dict] = []
        self._more = threading.Condition()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "rtchat", "interactive", "--json", "--server", "local", *arguments],
            env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        threading.Thread(target=self._read, daemon=True).start()

    @property
    def state(self) -> str:
        return next((line["state"] for line in reversed(self.told) if line["type"] == "state"), "")

    def of(self, kind: str) -> list[dict]:
        return [line for line in self.told if line["type"] == kind]

    def wait(self, true, seconds: float) -> bool:
        with self._more:
            return self._more.wait_for(true, seconds)

    def stop(self) -> None:
        self._process.terminate()
        _, errors = self._process.communicate()
        if errors.strip():
            print(errors.strip(), file=sys.stderr)

    def _read(self) -> None:
        for line in self._process.stdout:
            with self._more:
                self.told.append(json.loads(line))
                self._more.notify_all()


@dataclass
class Result:
    """What happened in one room.

    Attributes:
        spoken: Seconds of the assistant's speech that nobody meant to interrupt.
        by_itself: Interruptions in them.
        noises: Coughs and the like while it spoke; `ended` of them ended it.
        tried: Times that the user spoke over it; `heard` of them interrupted it.
        ducked: Milliseconds from onset to ducked, as the program tells.
        silent: Milliseconds from onset to silence, at the loudspeaker.
        echo: What it said of the echo last.
        underruns: As the program tells.
    """

    spoken: float = 0.0
    by_itself: int = 0
    noises: int = 0
    ended: int = 0
    tried: int = 0
    heard: int = 0
    ducked: list[float] = field(default_factory=list)
    silent: list[float] = field(default_factory=list)
    echo: str = ""
    underruns: int = 0


def conversation(pulse: PrivatePulse, shape: Shape, seed: int, *arguments: str, turns: int = 4) -> Result:
    """One conversation in one room."""
    result = Result()
    with live_room(pulse, Room(seed, shape=shape)) as room:
        program = Program(pulse, *arguments)
        try:
            if not program.wait(lambda: program.state == "listening", 20):
                raise RuntimeError(f"rtchat does not listen: {program.told}")
            for turn in range(turns):
                if _story(room, program):
                    _turn(room, program, result, np.random.default_rng([seed, turn]))
        finally:
            program.stop()
        told = program.of("echo") or program.of("session")
        erle = told[-1].get("erle_db") if told else None
        result.echo = (told[-1]["echo"] if told else "?") + (f" {erle:.0f} dB" if erle is not None else "")
        result.underruns = sum(line["underruns"] for line in program.of("end"))
    return result


def _story(room: LiveRoom, program: Program) -> bool:
    """Ask until a story is told; True when it is, or is told still."""
    if program.state == "speaking" and _long(program.of("assistant")[-1:]):
        return True
    asked = utter("flite rms", "tell me a long story").samples
    for _ in range(4):
        program.wait(lambda: program.state in ("listening", "speaking"), 20)
        before = len(program.told)
        room.wait_until(room.say(asked).end + RATE // 2)
        if program.wait(lambda n=before: _long(program.told[n:]), 6):
            return True
    return False


def _long(told: list[dict]) -> bool:
    return any(line["type"] == "assistant" and "lighthouse" in line["heard_text"] for line in told)


def _turn(room: LiveRoom, program: Program, result: Result, draw: np.random.Generator) -> None:
    """Let it speak, make a noise at it, let it speak, interrupt it."""
    if not _listen(room, program, result, draw.uniform(4, 7)):
        return
    noise = noises.noise(str(draw.choice(sorted(noises.KINDS))), int(draw.integers(1000)))
    result.noises += 1
    before = len(program.of("interruption"))
    said = room.say(noise.samples)
    room.wait_until(said.end + RATE)
    if len(program.of("interruption")) > before or program.state != "speaking":
        result.ended += 1
        return
    if _listen(room, program, result, draw.uniform(2, 5)):
        _interrupt(room, program, result, draw)


def _listen(room: LiveRoom, program: Program, result: Result, seconds: float) -> bool:
    """Let it speak; False when it interrupts itself."""
    before, began = len(program.of("interruption")), room.at
    room.wait_until(began + int(seconds * RATE))
    result.spoken += (room.at - began) / RATE
    by_itself = len(program.of("interruption")) > before or program.state != "speaking"
    result.by_itself += by_itself
    return not by_itself


def _interrupt(room: LiveRoom, program: Program, result: Result, draw: np.random.Generator) -> None:
    voices: list[Utterance] = [*people(), *synthetic("flite rms"), *synthetic("espeak en-us")]
    voice = voices[int(draw.integers(len(voices)))].samples[: 3 * RATE]
    before = len(program.of("interruption"))
    result.tried += 1
    said = room.say(voice * np.float32(10 ** (draw.uniform(-8, 0) / 20)))
    room.wait_until(said.end + RATE // 2)
    told = program.of("interruption")[before:]
    if not told:
        return
    result.heard += 1
    if told[0]["onset_to_duck_ms"] is not None:
        result.ducked.append(told[0]["onset_to_duck_ms"])
    played = room.played(said.begin, said.begin + 2 * RATE)
    pauses = np.convolve(np.abs(played) > SILENT, np.ones(RATE // 5), "full")[RATE // 5 - 1 :] == 0
    if pauses.any():
        result.silent.append(float(np.argmax(pauses)) / RATE * 1000)


def main(turns: int = 3) -> None:
    """Print a table: all rooms with the canceller, two of them with half duplex and with nothing as well."""
    print(f"{'room':<24}{'echo':<12}{'by itself':<16}{'noises':<10}{'heard':<9}"
          f"{'ducked p50/max':<16}{'silent p50/max':<16}says")  # fmt: skip
    for seed, (name, shape) in enumerate(ROOMS.items()):
        for echo in ("auto", "half-duplex", "off") if seed < 2 else ("auto",):
            pulse = PrivatePulse()
            pulse.start()
            try:
                found = conversation(pulse, shape, seed, "--echo", echo, turns=turns)
            finally:
                pulse.stop()
            print(f"{name:<24}{echo:<12}{f'{found.by_itself} in {found.spoken:.0f} s':<16}"
                  f"{f'{found.ended} of {found.noises}':<10}{f'{found.heard} of {found.tried}':<9}"
                  f"{_both(found.ducked):<16}{_both(found.silent):<16}{found.echo}", flush=True)  # fmt: skip


def _both(values: list[float]) -> str:
    return f"{np.median(values):.0f} / {max(values):.0f}" if values else "-"


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
