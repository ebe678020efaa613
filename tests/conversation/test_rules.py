from __future__ import annotations

import pytest

from rtchat.conversation.notices import SessionStarted
from rtchat.conversation.rules import Rules


@pytest.mark.parametrize(
    ("rules", "may"),
    [(Rules(), True), (Rules(speech_interrupts=False), False), (Rules(push_to_talk=True), False)],
    ids=["voice", "no interruption", "push to talk"],
)
def test_when_a_voice_may_stop_the_assistant(rules, may):
    assert rules.barge_in is may


def test_what_the_server_did_not_say_is_empty():
    rules = Rules(server="OpenAI", mode="tools", echo="off")
    assert rules.started(None, None, None, "aec") == SessionStarted("OpenAI", "", "", "", "aec", "tools")
