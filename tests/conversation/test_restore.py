from __future__ import annotations

import pytest

from rtchat.conversation.calls import Calls
from rtchat.conversation.items import Items
from rtchat.conversation.restore import MAX_CHARACTERS, history, predecessor
from rtchat.protocol.items import FunctionCallItem, FunctionCallOutputItem


@pytest.fixture
def items():
    """`items.say(id, role, text)` on top of the real one."""

    class Said(Items):
        def say(self, item_id, role, text, *, closed=True, spoken=False):
            entry = self.append(item_id, role)
            entry.words, entry.closed, entry.spoken = {0: text}, closed, spoken
            return entry

    return Said()


@pytest.fixture
def calls():
    """`calls.answer(id, output)`: a call that was made and answered."""

    class Made(Calls):
        def make(self, call_id, output=None, *, output_id=None, arguments="{}"):
            call = FunctionCallItem(name="f", arguments=arguments, call_id=call_id, id=f"item_{call_id}")
            self.due("R", [call], cancelled=False)
            if output is not None:
                self.answered(call_id, output)
            if output_id is not None:
                self.output_added(FunctionCallOutputItem(call_id=call_id, output=output, id=output_id))

    return Made()


def ids(found):
    return [item.id or item.call_id for item in found]


def test_messages_as_they_were_said_and_read(items, calls):
    items.say("U", "user", "Hello.")
    items.say("A", "assistant", "Hi.")
    user, assistant = history(items, calls, without=set())
    assert (user.role, user.content[0].type, user.content[0].text, user.id) == ("user", "input_text", "Hello.", "U")
    assert (assistant.role, assistant.content[0].type) == ("assistant", "output_text")
    assert assistant.content[0].text == "Hi."


def test_what_is_left_out(items, calls):
    items.say("open", "user", "Hel", closed=False)
    items.say("unknown", "user", "")
    items.say("unheard", "assistant", "Never heard.", spoken=True)
    items.say("system", "system", "Be nice.")
    items.say("queued", "user", "Later.")
    assert history(items, calls, without={"queued"}) == []


def test_calls_stand_where_they_were(items, calls):
    items.say("U", "user", "Time?")
    calls.make("call_1", "noon", output_id="out_1")
    items.append("item_call_1", "")
    items.append("out_1", "")
    items.say("A", "assistant", "Noon.")
    assert ids(history(items, calls, without=set())) == ["U", "item_call_1", "out_1", "A"]


def test_an_output_that_the_last_server_never_had_follows_its_call(items, calls):
    items.say("U", "user", "Time?")
    calls.make("call_1", "noon")
    items.append("item_call_1", "")
    items.say("U2", "user", "Well?")
    assert ids(history(items, calls, without=set())) == ["U", "item_call_1", "call_1", "U2"]


def test_a_call_whose_tool_is_at_work(items, calls):
    calls.make("call_1")
    assert ids(history(items, calls, without=set())) == ["item_call_1"]


def test_the_newest_that_fit(items, calls):
    for number in range(10):
        items.say(f"U{number}", "user", "x" * (MAX_CHARACTERS // 4))
    assert ids(history(items, calls, without=set())) == ["U6", "U7", "U8", "U9"]


def test_an_output_is_not_told_without_its_call(items, calls):
    calls.make("call_1", "noon", output_id="out_1", arguments="x" * MAX_CHARACTERS)
    items.append("item_call_1", "")
    items.append("out_1", "")
    items.say("A", "assistant", "Noon.")
    assert ids(history(items, calls, without=set())) == ["A"]


def test_where_a_late_item_goes(items):
    for name in "abc":
        items.say(name, "user", name)
    entry = items.get("c")
    assert predecessor(items, entry, {"a", "b"}) == "b"
    assert predecessor(items, entry, {"a"}) == "a"
    assert predecessor(items, entry, {"c"}) == "root"
