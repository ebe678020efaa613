from rtchat.protocol.items import MessageItem
from rtchat.server.dialogue.items import Entry
from rtchat.server.dialogue.usage import input_tokens, text_tokens, usage
from rtchat.server.engines.base import Message, Prompt


def test_text_is_about_four_characters_a_token():
    assert [text_tokens(text) for text in ("", "abc", "abcd", "abcde")] == [0, 1, 1, 2]


def test_what_a_model_was_given():
    user = Entry(MessageItem(role="user", content=[{"type": "input_audio"}]), sound_ms=5120)
    assistant = Entry(MessageItem(role="assistant", content=[{"type": "output_audio"}]), sound_ms=1200)
    prompt = Prompt("12345678", [Message("user", "1234")], [{"name": "f"}])
    assert input_tokens(prompt, [user, assistant]) == (2 + 1 + 4, 51 + 24)  # both as recorded


def test_the_sums():
    made = usage((10, 51), 7, 1234)
    assert (made.input_tokens, made.output_tokens, made.total_tokens) == (61, 7 + 24, 92)
    assert made.output_token_details == {"text_tokens": 7, "audio_tokens": 24}
