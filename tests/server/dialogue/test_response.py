"""The order of events inside a response, as recorded from the real service."""

import base64

import pytest

from rtchat.server.dialogue import signals as sig
from rtchat.server.engines.base import TextPiece, ToolCall

OPENING = [
    "response.output_item.added",
    "conversation.item.added",
    "response.content_part.added",
]
CLOSING = ["response.content_part.done", "conversation.item.done", "response.output_item.done", "response.done"]


@pytest.fixture
def begin(talk, of_type):
    """Begin a response after a typed message; gives its id."""

    def beginning(**response):
        talk.say("hello")
        return of_type(talk.send("response.create", response=response), sig.Think).response_id

    return beginning


def test_a_text_answer(talk, begin, names):
    answer = begin(output_modalities=["text"])
    said = talk.tell(sig.Thought(answer, TextPiece("It is noon.")))
    assert names(said) == [*OPENING, *["response.output_text.delta"] * 3]
    assert [event["delta"] for event in said[3:]] == ["It", " is", " noon."]
    ended = talk.tell(sig.ThoughtEnded(answer))
    assert names(ended) == ["Abort", "response.output_text.done", *CLOSING, "rate_limits.updated"]
    response = ended[-2]["response"]
    assert response["status"] == "completed"
    assert response["output"][0]["content"] == [{"type": "output_text", "text": "It is noon."}]
    assert response["usage"]["output_token_details"] == {"text_tokens": 3, "audio_tokens": 0}


def test_a_spoken_answer_has_its_words_before_its_sound(talk, begin, names, of_type):
    answer = begin()
    said = talk.tell(sig.Thought(answer, TextPiece("It is noon.")))
    assert names(said) == [*OPENING, *["response.output_audio_transcript.delta"] * 3, "Speak"]
    assert of_type(said, sig.Speak) == sig.Speak(answer, "It is noon.", "marin", 1.0, "en")
    assert said[2]["part"] == {"type": "audio", "transcript": ""}
    sound = talk.tell(sig.Spoke(answer, b"\1\0" * 2400))
    assert [base64.b64decode(event["delta"]) for event in sound] == [b"\1\0" * 2400]
    assert talk.tell(sig.ThoughtEnded(answer)) == []  # it is still being said
    ended = talk.tell(sig.SpeechEnded(answer))
    assert names(ended) == [
        "Abort",
        "response.output_audio.done",
        "response.output_audio_transcript.done",
        *CLOSING,
        "rate_limits.updated",
    ]
    response = ended[-2]["response"]
    assert response["output"][0]["content"] == [{"type": "output_audio", "transcript": "It is noon."}]
    assert response["usage"]["output_token_details"]["audio_tokens"] == 2  # one for 50 ms


def test_pieces_are_spoken_one_after_the_other(talk, begin, names):
    answer = begin()
    talk.tell(sig.Thought(answer, TextPiece("One.")))
    assert names(talk.tell(sig.Thought(answer, TextPiece(" Two.")))) == ["Speak"]
    talk.tell(sig.ThoughtEnded(answer))
    (delta,) = talk.tell(sig.SpeechEnded(answer))
    assert (delta["type"], delta["delta"]) == ("response.output_audio_transcript.delta", " Two.")
    done = talk.tell(sig.SpeechEnded(answer))
    assert done[2]["transcript"] == "One. Two."


def test_words_that_were_not_begun_are_not_said(talk, begin):
    answer = begin()
    for sentence in ("One.", " Two.", " Three."):
        talk.tell(sig.Thought(answer, TextPiece(sentence)))
    talk.tell(sig.SpeechEnded(answer))
    output = talk.send("response.cancel")[-2]["response"]["output"]
    assert output[0]["content"] == [{"type": "output_audio", "transcript": "One. Two."}]


def test_two_calls_in_one_response(talk, begin, names):
    answer = begin()
    events = talk.tell(sig.Thought(answer, ToolCall("get_weather", '{"city":"Oslo"}')))
    assert names(events) == [
        "response.output_item.added",
        "conversation.item.added",
        *["response.function_call_arguments.delta"] * 5,
        "response.function_call_arguments.done",
        "conversation.item.done",
        "response.output_item.done",
    ]
    assert [event["delta"] for event in events[2:7]] == ['{"', "city", '":"', "Oslo", '"}']
    talk.tell(sig.Thought(answer, ToolCall("get_time", "{}")))
    output = talk.tell(sig.ThoughtEnded(answer))[1]["response"]["output"]
    assert [(item["name"], item["arguments"], item["status"]) for item in output] == [
        ("get_weather", '{"city":"Oslo"}', "completed"),
        ("get_time", "{}", "completed"),
    ]
    assert len({item["call_id"] for item in output}) == 2


def test_words_then_a_call(talk, begin):
    answer = begin()
    talk.tell(sig.Thought(answer, TextPiece("Let me look.")))
    call = talk.tell(sig.Thought(answer, ToolCall("look", "{}")))
    assert {event["output_index"] for event in call if "output_index" in event} == {1}
    talk.tell(sig.ThoughtEnded(answer))
    ended = talk.tell(sig.SpeechEnded(answer))
    assert [item["type"] for item in ended[-2]["response"]["output"]] == ["message", "function_call"]


@pytest.mark.parametrize("before_output", [True, False])
def test_cancelled_by_the_client(talk, begin, names, before_output):
    answer = begin(output_modalities=["text"])
    if not before_output:
        talk.tell(sig.Thought(answer, TextPiece("It is")))
    events = talk.send("response.cancel")
    response = events[-2]["response"]
    assert response["status"] == "cancelled"
    assert response["status_details"] == {"type": "cancelled", "reason": "client_cancelled"}
    if before_output:
        assert names(events) == ["Abort", "response.done", "rate_limits.updated"]
        assert response["output"] == []
    else:
        assert names(events) == ["Abort", "response.output_text.done", *CLOSING, "rate_limits.updated"]
        assert response["output"][0]["status"] == "incomplete"
    assert talk.tell(sig.Thought(answer, TextPiece("late"))) == []


def test_an_engine_that_fails_ends_its_response_only(talk, begin):
    answer = begin()
    talk.tell(sig.Thought(answer, TextPiece("It is")))
    ended = talk.tell(sig.SpeechEnded(answer, "espeak-ng is missing."))
    response = ended[-2]["response"]
    assert response["status"] == "failed"
    assert response["status_details"]["error"]["message"] == "espeak-ng is missing."
    assert begin() != answer


def test_the_limit_of_tokens(talk, begin):
    answer = begin(output_modalities=["text"], max_output_tokens=5)
    talk.tell(sig.Thought(answer, TextPiece("Twelve chars")))
    ended = talk.tell(sig.Thought(answer, TextPiece(" and then as many more")))
    response = ended[-2]["response"]
    assert response["status_details"] == {"type": "incomplete", "reason": "max_output_tokens"}
    assert response["output"][0]["content"][0]["text"] == "Twelve chars and"
    assert response["usage"]["output_tokens"] <= 5


def test_what_fits_the_limit_is_still_spoken(talk, begin, of_type):
    answer = begin(max_output_tokens=14)  # two for these words, the others for their sound
    assert of_type(talk.tell(sig.Thought(answer, TextPiece("One two three four."))), sig.Speak).text == "One two"
    assert talk.tell(sig.Thought(answer, TextPiece("Five."))) == []
    assert talk.tell(sig.ThoughtEnded(answer)) == []
    ended = of_type(talk.tell(sig.SpeechEnded(answer)), "response.done")["response"]
    assert (ended["status"], ended["output"][0]["status"]) == ("incomplete", "incomplete")


def test_sound_that_takes_longer_than_the_limit_is_cut(talk, begin, of_type, names):
    answer = begin(max_output_tokens=20)
    talk.tell(sig.Thought(answer, TextPiece("One two.")))
    talk.tell(sig.ThoughtEnded(answer))
    assert names(talk.tell(sig.Spoke(answer, bytes(800 * 48)))) == ["response.output_audio.delta"]
    ended = talk.tell(sig.Spoke(answer, bytes(800 * 48)))
    assert len(base64.b64decode(ended[0]["delta"])) == 100 * 48
    response = of_type(ended, "response.done")["response"]
    assert response["status_details"] == {"type": "incomplete", "reason": "max_output_tokens"}
    assert response["usage"]["output_tokens"] == 20
    assert response["output"][0]["status"] == "incomplete"


def test_an_empty_piece_says_nothing(talk, begin):
    assert talk.tell(sig.Thought(begin(), TextPiece(""))) == []


def test_telephone_sound(talk, begin, names):
    talk.update(audio={"output": {"format": {"type": "audio/pcmu"}}})
    answer = begin()
    talk.tell(sig.Thought(answer, TextPiece("Hi.")))
    events = [event for _ in range(10) for event in talk.tell(sig.Spoke(answer, bytes(4800)))]
    talk.tell(sig.ThoughtEnded(answer))
    events += talk.tell(sig.SpeechEnded(answer))
    sound = b"".join(base64.b64decode(e["delta"]) for e in events if names([e]) == ["response.output_audio.delta"])
    assert len(sound) == 8000  # a second, one byte a sample
    assert set(sound) == {0xFF}


def test_a_conversation_that_begins_with_an_answer_names_it_as_the_previous_item_of_the_next(talk, of_type):
    def generated(piece):
        think = of_type(talk.send("response.create", response={"output_modalities": ["text"]}), sig.Think)
        events = talk.tell(sig.Thought(think.response_id, piece)) + talk.tell(sig.ThoughtEnded(think.response_id))
        added, done = (of_type(events, f"conversation.item.{kind}") for kind in ("added", "done"))
        return added["previous_item_id"], done["previous_item_id"], done["item"]["id"]

    before, before_again, first = generated(TextPiece("Welcome."))
    assert before is before_again is None
    assert generated(ToolCall("look", "{}"))[:2] == (first, first)


def test_the_recorded_quirk_of_the_first_answers_previous_item(talk, begin, of_type):
    previous = []
    for _ in range(2):
        answer = begin(output_modalities=["text"])
        added = of_type(talk.tell(sig.Thought(answer, TextPiece("Noon."))), "conversation.item.added")
        done = of_type(talk.tell(sig.ThoughtEnded(answer)), "conversation.item.done")
        previous.append((added["previous_item_id"], done["previous_item_id"]))
    (first, first_again), (second, second_again) = previous
    assert first is not None
    assert first_again is None
    assert second == second_again is not None
