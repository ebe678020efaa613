"""What each key asks of the session."""

from __future__ import annotations

import asyncio

import pytest

from rtchat.controls import Controls
from rtchat.conversation import signals as s
from rtchat.display.bindings import Action, Key, Talk


class Screen:
    """A display that keeps what it is told."""

    def __init__(self):
        self.told = []

    def tell(self, text):
        self.told.append(text)

    def typing(self, text, cursor=0):
        self.told.append((text, cursor))

    def switches(self, talk, *, muted):
        self.told.append((talk, muted))

    def toggle_help(self):
        self.told.append("help")


@pytest.fixture
def made():
    """Makes controls; what they feed, finish and show comes in one list."""

    def make(**options):
        log = Screen()
        options = {"push_to_talk": False, "present": True, **options}
        mute = options.pop("mute", lambda muted: None)
        return Controls(log.told.append, log.told.append, log, mute=mute, **options), log.told

    return make


def test_each_key_does_what_it_says(made):
    controls, log = made()
    for key in (
        Key(Action.HELP),
        Key(Action.MUTE),
        Key(Action.SPACE),
        Key(Action.TYPE, "hi", 2),
        Key(Action.SUBMIT, "hi "),
        Key(Action.CANCEL),
        Key(Action.QUIT),
        Key(Action.ABORT),
    ):
        controls.press(key)
    muted = [s.MuteToggled(), (Talk.OPEN, True)]
    wanted = ["help", *muted, s.InterruptPressed(), ("hi", 2), (None, 0), s.Typed("hi"), (None, 0)]
    assert log == [*wanted, "quit", "interrupted"]


def test_where_releases_are_not_told_talking_begins_with_one_press_and_ends_with_the_next(made):
    controls, log = made(push_to_talk=True)
    for _ in range(3):
        controls.press(Key(Action.SPACE))
    assert log == [s.TalkPressed(), s.TalkReleased(), s.TalkPressed()]


def test_where_they_are_told_the_key_is_held(made):
    controls, log = made(push_to_talk=True)
    for action in (Action.SPACE, Action.SPACE_UP, Action.SPACE_UP, Action.SPACE, Action.SPACE_UP):
        controls.press(Key(action))
    assert log == [s.TalkPressed(), s.TalkReleased()] * 2


def test_a_release_that_got_lost_is_made_good_by_the_next_press(made):
    controls, log = made(push_to_talk=True)
    for action in (Action.SPACE, Action.SPACE, Action.SPACE_UP, Action.SPACE):
        controls.press(Key(action))
    assert log == [s.TalkPressed(), s.TalkReleased(), s.TalkPressed()]


@pytest.mark.parametrize("state", ["listening", "reconnecting", "thinking"])
def test_a_tap_that_nobody_heard_is_not_ended_by_the_next(made, state):
    controls, log = made(push_to_talk=True)
    controls.press(Key(Action.SPACE))  # while connecting, or the connection broke then
    controls.follow(state)
    controls.press(Key(Action.SPACE))
    controls.follow("hearing")
    controls.press(Key(Action.SPACE))
    assert log == [s.TalkPressed(), s.TalkPressed(), s.TalkReleased()]


def test_a_key_that_is_held_ends_the_turn_whatever_the_session_has_done_meanwhile(made):
    controls, log = made(push_to_talk=True)
    controls.press(Key(Action.SPACE))
    controls.follow("speaking")
    controls.press(Key(Action.SPACE_UP))
    assert log == [s.TalkPressed(), s.TalkReleased()]


@pytest.fixture
def long_press(monkeypatch):
    """Every press is long enough to be meant; turns end a little after it."""
    monkeypatch.setattr("rtchat.controls.SHORT_SECONDS", 0.0)
    monkeypatch.setattr("rtchat.controls.LINGER_SECONDS", 0.01)


@pytest.mark.parametrize("end", [Action.SPACE, Action.SPACE_UP])
async def test_the_last_syllable_is_waited_for(made, long_press, end):
    controls, log = made(push_to_talk=True)
    controls.press(Key(Action.SPACE))
    controls.press(Key(end))
    assert log == [s.TalkPressed()]
    async with asyncio.timeout(60):
        while len(log) < 2:  # noqa: ASYNC110 - a log has no event
            await asyncio.sleep(0.001)
    assert log == [s.TalkPressed(), s.TalkReleased()]
    controls.press(Key(Action.SPACE))
    assert log[2:] == [s.TalkPressed()]


async def test_a_finger_that_slips_does_not_end_the_turn(made, long_press):
    controls, log = made(push_to_talk=True)
    for action in (Action.SPACE, Action.SPACE_UP, Action.SPACE):
        controls.press(Key(action))
    await asyncio.sleep(0.03)  # three times as long as a turn that ends would take
    assert log == [s.TalkPressed()]


def test_without_push_to_talk_the_space_interrupts_whatever_the_terminal_can(made):
    controls, log = made(push_to_talk=False)
    controls.press(Key(Action.TALK, talk=Talk.HOLD))
    controls.press(Key(Action.SPACE))
    assert log == [(Talk.OPEN, False), s.InterruptPressed()]


def test_the_microphone_is_silent_before_anybody_is_told_so(made):
    told = []
    controls, log = made(mute=lambda muted: told.append((muted, len(log))))
    controls.press(Key(Action.MUTE))
    controls.press(Key(Action.MUTE))
    assert told == [(True, 0), (False, 2)]


def test_the_display_knows_how_the_keys_have_set_the_microphone(made):
    controls, log = made(push_to_talk=True)
    for key in (Key(Action.MUTE), Key(Action.TALK, talk=Talk.HOLD), Key(Action.MUTE)):
        controls.press(key)
    assert [told for told in log if isinstance(told, tuple)] == [
        (Talk.ASKED, True),
        (Talk.HOLD, True),
        (Talk.HOLD, False),
    ]


@pytest.mark.parametrize(("action", "answer"), [(Action.YES, True), (Action.NO, False)])
async def test_a_question_is_answered_by_key(made, action, answer):
    controls, log = made()
    asked = asyncio.create_task(controls.approve("launch", {"to": "moon"}))
    await asyncio.sleep(0)
    assert log == ["May launch(to='moon') run? Press y or n."]
    controls.press(Key(action))
    controls.press(Key(Action.YES))  # too late to change it
    assert await asked is answer


async def test_questions_wait_for_each_other(made):
    controls, log = made()
    asked = [asyncio.create_task(controls.approve(name, {})) for name in ("a", "b")]
    await asyncio.sleep(0)
    assert len(log) == 1
    controls.press(Key(Action.YES))
    assert await asked[0] is True
    while len(log) < 2:  # noqa: ASYNC110 - the second question comes in the next steps of the loop
        await asyncio.sleep(0)
    controls.press(Key(Action.NO))
    assert await asked[1] is False


async def test_without_keys_the_answer_is_no(made):
    controls, log = made(present=False)
    assert await controls.approve("launch", {}) is False
    assert len(log) == 1 and "launch()" in log[0]


def test_an_answer_to_no_question_does_nothing(made):
    controls, log = made()
    controls.press(Key(Action.YES))
    assert log == []
