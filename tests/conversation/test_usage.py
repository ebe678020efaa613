from __future__ import annotations

from rtchat.conversation.usage import add_usage


def test_numbers_are_added_at_any_depth():
    a = {
        "total_tokens": 254,
        "input_token_details": {"audio_tokens": 51, "cached_tokens_details": {"text_tokens": 64}},
    }
    b = {"total_tokens": 6, "input_token_details": {"audio_tokens": 2, "cached_tokens_details": {"text_tokens": 1}}}
    assert add_usage(a, b) == {
        "total_tokens": 260,
        "input_token_details": {"audio_tokens": 53, "cached_tokens_details": {"text_tokens": 65}},
    }


def test_what_only_one_has_is_kept():
    assert add_usage({"a": 1}, {"b": {"c": 2}}) == {"a": 1, "b": {"c": 2}}
    assert add_usage({}, {"seconds": 2.5}) == {"seconds": 2.5}


def test_null_and_words_are_no_numbers():
    assert add_usage({"cached": None, "details": None}, {"cached": 5, "details": {"x": 1}}) == {
        "cached": 5,
        "details": {"x": 1},
    }
    assert add_usage({"cached": 5}, {"cached": None}) == {"cached": 5}
    assert add_usage({"type": "tokens", "seen": True}, {"type": "duration", "seen": True}) == {
        "type": "tokens",
        "seen": True,
    }


def test_a_number_never_meets_an_object():
    assert add_usage({"details": {"x": 1}}, {"details": 3}) == {"details": {"x": 1}}
    assert add_usage({"details": 3}, {"details": {"x": 1}}) == {"details": {"x": 1}}


def test_the_sum_is_a_new_object():
    a = {"details": {"x": 1}}
    add_usage(a, {"details": {"x": 2}})["details"]["x"] = 9
    assert a == {"details": {"x": 1}}
