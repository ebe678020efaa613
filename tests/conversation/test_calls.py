from __future__ import annotations

from rtchat.conversation.calls import Calls
from rtchat.protocol.items import FunctionCallOutputItem


def test_a_call_told_often_is_due_once(says):
    calls, call = Calls(), says.call()
    calls.made("R", call)
    calls.made("R", call)
    assert calls.due("R", [call], cancelled=False) == [call]
    assert calls.due("R", [call], cancelled=False) == []


def test_a_call_that_only_the_response_lists(says):
    assert Calls().due("R", [says.call()], cancelled=False) == [says.call()]


def test_never_of_a_cancelled_response(says):
    calls = Calls()
    calls.made("R", says.call())
    assert calls.due("R", [says.call()], cancelled=True) == []
    assert not calls.pending


def test_an_unfinished_call_is_none(says):
    calls, torn = Calls(), says.call(arguments='{"ci', status="incomplete")
    calls.made("R", torn)
    assert calls.due("R", [torn], cancelled=False) == []


def test_a_call_without_an_id_cannot_be_answered(says):
    assert Calls().due("R", [says.call(call_id=None)], cancelled=False) == []


def test_calls_of_another_response_wait_for_it(says):
    calls = Calls()
    calls.made("other", says.call("call_2"))
    assert calls.due("R", [], cancelled=False) == []
    assert calls.due("other", [], cancelled=False) == [says.call("call_2")]


def test_pending_until_every_tool_has_answered(says):
    calls = Calls()
    calls.due("R", [says.call("call_1"), says.call("call_2")], cancelled=False)
    assert calls.answered("call_1", "{}") == says.call("call_1")
    assert calls.pending
    assert calls.answered("call_1", "{}") is None
    assert calls.answered("call_2", "{}") is not None
    assert not calls.pending


def test_told_once_the_outputs_are_in_the_conversation(says):
    calls = Calls()
    assert calls.told
    calls.due("R", [says.call()], cancelled=False)
    calls.answered("call_1", "{}")
    assert not calls.told
    calls.output_added(output("call_of_somebody_else"))
    calls.output_added(output("call_1", "out_1"))
    assert calls.told


def output(call_id, item_id=None):
    return FunctionCallOutputItem(call_id=call_id, output="{}", id=item_id)


def test_the_history_has_what_was_called_and_what_it_gave(says):
    calls = Calls()
    one, two = says.call("call_1"), says.call("call_2")
    calls.due("R", [one, two], cancelled=False)
    calls.answered("call_1", "{}")
    assert calls.history() == [(one, output("call_1")), (two, None)]
    calls.output_added(output("call_1", "out_1"))
    assert calls.history()[0] == (one, output("call_1", "out_1"))


def test_a_lost_server_makes_no_call_any_more_and_tools_go_on(says):
    calls = Calls()
    calls.due("R", [says.call("call_1")], cancelled=False)
    calls.made("R2", says.call("call_2"))
    calls.lost()
    assert calls.due("R2", [], cancelled=False) == []
    assert calls.answered("call_1", "{}") is not None
