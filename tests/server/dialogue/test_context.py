import itertools

import pytest

from rtchat.protocol.config import RealtimeSession, ResponseParams
from rtchat.protocol.items import FunctionCallItem, FunctionCallOutputItem, MessageItem
from rtchat.protocol.server_events import ErrorDetail, ErrorEvent, ItemDeleted
from rtchat.server.dialogue.checks import Rejected
from rtchat.server.dialogue.context import Context
from rtchat.server.dialogue.items import Entry
from rtchat.server.dialogue.plan import Plan
from rtchat.server.dialogue.settings import Settings
from rtchat.server.dialogue.signals import Emit
from rtchat.server.engines.base import Message, Prompt

WEATHER = {"type": "function", "name": "weather", "description": "Of a city.", "parameters": {"type": "object"}}


def new_context(prefix="") -> Context:
    numbers = itertools.count(1)
    settings = Settings(kind="realtime", model="gpt-realtime", session_id="sess", expires_at=1)
    return Context(settings, "gpt-realtime", lambda kind: f"{prefix}{kind}_{next(numbers)}", "conv")


@pytest.fixture
def context() -> Context:
    return new_context()


def typed(item_id: str, text: str) -> Entry:
    return Entry(MessageItem(id=item_id, role="user", content=[{"type": "input_text", "text": text}]))


def spoken(item_id: str, words: str) -> Entry:
    item = MessageItem(id=item_id, role="user", content=[{"type": "input_audio", "transcript": None}])
    return Entry(item, words=words)


def test_every_event_has_an_id_of_its_own(context):
    assert [context.emit(ItemDeleted, item_id=item_id) for item_id in ("a", "b")] == [
        Emit(ItemDeleted(event_id="event_1", item_id="a")),
        Emit(ItemDeleted(event_id="event_2", item_id="b")),
    ]


def test_a_refusal_names_the_clients_event_and_has_its_own_id(context):
    rejected = Rejected("invalid_value", "There is no such voice.", "session.audio.output.voice", event_id="mine")
    detail = ErrorDetail(
        type="invalid_request_error",
        code="invalid_value",
        message="There is no such voice.",
        param="session.audio.output.voice",
        event_id="mine",
    )
    assert context.error(rejected) == Emit(ErrorEvent(event_id="event_1", error=detail))


def test_a_fault_of_the_server_is_told_as_one(context):
    told = context.error(Rejected("engine_error", "The voice is hoarse.", kind="server_error")).event
    assert told.error.type == "server_error"
    assert told.error.event_id is None


def test_the_language_model_is_given_the_plan_and_what_was_said(context):
    asked = ResponseParams(instructions="Rhyme.", tools=[WEATHER], tool_choice="required")
    plan = Plan.of(context.settings.realtime, asked)
    entries = [typed("a", "hello"), spoken("b", "what time is it")]
    assert context.prompt(plan, entries) == Prompt(
        instructions="Rhyme.",
        messages=[Message("user", "hello"), Message("user", "what time is it")],
        tools=[WEATHER],
        tool_choice="required",
        model="gpt-realtime",
    )


def test_without_wishes_of_its_own_a_response_has_the_sessions(context):
    session = RealtimeSession(instructions="Be brief.", tools=[WEATHER])
    context.settings.update(session, voice_fixed=False)
    prompt = context.prompt(Plan.of(context.settings.realtime, ResponseParams()), [])
    assert (prompt.instructions, prompt.tools, prompt.tool_choice) == ("Be brief.", [WEATHER], "auto")


def test_only_what_is_given_is_told(context):
    """A response with an `input` of its own does not know the conversation."""
    context.store.add(typed("a", "a secret"))
    plan = Plan.of(context.settings.realtime, ResponseParams())
    assert context.prompt(plan, [typed("b", "hello")]).messages == [Message("user", "hello")]


def test_a_result_beside_the_conversation_is_told_with_the_name_of_the_call_in_it(context):
    context.store.add(Entry(FunctionCallItem(id="a", call_id="call", name="weather", arguments="{}")))
    result = Entry(FunctionCallOutputItem(id="b", call_id="call", output="rain"))
    plan = Plan.of(context.settings.realtime, ResponseParams())
    assert context.prompt(plan, [result]).messages == [Message("tool", "rain", "weather", "call")]


def test_conversations_do_not_share_their_items():
    first, second = new_context("first_"), new_context("second_")
    first.store.add(typed("a", "hello"))
    assert second.store.last_id() is None
