"""What a session does with the devices that there are, and without those that there are not."""

from __future__ import annotations

import asyncio
import sys
from contextlib import AsyncExitStack
from datetime import date

import pytest

from rtchat.audio import soundchecks
from rtchat.audio.sound import Caution, Sound
from rtchat.audio.soundcheck import SoundCheck
from rtchat.conversation import signals as s
from rtchat.conversation.notices import ErrorTold
from rtchat.errors import DeviceError, UsageError
from rtchat.modes import Mode
from rtchat.plan import NO_CANCELLER, make_plan
from rtchat.settings import Settings
from rtchat.sound_side import NOT_CANCELLED, SoundSide

pytestmark = pytest.mark.usefixtures("nothing_set")

GONE = DeviceError("No microphone was found.", hint="Plug one in.")


class Devices(Sound):
    """Sound of a machine on which some sides do not open; what it hears and reports is given."""

    broken: frozenset[str] = frozenset()
    opened: list[tuple[bool, bool]]
    hears: tuple[object, ...] = ()
    says: tuple[object, ...] = ()
    names: dict[str, str]

    async def __aenter__(self):
        wanted = {"microphone": self._request.capture, "loudspeaker": self._request.playback}
        if any(wanted[side] for side in self.broken):
            raise GONE
        self.opened.append((self._request.capture, self._request.playback))
        self.output_name = "test_usb"
        return self

    def called(self, side):
        return self.names[side]

    async def __aexit__(self, *_):
        pass

    async def microphone(self):
        for heard in self.hears:
            yield heard

    async def reports(self):
        for report in self.says:
            if isinstance(report, s.DeviceFound):
                self.names[report.side] = report.name
            yield report


class Told:
    """A display, and what was told to it and to the machine."""

    def __init__(self) -> None:
        self.notices, self.signals, self.lines, self.levels = [], [], [], asyncio.Queue()

    def tell(self, text):
        self.lines.append(text)

    def meter(self, *levels):
        self.levels.put_nowait(levels)


@pytest.fixture
def side():
    def make(*broken, mode=Mode.INTERACTIVE, typed=True, hears=(), says=(), **flags):
        plan = make_plan(mode, Settings.load({"server": "local", **flags}), today=date(2026, 11, 20))
        told = Told()
        fields = {"broken": frozenset(broken), "opened": [], "hears": hears, "says": says}
        fields["names"] = {"microphone": "Built-in Audio", "loudspeaker": "Built-in Audio"}
        made = SoundSide(
            plan, told, show=told.notices.append, feed=told.signals.append, tap=None, typed=typed,
            open_sound=type("OurDevices", (Devices,), fields),
        )  # fmt: skip
        return made, told

    return make


async def opened(side):
    async with AsyncExitStack() as stack:
        return await side.open(stack)


async def test_with_both_there_is_nothing_to_say(side):
    made, told = side()
    plan = made.plan
    assert await opened(made) == "aec"
    assert made.plan is plan and (told.notices, told.lines) == ([], [])


@pytest.mark.parametrize(
    ("broken", "has", "instead"),
    [
        (["microphone"], (False, True), "Press t to type; the answers are spoken."),
        (["loudspeaker"], (True, False), "The answers are written."),
        (["microphone", "loudspeaker"], (False, False), "Press t to type."),
    ],
)
async def test_a_conversation_goes_on_in_text_where_sound_cannot(side, broken, has, instead):
    made, told = side(*broken)
    assert await opened(made) == "none"
    assert (made.plan.parts.microphone, made.plan.parts.loudspeaker) == has
    assert made.sound.opened == [has]
    code = "no_loudspeaker" if has[0] else "no_microphone"
    assert told.notices == [ErrorTold(code, GONE.message, instead, fatal=False)]
    modality = "audio" if has[1] else "text"
    assert made.plan.rules.session.output_modalities == [modality]


@pytest.mark.parametrize(
    ("options", "broken"),
    [
        ({"typed": False}, "microphone"),
        ({"typed": False}, "loudspeaker"),
        ({"mode": Mode.TRANSCRIBE}, "microphone"),
        ({"mode": Mode.TRANSLATOR, "to": "es"}, "loudspeaker"),
        ({"input_device": "desk"}, "microphone"),
        ({"output_device": "2"}, "loudspeaker"),
    ],
)
async def test_where_nobody_can_type_or_a_device_was_named_it_is_the_end(side, options, broken):
    made, told = side(broken, **options)
    with pytest.raises(DeviceError, match="No microphone was found"):
        await opened(made)
    assert told.notices == []


async def test_translating_by_turns_can_be_typed_too(side):
    made, _ = side("microphone", mode=Mode.TRANSLATOR, to="es", turns=True)
    await opened(made)
    assert made.sound.opened == [(False, True)]


async def test_a_file_that_is_no_sound_is_nothing_that_text_could_mend(tmp_path):
    plan = make_plan(
        Mode.INTERACTIVE, Settings.load({"input_wav": "no.wav", "output_wav": "a.wav"}), today=date(2026, 11, 20)
    )
    told = Told()
    made = SoundSide(plan, told, show=told.notices.append, feed=told.signals.append, tap=None, typed=True)
    with pytest.raises(UsageError):
        await opened(made)


@pytest.mark.parametrize(("found", "told"), [("half-duplex", [NOT_CANCELLED]), ("none", []), ("aec", [])])
async def test_what_the_doctor_found_about_these_devices_is_done(side, found, told):
    soundchecks.save(SoundCheck(output_name="test_usb", echo=found, checked_at="2026-11-20T10:00:00"))
    made, lines = side()
    assert await opened(made) == found
    assert lines.lines == told


async def test_without_a_canceller_the_user_is_told_what_to_install(side, monkeypatch):
    monkeypatch.setitem(sys.modules, "livekit.rtc", None)
    made, told = side()
    assert (await opened(made), told.lines) == ("half-duplex", [NO_CANCELLER])
    made, told = side(echo="half-duplex")
    assert (await opened(made), told.lines) == ("half-duplex", [])


async def test_what_the_microphone_hears_is_told_in_order(side):
    heard = [s.Captured(b"\0\0"), s.VoiceSuspected(60), s.Captured(b"\1\0"), s.VoiceConfirmed()]
    made, told = side(hears=heard)
    await made.capture(asyncio.Event())
    assert told.signals == heard


async def test_a_file_waits_until_the_conversation_has_begun(side):
    made, told = side(hears=[s.Captured(b"\0\0")], input_wav="q.wav", vad="off")
    ready = asyncio.Event()
    task = asyncio.create_task(made.capture(ready))
    await asyncio.sleep(0)
    assert told.signals == []
    ready.set()
    await task
    assert told.signals == [s.TalkPressed(), s.Captured(b"\0\0"), s.TalkReleased()]


async def test_what_the_devices_report_reaches_the_machine_or_the_user(side):
    changes = [s.EchoChanged("aec", 31.0), s.DeviceLost("microphone"), s.DeviceFound("microphone", "Desk")]
    reports = [s.Heard("A", 0, 40), *changes, Caution("Odd.", "Look."), s.Drained()]
    made, told = side(says=reports)
    played = []
    await made.follow(lambda: played.append(True))
    assert told.signals == [reports[0], *changes, s.EchoChanged("aec", None), s.Drained()]
    assert told.notices == [ErrorTold("sound", "Odd.", "Look.", fatal=False)]
    assert len(played) == 2


HEADPHONES = s.DeviceFound("loudspeaker", "WH-1000XM4")
SPEAKERS = s.DeviceFound("loudspeaker", "Built-in Audio")


@pytest.mark.parametrize(
    ("reports", "changes"),
    [
        ([HEADPHONES, SPEAKERS], [s.EchoChanged("none", None), s.EchoChanged("aec", None)]),
        ([SPEAKERS, s.DeviceFound("microphone", "Desk")], []),
        ([s.EchoChanged("half-duplex", None), SPEAKERS], [s.EchoChanged("aec", None)]),
        ([s.EchoChanged("aec", 31.0), SPEAKERS], [s.EchoChanged("aec", None)]),
        ([s.EchoChanged("aec", 31.0), HEADPHONES], [s.EchoChanged("none", None)]),
    ],
)
async def test_another_device_is_another_echo(side, reports, changes):
    made, told = side(says=reports)
    await opened(made)
    await made.follow(lambda: None)
    assert [signal for signal in told.signals if signal not in reports] == changes
    assert told.lines == []


async def test_headphones_are_known_by_what_the_sound_server_calls_them(side):
    made, _ = side()
    made.sound.names["loudspeaker"] = "Jabra Headset"
    assert await opened(made) == "none"


async def test_what_was_asked_for_stays_whatever_is_plugged_in(side):
    made, told = side(says=[HEADPHONES], echo="aec")
    assert await opened(made) == "aec"
    await made.follow(lambda: None)
    assert told.signals == [HEADPHONES]


async def test_devices_that_cannot_be_cancelled_are_explained_when_they_come(side, monkeypatch):
    monkeypatch.setitem(sys.modules, "livekit.rtc", None)
    made, told = side(says=[HEADPHONES, SPEAKERS])
    await opened(made)
    await made.follow(lambda: None)
    assert [signal for signal in told.signals if signal not in (HEADPHONES, SPEAKERS)] == [
        s.EchoChanged("none", None),
        s.EchoChanged("half-duplex", None),
    ]
    assert told.lines == [NO_CANCELLER, NO_CANCELLER]


async def test_devices_that_are_gone_for_good_end_it(side):
    made, _ = side(says=[GONE])
    with pytest.raises(DeviceError):
        await made.follow(lambda: None)


async def test_levels_are_shown_of_what_there_is(side):
    made, told = side(mode=Mode.TRANSCRIBE)
    task = asyncio.create_task(made.meter())
    assert await asyncio.wait_for(told.levels.get(), 60) == (-96.0, None, made.sound.buffer_ms, 0)
    task.cancel()
