"""Where a sound server has put this program's streams. Pure: it reads what `pactl -f json list` says.

PulseAudio and PipeWire move streams from device to device while PortAudio sees one device, `default`. Some of their
moves are to no device at all: to a dummy where there is no loudspeaker, to that dummy's monitor, and to a
loudspeaker's monitor where there is no microphone, which would make the assistant hear itself.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rtchat.audio.devices import Side

_DUMMY = "auto_null"
_TELEPHONY = re.compile(r"head.?set.?head.?unit|hands?.?free|\b(hsp|hfp|sco)\b", re.IGNORECASE)
_TELEPHONY_RATE = 16_000  # hertz: HFP speaks at 8 or 16 kHz


@dataclass(frozen=True, slots=True)
class Place:
    """What is behind one side's stream.

    Attributes:
        name: What people call the device.
        works: It is a device, and no stand-in for one that is missing.
        telephony: It is a Bluetooth headset that plays and records as a telephone does, at 8 or 16 kHz.
        others: The microphones that could serve in place of a headset's, as people call them.
    """

    name: str
    works: bool
    telephony: bool = False
    others: tuple[str, ...] = ()


def places(listing: Mapping[str, Any], process: int) -> dict[Side, Place]:
    """Find the streams of a process.

    Args:
        listing: `pactl -f json list`, parsed.
        process: The process's number.

    Returns:
        The place of each side that has a stream there.

    Raises:
        KeyError, TypeError: It is not such a listing.
    """
    sources = listing["sources"]
    microphones = [source for source in sources if not _is_monitor(source)]
    found: dict[Side, Place] = {}
    source = _device_of(listing["source_outputs"], "source", sources, process)
    if source is not None:
        stand_in = _is_monitor(source) and (_DUMMY in source["name"] or not microphones)
        plain = tuple(str(each["description"]) for each in microphones if not _is_bluetooth(each))
        found["microphone"] = Place(str(source["description"]), not stand_in, _is_telephony(source), plain)
    sink = _device_of(listing["sink_inputs"], "sink", listing["sinks"], process)
    if sink is not None:
        found["loudspeaker"] = Place(str(sink["description"]), sink["name"] != _DUMMY, _is_telephony(sink))
    return found


def _device_of(
    streams: Sequence[Mapping[str, Any]], kind: str, devices: Sequence[Mapping[str, Any]], process: int
) -> Mapping[str, Any] | None:
    """The device of this process's newest stream of a kind."""
    own = [each[kind] for each in streams if each["properties"].get("application.process.id") == str(process)]
    return next((device for device in devices if own and device["index"] == own[-1]), None)


def _is_monitor(source: Mapping[str, Any]) -> bool:
    return source["properties"].get("device.class") == "monitor" or str(source["name"]).endswith(".monitor")


def _is_bluetooth(device: Mapping[str, Any]) -> bool:
    return device["properties"].get("device.bus") == "bluetooth" or str(device["name"]).startswith("bluez")


def _is_telephony(device: Mapping[str, Any]) -> bool:
    if not _is_bluetooth(device):
        return False
    told = (device["properties"].get(key, "") for key in ("bluetooth.protocol", "api.bluez5.profile"))
    rate = re.search(r"(\d+)Hz", str(device["sample_specification"]))
    slow = rate is not None and int(rate[1]) <= _TELEPHONY_RATE
    return slow or any(_TELEPHONY.search(word) for word in (str(device["name"]), *told))
