"""The user's voice, as this machine's detector and the server hear it."""

from __future__ import annotations

import pytest

from rtchat.chunk import WIRE
from rtchat.conversation.machine import Conversation, Rules
from rtchat.conversation.notices import AssistantSaid, EchoTold, Interruption, StateChanged, TurnEnded, UserSaid
from rtchat.conversation.signals import (
    Announced,
    Captured,
    Drained,
    Duck,
    EchoChanged,
    End,
    Flush,
    Heard,
    InputEnded,
    InterruptPressed,
    MuteToggled,
    Play,
    Restore,
    Send,
    Show,
    ToolDone,
    Typed,
    VoiceConfirmed,
    VoiceDismissed,
    VoiceEnded,
    VoiceSuspected,
)
from rtchat.conversation.state import State
from rtchat.protocol import client_events as ask
from rtchat.protocol.config import TranscriptionSession

SUSPECTED, CONFIRMED, DISMISSED, ENDED = VoiceSuspected(96.0), VoiceConfirmed(), VoiceDismissed(), VoiceEnded()
VOICE = Captured(b"\x01\x02" * WIRE.samples_in(20))


def append(chunk=VOICE):
    return Send(ask.InputAudioAppend(audio=chunk.pcm))


def silent():
    return append(Captured(bytes(len(VOICE.pcm))))


def state(name):
    return Show(StateChanged(name))


def turn(**usage):
    return Show(TurnEnded({}, usage, 0.0))


def cancel(response="R"):
    return Send(ask.ResponseCancel(response_id=response))


def cut(heard):
    """What stops item A after `heard` of its 1000 ms; the server is told in between."""
    return (
        Flush(),
        Send(ask.ItemTruncate(item_id="A", content_index=0, audio_end_ms=heard)),
        Show(Interruption("A", heard, None, None)),
        Show(AssistantSaid("A", "One two three four", "One two", heard, 1000, "interrupted", final=True)),
    )


@pytest.fixture
def speaking(talk, says, tell):
    """A conversation in the middle of an answer, 480 of 1000 ms heard; `over`: all of it is made."""

    def begin(*, over=False, **rules):
        conversation = talk(**rules)
        tell(conversation, says.speech_started(), says.speech_stopped(), says.committed(), says.spoken())
        tell(conversation, says.created(), says.begins(), says.words("One two three four"), says.sound(1000))
        if over:
            tell(conversation, says.sound_done(), says.made(), says.done())
        tell(conversation, Heard("A", 0, 480))
        return conversation

    return begin


def test_while_the_assistant_sounds_the_microphone_is_sent_late(speaking, tell):
    conversation = speaking()
    assert tell(conversation, *[VOICE] * 6) == []
    assert tell(conversation, VOICE) == [append()]


def test_what_is_late_is_sent_when_the_answer_was_heard(speaking, tell, sent):
    conversation = speaking(over=True)
    tell(conversation, *[VOICE] * 3)
    assert sent(tell(conversation, Drained()), ask.InputAudioAppend) == [append().event] * 3
    assert tell(conversation, VOICE) == [append()]


def test_a_confirmed_voice_interrupts_and_then_is_sent_with_its_onset(speaking, tell):
    conversation = speaking()
    assert tell(conversation, VOICE, VOICE, SUSPECTED) == [Duck()]
    assert tell(conversation, *[VOICE] * 10) == []
    flush, truncate, interruption, said = cut(480)
    assert tell(conversation, CONFIRMED) == [
        flush,
        cancel(),
        truncate,
        interruption,
        said,
        *[append()] * 12,
        state("hearing"),
    ]
    assert tell(conversation, VOICE) == [append()]


def test_nothing_is_cancelled_where_all_of_the_answer_is_made(speaking, says, tell):
    conversation = speaking(over=True)
    flush, truncate, interruption, said = cut(480)
    effects = tell(conversation, SUSPECTED, VOICE, CONFIRMED)
    assert effects == [Duck(), flush, truncate, interruption, said, append(), state("hearing"), turn()]


def test_the_servers_own_word_follows_and_cuts_nothing_twice(speaking, says, tell):
    conversation = speaking()
    tell(conversation, SUSPECTED, VOICE, CONFIRMED)
    assert tell(conversation, says.speech_started("U2")) == [Show(UserSaid("U2", "", final=False))]
    assert tell(conversation, says.done(status="cancelled", reason="client_cancelled")) == [turn()]
    assert tell(conversation, ENDED) == []
    assert tell(conversation, says.speech_stopped("U2")) == [state("thinking")]
    tell(conversation, says.committed("U2"), says.spoken("U2"))
    assert Play("B", 0, WIRE.silence(100)) in tell(conversation, says.created("R2"), says.sound(100, "B", "R2"))


def test_the_server_was_faster_to_cancel(speaking, says, tell):
    conversation = speaking()
    tell(conversation, SUSPECTED, CONFIRMED)
    assert tell(conversation, says.done(status="cancelled", reason="turn_detected")) == [turn()]
    assert tell(conversation, says.error("response_cancel_not_active")) == []
    assert conversation.state is State.HEARING


def test_a_dismissed_voice_never_reaches_the_server(speaking, tell):
    conversation = speaking()
    tell(conversation, VOICE, VOICE, SUSPECTED)
    assert tell(conversation, *[VOICE] * 10, DISMISSED) == [Restore(), *[silent()] * 12]
    assert conversation.state is State.SPEAKING


def test_a_second_suspicion(speaking, tell):
    conversation = speaking()
    assert tell(conversation, SUSPECTED, SUSPECTED, DISMISSED) == [Duck(), Restore()]
    assert tell(conversation, SUSPECTED, CONFIRMED)[:3] == [Duck(), Flush(), cancel()]


def test_the_servers_word_in_the_middle_of_a_suspicion(speaking, says, tell):
    conversation = speaking()
    tell(conversation, SUSPECTED, VOICE)
    effects = tell(conversation, says.speech_started("U2"))
    assert effects[:5] == [*cut(480), append()]
    assert tell(conversation, CONFIRMED, ENDED, DISMISSED) == []
    assert conversation.state is State.HEARING


def test_the_key_in_the_middle_of_a_suspicion(speaking, tell):
    conversation = speaking()
    tell(conversation, SUSPECTED, VOICE)
    effects = tell(conversation, InterruptPressed())
    assert effects[:2] == [Flush(), cancel()]
    assert effects[-2:] == [append(), state("listening")], "the user took the word"
    assert tell(conversation, CONFIRMED, ENDED) == []


def test_the_end_of_the_answer_in_the_middle_of_a_suspicion(speaking, tell):
    conversation = speaking(over=True)
    tell(conversation, SUSPECTED, VOICE, VOICE)
    effects = tell(conversation, Drained())
    assert [e for e in effects if not isinstance(e, Show)] == [Restore(), append(), append()]
    assert tell(conversation, CONFIRMED, ENDED) == []


def test_a_gap_in_the_answer_in_the_middle_of_a_suspicion(speaking, says, tell):
    """The loudspeaker ran dry, and the answer goes on before the voice is confirmed."""
    conversation = speaking()
    tell(conversation, SUSPECTED, Drained())
    assert tell(conversation, says.sound(500), CONFIRMED)[1:3] == [Flush(), cancel()]


def test_muting_in_the_middle_of_a_suspicion(speaking, tell):
    conversation = speaking()
    tell(conversation, SUSPECTED, VOICE, VOICE)
    assert tell(conversation, MuteToggled()) == [Restore(), silent(), silent()]
    assert tell(conversation, CONFIRMED, SUSPECTED, DISMISSED) == []
    assert tell(conversation, VOICE) == [silent()]


@pytest.mark.parametrize(
    "rules", [{"speech_interrupts": False}, {"push_to_talk": True}, {"echo": "half-duplex"}], ids=str
)
def test_where_speech_may_not_interrupt_a_voice_means_nothing(speaking, tell, sent, rules):
    conversation = speaking(**rules)
    effects = tell(conversation, VOICE, SUSPECTED, VOICE, CONFIRMED, VOICE, ENDED, SUSPECTED, VOICE, DISMISSED)
    assert [e for e in effects if not isinstance(e, Send)] == []
    assert len(sent(effects, ask.InputAudioAppend)) in (0, 4), "nothing is held back"


def test_a_voice_while_nothing_sounds_is_the_servers_affair(talk, tell):
    assert tell(talk(), SUSPECTED, CONFIRMED, ENDED, SUSPECTED, DISMISSED) == []


def test_a_voice_before_the_session_is_there():
    conversation = Conversation()
    assert [e for signal in (SUSPECTED, VOICE, CONFIRMED, ENDED) for e in conversation.receive(signal)] == []


def test_a_voice_in_a_transcription_session():
    conversation = Conversation(Rules(session=TranscriptionSession(), server_answers=False))
    assert [e for signal in (SUSPECTED, CONFIRMED, ENDED) for e in conversation.receive(signal)] == []


def test_what_waits_is_held_until_the_voice_ends(speaking, says, tell, sent):
    conversation = speaking(over=True)
    tell(conversation, SUSPECTED, CONFIRMED)
    assert sent(tell(conversation, Typed("hi"), Announced("Ding.")), ask.ItemCreate | ask.ResponseCreate) == []
    effects = tell(conversation, ENDED)
    item, request = sent(effects)
    assert (item.item.content[0].text, request.type) == ("hi", "response.create")


def test_a_tool_answers_after_a_confirmed_voice(speaking, says, tell, sent):
    conversation = speaking()
    call = says.call()
    tell(conversation, says.called(call), says.done("R", says.message(), call), SUSPECTED, CONFIRMED)
    outputs = sent(tell(conversation, ToolDone("call_1", "noon", "ok", 1)))
    assert [event.type for event in outputs] == ["conversation.item.create"], "the answer to it waits"
    assert [event.type for event in sent(tell(conversation, ENDED))] == ["response.create"]


def test_an_answer_that_begins_after_a_confirmed_voice_gives_way(speaking, says, tell):
    conversation = speaking(over=True)
    tell(conversation, SUSPECTED, CONFIRMED)
    assert tell(conversation, says.created("R2")) == [cancel("R2")]


def test_a_voice_that_the_server_never_heard(speaking, says, tell):
    conversation = speaking()
    tell(conversation, SUSPECTED, VOICE, CONFIRMED)
    assert tell(conversation, ENDED) == [state("listening")]
    assert tell(conversation, says.done(status="cancelled", reason="client_cancelled")) == [turn()]
    assert tell(conversation, ENDED) == []


def test_the_input_ends_in_the_middle_of_it(speaking, says, tell):
    conversation = speaking(over=True)
    tell(conversation, SUSPECTED, VOICE, CONFIRMED)
    assert tell(conversation, InputEnded())[-1] == End("done")


def test_the_input_ends_in_the_middle_of_a_suspicion(speaking, says, tell):
    conversation = speaking(over=True)
    tell(conversation, SUSPECTED, VOICE)
    assert tell(conversation, InputEnded()) == [Restore(), append()]


def test_the_echo_changes(speaking, tell):
    conversation = speaking()
    tell(conversation, SUSPECTED, VOICE)
    half = EchoChanged("half-duplex", 2.0)
    assert tell(conversation, half) == [Restore(), silent(), Show(EchoTold("half-duplex", 2.0))]
    assert tell(conversation, VOICE, SUSPECTED) == [silent()]
    assert tell(conversation, EchoChanged("aec", 31.0)) == [Show(EchoTold("aec", 31.0))]
    assert tell(conversation, *[VOICE] * 7) == [append()]
