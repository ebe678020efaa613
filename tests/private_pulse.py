"""A PulseAudio server of one's own: a loudspeaker to listen to and a microphone to speak into, and nobody else's.

Used by the fixtures of `conftest.py`, and by the benchmarks as a plain module. It needs the Debian packages
pulseaudio, pulseaudio-utils and libasound2-plugins, no sound card, no D-Bus, and works as root.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

RATE = 24_000
"""Of everything played and recorded here: 24 kHz mono PCM16."""

# Null sinks without rewinds take 50 ms at a time at most, like hardware; with them they take 2 s and then stall.
_MODULES = (
    "module-native-protocol-unix auth-anonymous=1 socket={folder}/native",
    "module-null-sink sink_name=speaker rate=48000 norewinds=1 sink_properties=device.description=Test-Speaker",
    "module-null-sink sink_name=mic_feed rate=48000 norewinds=1",
    "module-remap-source master=mic_feed.monitor source_name=microphone"
    " source_properties=device.description=Test-Microphone",
)

# The system's own ALSA configuration, chatter and all, with three names that all lead to this server.
_ALSA = """
</usr/share/alsa/alsa.conf>
pcm.!default { type pulse hint { show on description "default" } }
pcm.test_headset { type pulse hint { show on description "headset" } }
pcm.test_desk { type pulse hint { show on description "desk" } }
ctl.!default { type pulse }
"""

_RAW = ("--raw", f"--rate={RATE}", "--channels=1", "--format=s16le")


class PrivatePulse:
    """The server; `start` it, run with `env`, `stop` it."""

    def __init__(self) -> None:
        # A socket's path has 107 bytes at most, which pytest's own folders can exceed.
        self.folder = Path(tempfile.mkdtemp(prefix="rtchat-pulse-"))
        alsa = self.folder / "alsa.conf"
        alsa.write_text(_ALSA)
        self.env = {
            "HOME": str(self.folder),
            "XDG_RUNTIME_DIR": str(self.folder),
            "PULSE_SERVER": f"unix:{self.folder}/native",
            "PULSE_COOKIE": str(self.folder / "cookie"),
            "ALSA_CONFIG_PATH": str(alsa),
        }
        self._server: subprocess.Popen[bytes] | None = None

    @staticmethod
    def missing() -> list[str]:
        """The programs that it needs and that are not there."""
        return [name for name in ("pulseaudio", "pactl", "paplay", "parec") if shutil.which(name) is None]

    def start(self) -> None:
        """Start the server and wait until it answers; nothing when it runs already."""
        if self._server is not None and self._server.poll() is None:
            return
        (self.folder / "native").unlink(missing_ok=True)
        options = ["-n", "--daemonize=no", "--exit-idle-time=120", "--use-pid-file=no", "--log-level=error"]
        modules = [part for module in _MODULES for part in ("-L", module.format(folder=self.folder))]
        with (self.folder / "log").open("wb") as log:
            self._server = subprocess.Popen(["pulseaudio", *options, *modules], env=self._all_env(), stderr=log)
        self._wait_until_it_answers()
        self.reset()

    def reset(self) -> None:
        """Make the microphone and the loudspeaker the default devices again."""
        self.pactl("set-default-sink", "speaker")
        self.pactl("set-default-source", "microphone")

    def stop(self) -> None:
        """Stop the server and remove its folder."""
        self.unplug()
        shutil.rmtree(self.folder, ignore_errors=True)

    def unplug(self) -> None:
        """Take all sound away at once, as a vanished device or a dead sound server does."""
        if self._server is not None:
            self._server.kill()
            self._server.wait()
            self._server = None

    def freeze(self) -> None:
        """Let the server hang; `unplug` it afterwards."""
        if self._server is not None:
            self._server.send_signal(signal.SIGSTOP)

    @property
    def process_id(self) -> int:
        """Of the running server."""
        assert self._server is not None
        return self._server.pid

    def pactl(self, *arguments: str) -> str:
        """Run pactl on this server."""
        done = subprocess.run(
            ["pactl", *arguments], env=self._all_env(), capture_output=True, text=True, timeout=60, check=True
        )
        return done.stdout

    def speak(self, pcm: bytes) -> None:
        """Play sound into the microphone, and wait until it has been said.

        PulseAudio takes two seconds of it at a time: a busy machine makes no holes in a voice.
        """
        command = ["paplay", *_RAW, "--device=mic_feed", "--latency-msec=2000"]
        subprocess.run(command, env=self._all_env(), input=pcm, timeout=60 + len(pcm) / RATE, check=True)

    def plug_in(self, loudspeaker: str, *options: str, properties: str = "") -> None:
        """Add another loudspeaker, described as `Test-` and its name.

        Args:
            loudspeaker: Its name.
            options: More arguments of module-null-sink.
            properties: More properties of the device.
        """
        described = f'sink_properties="device.description=Test-{loudspeaker.capitalize()} {properties}"'
        name = f"sink_name={loudspeaker}"
        self.pactl("load-module", "module-null-sink", name, "norewinds=1", described, *options)

    def take_out(self, *names: str) -> None:
        """Unplug the loudspeakers and microphones of these names."""
        for name in names:
            for line in self.pactl("list", "short", "modules").splitlines():
                words = line.split()
                if f"sink_name={name}" in words or f"source_name={name}" in words:
                    self.pactl("unload-module", words[0])

    @contextlib.contextmanager
    def listen(self, loudspeaker: str = "speaker") -> Iterator[Recording]:
        """Record what a loudspeaker plays while the block runs."""
        path = self.folder / f"monitor-{time.monotonic_ns()}.raw"
        command = ["parec", *_RAW, f"--device={loudspeaker}.monitor", "--latency-msec=10", str(path)]
        process = subprocess.Popen(command, env=self._all_env())
        recording = Recording(path)
        try:
            recording.wait_for_ms(20)
            yield recording
        finally:
            process.terminate()
            process.wait()

    def _all_env(self) -> dict[str, str]:
        return {**os.environ, **self.env}

    def _wait_until_it_answers(self) -> None:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            with contextlib.suppress(subprocess.CalledProcessError):
                self.pactl("info")
                return
            time.sleep(0.05)
        raise RuntimeError(f"PulseAudio does not answer: {(self.folder / 'log').read_text()}")


class Recording:
    """What the loudspeaker's monitor carried, 24 kHz mono PCM16; grows while it runs."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def pcm(self) -> bytes:
        """All of it so far."""
        data = self.path.read_bytes() if self.path.exists() else b""
        return data[: len(data) - len(data) % 2]

    def wait_for_ms(self, ms: float) -> None:
        """Wait until so much more has been recorded."""
        wanted = len(self.pcm) + int(ms * RATE / 1000) * 2
        deadline = time.monotonic() + 60 + ms / 1000
        while len(self.pcm) < wanted:
            if time.monotonic() > deadline:
                raise RuntimeError("The loudspeaker's monitor gives no sound.")
            time.sleep(0.005)
