"""Which microphone, which loudspeaker: the list of devices, and the choice of one by number or part of its name."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Literal

from rtchat.audio.portaudio import PortAudio
from rtchat.errors import DeviceError

if TYPE_CHECKING:
    from collections.abc import Sequence

Side = Literal["microphone", "loudspeaker"]

_FRESH_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Device:
    """A sound device, as PortAudio sees it.

    Attributes:
        index: Its number, valid until devices come or go.
        name: Its name.
        host_api: The system interface that it is reached through: ALSA, Core Audio, Windows WASAPI...
        inputs: Channels it records, 0 for a loudspeaker.
        outputs: Channels it plays, 0 for a microphone.
        rate: Its own sample rate in hertz.
        default_input: It is the microphone used when none is named.
        default_output: It is the loudspeaker used when none is named.
    """

    index: int
    name: str
    host_api: str
    inputs: int
    outputs: int
    rate: int
    default_input: bool = False
    default_output: bool = False

    def channels(self, side: Side) -> int:
        """Channels on that side; 0 where it cannot serve as one."""
        return self.inputs if side == "microphone" else self.outputs

    def is_default(self, side: Side) -> bool:
        """Whether it is the one used on that side when none is named."""
        return self.default_input if side == "microphone" else self.default_output

    @property
    def is_hardware(self) -> bool:
        """False for ALSA's software devices (`default`, `pulse`), behind which anything may hide."""
        return self.host_api != "ALSA" or "(hw:" in self.name


def list_devices() -> list[Device]:
    """Every sound device of this machine, in the order of their numbers; takes some 0.1 s.

    Raises:
        DeviceError: There is none at all, or PyAudio or PortAudio is missing.
    """
    library = PortAudio()
    try:
        return devices_of(library)
    finally:
        library.close()


def fresh_devices() -> list[Device]:
    """Every sound device as a PortAudio that has just been started sees them; takes some 0.2 s.

    In a process of its own: a PortAudio that runs keeps the list that it began with. Empty when there is none, or
    when that process could not be started.
    """
    try:
        done = subprocess.run(
            [sys.executable, "-c", "from rtchat.audio import devices; print(devices.as_json())"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_FRESH_SECONDS,
            check=True,
        )
        return [Device(**device) for device in json.loads(done.stdout)]
    except (OSError, subprocess.SubprocessError, ValueError):
        return []


def as_json() -> str:
    """`list_devices`, for `fresh_devices`."""
    return json.dumps([asdict(device) for device in list_devices()])


def devices_of(library: PortAudio) -> list[Device]:
    """The devices that an open PortAudio sees.

    Raises:
        DeviceError: There is none at all.
    """
    infos = library.infos()
    apis = library.host_apis()
    api = apis[library.default_host_api()]
    default_input, default_output = api["defaultInputDevice"], api["defaultOutputDevice"]
    return [
        Device(
            index=int(info["index"]),
            name=str(info["name"]),
            host_api=str(apis[info["hostApi"]]["name"]),
            inputs=int(info["maxInputChannels"]),
            outputs=int(info["maxOutputChannels"]),
            rate=int(info["defaultSampleRate"]),
            default_input=info["index"] == default_input,
            default_output=info["index"] == default_output,
        )
        for info in infos
    ]


def choose(devices: Sequence[Device], wanted: str | None, side: Side) -> Device:
    """The device that the user means.

    Args:
        devices: What there is.
        wanted: A number, a name or part of a name (in any case); None for the default.
        side: What it is to be.

    Raises:
        DeviceError: There is none, or several fit; the sentence lists the candidates.
    """
    able = [device for device in devices if device.channels(side) > 0]
    flag = "--input-device" if side == "microphone" else "--output-device"
    if not able:
        file = "--input-wav" if side == "microphone" else "--output-wav"
        raise DeviceError(
            f"No {side} was found.", hint=f"Plug one in, give a file with {file}, or use `rtchat text`."
        )
    if wanted is None:
        return next((device for device in able if device.is_default(side)), able[0])
    fits = _matches(able, wanted.strip())
    if len(fits) == 1:
        return fits[0]
    if fits:
        raise DeviceError(
            f"{wanted!r} fits {len(fits)} {side}s: {_listed(fits)}.",
            hint=f"Give the number or more of the name to {flag}.",
        )
    raise DeviceError(
        f"There is no {side} {wanted!r}; there are {_listed(able)}.",
        hint=f"Give one of these numbers, or part of a name, to {flag}.",
    )


def _matches(devices: Sequence[Device], wanted: str) -> list[Device]:
    if wanted.isdecimal():
        return [device for device in devices if device.index == int(wanted)]
    lowered = wanted.casefold()
    exact = [device for device in devices if device.name.casefold() == lowered]
    fits = exact or [device for device in devices if lowered in device.name.casefold()]
    # Windows lists each device once for each host API; the default's host API is the one to use.
    main = {device.host_api for device in devices if device.default_input or device.default_output}
    preferred = [device for device in fits if device.host_api in main]
    return preferred if len(preferred) == 1 else fits


def _listed(devices: Sequence[Device]) -> str:
    return ", ".join(f"{device.index} {device.name!r}" for device in devices)


_HEADPHONES = re.compile(
    r"head[ -]?phone|head[ -]?set|ear[ -]?(phone|bud|pod|piece)|air[ -]?pods|\bbuds\d*\b|in[ -]ear|hands[ -]?free"
    r"|\bWH-\d|\bWF-\d|quiet ?comfort|kopfhörer|casque|écouteurs|auriculares|cuffie",
    re.IGNORECASE,
)


def looks_like_headphones(name: str) -> bool:
    """A guess, by the name alone, whether the microphone cannot hear this device."""
    return _HEADPHONES.search(name) is not None
