import pytest

from rtchat.server.engines.base import Message, Prompt
from rtchat.server.engines.http_window import Overflow, Shortening, overflow


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ("request (3020 tokens) exceeds the available context size (512 tokens), try increasing it", (3020, 512)),
        (
            "This model's maximum context length is 4096 tokens. However, you requested 5000 tokens "
            "(4500 in the messages, 500 in the completion).",
            (5000, 4096),
        ),
        (
            "This model's maximum context length is 1024 tokens. However, your prompt contains at least 1025 input "
            "tokens, which exceeds this limit even without any output tokens.",
            (1025, 1024, False),
        ),
        ("The decoder prompt (length 5000) is longer than the maximum model length of 4096.", (5000, 4096)),
        ("is greater than the context length (n_keep: 5000>= n_ctx: 4096). Try to load the", (5000, 4096)),
        ("Cannot truncate prompt with n_keep (5000) >= n_ctx (4096)", (5000, 4096)),
        (
            "Trying to keep the first 5000 tokens … loaded with context length of only 4096 tokens",
            (5000, 4096),
        ),
        ("max_tokens must be at least 1, got -186.", (0, 0)),
        ("Your input exceeds the context window of this model.", (0, 0)),
    ],
)
def test_what_refusals_say(said, found):
    assert overflow(said) == Overflow(*found)


def test_other_refusals():
    assert overflow("model 'x' not found") is None
    assert overflow("image input is not supported") is None
    assert overflow("max_tokens must be at least 1, got 0") is None


def conversation(turns, words=20):
    roles = [role for n in range(turns) for role in ("user", "assistant")]
    return [Message(role, f"{n} ".ljust(words * 4, "x")) for n, role in enumerate(roles)] + [Message("user", "So?")]


def test_the_oldest_turns_are_left_out():
    prompt = Prompt("Be kind.", conversation(20))
    whole = sum(len(message.text) + 20 for message in prompt.messages) + 10
    left = Shortening().of(prompt, Overflow(whole // 4, whole // 8))  # four characters a token, half of it fits
    assert left is not None
    assert left[-1] == prompt.messages[-1]
    assert left[0].role == "user"
    assert 0.5 < sum(len(message.text) + 20 for message in left) / (whole / 2 * 0.8) <= 1
    half = Shortening().of(prompt, Overflow())
    assert half is not None
    assert len(half) == 19


def test_the_cut_stays_where_it_is_for_some_turns():
    begins = []
    for turns in range(20, 60):
        prompt = Prompt("Be kind.", conversation(turns))
        asked = sum(len(message.text) + 20 for message in prompt.messages) // 4
        left = Shortening().of(prompt, Overflow(asked, 800))
        assert left is not None
        begins.append(left[0].text)
    assert begins == sorted(begins, key=lambda text: int(text.split()[0]))
    assert len(set(begins)) <= 11


def test_calls_and_results_do_not_come_first():
    messages = [
        Message("user", "x" * 400),
        Message("call", "{}", "time", "1"),
        Message("tool", "noon", "time", "1"),
        Message("assistant", "It is noon."),
        Message("user", "And now?"),
    ]
    left = Shortening().of(Prompt("", messages), Overflow(120, 110))
    assert left == messages[-1:]
    assert Shortening().of(Prompt("", messages[-1:]), Overflow(120, 110)) is None


def test_a_server_that_stops_counting():
    """vLLM says "at least": what it said of shorter conversations is the better estimate."""
    shortening, begins, asked = Shortening(), [], 0
    for turns in range(20, 80):
        prompt = Prompt("Be kind.", conversation(turns))
        while (tokens := sum(len(message.text) + 20 for message in prompt.messages) // 4) > 900:
            asked += 1
            left = shortening.of(prompt, Overflow(min(tokens, 901), 900, exact=False))
            assert left is not None
            prompt = Prompt("Be kind.", left)
        begins.append(prompt.messages[0].text)
    assert asked <= 70
    assert len(set(begins)) <= 20
