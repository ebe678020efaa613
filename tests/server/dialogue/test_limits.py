import base64
import json

import pytest

from rtchat.server.dialogue.checks import Rejected, read

LONG = "x" * 33
LOOK = {"type": "function", "name": "look"}


def session(**fields):
    return {"type": "session.update", "session": {"type": "realtime", **fields}}


def create(**item):
    return {"type": "conversation.item.create", "item": item}


def response(**fields):
    return {"type": "response.create", "response": fields}


def message(*content, **fields):
    return {"type": "message", "role": "user", "content": list(content), **fields}


def ratio(value, **more):
    return session(truncation={"type": "retention_ratio", "retention_ratio": value, **more})


@pytest.mark.parametrize(
    ("event", "code", "param"),
    [
        (create(**message(id=LONG)), "string_above_max_length", "item.id"),
        (
            create(type="function_call", call_id=LONG, name="f", arguments="{}"),
            "string_above_max_length",
            "item.call_id",
        ),
        (response(input=[message(), message(id=LONG)]), "string_above_max_length", "response.input[1].id"),
        (response(metadata={"k" * 65: ""}), "string_above_max_length", "response.metadata"),
        (response(metadata={"k": "v" * 513}), "string_above_max_length", "response.metadata.k"),
        (session(tools=[{"type": "function", "name": "two words"}]), "invalid_value", "session.tools[0].name"),
        (
            response(tools=[{"type": "function", "name": "f" * 65}]),
            "string_above_max_length",
            "response.tools[0].name",
        ),
        (session(tools=[LOOK, {**LOOK, "description": "Again."}]), "invalid_value", "session.tools[1].name"),
        (response(tools=[{**LOOK, "name": "see"}, LOOK, LOOK]), "invalid_value", "response.tools[2].name"),
        (session(include=["everything"]), "invalid_value", "session.include[0]"),
        (ratio(1.5), "decimal_above_max_value", "session.truncation.retention_ratio"),
        (ratio(-0.5), "decimal_below_min_value", "session.truncation.retention_ratio"),
        (
            ratio(1, token_limits={"post_instructions": -1}),
            "integer_below_min_value",
            "session.truncation.token_limits.post_instructions",
        ),
        (
            create(**message({"type": "input_image", "image_url": "https://example.org/cat.png"})),
            "invalid_value",
            "item.content[0].image_url",
        ),
        (create(**message({"type": "input_audio", "audio": ""})), "invalid_value", "item.content[0].audio"),
    ],
)
def test_what_is_refused(event, code, param):
    with pytest.raises(Rejected) as caught:
        read(json.dumps(event))
    assert (caught.value.code, caught.value.param) == (code, param)


def test_the_sentences_of_the_api():
    for event, sentence in (
        (create(**message(id=LONG)), "Expected a string with maximum length 32, but got a string with length 33"),
        (
            create(**message({"type": "input_image", "image_url": "cat.png"})),
            r"with an image MIME type .* but got a value without the 'data:' prefix\.",
        ),
        ({"type": "input_audio_buffer.append", "audio": ""}, r"\(mono PCM16 at 24kHz\) but got empty bytes\."),
    ):
        with pytest.raises(Rejected, match=sentence):
            read(json.dumps(event))


@pytest.mark.parametrize(
    "event",
    [
        create(**message(id="x" * 32)),
        response(metadata={"k" * 64: "v" * 512}),
        session(tools=[{"type": "function", "name": "get_weather-2"}]),
        session(include=["item.input_audio_transcription.logprobs"]),
        session(include=None, tools=None, truncation=None),
        session(truncation="disabled"),
        ratio(0.8, token_limits={"post_instructions": 5000}),
        response(input=[], metadata=None),
    ],
)
def test_what_is_right_passes(event):
    read(json.dumps(event))


def test_sound_of_an_odd_length_is_taken():
    read(json.dumps({"type": "input_audio_buffer.append", "audio": base64.b64encode(b"123").decode()}))
