import base64

import pytest

from rtchat.server.dialogue import signals as sig
from rtchat.server.engines.base import TextPiece, WordMark

_PIXELS = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + (640).to_bytes(4, "big") + (480).to_bytes(4, "big")
PNG = f"data:image/png;base64,{base64.b64encode(_PIXELS).decode()}"


@pytest.fixture
def spoken(talk, of_type):
    """An answer of two sentences, 500 ms each, said to the end; gives its item."""
    talk.say("hello")
    answer = of_type(talk.send("response.create"), sig.Think).response_id
    for sentence in ("One two three four.", "Five six seven eight."):
        talk.tell(sig.Thought(answer, TextPiece(f" {sentence}")))
    talk.tell(sig.ThoughtEnded(answer))
    for _ in range(2):
        talk.tell(sig.Spoke(answer, b"\1\0" * 12_000))
        ended = talk.tell(sig.SpeechEnded(answer))
    return of_type(ended, "response.done")["response"]["output"][0]["id"]


def told(talk, of_type):
    prompt = of_type(talk.send("response.create"), sig.Think).prompt
    talk.send("response.cancel")
    return [message.text for message in prompt.messages]


def message(text, role="user", **fields):
    kind = "output_text" if role == "assistant" else "input_text"
    return {"type": "message", "role": role, "content": [{"type": kind, "text": text}], **fields}


def test_items_anywhere(talk, of_type):
    for item_id, after in (("B", None), ("D", None), ("A", "root"), ("C", "B")):
        fields = {"previous_item_id": after} if after else {}
        added, done = talk.send("conversation.item.create", item=message(item_id, id=item_id), **fields)
        expected = {"B": None, "D": "B", "A": None, "C": "B"}[item_id]
        assert added["previous_item_id"] == done["previous_item_id"] == expected
    assert told(talk, of_type) == ["A", "B", "C", "D"]


def test_a_history_of_every_role(talk, of_type):
    for role in ("system", "user", "assistant"):
        (added, _) = talk.send("conversation.item.create", item=message(role, role))
        assert added["item"]["status"] == "completed"
    assert told(talk, of_type) == ["system", "user", "assistant"]


@pytest.mark.parametrize(
    ("fields", "code", "param"),
    [
        ({"item": message("x", id="A")}, "item_create_duplicate_item_id", "item.id"),
        (
            {"item": message("x"), "previous_item_id": "yo"},
            "item_create_invalid_previous_item_id",
            "previous_item_id",
        ),
        (
            {"item": {"type": "function_call_output", "call_id": "c", "output": "x"}},
            "invalid_tool_call_id",
            "item.call_id",
        ),
    ],
)
def test_items_that_cannot_be(talk, fields, code, param):
    talk.send("conversation.item.create", item=message("first", id="A"))
    (error,) = talk.send("conversation.item.create", **fields)
    assert (error["error"]["code"], error["error"]["param"]) == (code, param)


@pytest.mark.parametrize(("kind", "verb"), [("delete", "delet"), ("retrieve", "retriev"), ("truncate", "truncat")])
def test_items_that_are_not(talk, kind, verb):
    more = {"content_index": 0, "audio_end_ms": 0} if kind == "truncate" else {}
    (error,) = talk.send(f"conversation.item.{kind}", item_id="yo", event_id="e", **more)
    assert error["error"]["code"] == f"item_{kind}_invalid_item_id"
    assert error["error"]["message"] == f"Error {verb}ing item: the item with id 'yo' does not exist."
    assert error["error"]["event_id"] == "e"


def test_delete(talk, of_type, spoken):
    assert talk.send("conversation.item.delete", item_id=spoken)[0]["item_id"] == spoken
    assert told(talk, of_type) == ["hello"]


def test_a_deleted_turn_is_waited_for_no_longer(talk, of_type, names):
    item = of_type(talk.speak(), "input_audio_buffer.committed")["item_id"]
    deleted = talk.send("conversation.item.delete", item_id=item)
    assert names(deleted) == ["conversation.item.deleted", "Abandon", "Think"]
    assert talk.tell(sig.Recognised(item, "late")) == []


def test_retrieve_gives_the_sound(talk, spoken):
    (event,) = talk.send("conversation.item.retrieve", item_id=spoken)
    (part,) = event["item"]["content"]
    assert base64.b64decode(part["audio"]) == b"\1\0" * 24_000
    assert part["transcript"] == "One two three four. Five six seven eight."


def test_sound_that_a_client_brings_is_recognised(talk, of_type):
    sound = base64.b64encode(b"\1\0" * 4800).decode()
    item = {"type": "message", "role": "user", "content": [{"type": "input_audio", "audio": sound}]}
    events = talk.send("conversation.item.create", item=item)
    asked = of_type(events, sig.Transcribe)
    assert asked.pcm == b"\1\0" * 4800
    assert events[0]["item"]["content"] == [{"type": "input_audio", "transcript": None}]
    talk.tell(sig.Recognised(asked.key, "good morning"))
    assert told(talk, of_type) == ["good morning"]


@pytest.mark.parametrize("heard", [True, False])
def test_words_are_told_of_the_part_that_is_sound(talk, of_type, heard):
    talk.update(audio={"input": {"transcription": {"model": "whisper-1"}}})
    sound = {"type": "input_audio", "audio": base64.b64encode(b"\1\0" * 4800).decode()}
    content = [{"type": "input_text", "text": "Listen:"}, sound, {"type": "input_text", "text": "Well?"}]
    item = {"type": "message", "role": "user", "content": content}
    key = of_type(talk.send("conversation.item.create", item=item), sig.Transcribe).key
    told_of = talk.tell(sig.Recognised(key, "good morning") if heard else sig.NotRecognised(key, "It broke."))
    assert {event["content_index"] for event in told_of} == {1}
    shown = talk.send("conversation.item.retrieve", item_id=key)[0]["item"]["content"][1]
    assert shown == {**sound, "transcript": "good morning" if heard else None}
    assert told(talk, of_type) == ["Listen: good morning Well?" if heard else "Listen: Well?"]


def test_the_words_of_several_parts_of_sound_are_told_once(talk, of_type):
    sound = {"type": "input_audio", "audio": base64.b64encode(b"\1\0" * 4800).decode()}
    item = {"type": "message", "role": "user", "content": [sound, sound]}
    asked = of_type(talk.send("conversation.item.create", item=item), sig.Transcribe)
    assert asked.pcm == b"\1\0" * 9600
    talk.tell(sig.Recognised(asked.key, "good morning"))
    assert told(talk, of_type) == ["good morning"]


def test_truncating_forgets_what_was_not_heard(talk, of_type, spoken):
    cut = {"item_id": spoken, "content_index": 0, "audio_end_ms": 750}
    (event,) = talk.send("conversation.item.truncate", **cut)
    assert {name: event[name] for name in cut} == cut
    assert told(talk, of_type) == ["hello", "One two three four. Five six"]
    (part,) = talk.send("conversation.item.retrieve", item_id=spoken)[0]["item"]["content"]
    assert part["transcript"] == "One two three four. Five six"
    assert len(base64.b64decode(part["audio"])) == 750 * 48


def test_truncating_beyond_the_end(talk, spoken):
    (error,) = talk.send("conversation.item.truncate", item_id=spoken, content_index=0, audio_end_ms=1001)
    assert error["error"]["code"] == "invalid_value"
    assert error["error"]["message"] == "Audio content of 1000ms is already shorter than 1001ms"
    assert error["error"]["param"] == "audio_end_ms"


def test_only_the_assistants_speech_can_be_truncated(talk):
    talk.send("conversation.item.create", item=message("typed", id="A"))
    (error,) = talk.send("conversation.item.truncate", item_id="A", content_index=0, audio_end_ms=0)
    assert error["error"]["message"] == "Only model output audio messages can be truncated"


MARKS = [WordMark(3, 300), WordMark(7, 480), WordMark(13, 900), WordMark(19, 1000)]


def begin(talk, of_type, *sentences):
    """An answer under way; gives its id and its item's."""
    talk.say("hello")
    answer = of_type(talk.send("response.create"), sig.Think).response_id
    item = talk.tell(sig.Thought(answer, TextPiece(sentences[0])))[0]["item"]["id"]
    for sentence in sentences[1:]:
        talk.tell(sig.Thought(answer, TextPiece(f" {sentence}")))
    return answer, item


def cut(talk, item, ms):
    (event,) = talk.send("conversation.item.truncate", item_id=item, content_index=0, audio_end_ms=ms)
    return event


def kept(talk, item):
    """The transcript of an item, and how much sound it has, in milliseconds."""
    (part,) = talk.send("conversation.item.retrieve", item_id=item)[0]["item"]["content"]
    return part["transcript"], len(base64.b64decode(part.get("audio", ""))) / 48


@pytest.mark.parametrize(
    ("ms", "words"), [(0, ""), (299, ""), (300, "One"), (479, "One"), (480, "One two"), (999, "One two three")]
)
def test_truncating_counts_the_words_that_had_ended_by_the_voices_own_marks(talk, of_type, ms, words):
    answer, item = begin(talk, of_type, "One two three four.", "Five six.")
    for mark in MARKS:
        talk.tell(sig.Marked(answer, mark))
    talk.tell(sig.Spoke(answer, b"\1\0" * 24_000))
    talk.tell(sig.SpeechEnded(answer))
    talk.tell(sig.ThoughtEnded(answer))
    talk.tell(sig.Spoke(answer, b"\1\0" * 12_000))
    done = of_type(talk.tell(sig.SpeechEnded(answer)), "response.done")["response"]
    assert done["output"][0]["content"][0]["transcript"] == "One two three four. Five six."
    assert cut(talk, item, ms)["audio_end_ms"] == ms
    assert kept(talk, item) == (words, ms)
    assert told(talk, of_type) == ["hello", *([words] if words else [])]


def test_truncating_in_the_second_sentence_by_its_marks(talk, of_type):
    answer, item = begin(talk, of_type, "One two three four.", "Five six.")
    talk.tell(sig.Spoke(answer, b"\1\0" * 24_000))
    talk.tell(sig.SpeechEnded(answer))
    for mark in (WordMark(4, 400), WordMark(9, 500)):
        talk.tell(sig.Marked(answer, mark))
    talk.tell(sig.Spoke(answer, b"\1\0" * 12_000))
    talk.send("response.cancel")
    cut(talk, item, 1399)
    assert kept(talk, item)[0] == "One two three four."
    talk.send("conversation.item.truncate", item_id=item, content_index=0, audio_end_ms=1400)
    assert told(talk, of_type) == ["hello", "One two three four."]


def test_truncating_twice_only_cuts_more(talk, of_type, spoken):
    cut(talk, spoken, 750)
    error = cut(talk, spoken, 751)["error"]
    assert error["message"] == "Audio content of 750ms is already shorter than 751ms"
    cut(talk, spoken, 250)
    assert kept(talk, spoken) == ("One two", 250)


def test_an_answer_cut_before_its_first_word_was_never_given(talk, of_type, spoken):
    assert cut(talk, spoken, 0)["type"] == "conversation.item.truncated"
    assert kept(talk, spoken) == ("", 0)
    assert told(talk, of_type) == ["hello"]


@pytest.mark.parametrize("cancelled", [True, False], ids=["cancelled", "spoken to its end"])
def test_truncating_while_it_is_being_said(talk, of_type, cancelled):
    answer, item = begin(talk, of_type, "One two three four.", "Five six.")
    for mark in MARKS[:2]:
        talk.tell(sig.Marked(answer, mark))
    talk.tell(sig.Spoke(answer, b"\1\0" * 12_000))
    cut(talk, item, 490)
    if cancelled:
        talk.send("response.cancel")
    else:
        talk.tell(sig.ThoughtEnded(answer))
        for _ in range(2):
            talk.tell(sig.Spoke(answer, b"\1\0" * 12_000))
            ended = talk.tell(sig.SpeechEnded(answer))
        assert of_type(ended, "response.done")["response"]["output"][0]["content"][0]["transcript"] == "One two"
    assert kept(talk, item) == ("One two", 490)
    assert told(talk, of_type) == ["hello", "One two"]


def test_old_sound_is_let_go(talk, of_type, monkeypatch, spoken):
    monkeypatch.setattr("rtchat.server.dialogue.items.MAX_SOUND", 1000)
    talk.say("more")
    (part,) = talk.send("conversation.item.retrieve", item_id=spoken)[0]["item"]["content"]
    assert "audio" not in part
    assert part["transcript"].startswith("One")


def test_sound_of_any_length_stays_until_its_words_are_found(talk, of_type, monkeypatch):
    monkeypatch.setattr("rtchat.server.dialogue.items.MAX_SOUND", 1000)
    talk.update(audio={"input": {"turn_detection": None}})
    talk.append(200)
    events = talk.send("input_audio_buffer.commit")
    assert len(of_type(events, sig.Transcribe).pcm) == 200 * 48
    item = talk.send("conversation.item.retrieve", item_id=events[0]["item_id"])[0]["item"]
    assert len(base64.b64decode(item["content"][0]["audio"])) == 200 * 48
    talk.tell(sig.Recognised(item["id"], "hello"))
    talk.say("more")
    (part,) = talk.send("conversation.item.retrieve", item_id=item["id"])[0]["item"]["content"]
    assert "audio" not in part


def test_an_image_is_mentioned_and_a_transcript_is_taken(talk, of_type):
    image = {"type": "input_image", "image_url": PNG}
    sound = {"type": "input_audio", "audio": "AAAA", "transcript": "look at this"}
    item = {"type": "message", "role": "user", "content": [sound, image]}
    assert not any(
        isinstance(effect, sig.Transcribe) for effect in talk.send("conversation.item.create", item=item)
    )
    assert told(talk, of_type) == ["look at this [image: a PNG of 640 by 480 pixels]"]


def test_a_call_of_a_history_gets_a_call_id(talk):
    item = {"type": "function_call", "name": "look", "arguments": "{}"}
    (added, _) = talk.send("conversation.item.create", item=item)
    assert added["item"]["call_id"].startswith("call_")
    assert added["item"]["status"] == "completed"


def test_an_assistants_speech_of_a_history(talk, of_type):
    item = {"type": "message", "role": "assistant", "content": [{"type": "output_audio", "transcript": "Hello."}]}
    talk.send("conversation.item.create", item=item)
    assert told(talk, of_type) == ["Hello."]


def test_a_conversation_is_full_some_time_and_says_so(talk, monkeypatch):
    monkeypatch.setattr("rtchat.server.dialogue.items.MAX_ITEMS", 2)
    first = talk.say("one")[0]["item"]["id"]
    talk.say("two")
    (refused,) = talk.say("three")
    assert refused["error"]["code"] == "conversation_full"
    talk.send("conversation.item.delete", item_id=first)
    assert talk.say("three")[0]["type"] == "conversation.item.added"


def test_what_is_deleted_makes_room(talk, monkeypatch):
    monkeypatch.setattr("rtchat.server.dialogue.items.MAX_WEIGHT", 10_000)
    (added, _done) = talk.say("x" * 8000)
    assert talk.say("y" * 8000)[0]["error"]["code"] == "conversation_full"
    talk.send("conversation.item.delete", item_id=added["item"]["id"])
    assert talk.say("y" * 8000)[0]["type"] == "conversation.item.added"


def test_items_without_a_word_take_room_too(talk, monkeypatch):
    monkeypatch.setattr("rtchat.server.dialogue.items.MAX_WEIGHT", 10_000)
    parts = [{"type": "input_text", "text": ""}] * 15
    assert talk.send("conversation.item.create", item={**message(""), "content": parts})[0]["type"] != "error"
    (refused,) = talk.send("conversation.item.create", item={**message(""), "content": parts})
    assert refused["error"]["code"] == "conversation_full"


def test_so_it_is_with_long_items(talk, monkeypatch):
    monkeypatch.setattr("rtchat.server.dialogue.items.MAX_WEIGHT", 2**20)
    half = "x" * 600_000
    talk.say(half)
    (refused,) = talk.say(half)
    assert (refused["error"]["code"], "1 MiB" in refused["error"]["message"]) == ("conversation_full", True)
    assert talk.say("short")[0]["type"] == "conversation.item.added"


def test_telephone_sound_is_brought_and_given_back_in_its_format(talk, of_type):
    formats = {"input": {"format": {"type": "audio/pcmu"}}, "output": {"format": {"type": "audio/pcma"}}}
    talk.update(audio=formats)
    sound = base64.b64encode(bytes(range(256)) * 10).decode()
    item = {"type": "message", "role": "user", "id": "A", "content": [{"type": "input_audio", "audio": sound}]}
    asked = of_type(talk.send("conversation.item.create", item=item), sig.Transcribe)
    assert abs(len(asked.pcm) - 320 * 48) <= 48
    (part,) = talk.send("conversation.item.retrieve", item_id="A")[0]["item"]["content"]
    assert abs(len(base64.b64decode(part["audio"])) - 2560) <= 8
    talk.tell(sig.Recognised(asked.key, "hello"))
    answer = of_type(talk.send("response.create"), sig.Think).response_id
    item_id = talk.tell(sig.Thought(answer, TextPiece("One two three four.")))[0]["item"]["id"]
    talk.tell(sig.Spoke(answer, b"\1\0" * 24_000))
    cut(talk, item_id, 500)
    (part,) = talk.send("conversation.item.retrieve", item_id=item_id)[0]["item"]["content"]
    assert abs(len(base64.b64decode(part["audio"])) - 4000) <= 8  # 500 ms of 8 kHz, a byte a sample


def test_an_assistants_speech_of_a_history_is_kept_with_its_sound_and_can_be_cut(talk, of_type):
    sound = base64.b64encode(b"\1\0" * 24_000).decode()
    part = {"type": "output_audio", "audio": sound, "transcript": "One two three four."}
    item = {"type": "message", "role": "assistant", "id": "A", "content": [part]}
    added = of_type(talk.send("conversation.item.create", item=item), "conversation.item.added")
    assert added["item"]["content"] == [{"type": "output_audio", "transcript": "One two three four."}]
    assert kept(talk, "A") == ("One two three four.", 1000)
    cut(talk, "A", 500)
    assert kept(talk, "A") == ("One two", 500)
    assert told(talk, of_type) == ["One two"]
