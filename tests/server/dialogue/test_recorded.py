"""What real clients sent, and in which order the real service answered."""

import itertools
from pathlib import Path

import pytest

from rtchat.server.dialogue import signals as sig
from rtchat.server.engines.base import TextPiece, ToolCall

TRACES = Path(__file__).parents[4] / "shared" / "traces"
NAMES = [path.stem for path in sorted(TRACES.glob("test_openai_ws__*.yaml"))]
pytestmark = pytest.mark.skipif(not NAMES, reason="the recordings are not here")


def messages(name):
    yaml = pytest.importorskip("yaml")
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    recorded = yaml.load((TRACES / f"{name}.yaml").read_text(), loader)["interactions"]
    return [(entry["direction"], entry["data"]) for entry in recorded if entry.get("kind") == "message"]


def collapsed(kinds):
    """The order, with repeated deltas as one."""
    return [kind for kind, _ in itertools.groupby(kinds)]


def paths(value, path=""):
    """Where something stands in an event, and whether it is null or an empty list there."""
    if isinstance(value, dict):
        return {found for name, inside in value.items() for found in paths(inside, f"{path}.{name}")}
    if isinstance(value, list):
        return {found for inside in value for found in paths(inside, f"{path}[]")} or {f"{path} empty"}
    return {f"{path} null" if value is None else path}


def fields(events):
    """Event type -> all that stands in events of that type. What hides lengths is not sent by this server."""
    found = {}
    for event in events:
        kept = {path for path in paths(event) if not path.endswith(".obfuscation") and ".parameters" not in path}
        found.setdefault(event["type"], set()).update(kept)
    return found


@pytest.mark.parametrize("name", NAMES)
def test_whatever_the_recorded_clients_sent_is_taken(new_talk, names, name):
    recorded = messages(name)
    talk = new_talk(model=recorded[0][1]["session"]["model"])
    calls = iter(
        data["item"]["call_id"]
        for kind, data in recorded
        if data["type"] == "response.output_item.added" and data["item"]["type"] == "function_call"
    )
    for direction, data in recorded:
        if direction == "sent" and data["type"] != "input_audio_buffer.append":  # the recorder cut the sound
            if data.get("item", {}).get("type") == "function_call_output":
                call = {"type": "function_call", "call_id": next(calls), "name": "f", "arguments": "{}"}
                talk.send("conversation.item.create", item=call)
            fields = {field: value for field, value in data.items() if field != "type"}
            answers = talk.send(data["type"], **fields)
            assert "error" not in names(answers), answers
            for think in answers:
                if isinstance(think, sig.Think):
                    talk.tell(sig.ThoughtEnded(think.response_id))


@pytest.fixture
def tool_round(new_talk, of_type):
    """The recorded tool round, with this server: its events."""
    talk = new_talk(model="gpt-realtime")
    city = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
    tool = {"type": "function", "name": "get_weather", "description": "The weather.", "parameters": city}
    heard = {"transcription": {"model": "gpt-realtime-whisper"}}
    events = talk.created + talk.update(output_modalities=["text"], tools=[tool], audio={"input": heard})
    events += talk.say("What is the weather in London?")
    begun = talk.send("response.create")
    first = of_type(begun, sig.Think).response_id
    called = talk.tell(sig.Thought(first, ToolCall("get_weather", '{"city": "London"}')))
    events += begun + called + talk.tell(sig.ThoughtEnded(first))
    output = {"type": "function_call_output", "call_id": called[0]["item"]["call_id"], "output": "fog"}
    events += talk.send("conversation.item.create", item=output)
    begun = talk.send("response.create")
    second = of_type(begun, sig.Think).response_id
    events += (
        begun + talk.tell(sig.Thought(second, TextPiece("It is foggy."))) + talk.tell(sig.ThoughtEnded(second))
    )
    return [event for event in events if isinstance(event, dict)]


def test_a_tool_round_in_the_recorded_order(tool_round):
    recorded = messages("test_openai_ws__test_tool_call_round")
    expected = [data["type"] for direction, data in recorded if direction == "received"]
    ours = collapsed(event["type"] for event in tool_round)
    assert ours == [*collapsed(expected), "rate_limits.updated"]  # the recorder stopped before the last


def test_a_tool_round_with_the_recorded_fields(tool_round):
    recorded = messages("test_openai_ws__test_tool_call_round")
    theirs = fields(data for direction, data in recorded if direction == "received")
    ours = fields(tool_round)
    assert {kind for kind in theirs if theirs[kind] != ours[kind]} == set()


def test_a_spoken_turn_with_the_recorded_fields(new_talk, of_type):
    recorded = messages("test_openai_ws__test_audio_in_server_vad_turn")
    theirs = fields(data for direction, data in recorded if direction == "received")
    talk = new_talk(model="gpt-realtime")
    heard = {"transcription": {"model": "gpt-realtime-whisper"}}
    events = talk.created + talk.update(audio={"input": heard}) + talk.speak()
    asked = [event for event in events if isinstance(event, sig.Transcribe)][-1]
    begun = talk.tell(sig.Recognised(asked.key, "Hello."))
    answer = of_type(begun, sig.Think).response_id
    events += begun + talk.tell(sig.Thought(answer, TextPiece("Hi there."))) + talk.tell(sig.ThoughtEnded(answer))
    events += talk.tell(sig.Spoke(answer, bytes(4800))) + talk.tell(sig.SpeechEnded(answer))
    ours = fields(event for event in events if isinstance(event, dict))
    assert {kind for kind in theirs if theirs[kind] != ours.get(kind)} == set()
