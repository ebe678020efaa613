import pytest

from rtchat.audio.devices import Device, choose, fresh_devices, list_devices, looks_like_headphones
from rtchat.errors import DeviceError

LAPTOP = Device(0, "Built-in Microphone", "Core Audio", 1, 0, 48_000, default_input=True)
SPEAKERS = Device(1, "Built-in Output", "Core Audio", 0, 2, 48_000, default_output=True)
HEADSET = Device(2, "USB Headset", "Core Audio", 1, 2, 44_100)
SECOND = Device(7, "USB Camera", "Core Audio", 2, 0, 16_000)
ALL = [LAPTOP, SPEAKERS, HEADSET, SECOND]


def test_the_default_is_taken_when_none_is_named():
    assert choose(ALL, None, "microphone") is LAPTOP
    assert choose(ALL, None, "loudspeaker") is SPEAKERS


def test_without_a_default_the_first_that_can_is_taken():
    assert choose([HEADSET, SECOND], None, "microphone") is HEADSET


@pytest.mark.parametrize("wanted", ["2", "headset", "USB HEAD", " usb headset "])
def test_a_device_is_named_by_number_or_part_of_its_name(wanted):
    assert choose(ALL, wanted, "microphone") is HEADSET


def test_only_devices_of_that_side_are_meant():
    assert choose(ALL, "usb", "loudspeaker") is HEADSET


def test_an_exact_name_wins_over_longer_ones():
    longer = Device(9, "USB Headset 2", "Core Audio", 1, 2, 48_000)
    assert choose([longer, *ALL], "usb headset", "microphone") is HEADSET


def test_the_same_device_under_several_host_apis_is_the_default_ones():
    mme = Device(10, "USB Headset", "MME", 1, 2, 44_100)
    assert choose([mme, *ALL], "headset", "microphone") is HEADSET


def test_several_that_fit_are_listed():
    with pytest.raises(DeviceError) as caught:
        choose(ALL, "usb", "microphone")
    assert caught.value.message == "'usb' fits 2 microphones: 2 'USB Headset', 7 'USB Camera'."
    assert "--input-device" in caught.value.hint


@pytest.mark.parametrize("wanted", ["1", "99", "Bluetooth"])
def test_what_is_not_there_is_answered_with_what_is(wanted):
    with pytest.raises(DeviceError) as caught:
        choose([LAPTOP, SPEAKERS, HEADSET], wanted, "microphone")
    assert caught.value.message == (
        f"There is no microphone {wanted!r}; there are 0 'Built-in Microphone', 2 'USB Headset'."
    )


def test_no_device_at_all_is_one_sentence_that_shows_a_way_out():
    with pytest.raises(DeviceError) as caught:
        choose([SPEAKERS], None, "microphone")
    assert caught.value.message == "No microphone was found."
    assert "--input-wav" in caught.value.hint


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Jabra Evolve2 Headset", True),
        ("Anna's AirPods Pro", True),
        ("WH-1000XM4", True),
        ("External Headphones", True),
        ("Galaxy Buds2", True),
        ("Built-in Output", False),
        ("MacBook Pro Speakers", False),
        ("HDA Intel PCH: ALC257 Analog (hw:0,0)", False),
        ("default", False),
    ],
)
def test_headphones_are_guessed_by_name(name, expected):
    assert looks_like_headphones(name) is expected


def test_only_hardware_is_known_to_have_one_clock():
    assert LAPTOP.is_hardware
    assert Device(0, "USB Audio: - (hw:1,0)", "ALSA", 1, 2, 48_000).is_hardware
    assert not Device(0, "pulse", "ALSA", 32, 32, 44_100).is_hardware


@pytest.mark.sound
def test_the_machines_own_devices_are_listed(pulse):
    devices = list_devices()
    assert [device.index for device in devices] == list(range(len(devices)))
    default = next(device for device in devices if device.name == "default")
    assert (default.host_api, default.default_input, default.default_output) == ("ALSA", True, True)
    assert choose(devices, "headset", "microphone").name == "test_headset"


@pytest.mark.sound
def test_devices_that_came_after_portaudio_was_started_are_seen_by_another_process(pulse):
    before = list_devices()
    conf = pulse.folder / "alsa.conf"
    usual = conf.read_text()
    try:
        conf.write_text(f"{usual}\npcm.test_new {{ type pulse hint {{ show on }} }}\n")
        assert {device.name for device in fresh_devices()} - {device.name for device in before} == {"test_new"}
    finally:
        conf.write_text(usual)


@pytest.mark.sound
def test_without_any_device_there_are_no_fresh_ones(pulse):
    pulse.unplug()
    assert fresh_devices() == []
