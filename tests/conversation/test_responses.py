from __future__ import annotations

from rtchat.conversation.responses import ALREADY_ACTIVE, Responses, Want
from rtchat.protocol.client_events import ItemCreate, ResponseCancel, ResponseCreate
from rtchat.protocol.config import ResponseParams
from rtchat.protocol.items import user_text

LINE, OTHER = Want(item=user_text("one"), begins=True), Want(item=user_text("two"), begins=True)


def ask(number, **fields):
    return ResponseCreate(event_id=f"event_rtchat_response_{number}", **fields)


def asked(*wants):
    """Responses, and the first events for these wants."""
    responses = Responses()
    for want in wants:
        responses.want(want)
    return responses, responses.next(sounding=False)


def test_an_item_goes_before_its_request():
    _, events = asked(LINE)
    assert events == [ItemCreate(item=LINE.item), ask(1)]


def test_one_at_a_time():
    responses, _ = asked(LINE, OTHER)
    assert responses.next(sounding=False) == []
    responses.created("R", covers=False)
    assert responses.next(sounding=False) == []
    responses.done("R")
    assert responses.next(sounding=False) == [ItemCreate(item=OTHER.item), ask(2)]


def test_what_goes_on_comes_before_what_begins():
    responses, _ = asked(LINE, OTHER)
    responses.created("R", covers=False)
    responses.want(Want())
    responses.done("R")
    assert responses.turn_goes_on
    assert responses.next(sounding=True) == [ask(2)]


def test_a_new_turn_waits_until_the_last_was_heard():
    responses = Responses()
    responses.want(LINE)
    assert responses.next(sounding=True) == []
    assert not responses.turn_goes_on
    assert len(responses.next(sounding=False)) == 2


def test_wants_without_an_item_are_one():
    responses, events = asked(Want(), Want())
    assert events == [ask(1)]
    responses.created("R", covers=False)
    responses.done("R")
    assert responses.next(sounding=False) == []


def test_the_users_speech_takes_what_a_tool_wanted_with_it():
    responses = Responses()
    responses.hold = True
    responses.want(Want())
    responses.want(Want(begins=True))
    responses.hold = False
    assert not responses.turn_goes_on
    assert responses.next(sounding=False) == [ask(1)]
    responses.created("R", covers=False)
    responses.done("R")
    assert responses.next(sounding=False) == []


def test_parameters_are_passed_on():
    params = ResponseParams(instructions="Say hello.")
    assert asked(Want(params=params))[1] == [ask(1, response=params)]


def test_hold_keeps_everything_back():
    responses = Responses()
    responses.hold = True
    responses.want(Want())
    assert responses.next(sounding=False) == []
    responses.hold = False
    assert responses.next(sounding=False) == [ask(1)]


def test_the_servers_own_response_answers_what_needs_no_item():
    responses = Responses()
    responses.hold = True
    responses.want(Want())
    responses.want(LINE)
    responses.created("R", covers=True)
    responses.hold = False
    responses.done("R")
    assert responses.next(sounding=False) == [ItemCreate(item=LINE.item), ask(1)]


def test_but_not_when_it_may_not_have_seen_it():
    responses = Responses()
    responses.hold = True
    responses.want(Want())
    responses.created("R", covers=False)
    responses.hold = False
    responses.done("R")
    assert responses.next(sounding=False) == [ask(1)]


def test_refused_before_any_response_was_seen_is_asked_again_after_the_next_done():
    responses, _ = asked(LINE)
    assert responses.failed("event_rtchat_response_1", ALREADY_ACTIVE)
    assert responses.next(sounding=False) == []
    assert responses.active is None
    assert not responses.idle
    responses.done("of the server")
    assert responses.next(sounding=False) == [ask(2)], "the item is in the conversation already"


def test_refused_after_the_servers_own_response_was_taken_for_ours():
    responses, _ = asked(LINE)
    responses.created("of the server", covers=False)
    assert responses.failed("event_rtchat_response_1", ALREADY_ACTIVE)
    assert responses.next(sounding=False) == []
    responses.done("of the server")
    assert responses.next(sounding=False) == [ask(2)]


def test_refused_when_that_response_is_done_already():
    responses, _ = asked(LINE)
    responses.created("of the server", covers=False)
    responses.done("of the server")
    assert responses.failed("event_rtchat_response_1", ALREADY_ACTIVE)
    assert responses.next(sounding=False) == [ask(2)]


def test_refused_long_after_another_was_asked_for():
    responses, _ = asked(LINE, OTHER)
    responses.created("of the server", covers=False)
    responses.done("of the server")
    assert responses.next(sounding=False) == [ItemCreate(item=OTHER.item), ask(2)]
    assert responses.failed("event_rtchat_response_1", ALREADY_ACTIVE)
    responses.created("R", covers=False)
    responses.done("R")
    assert responses.next(sounding=False) == [ask(3)]


def test_refused_for_good():
    responses, _ = asked(LINE)
    assert not responses.failed("event_rtchat_response_1", "invalid_value")
    assert responses.idle
    assert responses.next(sounding=False) == []


def test_an_error_about_something_else():
    responses, _ = asked(LINE)
    assert not responses.failed("event_of_another", ALREADY_ACTIVE)
    assert not responses.idle


def test_a_server_that_does_not_name_the_request_it_refuses():
    responses, _ = asked(LINE)
    assert responses.failed(None, ALREADY_ACTIVE)
    responses.done("of the server")
    assert responses.next(sounding=False) == [ask(2)]


def test_a_refusal_without_a_name_while_the_server_owes_an_answer_is_its_own():
    responses, _ = asked(LINE)
    responses.hold = True
    assert not responses.failed(None, ALREADY_ACTIVE)
    assert not Responses().failed(None, ALREADY_ACTIVE)


def test_an_error_without_a_name_is_not_ours():
    responses, _ = asked(LINE)
    assert not responses.failed(None, "server_error")


def test_parameters_survive_the_refusal():
    params = ResponseParams(instructions="Say hello.")
    responses, _ = asked(Want(params=params))
    responses.failed("event_rtchat_response_1", ALREADY_ACTIVE)
    responses.created("other", covers=False)
    responses.done("other")
    assert responses.next(sounding=False) == [ask(2, response=params)]


def test_cancel_the_active_one_once():
    responses, _ = asked(LINE)
    responses.created("R", covers=False)
    assert responses.answering
    assert responses.cancel() == ResponseCancel(response_id="R")
    assert responses.cancel() is None
    assert not responses.answering
    assert not responses.idle


def test_nothing_to_cancel():
    assert Responses().cancel() is None


def test_the_server_has_cancelled_it():
    responses, _ = asked(LINE)
    responses.created("R", covers=False)
    responses.interrupted()
    assert responses.cancel() is None


def test_cancelled_before_it_began():
    responses, _ = asked(LINE)
    assert responses.cancel() is None
    assert not responses.expected
    assert not responses.created("R", covers=False)
    assert responses.cancel() == ResponseCancel(response_id="R")


def test_cancelled_before_it_began_and_refused_is_not_asked_again():
    responses, _ = asked(LINE)
    responses.cancel()
    responses.created("of the server", covers=False)
    assert responses.failed("event_rtchat_response_1", ALREADY_ACTIVE)
    responses.done("of the server")
    assert responses.next(sounding=False) == []


def test_a_cancelled_request_that_failed_does_not_cancel_the_next():
    responses, _ = asked(LINE, OTHER)
    responses.cancel()
    responses.failed("event_rtchat_response_1", "server_error")
    responses.next(sounding=False)
    assert responses.created("R2", covers=False)


def test_a_response_that_was_never_told_can_be_cancelled():
    responses, _ = asked(LINE)
    responses.failed("event_rtchat_response_1", ALREADY_ACTIVE)
    assert responses.cancel() == ResponseCancel()
    responses.nothing_active()
    assert responses.next(sounding=False) == [ask(2)]


def test_nothing_active_does_not_forget_a_known_response():
    responses, _ = asked(LINE)
    responses.created("R", covers=False)
    responses.nothing_active()
    assert responses.active == "R"


def test_done_of_another_response_is_none_of_ours():
    responses, _ = asked(LINE)
    responses.created("R", covers=False)
    responses.done("out of band")
    assert responses.active == "R"
