"""Whatever a client sends, the server answers with events: thousands of mangled frames, the same ones each time."""

import base64
import copy
import json
import random

import pytest

from rtchat.server.dialogue import signals as sig
from rtchat.server.engines.base import TextPiece, ToolCall, WordMark

TOOL = {"type": "function", "name": "f", "description": "", "parameters": {"type": "object"}}
ITEM = {"type": "message", "id": "A", "role": "user", "content": [{"type": "input_text", "text": "hi"}]}
SOUND = {"type": "message", "role": "user", "content": [{"type": "input_audio", "audio": "AAAA"}]}
PIXELS = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\2\x80\0\0\1\xe0"
IMAGE = {"type": "input_image", "image_url": f"data:image/png;base64,{base64.b64encode(PIXELS).decode()}"}
RATIO = {"type": "retention_ratio", "retention_ratio": 0.5, "token_limits": {"post_instructions": 20}}
SEMANTIC = {"type": "semantic_vad", "eagerness": "high", "interrupt_response": False}
VAD = {"type": "server_vad", "threshold": 0.5, "silence_duration_ms": 200, "idle_timeout_ms": 5000}
AUDIO = {
    "input": {
        "format": {"type": "audio/pcm", "rate": 24000},
        "turn_detection": VAD,
        "transcription": {"model": "m"},
    },
    "output": {"voice": "ash", "speed": 1.1, "format": {"type": "audio/pcmu"}},
}
EVENTS = [
    {
        "type": "session.update",
        "session": {"type": "realtime", "audio": AUDIO, "tools": [TOOL], "tool_choice": "auto"},
    },
    {
        "type": "session.update",
        "session": {"type": "realtime", "output_modalities": ["text"], "truncation": "auto"},
    },
    {
        "type": "session.update",
        "session": {
            "type": "realtime",
            "truncation": RATIO,
            "parallel_tool_calls": False,
            "include": ["item.input_audio_transcription.logprobs"],
            "audio": {"input": {"turn_detection": SEMANTIC, "format": {"type": "audio/pcma"}}},
        },
    },
    {"type": "input_audio_buffer.append", "audio": "AAEAAQ" * 2000},
    {"type": "input_audio_buffer.commit"},
    {"type": "input_audio_buffer.clear"},
    {"type": "conversation.item.create", "item": ITEM, "previous_item_id": "root"},
    {"type": "conversation.item.create", "item": SOUND},
    {"type": "conversation.item.create", "item": {"type": "message", "role": "user", "content": [IMAGE]}},
    {
        "type": "conversation.item.create",
        "item": {
            "type": "message",
            "id": "S",
            "role": "assistant",
            "content": [{"type": "output_audio", "audio": "AAAA" * 400, "transcript": "One two."}],
        },
    },
    {"type": "conversation.item.truncate", "item_id": "S", "content_index": 0, "audio_end_ms": 5},
    {"type": "response.create", "response": {"conversation": "none", "input": [SOUND, ITEM]}},
    {
        "type": "conversation.item.create",
        "item": {"type": "function_call", "name": "f", "arguments": "{}", "call_id": "c"},
    },
    {"type": "conversation.item.create", "item": {"type": "function_call_output", "call_id": "c", "output": "x"}},
    {"type": "conversation.item.truncate", "item_id": "A", "content_index": 0, "audio_end_ms": 10},
    {"type": "conversation.item.delete", "item_id": "A"},
    {"type": "conversation.item.retrieve", "item_id": "A"},
    {"type": "response.create", "response": {"metadata": {"a": "b"}, "max_output_tokens": 9, "tools": [TOOL]}},
    {
        "type": "response.create",
        "response": {"conversation": "none", "input": [ITEM, {"type": "item_reference", "id": "A"}]},
    },
    {"type": "response.cancel", "response_id": "resp_1"},
    {"type": "response.cancel"},
]
ODD = [
    None,
    True,
    -1,
    0,
    1e308,
    10**30,
    "",
    "x",
    "A",
    "\ud800",
    [],
    [None],
    {},
    {"type": "x"},
    [[]],
    "null",
    "AAA=",
]


def mangled(event, dice):
    """The event with one thing in it changed, added or taken away."""
    event = copy.deepcopy(event)
    at = event
    while True:
        keys = list(at) if isinstance(at, dict) else list(range(len(at)))
        if not keys:
            return event
        key = dice.choice(keys)
        if isinstance(at[key], dict | list) and at[key] and dice.random() < 0.7:
            at = at[key]
            continue
        if dice.random() < 0.2:
            del at[key]
        elif dice.random() < 0.1 and isinstance(at, dict):
            at["surplus"] = dice.choice(ODD)
        else:
            at[key] = dice.choice(ODD)
        return event


def torn(frame, dice):
    """The text of a frame, broken: cut, doubled keys, deep nesting, huge numbers, odd base64, lone surrogates."""
    at = dice.randrange(len(frame) + 1)
    match dice.randrange(8):
        case 0:
            return frame[:at]
        case 1:
            return frame[:at] + dice.choice('{}[]",:\0\ud800\U0001f642') + frame[at:]
        case 2:
            return frame.replace("{", '{"type":"session.update",', 1)
        case 3:
            return frame.replace(":", ":" + "[" * dice.choice([10, 1000, 100_000]), 1)
        case 4:
            return frame.replace("0", dice.choice(["1e999", "-0", "9" * 400, "NaN", "Infinity"]), 1)
        case 5:
            return frame[at:] + frame[:at]
        case 6:
            return json.dumps(
                {"type": "input_audio_buffer.append", "audio": dice.choice(["=", "A", "AA=A", "é", "A" * 9])}
            )
        case _:
            return frame + dice.choice([" ", "{}", ",", "\n\n", "\ufeff"])


@pytest.mark.parametrize("seed", range(8))
def test_mangled_events_are_answered(new_talk, seed):
    dice = random.Random(seed)
    talk = new_talk()
    for _ in range(150):
        event = dice.choice(EVENTS)
        event = dict(mangled(event, dice) if dice.random() < 0.5 else event)
        kind = event.pop("type", None)
        for effect in talk.send(kind, **event) + talk.hear(
            *(dice.choice([0.0, 0.9]) for _ in range(dice.randrange(4)))
        ):
            match effect:
                case sig.Think():
                    talk.tell(
                        sig.Thought(effect.response_id, dice.choice([TextPiece("One two."), ToolCall("f", "{}")]))
                    )
                    talk.tell(sig.ThoughtEnded(effect.response_id, dice.choice([None, None, "It broke."])))
                case sig.Judge():
                    talk.tell(sig.Judged(effect.key, dice.random()))
                case sig.Speak():
                    talk.tell(sig.Marked(effect.response_id, WordMark(3, 40.0)))
                    talk.tell(sig.Spoke(effect.response_id, bytes(4800)))
                    talk.tell(sig.SpeechEnded(effect.response_id))
                case sig.Transcribe():
                    talk.tell(dice.choice([sig.Recognised(effect.key, "hi"), sig.NotRecognised(effect.key, "no")]))


@pytest.mark.parametrize("seed", range(4))
def test_torn_frames_are_answered_and_the_session_goes_on(new_talk, seed):
    """`tests/bench/fuzz_server.py` does the same a million times."""
    dice = random.Random(seed)
    talk = new_talk()
    for _ in range(150):
        effects = talk.tell(sig.Frame(torn(json.dumps(mangled(dice.choice(EVENTS), dice)), dice)))
        assert not any(isinstance(effect, sig.Close) for effect in effects)
    assert talk.send("input_audio_buffer.clear")[0]["type"] == "input_audio_buffer.cleared"
