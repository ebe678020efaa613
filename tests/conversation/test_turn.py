"""Who has the word: one answer at a time, what stops it, and when it is over."""

from __future__ import annotations

from rtchat.chunk import WIRE
from rtchat.conversation.machine import Conversation
from rtchat.conversation.notices import (
    AssistantSaid,
    ErrorTold,
    Interruption,
    StateChanged,
    TurnEnded,
    UserSaid,
)
from rtchat.conversation.signals import (
    Announced,
    Drain,
    Drained,
    End,
    Flush,
    Heard,
    InputEnded,
    InterruptPressed,
    Play,
    Send,
    Show,
    ToolDone,
    Typed,
)
from rtchat.conversation.state import State
from rtchat.protocol import client_events as ask
from rtchat.protocol.items import user_text

ALREADY = "conversation_already_has_active_response"


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
