from rtchat.protocol.items import FunctionCallItem, FunctionCallOutputItem, MessageItem
from rtchat.server.dialogue.images import Image
from rtchat.server.dialogue.items import Entry
from rtchat.server.dialogue.usage import Given, entry_tokens, fixed_tokens, input_tokens, text_tokens, usage
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
    assert input_tokens(prompt, [user, assistant, typed]) == (2 + 1 + 4, 51 + 24, 0)  # sound as recorded
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
