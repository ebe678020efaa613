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


def test_a_tool_round_in_the_recorded_order(new_talk, names, of_type):
    recorded = messages("test_openai_ws__test_tool_call_round")
    expected = [data["type"] for direction, data in recorded if direction == "received"]
    talk = new_talk(model="gpt-realtime")
    events = names(talk.created)
    events += names(talk.update(output_modalities=["text"], tools=[{"type": "function", "name": "get_weather"}]))
    events += names(talk.say("What is the weather in London?"))
    begun = talk.send("response.create")
    first = of_type(begun, sig.Think).response_id
    called = talk.tell(sig.Thought(first, ToolCall("get_weather", "{}")))
    events += names(begun + called + talk.tell(sig.ThoughtEnded(first)))
    output = {"type": "function_call_output", "call_id": called[0]["item"]["call_id"], "output": "fog"}
    events += names(talk.send("conversation.item.create", item=output))
    begun = talk.send("response.create")
    second = of_type(begun, sig.Think).response_id
    events += names(begun + talk.tell(sig.Thought(second, TextPiece("It is foggy."))))
    events += names(talk.tell(sig.ThoughtEnded(second)))
    effects = {"Think", "Abort"}
    ours = collapsed(kind for kind in events if kind not in effects)
    assert ours == [*collapsed(expected), "rate_limits.updated"]  # the recorder stopped before the last
