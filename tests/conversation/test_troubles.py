from __future__ import annotations

import pytest

from rtchat.conversation import troubles
from rtchat.conversation.notices import ErrorTold
from rtchat.conversation.signals import Refuse, Show
from rtchat.protocol.server_events import ErrorDetail, StatusError


@pytest.mark.parametrize(
    "code",
    [
        "input_audio_buffer_commit_empty",
        "response_cancel_not_active",
        "item_delete_invalid_item_id",
        "item_truncate_invalid_item_id",
    ],
)
def test_the_server_was_faster(code):
    assert troubles.harmless(ErrorDetail(code=code))


def test_others_are_not_harmless():
    assert not troubles.harmless(ErrorDetail(code="invalid_value"))
    assert not troubles.harmless(ErrorDetail())


@pytest.mark.parametrize("code", ["insufficient_quota", "invalid_api_key", "session_expired", "invalid_model"])
def test_errors_that_end_the_session(code):
    error = ErrorDetail(code=code, message="No more.")
    assert troubles.refusal(error, connecting=False) == [Refuse(code, "No more.")]


def test_an_error_about_our_settings_ends_it():
    error = ErrorDetail(code="unknown_parameter", message="Unknown.", event_id=troubles.UPDATE_ID)
    assert troubles.refusal(error, connecting=False) == [Refuse("unknown_parameter", "Unknown.")]


def test_while_connecting_every_error_does():
    assert troubles.refusal(ErrorDetail(), connecting=True) == [Refuse(None, "The server refused the session.")]
    assert troubles.refusal(ErrorDetail(code="invalid_value", message="Bad."), connecting=False) == []


def test_a_survivable_error_says_so():
    hint = "The conversation goes on."
    assert troubles.told(ErrorDetail(code="x", message="Bad.")) == [Show(ErrorTold("x", "Bad.", hint, fatal=False))]
    assert troubles.told(ErrorDetail())[0].notice.message


def test_a_failed_answer(says):
    error = StatusError(type="server_error", code="inference_rate_limit_exceeded", message="Too fast.")
    response = says.done(status="failed", error=error).response
    assert troubles.failure(response) == [
        Show(ErrorTold("inference_rate_limit_exceeded", "Too fast.", "Ask again.", fatal=False))
    ]


def test_a_failed_answer_without_reasons(says):
    assert troubles.failure(says.done(status="failed").response)[0].notice.message == "The server could not answer."


def test_no_money_ends_the_session(says):
    error = StatusError(type="insufficient_quota", code="insufficient_quota", message="Pay.")
    assert troubles.failure(says.done(status="failed", error=error).response) == [
        Refuse("insufficient_quota", "Pay.")
    ]


@pytest.mark.parametrize("reason", ["max_output_tokens", "content_filter"])
def test_an_incomplete_answer(says, reason):
    (effect,) = troubles.failure(says.done(status="incomplete", reason=reason).response)
    assert effect.notice.code == reason
    assert not effect.notice.fatal


@pytest.mark.parametrize("status", ["completed", "cancelled"])
def test_nothing_to_say_of_the_others(says, status):
    assert troubles.failure(says.done(status=status).response) == []
