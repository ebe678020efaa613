"""The turn: lists of what happens, lists of what is asked for."""

from __future__ import annotations

import pytest

from rtchat.chunk import WIRE
from rtchat.conversation.machine import Conversation, Rules
from rtchat.conversation.notices import (
    AssistantSaid,
    ErrorTold,
    Interruption,
    SessionStarted,
    StateChanged,
    ToolCalled,
    TurnEnded,
    UserSaid,
)
from rtchat.conversation.signals import (
    Announced,
    CallTool,
    Captured,
    Drain,
    Drained,
    End,
    Flush,
    Heard,
    InputEnded,
    InterruptPressed,
    MuteToggled,
    Play,
    Refuse,
    Send,
    Show,
    TalkPressed,
    TalkReleased,
    ToolDone,
    Typed,
)
from rtchat.conversation.state import State
from rtchat.protocol import client_events as ask
from rtchat.protocol.config import (
    AudioConfig,
    AudioInput,
    AudioOutput,
    RealtimeSession,
    ResponseParams,
    Transcription,
    TranscriptionSession,
)
from rtchat.protocol.items import FunctionCallOutputItem, user_text
from rtchat.protocol.server_events import RateLimitsUpdated, SessionCreated, SessionUpdated, UnknownEvent

ALREADY = "conversation_already_has_active_response"
VOICE = b"\x01\x02" * WIRE.samples_in(20)


def create(number, **fields):
    return Send(ask.ResponseCreate(event_id=f"event_rtchat_response_{number}", **fields))


def put(text, number=1):
    item_id = f"item_typed_{number}"
    return Send(ask.ItemCreate(item=user_text(text, item_id=item_id)))


def truncate(ms, item="A"):
    return Send(ask.ItemTruncate(item_id=item, content_index=0, audio_end_ms=ms))


def delete(item="A"):
    return Send(ask.ItemDelete(item_id=item))


def cancel(response="R"):
    return Send(ask.ResponseCancel(response_id=response))


def output(call_id, text="{}"):
    return Send(ask.ItemCreate(item=FunctionCallOutputItem(call_id=call_id, output=text)))


def state(name):
    return Show(StateChanged(name))


def user(text, *, final, item="U"):
    return Show(UserSaid(item, text, final))


def said(text, heard_text="", *, heard=0, made=0, status="in_progress", item="A"):
    return Show(AssistantSaid(item, text, heard_text, heard, made, status, status != "in_progress"))


def turn(**usage):
    return Show(TurnEnded({}, usage, 0.0))


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


# --- session ----------------------------------------------------------------------------------------------


def test_handshake(says):
    session = RealtimeSession(instructions="Be brief.")
    conversation = Conversation(Rules(session=session, server="OpenAI", mode="tools", echo="half-duplex"))
    assert conversation.state is State.CONNECTING
    update = ask.SessionUpdate(event_id="event_rtchat_session", session=session)
    assert conversation.receive(says.session_created()) == [Send(update)]
    audio = AudioConfig(output=AudioOutput(voice="marin"))
    assert conversation.receive(says.session_updated(model="gpt-realtime-2.1", audio=audio)) == [
        Show(SessionStarted("OpenAI", "gpt-realtime-2.1", "marin", "sess_1", "half-duplex", "tools")),
        state("listening"),
    ]
    assert conversation.receive(says.session_updated()) == []


def test_a_session_of_unknown_shape_still_begins():
    conversation = Conversation(Rules(session=RealtimeSession(model="m")))
    effects = conversation.receive(SessionUpdated(session={"odd": True}))
    assert effects[0] == Show(SessionStarted("", "m", "", "", "none", "interactive"))


def test_refused_settings_end_the_session(says):
    conversation = Conversation()
    error = says.error("invalid_value", event_id="event_rtchat_session", message="No such voice.")
    assert conversation.receive(error) == [Refuse("invalid_value", "No such voice.")]


def test_refused_before_it_began(says):
    assert Conversation().receive(says.error("invalid_model", message="No such model.")) == [
        Refuse("invalid_model", "No such model.")
    ]


def test_permanent_errors_end_it_later_too(talk, says):
    assert talk().receive(says.error("session_expired", message="60 minutes.")) == [
        Refuse("session_expired", "60 minutes.")
    ]


def test_other_errors_are_told_and_survived(talk, says):
    conversation = talk()
    told = ErrorTold("invalid_value", "Bad.", "The conversation goes on.", fatal=False)
    assert conversation.receive(says.error("invalid_value", message="Bad.")) == [Show(told)]
    assert conversation.state is State.LISTENING


@pytest.mark.parametrize("code", ["input_audio_buffer_commit_empty", "response_cancel_not_active"])
def test_harmless_errors(talk, says, code):
    assert talk().receive(says.error(code)) == []


def test_what_means_nothing_here_asks_for_nothing(talk):
    conversation = talk()
    assert conversation.receive(RateLimitsUpdated(rate_limits=[])) == []
    assert conversation.receive(UnknownEvent(type="conversation.mood", raw={})) == []
    assert conversation.receive("nonsense") == []


def test_nothing_is_sent_before_the_session_is_there(says, tell, sent):
    conversation = Conversation(Rules(push_to_talk=True))
    early = [Captured(VOICE), TalkPressed(), TalkReleased(), InterruptPressed(), Announced("Ding."), InputEnded()]
    assert tell(conversation, *early) == []
    assert sent(conversation.receive(Typed("hi"))) == []


def test_lines_typed_while_connecting_are_sent_then(says):
    conversation = Conversation()
    assert conversation.receive(Typed("hi")) == [user("hi", final=True, item="item_typed_1")]
    conversation.receive(says.session_created())
    effects = conversation.receive(says.session_updated())
    assert effects[1:] == [state("listening"), put("hi"), create(1), state("thinking")]


def test_greeting(says):
    conversation = Conversation(Rules(greeting="Say hello."))
    conversation.receive(says.session_created())
    effects = conversation.receive(says.session_updated())
    params = ResponseParams(instructions="Say hello.")
    assert effects[1:] == [state("listening"), create(1, response=params), state("thinking")]


# --- a spoken turn ----------------------------------------------------------------------------------------


def test_a_spoken_turn(talk, says, tell):
    conversation = talk()
    assert tell(conversation, says.speech_started()) == [state("hearing"), user("", final=False)]
    assert tell(conversation, says.speech_stopped()) == [state("thinking")]
    assert tell(conversation, says.committed(), says.spoken(), says.created(), says.begins()) == []
    assert tell(conversation, says.words("It is noon.")) == [said("It is noon."), state("speaking")]
    assert tell(conversation, says.sound(200)) == [Play("A", 0, WIRE.silence(200))]
    assert tell(conversation, says.heard_as("What time is it?")) == [user("What time is it?", final=True)]
    assert tell(conversation, says.sound_done(), says.made(), says.done(tokens=7)) == [Drain("A")]
    assert conversation.state is State.SPEAKING, "response.done is not the end of playback"
    assert tell(conversation, Heard("A", 0, 200), Drained()) == [
        said("It is noon.", "It is noon.", heard=200, made=200, status="completed"),
        turn(total_tokens=7),
        state("listening"),
    ]


@pytest.mark.parametrize("position", range(9))
def test_the_transcript_may_come_anywhere(talk, says, tell, shown, position):
    conversation = talk()
    events = [*spoken_turn(says), *answer(says), says.done(), Drained()]
    events.insert(position, says.heard_as("What time is it?"))
    effects = tell(conversation, *events)
    lines = shown(effects, UserSaid)
    assert lines[-1] == UserSaid("U", "What time is it?", final=True)
    assert [line.final for line in lines].count(True) == 1 or position == 0
    assert conversation.state is State.LISTENING
    assert len(shown(effects, TurnEnded)) == 1


def test_words_in_the_middle_of_a_written_answer_do_not_make_the_state_flicker(talk, says, tell):
    conversation = talk()
    tell(conversation, *spoken_turn(says), says.created(), says.writes("It is "))
    assert tell(conversation, says.heard_as("What time is it?"), says.writes("noon.")) == [
        user("What time is it?", final=True),
        said("It is noon.", "It is noon."),
    ]


def test_a_transcript_that_never_comes_stops_nothing(talk, says, tell):
    conversation = talk()
    effects = tell(conversation, *spoken_turn(says), *answer(says), says.done(), Drained(), InputEnded())
    assert effects[-1] == End("done")
    assert conversation.close() == [user("", final=True), state("closed")]


def test_a_transcript_that_fails(talk, says, tell, shown):
    conversation = talk()
    effects = tell(conversation, *spoken_turn(says), says.not_heard(), *answer(says), says.done(), Drained())
    assert shown(effects, ErrorTold)[0].hint == "The answer comes all the same."
    assert conversation.state is State.LISTENING


def test_items_are_in_their_order_whatever_came_first(talk, says, tell):
    conversation = talk()
    tell(
        conversation,
        says.speech_started("U1"),
        says.heard_as("One.", "U1"),
        says.words("Two.", "A1"),
        says.item("A1", "U1", role="assistant", status="in_progress"),
        says.spoken("U2", "A1"),
        says.spoken("U1", None),
        says.item("A1", None, role="assistant", text="Two.", done=True),
    )
    assert [entry.item_id for entry in conversation.items.ordered()] == ["U1", "A1", "U2"]


def test_speech_that_came_to_nothing(talk, says, tell):
    conversation = talk()
    assert tell(conversation, says.speech_started(), says.cleared())[-1] == state("listening")


def test_speech_that_nobody_answers(talk, says, tell):
    conversation = talk(server_answers=False)
    effects = tell(conversation, *spoken_turn(says), says.heard_as("Hello."))
    assert effects == [
        state("hearing"),
        user("", final=False),
        state("listening"),
        user("Hello.", final=True),
    ]


def test_the_answer_to_silence(talk, says, tell):
    """Idle timeout: the server commits and answers by itself (docs/protocol.md)."""
    conversation = talk()
    effects = tell(
        conversation,
        says.item("S", None, role="system", text="No user speech was detected."),
        says.committed("U", "S"),
        says.spoken("U", "S"),
        *answer(says),
        says.done(),
        says.heard_as(""),
        Drained(),
    )
    assert turn() in effects
    assert conversation.state is State.LISTENING


# --- one response at a time -------------------------------------------------------------------------------


def test_a_typed_line(talk, says, tell):
    conversation = talk()
    assert tell(conversation, Typed("hi")) == [
        user("hi", final=True, item="item_typed_1"),
        put("hi"),
        create(1),
        state("thinking"),
    ]
    assert tell(conversation, says.item("item_typed_1", text="hi"), says.created()) == []
    assert tell(conversation, says.writes("Hello."), says.made(), says.done(tokens=3)) == [
        said("Hello.", "Hello."),
        state("speaking"),
        said("Hello.", "Hello.", status="completed"),
        turn(total_tokens=3),
        state("listening"),
    ]


def test_lines_typed_at_once_are_turns_of_their_own(talk, says, tell):
    conversation = talk()
    effects = tell(conversation, Typed("one"), Typed("two"), InputEnded())
    assert [e for e in effects if isinstance(e, Send)] == [put("one"), create(1)]
    first = tell(conversation, says.created("R1"), says.writes("1", response="R1"), says.done("R1", tokens=1))
    assert first[-4:] == [turn(total_tokens=1), put("two", 2), create(2), state("thinking")]
    second = tell(conversation, says.created("R2"), says.writes("2", "B", "R2"), says.done("R2", tokens=2))
    assert second[-3:] == [turn(total_tokens=2), state("listening"), End("done")]


def test_a_typed_line_waits_until_the_last_answer_was_heard(talk, says, tell):
    conversation = talk()
    tell(conversation, *spoken_turn(says), *answer(says))
    assert tell(conversation, Typed("and?")) == [user("and?", final=True, item="item_typed_1")]
    assert tell(conversation, says.done(tokens=5)) == []
    assert tell(conversation, Drained())[1:] == [turn(total_tokens=5), put("and?"), create(1), state("thinking")]


def test_a_typed_line_waits_while_the_user_speaks(talk, says, tell):
    conversation = talk()
    tell(conversation, says.speech_started())
    assert tell(conversation, Typed("and?")) == [user("and?", final=True, item="item_typed_1")]
    tell(conversation, says.speech_stopped(), says.committed(), says.spoken())
    assert tell(conversation, says.created()) == []
    assert put("and?") in tell(conversation, says.done())


def test_news_is_said_as_soon_as_nobody_speaks(talk, says, tell, sent):
    conversation = talk()
    tell(conversation, *spoken_turn(says))
    assert tell(conversation, Announced("The timer has ended.")) == []
    tell(conversation, *answer(says), says.done())
    item, request = sent(tell(conversation, Drained()))
    assert (item.item.role, item.item.content[0].text) == ("system", "The timer has ended.")
    assert isinstance(request, ask.ResponseCreate)


def test_a_refused_request_is_sent_again_after_response_done(talk, says, tell):
    conversation = talk()
    tell(conversation, Typed("hi"))
    assert tell(conversation, says.error(ALREADY, event_id="event_rtchat_response_1")) == []
    assert tell(conversation, says.done("of the server")) == [create(2)]


def test_also_when_the_servers_own_response_was_told_in_between(talk, says, tell):
    conversation = talk()
    tell(conversation, Typed("hi"))
    assert tell(conversation, says.created("S")) == []
    assert tell(conversation, says.error(ALREADY, event_id="event_rtchat_response_1")) == []
    effects = tell(conversation, says.writes("Yes?", response="S"), says.done("S"))
    assert effects[-2:] == [create(2), state("thinking")]
    assert not [e for e in effects if isinstance(e, Show) and isinstance(e.notice, TurnEnded)]


def test_a_request_that_fails_for_good_is_told_and_the_next_goes(talk, says, tell):
    conversation = talk()
    tell(conversation, Typed("one"), Typed("two"))
    effects = tell(conversation, says.error("invalid_value", event_id="event_rtchat_response_1", message="Bad."))
    assert effects == [
        Show(ErrorTold("invalid_value", "Bad.", "The conversation goes on.", fatal=False)),
        turn(),
        put("two", 2),
        create(2),
    ]


def test_the_server_cannot_answer_speech_by_itself(talk, says, tell):
    """Without `interrupt_response` the answer may fail while another is under way: it is asked for then."""
    conversation = talk(speech_interrupts=False)
    tell(conversation, *spoken_turn(says), says.created(), says.sound(500))
    tell(conversation, says.speech_started("U2"), says.speech_stopped("U2"))
    assert tell(conversation, says.committed("U2"), says.error(ALREADY)) == []
    assert tell(conversation, says.sound_done(), says.done()) == [Drain("A")]
    assert tell(conversation, Drained())[-2:] == [turn(), create(1)]


def test_an_error_instead_of_the_servers_answer_does_not_block_for_ever(talk, says, tell):
    conversation = talk()
    tell(conversation, *spoken_turn(says))
    assert tell(conversation, says.error("server_error"))[-1] == state("listening")
    assert put("hi") in tell(conversation, Typed("hi"))


def test_already_active_instead_of_the_servers_answer(talk, says, tell):
    conversation = talk()
    tell(conversation, *spoken_turn(says))
    assert tell(conversation, says.error(ALREADY)) == [create(1)]


def test_the_answer_to_a_line_that_begins_while_the_user_speaks_gives_way(talk, says, tell):
    conversation = talk()
    tell(conversation, Typed("hi"), says.speech_started())
    assert tell(conversation, says.created()) == [cancel()]
    assert tell(conversation, says.sound(100)) == [delete()]
    assert conversation.state is State.HEARING
    tell(conversation, says.done(status="cancelled"), says.speech_stopped(), says.committed(), says.spoken())
    assert tell(conversation, says.created("R2"), says.sound(100, "B", "R2"))[0] == Play("B", 0, WIRE.silence(100))


# --- tools ------------------------------------------------------------------------------------------------


def running(call_id, name="get_time"):
    return [Show(ToolCalled(call_id, name, "{}", "", "running", 0)), CallTool(call_id, name, "{}")]


def test_a_function_call(talk, says, tell):
    conversation = talk()
    call = says.call()
    tell(conversation, Typed("time?"), says.created(), says.called(call))
    assert tell(conversation, says.done("R", call, tokens=10)) == running("call_1")
    assert tell(conversation, ToolDone("call_1", '"noon"', "ok", 12)) == [
        Show(ToolCalled("call_1", "get_time", "{}", '"noon"', "ok", 12)),
        output("call_1", '"noon"'),
        create(2),
    ]
    effects = tell(conversation, says.created("R2"), says.writes("Noon.", response="R2"), says.done("R2", tokens=5))
    assert effects[-2:] == [turn(total_tokens=15), state("listening")], "one turn, the usage of both responses"


def test_a_call_is_acted_on_once_however_often_it_is_told(talk, says, tell):
    conversation, call = talk(), says.call()
    tell(conversation, Typed("time?"), says.created(), says.called(call), says.called(call))
    assert tell(conversation, says.done("R", call)) == running("call_1")
    assert CallTool("call_1", "get_time", "{}") not in tell(conversation, says.done("R", call), says.called(call))


def test_never_when_its_response_was_cancelled(talk, says, tell):
    conversation, call = talk(), says.call()
    tell(conversation, *spoken_turn(says), says.created(), says.called(call), says.speech_started("U2"))
    effects = tell(conversation, says.done("R", call, status="cancelled", reason="turn_detected"))
    assert effects == [turn()]


def test_nor_when_the_user_stopped_it_and_the_server_was_done_already(talk, says, tell):
    conversation, call = talk(), says.call()
    tell(conversation, Typed("time?"), says.created(), says.called(call), InterruptPressed())
    assert tell(conversation, says.done("R", call), says.error("response_cancel_not_active")) == [turn()]


def test_several_calls_get_one_response(talk, says, tell, sent):
    conversation = talk()
    one, two = says.call("call_1"), says.call("call_2", name="calculate")
    tell(conversation, Typed("both"), says.created(), says.called(one), says.called(two, index=1))
    assert tell(conversation, says.done("R", one, two)) == [*running("call_1"), *running("call_2", "calculate")]
    assert sent(tell(conversation, ToolDone("call_2", "4", "ok", 1)), ask.ResponseCreate) == []
    assert tell(conversation, ToolDone("call_1", "5", "error", 1))[1:] == [output("call_1", "5"), create(2)]


def test_a_comment_and_a_call_in_one_response(talk, says, tell):
    """gpt-realtime-2.1: the message's done events may come after the call's."""
    conversation, call = talk(), says.call()
    effects = tell(
        conversation,
        Typed("time?"),
        says.created(),
        says.begins("A"),
        says.words("Let me look.", "A"),
        says.sound(300, "A"),
        says.called(call, index=1),
        says.sound_done("A"),
        says.words_done("Let me look.", "A"),
        says.made("A"),
        says.done("R", says.message("A"), call),
    )
    assert effects[-2:] == running("call_1")
    assert conversation.state is State.SPEAKING
    asked = tell(conversation, ToolDone("call_1", "noon", "ok", 1))
    assert asked[1:] == [output("call_1", "noon"), create(2)], "the comment need not be heard first"
    tell(conversation, Drained())
    assert conversation.state is State.THINKING


def test_tools_at_work_are_shown_as_thinking(talk, says, tell):
    conversation = talk()
    tell(conversation, Typed("time?"), says.created(), says.writes("Let me look."), says.done("R", says.call()))
    assert conversation.state is State.THINKING


def test_a_tool_answers_while_the_user_speaks(talk, says, tell):
    conversation = talk()
    tell(conversation, Typed("time?"), says.created(), says.done("R", says.call()), says.speech_started())
    assert tell(conversation, ToolDone("call_1", "noon", "ok", 1))[1:] == [output("call_1", "noon")]
    tell(conversation, says.output_added("call_1"), says.speech_stopped(), says.committed(), says.spoken())
    effects = tell(conversation, says.created("R2"), says.writes("Noon.", response="R2"), says.done("R2"))
    assert effects[-2:] == [turn(), state("listening")], "the server's answer has seen it"


def test_a_tool_answers_too_late_for_the_servers_answer(talk, says, tell):
    conversation = talk()
    tell(conversation, Typed("time?"), says.created(), says.done("R", says.call()), says.speech_started())
    tell(conversation, ToolDone("call_1", "noon", "ok", 1), says.speech_stopped(), says.created("R2"))
    assert create(2) in tell(conversation, says.output_added("call_1"), says.done("R2"))


def test_a_tool_that_nobody_asked(talk):
    assert talk().receive(ToolDone("call_9", "{}", "ok", 1)) == []


# --- barge-in ---------------------------------------------------------------------------------------------


def interrupted(words, heard_text, *, heard, made):
    return [
        Show(Interruption("A", heard, None, None)),
        said(words, heard_text, heard=heard, made=made, status="interrupted"),
    ]


def test_while_sound_streams(talk, says, tell):
    conversation = talk()
    tell(conversation, *spoken_turn(says), says.created(), says.words("One two three four"), says.sound(1000))
    tell(conversation, Heard("A", 0, 480))
    assert tell(conversation, says.speech_started("U2")) == [
        Flush(),
        truncate(480),
        *interrupted("One two three four", "One two", heard=480, made=1000),
        state("hearing"),
        user("", final=False, item="U2"),
    ]
    late = [
        says.words(" five"),
        says.sound(300),
        says.sound_done(),
        says.words_done("One two three four five"),
        says.made(status="incomplete"),
    ]
    assert tell(conversation, *late) == []
    done = says.done("R", says.message(status="incomplete"), status="cancelled", reason="turn_detected", tokens=9)
    assert tell(conversation, done) == [turn(total_tokens=9)]
    assert tell(conversation, says.speech_stopped("U2")) == [state("thinking")]


def test_before_any_output(talk, says, tell):
    conversation = talk()
    tell(conversation, *spoken_turn(says), says.created())
    assert tell(conversation, says.speech_started("U2")) == [state("hearing"), user("", final=False, item="U2")]
    assert tell(conversation, says.done(status="cancelled", reason="turn_detected", tokens=0)) == [
        turn(total_tokens=0)
    ]


def test_when_the_end_of_the_interrupted_answer_is_told_late(talk, says, tell, sent):
    conversation = talk()
    tell(conversation, *spoken_turn(says), says.created(), says.sound(100), *spoken_turn(says, "U2"))
    assert sent(tell(conversation, says.done(status="cancelled", reason="turn_detected"))) == []
    assert conversation.state is State.THINKING
    assert Play("B", 0, WIRE.silence(100)) in tell(conversation, says.created("R2"), says.sound(100, "B", "R2"))


def test_after_response_done_while_sound_still_plays(talk, says, tell):
    conversation = talk()
    tell(conversation, *spoken_turn(says), *answer(says), says.done(tokens=4), Heard("A", 0, 250))
    assert tell(conversation, says.speech_started("U2")) == [
        Flush(),
        truncate(250),
        *interrupted("One two three four", "One", heard=250, made=1000),
        state("hearing"),
        user("", final=False, item="U2"),
        turn(total_tokens=4),
    ]


def test_between_the_item_and_its_response_done(talk, says, tell):
    conversation = talk()
    tell(conversation, *spoken_turn(says), *answer(says), Heard("A", 0, 250))
    assert truncate(250) in tell(conversation, says.speech_started("U2"))
    done = says.done("R", says.message(), status="cancelled", reason="turn_detected")
    assert tell(conversation, done) == [turn()]


def test_by_the_key(talk, says, tell):
    conversation = talk()
    tell(conversation, *spoken_turn(says), says.created(), says.words("One two three four"), says.sound(1000))
    tell(conversation, Heard("A", 0, 480))
    assert tell(conversation, InterruptPressed()) == [
        Flush(),
        cancel(),
        truncate(480),
        *interrupted("One two three four", "One two", heard=480, made=1000),
        state("listening"),
    ]
    assert tell(conversation, InterruptPressed(), says.sound(100)) == []
    assert tell(conversation, says.done(status="cancelled", reason="client_cancelled")) == [turn()]


def test_by_the_key_after_response_done(talk, says, tell):
    conversation = talk()
    tell(conversation, *spoken_turn(says), *answer(says), says.done(), Heard("A", 0, 480))
    effects = tell(conversation, InterruptPressed())
    assert effects[:2] == [Flush(), truncate(480)]
    assert effects[-2:] == [turn(), state("listening")]


def test_by_the_key_before_the_response_began(talk, says, tell):
    conversation = talk()
    tell(conversation, Typed("hi"))
    assert tell(conversation, InterruptPressed()) == [state("listening")]
    assert tell(conversation, says.created()) == [cancel()]
    assert tell(conversation, says.writes("Hello.")) == []
    assert tell(conversation, says.done(status="cancelled")) == [turn()]


def test_by_the_key_when_there_is_nothing_to_stop(talk):
    assert talk().receive(InterruptPressed()) == []


def test_nothing_heard_is_deleted(talk, says, tell):
    conversation = talk()
    tell(conversation, *spoken_turn(says), *answer(says))
    assert tell(conversation, says.speech_started("U2"))[:2] == [Flush(), delete()]


def test_all_heard_is_left_alone(talk, says, tell, sent):
    conversation = talk()
    tell(conversation, *spoken_turn(says), *answer(says), says.done(), Heard("A", 0, 1000), Drained())
    assert sent(tell(conversation, says.speech_started("U2"))) == []


def test_never_truncated_past_what_was_received(talk, says, tell):
    conversation = talk()
    tell(conversation, *spoken_turn(says), says.created(), says.sound(300), Heard("A", 0, 99_999))
    assert tell(conversation, says.speech_started("U2"))[0] == Flush()
    assert tell(conversation, says.sound(100)) == [truncate(300)]
    assert tell(conversation, says.sound(100)) == []


def test_a_deleted_item_while_it_plays(talk, says, tell, sent):
    conversation = talk()
    tell(conversation, *spoken_turn(says), *answer(says), says.done(), says.deleted("A"))
    assert sent(tell(conversation, says.speech_started("U2"))) == []


def test_speech_that_does_not_interrupt(talk, says, tell):
    conversation = talk(speech_interrupts=False)
    tell(conversation, *spoken_turn(says), says.created(), says.sound(300))
    assert tell(conversation, says.speech_started("U2")) == [state("hearing"), user("", final=False, item="U2")]
    assert Play("A", 0, WIRE.silence(100)) in tell(conversation, says.sound(100))


def test_taken_out_before_the_server_had_it(talk, says):
    assert talk().receive(says.error("item_delete_invalid_item_id")) == []


# --- the microphone ---------------------------------------------------------------------------------------


def append(pcm):
    return Send(ask.InputAudioAppend(audio=pcm))


def test_the_microphone_goes_out(talk):
    assert talk().receive(Captured(VOICE)) == [append(VOICE)]


def test_half_duplex_hears_nothing_while_the_assistant_sounds(talk, says, tell):
    conversation = talk(echo="half-duplex")
    assert tell(conversation, Captured(VOICE)) == [append(VOICE)]
    tell(conversation, *spoken_turn(says), *answer(says), says.done())
    assert tell(conversation, Captured(VOICE)) == [append(bytes(len(VOICE)))]
    tell(conversation, Drained())
    after = tell(conversation, *[Captured(VOICE)] * 20)
    assert after[0] == append(bytes(len(VOICE))), "the room still rings"
    assert after[-1] == append(VOICE)


def test_mute(talk, says, tell):
    conversation = talk()
    assert tell(conversation, MuteToggled()) == [state("muted")]
    assert tell(conversation, Captured(VOICE)) == [append(bytes(len(VOICE)))]
    assert tell(conversation, says.created()) == [state("thinking")]
    assert tell(conversation, says.done())[-1] == state("muted")
    assert tell(conversation, MuteToggled()) == [state("listening")]
    assert conversation.state is State.LISTENING


def test_push_to_talk(talk, says, tell):
    conversation = talk(push_to_talk=True)
    assert tell(conversation, Captured(VOICE)) == []
    assert tell(conversation, TalkPressed()) == [Send(ask.InputAudioClear()), state("hearing")]
    assert tell(conversation, *[Captured(VOICE)] * 5) == [append(VOICE)] * 5
    assert tell(conversation, TalkReleased()) == [Send(ask.InputAudioCommit()), state("thinking"), create(1)]
    assert tell(conversation, says.cleared(), says.committed(), says.spoken()) == [user("", final=False)]
    effects = tell(conversation, *answer(says), says.done(), Drained())
    assert effects[-2:] == [turn(), state("listening")]


def test_a_short_press_sends_nothing_useful(talk, tell):
    conversation = talk(push_to_talk=True)
    tell(conversation, TalkPressed(), *[Captured(VOICE)] * 4)
    assert tell(conversation, TalkReleased()) == [Send(ask.InputAudioClear()), state("listening")]


def test_pressing_to_talk_interrupts(talk, says, tell):
    conversation = talk(push_to_talk=True)
    tell(conversation, Typed("hi"), says.created(), says.words("One two three four"), says.sound(1000))
    tell(conversation, Heard("A", 0, 480))
    assert tell(conversation, TalkPressed()) == [
        Flush(),
        cancel(),
        truncate(480),
        *interrupted("One two three four", "One two", heard=480, made=1000),
        Send(ask.InputAudioClear()),
        state("hearing"),
    ]
    tell(conversation, *[Captured(VOICE)] * 10)
    assert tell(conversation, TalkReleased()) == [Send(ask.InputAudioCommit()), state("thinking")]
    assert tell(conversation, says.done(status="cancelled")) == [turn(), create(2)]


def test_a_held_key_repeats_itself(talk, tell):
    conversation = talk(push_to_talk=True)
    tell(conversation, TalkPressed(), *[Captured(VOICE)] * 5)
    assert tell(conversation, TalkPressed()) == []
    assert Send(ask.InputAudioCommit()) in tell(conversation, TalkReleased())
    assert tell(conversation, TalkReleased()) == []


def test_a_tool_that_answers_while_the_key_is_down_waits(talk, says, tell):
    conversation = talk(push_to_talk=True)
    tell(conversation, Typed("time?"), says.created(), says.done("R", says.call()), TalkPressed())
    tell(conversation, *[Captured(VOICE)] * 5)
    assert tell(conversation, ToolDone("call_1", "noon", "ok", 1))[1:] == [output("call_1", "noon")]
    effects = tell(conversation, TalkReleased())
    assert [e for e in effects if isinstance(e, Send)] == [Send(ask.InputAudioCommit()), create(2)]


def test_the_talk_key_means_nothing_where_the_server_takes_turns(talk, tell):
    assert tell(talk(), TalkPressed(), TalkReleased()) == []


# --- how it ends ------------------------------------------------------------------------------------------


def test_input_that_ends_at_once(talk):
    conversation = talk()
    assert conversation.receive(InputEnded()) == [End("done")]
    assert conversation.receive(InputEnded()) == []


def test_input_that_ended_before_the_session_began(says, tell):
    conversation = Conversation()
    tell(conversation, InputEnded(), says.session_created())
    assert conversation.receive(says.session_updated())[-1] == End("done")


def test_input_that_ends_while_all_is_still_to_come(talk, says, tell):
    conversation = talk()
    events = [says.speech_started(), InputEnded(), says.speech_stopped(), says.committed(), says.spoken()]
    effects = tell(conversation, *events, *answer(says), says.done())
    assert End("done") not in effects
    assert tell(conversation, Drained())[-1] == End("done")
    assert End("done") not in tell(conversation, Drained(), Heard("A", 0, 1000))


def test_input_that_ends_while_a_tool_works(talk, says, tell):
    conversation = talk()
    tell(conversation, Typed("time?"), InputEnded(), says.created())
    assert End("done") not in tell(conversation, says.done("R", says.call()))
    assert End("done") not in tell(conversation, ToolDone("call_1", "noon", "ok", 1), says.created("R2"))
    assert tell(conversation, says.writes("Noon.", response="R2"), says.done("R2"))[-1] == End("done")


def test_where_nobody_answers_the_words_are_waited_for(talk, says, tell):
    conversation = talk(server_answers=False)
    assert End("done") not in tell(conversation, *spoken_turn(says), InputEnded())
    assert tell(conversation, says.heard_as("Hello.")) == [user("Hello.", final=True), End("done")]


def test_where_nobody_answers_and_the_words_fail(talk, says, tell):
    conversation = talk(server_answers=False)
    tell(conversation, *spoken_turn(says), InputEnded())
    assert tell(conversation, says.not_heard())[-1] == End("done")


def test_an_answer_that_failed(talk, says, tell, shown):
    conversation = talk()
    effects = tell(conversation, Typed("hi"), says.created(), says.done(status="failed"))
    assert shown(effects, ErrorTold) == [ErrorTold(None, "The server could not answer.", "Ask again.", fatal=False)]
    assert effects[-2:] == [turn(), state("listening")]


def test_an_answer_that_was_cut_short_by_the_model(talk, says, tell, shown):
    conversation = talk()
    events = [Typed("hi"), says.created(), says.writes("Well")]
    effects = tell(conversation, *events, says.done(status="incomplete", reason="max_output_tokens"))
    assert shown(effects, ErrorTold)[0].code == "max_output_tokens"
    assert said("Well", "Well", status="completed") in effects


def test_close_gives_everything_its_last_word(talk, says, tell):
    conversation = talk()
    tell(conversation, *spoken_turn(says), says.created(), says.words("One two three four"), says.sound(1000))
    tell(conversation, Heard("A", 0, 480))
    assert conversation.close() == [
        user("", final=True),
        said("One two three four", "One two", heard=480, made=1000, status="interrupted"),
        state("closed"),
    ]
    assert conversation.close() == []
    assert tell(conversation, says.sound(100), Typed("hi"), InputEnded()) == []


def test_close_tells_what_an_open_turn_has_used(talk, says, tell):
    conversation = talk()
    tell(conversation, *spoken_turn(says), *answer(says), says.done(tokens=7))
    assert turn(total_tokens=7) in conversation.close()
    assert conversation.state is State.CLOSED


# --- a transcription session --------------------------------------------------------------------------------


@pytest.fixture
def scribe():
    """A transcription session that has begun; nobody answers in it."""

    def begin(**rules):
        written = Transcription(model="w")
        session = TranscriptionSession(audio=AudioConfig(input=AudioInput(transcription=written)))
        machine = Conversation(Rules(session=session, server_answers=False, **rules))
        machine.receive(SessionCreated(session=session))
        return machine, machine.receive(SessionUpdated(session=session))

    return begin


def test_a_transcription_names_the_model_that_writes(scribe):
    _, effects = scribe(mode="transcribe")
    assert effects[0] == Show(SessionStarted("", "w", "", "", "none", "transcribe"))


def test_a_transcription_ends_when_all_words_are_known(scribe, says):
    machine, _ = scribe()
    for event in (says.speech_started(), says.speech_stopped(), says.committed(), says.spoken()):
        machine.receive(event)
    assert End("done") not in machine.receive(InputEnded())
    assert machine.receive(says.heard_as("hello"))[-1] == End("done")


def test_a_turn_of_push_to_talk_in_a_transcription_asks_for_no_answer_and_waits_for_its_words(scribe, says):
    machine, _ = scribe(push_to_talk=True)
    machine.receive(TalkPressed())
    for _ in range(10):
        machine.receive(Captured(bytes(960)))
    assert Send(ask.InputAudioCommit()) in (effects := machine.receive(TalkReleased()))
    assert not any(isinstance(e, Send) and isinstance(e.event, ask.ResponseCreate) for e in effects)
    assert machine.receive(InputEnded()) == []
    machine.receive(says.spoken())
    assert machine.receive(says.heard_as("hello"))[-1] == End("done")
