from rtchat.protocol.items import FunctionCallItem, FunctionCallOutputItem, MessageItem
from rtchat.server.dialogue.images import Image
from rtchat.server.dialogue.items import Entry
from rtchat.server.dialogue.usage import (
    Given,
    cached,
    context_of,
    entry_tokens,
    fixed_tokens,
    text_tokens,
    total,
    usage,
)
from rtchat.server.engines.base import Prompt


def test_text_is_about_four_characters_a_token():
    assert [text_tokens(text) for text in ("", "abc", "abcd", "abcde")] == [0, 1, 1, 2]


def test_what_a_model_was_given():
    user = Entry(MessageItem(role="user", content=[{"type": "input_audio", "transcript": "long"}]), sound_ms=5120)
    assistant = Entry(
        MessageItem(role="assistant", content=[{"type": "output_audio", "transcript": "words"}]), sound_ms=1200
    )
    typed = Entry(MessageItem(role="user", content=[{"type": "input_text", "text": "1234"}]))
    prompt = Prompt("12345678", (), [{"name": "f"}])
    assert total(context_of(prompt, [user, assistant, typed])) == (2 + 1 + 4, 51 + 24, 0)  # sound as recorded
    assert fixed_tokens(prompt) == 2 + 4


def test_other_items():
    recalled = MessageItem(role="assistant", content=[{"type": "output_audio", "transcript": "12345678"}])
    call = FunctionCallItem(name="f", arguments="{}", call_id="c")
    output = FunctionCallOutputItem(call_id="c", output="123456789")
    seen = MessageItem(role="user", content=[{"type": "input_image", "image_url": "data:…", "detail": "low"}])
    image = Entry(seen, images=[Image("PNG", 640, 480)])
    found = [entry_tokens(entry) for entry in (Entry(recalled), Entry(call), Entry(output), image)]
    assert found == [(2, 0, 0), (1, 0, 0), (3, 0, 0), (0, 0, 85)]


def test_the_sums():
    made = usage(Given(10, 51, 85), 7, 1234)
    assert (made.input_tokens, made.output_tokens, made.total_tokens) == (146, 7 + 24, 177)
    assert made.input_token_details["image_tokens"] == 85
    assert made.output_token_details == {"text_tokens": 7, "audio_tokens": 24}


def test_what_is_cached_comes_in_multiples_of_64():
    before = [("instructions", Given(30)), ("spoken", Given(0, 51)), ("answered", Given(0, 24))]
    assert cached([*before, ("next", Given(10))], before) == (30, 34, 0)  # 64 of 105, oldest first
    assert cached([("instructions", Given(63))], [("instructions", Given(63))]) == (0, 0, 0)
    assert cached([("seen", Given(3, 0, 170))], [("seen", Given(3, 0, 170))]) == (3, 0, 125)


def test_nothing_is_cached_after_the_first_difference():
    before = [("instructions", Given(64)), ("cut", Given(0, 100)), ("last", Given(64))]
    now = [("instructions", Given(64)), ("cut", Given(0, 20)), ("last", Given(64))]
    assert cached(now, before) == (64, 0, 0)
    assert cached(now, []) == (0, 0, 0)


def test_cached_tokens_are_told_by_their_kind():
    details = usage(Given(100, 51), 7, 0, Given(30, 34)).input_token_details
    assert details["cached_tokens"] == 64
    assert details["cached_tokens_details"] == {"text_tokens": 30, "audio_tokens": 34, "image_tokens": 0}
