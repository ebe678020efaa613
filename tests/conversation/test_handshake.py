"""The session with the server: begun, lost, begun again."""

from __future__ import annotations

import pytest

from rtchat.chunk import WIRE
from rtchat.conversation.handshake import LOST
from rtchat.conversation.machine import Conversation, Rules
from rtchat.conversation.notices import AssistantSaid, SessionStarted, StateChanged, TurnEnded, UserSaid
from rtchat.conversation.signals import (
    Captured,
    Disconnected,
    Drain,
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
from rtchat.protocol.config import RealtimeSession, TranscriptionSession
from rtchat.protocol.server_events import SessionCreated, SessionUpdated

VOICE = Captured(b"\x01\x02" * WIRE.samples_in(20))
UPDATE = Send(ask.SessionUpdate(event_id="event_rtchat_session", session=RealtimeSession()))


def state(name):
    return Show(StateChanged(name))


def turn(**usage):
    return Show(TurnEnded({}, usage, 0.0))


def said(text, heard_text="", *, heard=0, made=0, status="in_progress", item="A"):
    return Show(AssistantSaid(item, text, heard_text, heard, made, status, status != "in_progress"))


@pytest.fixture
def again(says, tell):
    """A new server takes the session; gives what follows its `session.updated`, the notice of it aside."""

    def begin(conversation):
        assert tell(conversation, says.session_created()) == [UPDATE]
        started, *rest = tell(conversation, says.session_updated())
        assert started == Show(SessionStarted("", "", "", "sess_1", "none", "interactive"))
        return rest

    return begin


@pytest.fixture
def restored(sent):
    """What a new server was told: (role or type, words) of each item."""

    def items(effects):
        found = [event.item for event in sent(effects, ask.ItemCreate)]
        return [(i.role, i.content[0].text) if i.type == "message" else (i.type, i.call_id) for i in found]

    return items


@pytest.fixture
def spoken(says, tell):
    """A whole turn in a conversation, heard to its end: `spoken(conversation, 1)`."""

    def one(conversation, number, *, heard=True):
        user, answer, response = f"U{number}", f"A{number}", f"R{number}"
        tell(conversation, says.speech_started(user), says.speech_stopped(user), says.committed(user))
        tell(conversation, says.spoken(user, f"A{number - 1}" if number > 1 else None))
        tell(conversation, says.heard_as(f"Question {number}?", user), says.created(response))
        tell(conversation, says.item(answer, user, role="assistant", status="in_progress"))
        tell(conversation, says.begins(answer, response), says.words(f"Answer {number}.", answer, response))
        tell(conversation, says.sound(600, answer, response), says.sound_done(answer, response))
        tell(conversation, says.made(answer, response), says.done(response))
        if heard:
            tell(conversation, Drained())

    return one


def test_while_nothing_was_said(talk, tell, again):
    conversation = talk()
    assert tell(conversation, Disconnected()) == [state("reconnecting")]
    assert tell(conversation, Disconnected(), VOICE, InterruptPressed()) == []
    assert again(conversation) == [state("listening")]
    assert tell(conversation, VOICE) == [Send(ask.InputAudioAppend(audio=VOICE.pcm))]


def test_a_server_that_goes_before_it_takes_the_session_is_followed_by_one_that_greets(tell, sent, again):
    conversation = Conversation(Rules(greeting="Say hello."))
    assert tell(conversation, Disconnected()) == [state("reconnecting")]
    assert tell(conversation, Disconnected()) == []
    (request,) = sent(again(conversation))
    assert request.response.instructions == "Say hello."


def test_it_is_not_greeted_again(talk, says, tell, sent, again):
    conversation = talk(greeting="Say hello.")
    tell(
        conversation, says.created(), says.words("Hello."), says.sound(500), says.done(), Drained(), Disconnected()
    )
    assert sent(again(conversation), ask.ResponseCreate) == []


@pytest.mark.parametrize("begun", [False, True])
def test_a_greeting_that_was_not_heard_is_said_now(talk, says, tell, sent, again, begun):
    conversation = talk(greeting="Say hello.")
    tell(conversation, *([says.created()] if begun else []), Disconnected())
    (request,) = sent(again(conversation))
    assert request.response.instructions == "Say hello."


def test_the_new_server_is_told_what_was_said_and_heard(talk, says, tell, again, restored, spoken):
    conversation = talk()
    for number in (1, 2):
        spoken(conversation, number)
    spoken(conversation, 3, heard=False)
    tell(conversation, Heard("A3", 0, 500), says.speech_started("U4"), says.cleared(), Disconnected())
    effects = again(conversation)
    assert restored(effects) == [
        ("user", "Question 1?"),
        ("assistant", "Answer 1."),
        ("user", "Question 2?"),
        ("assistant", "Answer 2."),
        ("user", "Question 3?"),
        ("assistant", "Answer"),
    ]
    assert [e.event.item.id for e in effects if isinstance(e, Send)] == ["U1", "A1", "U2", "A2", "U3", "A3"]
    assert effects[-1] == state("listening")


def test_its_items_are_not_shown_twice(talk, says, tell, again, spoken):
    conversation = talk()
    spoken(conversation, 1)
    tell(conversation, Disconnected())
    again(conversation)
    echoed = [says.item("U1", text="Question 1?"), says.item("A1", "U1", role="assistant", text="Answer 1.")]
    assert tell(conversation, *echoed) == []
    assert [entry.item_id for entry in conversation.items.ordered()] == ["U1", "A1"]


def test_a_question_without_its_answer_is_asked_again(talk, says, tell, sent, again, restored):
    conversation = talk()
    tell(conversation, says.speech_started(), says.speech_stopped(), says.committed(), says.spoken())
    tell(conversation, says.heard_as("What time is it?"), Disconnected())
    effects = again(conversation)
    assert restored(effects) == [("user", "What time is it?")]
    assert [event.type for event in sent(effects)] == ["conversation.item.create", "response.create"]
    assert conversation.state is State.THINKING


def test_so_is_one_whose_answer_had_only_begun(talk, says, tell, sent, again):
    conversation = talk()
    tell(conversation, says.speech_started(), says.speech_stopped(), says.committed(), says.spoken())
    tell(conversation, says.heard_as("What time is it?"), says.created(), says.words("It is"))
    assert (
        tell(conversation, Disconnected())
        == [
            Drain("A"),
            said("It is", status="failed"),
            state("reconnecting"),
        ]
        or tell(conversation) == []
    )
    assert len(sent(again(conversation), ask.ResponseCreate)) == 1


def test_a_typed_line_that_was_not_answered(talk, says, tell, again, restored, sent):
    conversation = talk()
    tell(conversation, Typed("hi"), Disconnected())
    effects = again(conversation)
    assert restored(effects) == [("user", "hi")]
    assert len(sent(effects, ask.ResponseCreate)) == 1
    tell(conversation, says.item("item_typed_1", text="hi"), says.created(), says.writes("Hello."), says.done())
    tell(conversation, Disconnected())
    effects = again(conversation)
    assert restored(effects) == [("user", "hi"), ("assistant", "Hello.")]
    assert sent(effects, ask.ResponseCreate) == []


def test_a_line_typed_meanwhile(talk, says, tell, again, restored, spoken):
    conversation = talk()
    spoken(conversation, 1)
    tell(conversation, Disconnected())
    assert tell(conversation, Typed("and?")) == [Show(UserSaid("item_typed_1", "and?", final=True))]
    assert restored(again(conversation)) == [("user", "Question 1?"), ("assistant", "Answer 1."), ("user", "and?")]


def test_an_answer_that_the_user_stopped_is_not_asked_again(talk, says, tell, sent, again):
    conversation = talk()
    tell(conversation, Typed("hi"), says.item("item_typed_1", text="hi"), says.created(), InterruptPressed())
    tell(conversation, Disconnected())
    assert sent(again(conversation), ask.ResponseCreate) == []


def test_words_that_were_not_written_down_are_lost(talk, says, tell, again, restored, spoken):
    conversation = talk()
    spoken(conversation, 1)
    tell(conversation, says.speech_started("U2"), says.heard_more("And wh", "U2"))
    assert tell(conversation, Disconnected()) == [
        Show(UserSaid("U2", "And wh", final=True)),
        state("reconnecting"),
    ]
    effects = again(conversation)
    assert restored(effects) == [("user", "Question 1?"), ("assistant", "Answer 1.")]
    assert effects[-2:] == [Show(LOST), state("listening")]
    tell(conversation, Disconnected())
    assert Show(LOST) not in again(conversation)


def test_a_turn_that_waited_for_its_words_and_its_answer(talk, says, tell, sent, again, spoken):
    conversation = talk()
    spoken(conversation, 1)
    tell(conversation, says.speech_started("U2"), says.speech_stopped("U2"), says.committed("U2"))
    tell(conversation, says.spoken("U2", "A1"), Disconnected())
    effects = again(conversation)
    assert Show(LOST) in effects
    assert sent(effects, ask.ResponseCreate) == []


def test_a_turn_whose_words_could_not_be_written_down(talk, says, tell, sent, again, spoken):
    conversation = talk()
    spoken(conversation, 1)
    tell(conversation, says.speech_started("U2"), says.speech_stopped("U2"), says.committed("U2"))
    tell(conversation, says.spoken("U2", "A1"), says.not_heard("U2"), Disconnected())
    effects = again(conversation)
    assert Show(LOST) in effects
    assert sent(effects, ask.ResponseCreate) == []


def test_where_nothing_is_ever_written_down_only_an_unanswered_turn_is_lost(talk, says, tell, again):
    conversation = talk()
    tell(conversation, says.speech_started(), says.speech_stopped(), says.committed(), says.spoken())
    tell(conversation, says.created(), says.words("Yes."), says.sound(500), says.done(), Drained(), Disconnected())
    assert Show(LOST) not in again(conversation)


def test_what_sounds_is_heard_to_its_end_and_told_then(talk, says, tell, again, restored, spoken):
    conversation = talk()
    spoken(conversation, 1)
    spoken(conversation, 2, heard=False)
    assert tell(conversation, Disconnected()) == [state("reconnecting")]
    tell(conversation, Heard("A2", 0, 300))
    effects = again(conversation)
    assert restored(effects) == [("user", "Question 1?"), ("assistant", "Answer 1."), ("user", "Question 2?")]
    effects = tell(conversation, Drained())
    (created,) = [e.event for e in effects if isinstance(e, Send)]
    assert (created.item.id, created.item.content[0].text) == ("A2", "Answer 2.")
    assert created.previous_item_id == "U2"
    assert said("Answer 2.", "Answer 2.", heard=600, made=600, status="completed", item="A2") in effects


def test_what_sounds_may_be_interrupted_before_and_after(talk, says, tell, again, restored, spoken):
    conversation = talk()
    spoken(conversation, 1, heard=False)
    tell(conversation, Heard("A1", 0, 500), Disconnected())
    effects = tell(conversation, InterruptPressed())
    assert [e for e in effects if not isinstance(e, Show)] == [Flush()], "there is nobody to tell"
    assert restored(again(conversation)) == [("user", "Question 1?"), ("assistant", "Answer")]

    spoken(conversation, 2, heard=False)
    tell(conversation, Heard("A2", 0, 500), Disconnected())
    again(conversation)
    effects = tell(conversation, says.speech_started("U3"))
    assert effects[0] == Flush()
    assert restored(effects) == [("assistant", "Answer")], "no truncation of what the server does not know"


def test_a_voice_while_there_is_no_server(talk, says, tell, again, spoken):
    conversation = talk()
    spoken(conversation, 1, heard=False)
    tell(conversation, VOICE, Disconnected())
    assert tell(conversation, VoiceSuspected(96), VOICE, VoiceDismissed()) == [Duck(), Restore()]
    tell(conversation, VoiceSuspected(96), VOICE)
    effects = tell(conversation, VoiceConfirmed(), VoiceEnded())
    assert [e for e in effects if not isinstance(e, Show)] == [Flush()]
    again(conversation)
    assert tell(conversation, VOICE) == [Send(ask.InputAudioAppend(audio=VOICE.pcm))]
    assert conversation.state is State.LISTENING


def test_a_half_made_answer_fails_and_its_rest_is_asked_for(talk, says, tell, sent, again, restored):
    conversation = talk(session=RealtimeSession())
    tell(conversation, Typed("Count."), says.item("item_typed_1", text="Count."), says.created(), says.begins())
    tell(conversation, says.words("One two three four"), says.sound(500), Heard("A", 0, 200))
    assert tell(conversation, Disconnected()) == [Drain("A"), state("reconnecting")]
    effects = again(conversation)
    assert restored(effects) == [("user", "Count.")]
    assert sent(effects, ask.ResponseCreate) == [], "it still sounds"
    effects = tell(conversation, Drained())
    assert said("One two three four", "One two", heard=500, made=500, status="failed") in effects
    told, request = sent(effects)
    assert told.item.content[0].text == "One two", "the words ran ahead of their sound"
    assert 'Heard so far: "One two"\nNot heard yet: "three four"' in request.response.instructions


def test_a_tool_at_work_answers_the_new_server(talk, says, tell, sent, again, restored):
    conversation, call = talk(), says.call()
    tell(conversation, Typed("time?"), says.created(), says.called(call), says.done("R", call), Disconnected())
    effects = again(conversation)
    assert restored(effects) == [("user", "time?"), ("function_call", "call_1")]
    assert sent(effects, ask.ResponseCreate) == []
    output, request = sent(tell(conversation, ToolDone("call_1", "noon", "ok", 1)))
    assert (output.item.output, request.type) == ("noon", "response.create")


def test_a_tool_that_answers_while_there_is_no_server(talk, says, tell, sent, again, restored):
    conversation, call = talk(), says.call()
    tell(conversation, Typed("time?"), says.created(), says.called(call), says.done("R", call), Disconnected())
    assert sent(tell(conversation, ToolDone("call_1", "noon", "ok", 1))) == []
    effects = again(conversation)
    assert restored(effects) == [("user", "time?"), ("function_call", "call_1"), ("function_call_output", "call_1")]
    assert len(sent(effects, ask.ResponseCreate)) == 1


def test_calls_of_an_answer_that_was_not_finished_are_never_made(talk, says, tell, sent, again, restored):
    conversation, call = talk(), says.call()
    tell(conversation, Typed("time?"), says.created(), says.called(call), Disconnected())
    effects = again(conversation)
    assert restored(effects) == [("user", "time?")]
    assert len(sent(effects, ask.ResponseCreate)) == 1


def test_a_turn_that_was_lost_ends(talk, says, tell, again):
    conversation = talk()
    tell(conversation, says.speech_started(), says.speech_stopped(), says.committed(), says.spoken())
    tell(conversation, says.created(), says.done(tokens=4), Typed("hi"), says.created(), InterruptPressed())
    tell(conversation, Disconnected())
    assert turn() in again(conversation)


def test_mute_stays(talk, says, tell, again):
    conversation = talk()
    tell(conversation, MuteToggled())
    assert tell(conversation, Disconnected()) == [state("reconnecting")]
    assert again(conversation) == [state("muted")]


def test_the_echo_is_told_as_it_is_now(talk, says, tell):
    conversation = talk(echo="half-duplex")
    tell(conversation, EchoChanged("aec", 31.0), Disconnected(), says.session_created())
    assert tell(conversation, says.session_updated())[0].notice.echo == "aec"


def test_the_talk_key_while_there_is_no_server(talk, says, tell, again):
    conversation = talk(push_to_talk=True)
    tell(conversation, TalkPressed(), *[VOICE] * 10)
    assert tell(conversation, Disconnected()) == [state("reconnecting")]
    assert tell(conversation, VOICE, TalkReleased(), TalkPressed(), TalkReleased()) == []
    assert again(conversation) == [Show(LOST), state("listening")]


def test_input_that_ends_while_there_is_no_server(talk, says, tell, again, spoken):
    conversation = talk()
    spoken(conversation, 1)
    tell(conversation, Disconnected())
    assert tell(conversation, InputEnded()) == []
    assert again(conversation)[-1] == End("done")


def test_a_transcription_session_begins_anew(says):
    session = TranscriptionSession()
    machine = Conversation(Rules(session=session, server_answers=False))
    for event in (SessionCreated(session=session), SessionUpdated(session=session), says.speech_started()):
        machine.receive(event)
    machine.receive(Disconnected())
    (update,) = machine.receive(SessionCreated(session=session))
    assert update.event.session == session
    effects = machine.receive(SessionUpdated(session=session))
    assert effects[1:] == [Show(LOST), state("listening")]


def test_a_second_loss_before_the_new_server_was_ready(talk, says, tell, again, restored, spoken):
    conversation = talk()
    spoken(conversation, 1)
    tell(conversation, Typed("hi"), Disconnected(), says.session_created(), Disconnected())
    assert restored(again(conversation)) == [("user", "Question 1?"), ("assistant", "Answer 1."), ("user", "hi")]


def test_sound_of_the_new_server_plays(talk, says, tell, again, spoken):
    conversation = talk()
    spoken(conversation, 1, heard=False)
    tell(conversation, Disconnected())
    again(conversation)
    tell(conversation, Drained(), Typed("hi"), says.created("R9"))
    assert Play("A9", 0, WIRE.silence(100)) in tell(conversation, says.sound(100, "A9", "R9"))
