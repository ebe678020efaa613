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
    TalkPressed,
    TalkReleased,
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
from rtchat.protocol.items import FunctionCallOutputItem

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


def create(number, **fields):
    return Send(ask.ResponseCreate(event_id=f"event_rtchat_response_{number}", **fields))


def output(call_id, text="{}"):
    return Send(ask.ItemCreate(item=FunctionCallOutputItem(call_id=call_id, output=text)))


def spoken_turn(says, item="U"):
    """The user's turn up to the server's response, as recorded (docs/protocol.md)."""
    return [says.speech_started(item), says.speech_stopped(item), says.committed(item), says.spoken(item)]


def answer(says, *, ms=1000, words="One two three four", item="A", response="R"):
    """A whole spoken answer, but for its response.done."""
    return [
        says.created(response),
        says.begins(item, response),
        says.words(words, item, response),
        says.sound(ms, item, response),
        says.sound_done(item, response),
        says.words_done(words, item, response),
        says.made(item, response),
    ]


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


# --- the microphone, the talk key -----------------------------------------------------------------------------


def test_the_microphone_goes_out(talk):
    assert talk().receive(VOICE) == [append()]


def test_half_duplex_hears_nothing_while_the_assistant_sounds(talk, says, tell):
    conversation = talk(echo="half-duplex")
    assert tell(conversation, VOICE) == [append()]
    tell(conversation, *spoken_turn(says), *answer(says), says.done())
    assert tell(conversation, VOICE) == [silent()]
    tell(conversation, Drained())
    after = tell(conversation, *[VOICE] * 20)
    assert after[0] == silent(), "the room still rings"
    assert after[-1] == append()


def test_mute(talk, says, tell):
    conversation = talk()
    assert tell(conversation, MuteToggled()) == [state("muted")]
    assert tell(conversation, VOICE) == [silent()]
    assert tell(conversation, says.created()) == [state("thinking")]
    assert tell(conversation, says.done())[-1] == state("muted")
    assert tell(conversation, MuteToggled()) == [state("listening")]
    assert conversation.state is State.LISTENING


def test_push_to_talk(talk, says, tell):
    conversation = talk(push_to_talk=True)
    assert tell(conversation, VOICE) == []
    assert tell(conversation, TalkPressed()) == [Send(ask.InputAudioClear()), append(), state("hearing")]
    assert tell(conversation, *[VOICE] * 5) == [append()] * 5
    assert tell(conversation, TalkReleased()) == [Send(ask.InputAudioCommit()), state("thinking"), create(1)]
    assert tell(conversation, says.cleared(), says.committed(), says.spoken()) == [
        Show(UserSaid("U", "", final=False))
    ]
    effects = tell(conversation, *answer(says), says.done(), Drained())
    assert effects[-2:] == [turn(), state("listening")]


def test_a_short_press_sends_nothing_useful(talk, tell):
    conversation = talk(push_to_talk=True)
    tell(conversation, TalkPressed(), *[VOICE] * 4)
    assert tell(conversation, TalkReleased()) == [Send(ask.InputAudioClear()), state("listening")]


def test_pressing_to_talk_interrupts(talk, says, tell):
    conversation = talk(push_to_talk=True)
    tell(conversation, Typed("hi"), says.created(), says.words("One two three four"), says.sound(1000))
    tell(conversation, Heard("A", 0, 480))
    flush, truncate, interruption, said = cut(480)
    assert tell(conversation, TalkPressed()) == [
        flush,
        cancel(),
        truncate,
        interruption,
        said,
        Send(ask.InputAudioClear()),
        state("hearing"),
    ]
    tell(conversation, *[VOICE] * 10)
    assert tell(conversation, TalkReleased()) == [Send(ask.InputAudioCommit()), state("thinking")]
    assert tell(conversation, says.done(status="cancelled")) == [turn(), create(2)]


def test_a_held_key_repeats_itself(talk, tell):
    conversation = talk(push_to_talk=True)
    tell(conversation, TalkPressed(), *[VOICE] * 5)
    assert tell(conversation, TalkPressed()) == []
    assert Send(ask.InputAudioCommit()) in tell(conversation, TalkReleased())
    assert tell(conversation, TalkReleased()) == []


def test_a_tool_that_answers_while_the_key_is_down_waits(talk, says, tell):
    conversation = talk(push_to_talk=True)
    tell(conversation, Typed("time?"), says.created(), says.done("R", says.call()), TalkPressed())
    tell(conversation, *[VOICE] * 5)
    assert tell(conversation, ToolDone("call_1", "noon", "ok", 1))[1:] == [output("call_1", "noon")]
    effects = tell(conversation, TalkReleased())
    assert [e for e in effects if isinstance(e, Send)] == [Send(ask.InputAudioCommit()), create(2)]


def test_the_talk_key_means_nothing_where_the_server_takes_turns(talk, tell):
    assert tell(talk(), TalkPressed(), TalkReleased()) == []


# --- false interruptions --------------------------------------------------------------------------------------


@pytest.fixture
def resuming(speaking):
    """As `speaking`, where what was broken off for nothing is said again."""
    return lambda **rules: speaking(resume_false_interruptions=True, **rules)


def delete(item):
    return Send(ask.ItemDelete(item_id=item))


def asks_to_go_on(event):
    return event.type == "response.create" and 'Not heard yet: "three four"' in event.response.instructions


def empty_turn(says, item="U2"):
    """The server took a noise for a turn, up to its own answer to it."""
    return [says.speech_started(item), says.speech_stopped(item), says.committed(item), says.spoken(item)]


def test_a_voice_that_the_server_never_heard_resumes_the_answer(resuming, says, tell, sent):
    conversation = resuming()
    tell(conversation, SUSPECTED, VOICE, CONFIRMED)
    assert tell(conversation, ENDED) == [state("thinking")], "the cancelled response is still under way"
    effects = tell(conversation, says.done(status="cancelled", reason="client_cancelled"))
    (request,) = sent(effects)
    assert asks_to_go_on(request)
    assert 'Heard so far: "One two"' in request.response.instructions
    assert effects == [Send(request)], "it is the same turn"
    tell(conversation, says.created("R2"), says.words("three four", "B", "R2"))
    assert Play("B", 0, WIRE.silence(200)) in tell(conversation, says.sound(200, "B", "R2"))
    assert sent(tell(conversation, says.done("R2"), Drained(), ENDED), ask.ResponseCreate) == [], "once"


def test_at_once_where_all_of_it_is_made(resuming, tell, sent):
    conversation = resuming(over=True)
    tell(conversation, SUSPECTED, VOICE, CONFIRMED)
    (request,) = sent(tell(conversation, ENDED))
    assert asks_to_go_on(request)


def test_again_when_it_is_interrupted_again(resuming, says, tell, sent):
    conversation = resuming(over=True)
    tell(conversation, SUSPECTED, CONFIRMED, ENDED, says.created("R2"), says.words("three four", "B", "R2"))
    tell(conversation, says.sound(1000, "B", "R2"), says.done("R2"), Heard("B", 0, 600), SUSPECTED, CONFIRMED)
    (request,) = sent(tell(conversation, ENDED))
    assert 'Heard so far: "three"\nNot heard yet: "four"' in request.response.instructions


def test_without_the_rule_it_stays_interrupted(speaking, tell, sent):
    conversation = speaking(over=True)
    tell(conversation, SUSPECTED, CONFIRMED)
    assert sent(tell(conversation, ENDED)) == []


def test_with_real_speech_nothing_resumes(resuming, says, tell, sent):
    conversation = resuming(over=True)
    tell(conversation, SUSPECTED, CONFIRMED, *empty_turn(says), ENDED)
    effects = tell(conversation, says.heard_as("Stop.", "U2"), says.created("R2"), says.done("R2"))
    assert sent(effects) == []


@pytest.mark.parametrize("words", ["", "...", "[noise]"])
def test_a_turn_without_words_resumes_the_answer(resuming, says, tell, sent, words):
    conversation = resuming(over=True)
    tell(conversation, *empty_turn(says), says.created("R2"))
    assert sent(tell(conversation, says.heard_as(words, "U2"))) == [cancel("R2").event, delete("U2").event]
    (request,) = sent(tell(conversation, says.done("R2", status="cancelled")))
    assert asks_to_go_on(request)


def test_so_does_one_whose_transcription_failed(resuming, says, tell, sent):
    conversation = resuming(over=True)
    tell(conversation, *empty_turn(says), says.created("R2"))
    assert cancel("R2").event in sent(tell(conversation, says.not_heard("U2")))
    assert len(sent(tell(conversation, says.done("R2", status="cancelled")))) == 1


def test_and_one_that_was_cleared(resuming, says, tell, sent):
    conversation = resuming(over=True)
    tell(conversation, says.speech_started("U2"))
    (request,) = sent(tell(conversation, says.cleared()))
    assert asks_to_go_on(request)


def test_and_one_that_nobody_answers(resuming, says, tell, sent):
    conversation = resuming(over=True, server_answers=False)
    tell(conversation, *empty_turn(says))
    removed, request = sent(tell(conversation, says.heard_as("", "U2")))
    assert removed == delete("U2").event
    assert asks_to_go_on(request)


def test_the_servers_answer_to_nothing_gives_way_before_it_is_heard(resuming, says, tell, sent, shown):
    conversation = resuming(over=True)
    tell(conversation, *empty_turn(says), says.created("R2"), says.words("Sorry?", "B", "R2"))
    tell(conversation, says.sound(400, "B", "R2"))
    effects = tell(conversation, says.heard_as("", "U2"))
    assert Flush() in effects
    assert sent(effects) == [cancel("R2").event, delete("B").event, delete("U2").event]
    assert shown(effects, Interruption) == [], "the user did not interrupt it"


def test_and_also_where_it_begins_later(resuming, says, tell, sent):
    conversation = resuming(over=True)
    tell(conversation, *empty_turn(says))
    assert sent(tell(conversation, says.heard_as("", "U2"))) == [delete("U2").event]
    assert sent(tell(conversation, says.created("R2"))) == [cancel("R2").event]
    (request,) = sent(tell(conversation, says.done("R2", status="cancelled")))
    assert asks_to_go_on(request)


def test_but_it_stays_where_it_is_heard_already(resuming, says, tell, sent):
    conversation = resuming(over=True)
    tell(conversation, *empty_turn(says), says.created("R2"), says.words("Sorry?", "B", "R2"))
    tell(conversation, says.sound(400, "B", "R2"), Heard("B", 0, 20))
    assert sent(tell(conversation, says.heard_as("", "U2"), says.done("R2"), Drained())) == []


def test_and_where_it_has_called_a_function(resuming, says, tell, sent):
    conversation = resuming(over=True)
    tell(conversation, *empty_turn(says), says.created("R2"), says.done("R2", says.call()))
    assert sent(tell(conversation, says.heard_as("", "U2"))) == []


def test_the_last_of_several_turns_tells(resuming, says, tell, sent):
    conversation = resuming(over=True)
    tell(conversation, *empty_turn(says), says.speech_started("U3"))
    assert sent(tell(conversation, says.heard_as("", "U2"))) == []
    tell(conversation, says.speech_stopped("U3"), says.committed("U3"), says.spoken("U3"), says.created("R3"))
    assert delete("U3").event in sent(tell(conversation, says.heard_as("", "U3")))


@pytest.mark.parametrize("meant", [InterruptPressed(), Typed("hi")], ids=lambda signal: type(signal).__name__)
def test_the_user_who_did_something_else_meant_it(resuming, says, tell, sent, meant):
    conversation = resuming(over=True)
    tell(conversation, SUSPECTED, CONFIRMED, meant)
    requests = sent(tell(conversation, ENDED), ask.ResponseCreate)
    assert [request.response for request in requests] in ([], [None])


def test_an_answer_that_had_not_begun_is_asked_for_again(talk, says, tell, sent):
    conversation = talk(resume_false_interruptions=True)
    tell(conversation, Typed("hi"), says.speech_started("U2"), says.created())
    assert sent(tell(conversation, says.cleared())) == []
    (request,) = sent(tell(conversation, says.done(status="cancelled")))
    assert request.response is None


def test_where_nothing_was_stopped_nothing_is_asked_for(talk, says, tell, sent):
    conversation = talk(resume_false_interruptions=True)
    tell(conversation, *empty_turn(says), says.created("R2"))
    assert sent(tell(conversation, says.heard_as("", "U2"))) == []
