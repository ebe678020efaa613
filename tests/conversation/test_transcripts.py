from __future__ import annotations

import pytest

from rtchat.conversation.items import Items
from rtchat.conversation.notices import AssistantSaid, ErrorTold, UserSaid
from rtchat.conversation.signals import Show
from rtchat.conversation.transcripts import Transcripts
from rtchat.protocol import server_events as told
from rtchat.protocol.items import MessageItem


@pytest.fixture
def items():
    return Items()


@pytest.fixture
def transcripts(items):
    return Transcripts(items)


def user(text, *, final, item="U"):
    return Show(UserSaid(item, text, final=final))


def test_words_after_their_item(transcripts, says):
    assert transcripts.started("U") == [user("", final=False)]
    assert transcripts.added(says.spoken()) == []
    assert transcripts.delta(says.heard_more("What ")) == [user("What ", final=False)]
    assert transcripts.delta(says.heard_more("time")) == [user("What time", final=False)]
    assert transcripts.waiting
    assert transcripts.completed(says.heard_as("What time is it?")) == [user("What time is it?", final=True)]
    assert not transcripts.waiting


def test_words_before_their_item(transcripts, items, says):
    assert transcripts.completed(says.heard_as("Hello.")) == [user("Hello.", final=True)]
    assert transcripts.added(says.spoken(after=None)) == []
    assert [(entry.item_id, entry.text) for entry in items.ordered()] == [("U", "Hello.")]


def test_an_item_that_nobody_mentioned_before_gets_a_line(transcripts, says):
    assert transcripts.added(says.spoken()) == [user("", final=False)]


def test_words_never(transcripts, says):
    transcripts.started("U")
    transcripts.added(says.spoken())
    assert transcripts.waiting
    assert transcripts.close() == [user("", final=True)]
    assert transcripts.close() == []


def test_words_that_never_got_an_item_get_their_last_word_too(transcripts, says):
    transcripts.delta(says.heard_more("Hel"))
    assert transcripts.close() == [user("Hel", final=True)]


def test_words_that_cannot_be_had(transcripts, says):
    transcripts.started("U")
    hint = "The answer comes all the same."
    assert transcripts.failed(says.not_heard()) == [
        user("", final=True),
        Show(ErrorTold("DeploymentNotFound", "Input transcription failed.", hint, fatal=False)),
    ]
    assert not transcripts.waiting


def test_a_failure_without_words(transcripts, says):
    notice = transcripts.failed(says.not_heard(message=""))[1].notice
    assert notice.message == "Your words could not be written down."


def test_late_deltas_change_nothing(transcripts, says):
    transcripts.completed(says.heard_as("Hello."))
    assert transcripts.delta(says.heard_more("lo")) == []
    assert transcripts.delta(told.TranscriptionDelta(item_id="V")) == []


def test_typed_words_are_final_and_their_echo_is_no_news(transcripts, items, says):
    assert transcripts.typed("item_typed_1", "hi") == [user("hi", final=True, item="item_typed_1")]
    assert items.ordered() == []
    assert transcripts.added(says.item("item_typed_1", text="hi")) == []
    assert transcripts.added(says.item("item_typed_1", text="hi", done=True)) == []
    assert [entry.text for entry in items.ordered()] == ["hi"]


def test_a_history_is_told_whole(transcripts, says):
    assert transcripts.added(says.item("h1", text="My name is Ada.")) == [
        user("My name is Ada.", final=True, item="h1")
    ]
    said = AssistantSaid("h2", "Hello Ada.", "Hello Ada.", 0, 0, "completed", final=True)
    assert transcripts.added(says.item("h2", "h1", role="assistant", text="Hello Ada.")) == [Show(said)]
    assert transcripts.added(says.item("h2", "h1", role="assistant", text="Hello Ada.", done=True)) == []


def test_an_answer_in_the_making_is_not_ours(transcripts, items, says):
    assert transcripts.added(says.item("A", "U", role="assistant", status="in_progress")) == []
    items["A"].response_id = "R"
    done = says.item("A", None, role="assistant", text="Hello.", done=True)
    assert transcripts.added(done) == []
    assert not items["A"].closed


def test_a_torn_answer_is_no_history(transcripts, says):
    torn = says.item("A", None, role="assistant", text="Hel", status="incomplete", done=True)
    assert transcripts.added(torn) == []


def test_system_messages_and_calls_have_places_but_no_lines(transcripts, items, says):
    assert transcripts.added(says.item("S", None, role="system", text="No user speech was detected.")) == []
    assert transcripts.added(told.ItemAdded(previous_item_id="S", item=says.call())) == []
    assert [entry.item_id for entry in items.ordered()] == ["S", "item_call_1"]


def test_an_item_without_an_id_is_nowhere(transcripts, items):
    message = MessageItem(role="user", content=[])
    assert transcripts.added(told.ItemAdded(previous_item_id=None, item=message)) == []
    assert list(items) == []


def test_a_server_that_names_no_predecessor_means_the_end(transcripts, items):
    for name in ("one", "two"):
        transcripts.added(told.ItemAdded(item=MessageItem(role="user", content=[], id=name)))
    assert [entry.item_id for entry in items.ordered()] == ["one", "two"]


def test_deleted(transcripts, items, says):
    transcripts.added(says.item("U", text="hi"))
    assert transcripts.deleted(says.deleted("U")) == []
    assert items.ordered() == []
