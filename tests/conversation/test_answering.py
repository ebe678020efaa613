"""Responses and the functions that they call."""

from __future__ import annotations

from rtchat.conversation.notices import (
    StateChanged,
    ToolCalled,
    TurnEnded,
)
from rtchat.conversation.signals import (
    CallTool,
    Drained,
    InterruptPressed,
    Send,
    Show,
    ToolDone,
    Typed,
)
from rtchat.conversation.state import State
from rtchat.protocol import client_events as ask
from rtchat.protocol.items import FunctionCallOutputItem


def create(number, **fields):
    return Send(ask.ResponseCreate(event_id=f"event_rtchat_response_{number}", **fields))


def output(call_id, text="{}"):
    return Send(ask.ItemCreate(item=FunctionCallOutputItem(call_id=call_id, output=text)))


def state(name):
    return Show(StateChanged(name))


def turn(**usage):
    return Show(TurnEnded({}, usage, 0.0))


def spoken_turn(says, item="U"):
    """The user's turn up to the server's response, as recorded (docs/protocol.md)."""
    return [says.speech_started(item), says.speech_stopped(item), says.committed(item), says.spoken(item)]


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
