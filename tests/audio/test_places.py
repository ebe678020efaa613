import pytest

from rtchat.audio.places import Place, places

PROCESS = {"properties": {"application.process.id": "77"}}
OTHER = {"properties": {"application.process.id": "78"}}


def device(index: int, name: str, description: str, spec: str = "s16le 2ch 48000Hz", **properties: str) -> dict:
    told = {key.replace("_", "."): value for key, value in properties.items()}
    return {
        "index": index,
        "name": name,
        "description": description,
        "sample_specification": spec,
        "properties": told,
    }


LAPTOP = device(1, "alsa_output.pci", "Laptop")
DUMMY = device(2, "auto_null", "Dummy Output")
OF_LAPTOP = device(1, "alsa_output.pci.monitor", "Monitor of Laptop", device_class="monitor")
OF_DUMMY = device(2, "auto_null.monitor", "Monitor of Dummy Output", device_class="monitor")
WEBCAM = device(3, "alsa_input.usb", "Webcam")


def listing(sinks: list, sources: list, sink: int | None = None, source: int | None = None) -> dict:
    return {
        "sinks": sinks,
        "sources": sources,
        "sink_inputs": [{**OTHER, "sink": 0}] + ([{**PROCESS, "sink": sink}] if sink is not None else []),
        "source_outputs": [{**OTHER, "source": 0}]
        + ([{**PROCESS, "source": source}] if source is not None else []),
    }


def test_both_sides_are_found_by_the_process_they_belong_to():
    assert places(listing([LAPTOP, DUMMY], [OF_LAPTOP, WEBCAM], sink=1, source=3), 77) == {
        "loudspeaker": Place("Laptop", works=True),
        "microphone": Place("Webcam", works=True, others=("Webcam",)),
    }


def test_a_side_without_a_stream_has_no_place():
    assert places(listing([LAPTOP], [WEBCAM]), 77) == {}


def test_a_dummy_is_no_loudspeaker_and_its_monitor_no_microphone():
    found = places(listing([DUMMY], [OF_DUMMY, WEBCAM], sink=2, source=2), 77)
    assert (found["loudspeaker"].works, found["microphone"].works) == (False, False)


def test_a_loudspeakers_monitor_is_a_microphone_only_where_it_was_chosen():
    assert not places(listing([LAPTOP], [OF_LAPTOP], source=1), 77)["microphone"].works
    assert places(listing([LAPTOP], [OF_LAPTOP, WEBCAM], source=1), 77)["microphone"].works


@pytest.mark.parametrize(
    "headset",
    [
        device(9, "bluez_sink.AA_BB.handsfree_head_unit", "X", "s16le 1ch 16000Hz", device_bus="bluetooth"),
        device(9, "bluez_sink.AA_BB.headset_head_unit", "X", "s16le 1ch 8000Hz", device_bus="bluetooth"),
        device(9, "bluez_output.AA_BB.1", "X", "s16le 1ch 48000Hz", api_bluez5_profile="headset-head-unit"),
        device(9, "bluez_output.AA_BB.1", "X", "s16le 1ch 16000Hz", device_api="bluez5"),
    ],
)
def test_a_bluetooth_headset_that_is_a_telephone_is_told(headset):
    assert places(listing([headset], [], sink=9), 77)["loudspeaker"].telephony


@pytest.mark.parametrize(
    "other",
    [
        device(9, "bluez_sink.AA_BB.a2dp_sink", "X", "s16le 2ch 44100Hz", device_bus="bluetooth"),
        device(9, "bluez_output.AA_BB.1", "X", "s16le 2ch 48000Hz", api_bluez5_profile="a2dp-sink"),
        device(9, "alsa_output.usb-Speakerphone", "Hands-free speaker", "s16le 1ch 16000Hz", device_bus="usb"),
    ],
)
def test_music_and_other_slow_devices_are_not(other):
    assert not places(listing([other], [], sink=9), 77)["loudspeaker"].telephony


def test_the_microphones_that_could_serve_are_named_without_headsets():
    own = device(9, "bluez_source.AA_BB.handsfree_head_unit", "X", "s16le 1ch 16000Hz", device_bus="bluetooth")
    assert places(listing([LAPTOP], [own, WEBCAM, OF_LAPTOP], source=9), 77)["microphone"].others == ("Webcam",)
