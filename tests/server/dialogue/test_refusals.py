import pytest

from rtchat.server.dialogue.refusals import LONGEST_ECHO, Rejected, invalid_value, out_of_range, wrong_type


def test_a_refusal_as_the_api_tells_it():
    rejected = Rejected("invalid_value", "It is wrong.", "session.voice", event_id="mine")
    assert rejected.detail().model_dump() == {
        "type": "invalid_request_error",
        "code": "invalid_value",
        "message": "It is wrong.",
        "param": "session.voice",
        "event_id": "mine",
    }


def test_half_a_surrogate_pair_can_be_told_back():
    detail = Rejected("invalid_value", "\ud83d", "\ud83d", event_id="\ud83d").detail()
    assert [detail.message, detail.param, detail.event_id] == ["?"] * 3


def test_what_is_allowed_is_listed():
    assert invalid_value("c", ["a", "b"]) == "Invalid value: 'c'. Supported values are: 'a' and 'b'."
    assert invalid_value("c", ["a"]) == "Invalid value: 'c'. Supported values are: 'a'."
    assert len(invalid_value("c" * 10_000, ["a"])) < LONGEST_ECHO + 100


@pytest.mark.parametrize(
    ("value", "least", "greatest", "code", "sentence"),
    [
        (1, 2, None, "integer_below_min_value", ">= 2, but got 1"),
        (3, None, 2, "integer_above_max_value", "<= 2, but got 3"),
        (1.5, 0, 1, "decimal_above_max_value", "<= 1, but got 1.5"),
        (2, 0.25, 1.5, "decimal_above_max_value", "<= 1.5, but got 2"),
        (2, 0.0, 1.0, "decimal_above_max_value", "<= 1, but got 2"),
    ],
)
def test_numbers_out_of_their_range(value, least, greatest, code, sentence):
    rejected = out_of_range("a.b", value, least, greatest)
    assert (rejected.code, rejected.param) == (code, "a.b")
    assert sentence in rejected.message


@pytest.mark.parametrize(
    ("value", "got"),
    [
        (None, "null"),
        (True, "a boolean"),
        (1, "an integer"),
        (0.5, "a decimal"),
        ("x", "a string"),
        ([], "an array"),
        ({}, "an object"),
    ],
)
def test_a_wrong_type_is_called_what_json_calls_it(value, got):
    rejected = wrong_type("a.b", "a thing", value)
    assert (rejected.code, rejected.param) == ("invalid_type", "a.b")
    assert rejected.message == f"Invalid type for 'a.b': expected a thing, but got {got} instead."
