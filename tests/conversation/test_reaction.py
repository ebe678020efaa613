"""The times of an interruption, from its onset on."""

from __future__ import annotations

import pytest

from rtchat.conversation import signals as s
from rtchat.conversation.notices import Interruption
from rtchat.conversation.reaction import Reaction

BARE = Interruption("A", 480, None, None)


def times(notice):
    return (notice.item_id, notice.heard_ms, notice.onset_to_duck_ms, notice.onset_to_silence_ms)


@pytest.fixture
def reaction():
    return Reaction()


def test_a_voice_counts_from_its_first_sample(reaction):
    reaction.received(10.0, s.VoiceSuspected(since_ms=60))
    reaction.ducked(10.03)
    reaction.received(10.2, s.VoiceConfirmed())
    reaction.silenced(10.24)
    assert times(reaction.complete(BARE)) == ("A", 480, 90, 300)


def test_the_server_may_be_faster_to_be_sure(reaction, says):
    reaction.received(10.0, s.VoiceSuspected(since_ms=60))
    reaction.ducked(10.02)
    reaction.received(10.1, says.speech_started())
    reaction.silenced(10.12)
    assert times(reaction.complete(BARE)) == ("A", 480, 80, 180)


def test_without_a_detector_it_counts_from_the_server_s_word(reaction, says):
    reaction.received(10.0, says.speech_started())
    reaction.silenced(10.04)
    assert times(reaction.complete(BARE)) == ("A", 480, None, 40)


@pytest.mark.parametrize("pressed", [s.InterruptPressed(), s.TalkPressed()])
def test_a_key_counts_from_its_press_also_while_a_voice_is_suspected(reaction, pressed):
    reaction.received(9.5, s.VoiceSuspected(since_ms=60))
    reaction.ducked(9.52)
    reaction.received(10.0, pressed)
    reaction.silenced(10.04)
    assert times(reaction.complete(BARE)) == ("A", 480, None, 40)


@pytest.mark.parametrize("over", [s.VoiceDismissed(), s.VoiceEnded()])
def test_a_voice_that_is_over_is_not_the_onset_of_the_next(reaction, says, over):
    reaction.received(8.0, s.VoiceSuspected(since_ms=60))
    reaction.ducked(8.02)
    reaction.received(8.2, over)
    reaction.received(10.0, says.speech_started())
    reaction.silenced(10.04)
    assert times(reaction.complete(BARE)) == ("A", 480, None, 40)


def test_what_was_silent_already_was_silent_at_once(reaction, says):
    reaction.silenced(9.0)
    reaction.received(10.0, says.speech_started())
    assert reaction.complete(BARE).onset_to_silence_ms == 0
