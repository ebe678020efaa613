"""A scenario, played to a translation session on a socket, in virtual time."""

import base64
import json

import pytest
import websockets
from openai.types.realtime import RealtimeTranslationServerEvent
from pydantic import TypeAdapter

from rtchat.server.run import ServerConfig, embedded
from rtchat.server.staging.scenario import made
from rtchat.server.staging.stage import Stage
from rtchat.testing import babble

ORACLE = TypeAdapter(RealtimeTranslationServerEvent)


@pytest.fixture
def interpreted():
    """`await interpreted(turn, …, speeches=2)`: all events of a session in which so much was said."""

    async def interpreting(*turns, speeches=1, language="es", **top):
        update = {"type": "session.update", "session": {"audio": {"output": {"language": language}}}}
        sound = base64.b64encode(babble()).decode()
        append = {"type": "session.input_audio_buffer.append", "audio": sound}
        stage = Stage(scenario=made(turns, **top), seed=1, virtual=True)
        async with (
            embedded(ServerConfig(tts="tone", stage=stage)) as url,
            websockets.connect(f"{url}/realtime/translations", max_size=None) as socket,
        ):
            for event in [update, *[append] * speeches, {"type": "session.close"}]:
                await socket.send(json.dumps(event))
            events = [json.loads(frame) async for frame in socket]
        for event in events:
            ORACLE.validate_python(event)
        return events

    return interpreting


def words(events, kind):
    return "".join(event["delta"] for event in events if event["type"] == f"session.{kind}_transcript.delta")


def failures(events):
    return [event["error"]["message"] for event in events if event["type"] == "error"]


@pytest.mark.parametrize("language", ["es", "en", "ja"])
async def test_what_is_heard_and_how_it_is_said_in_the_other_language(interpreted, language):
    events = await interpreted(
        {"hear": "good morning", "say": ["Buenos días.", "Señor."]},
        {"hear": "good bye", "say": "Adiós.", "delay_ms": 300},
        speeches=2,
        language=language,
    )
    assert words(events, "input") == "good morning good bye "
    assert words(events, "output") == "Buenos días. Señor. Adiós. "
    sound = [event for event in events if event["type"] == "session.output_audio.delta"]
    assert sound
    assert failures(events) == []
    assert [event["type"] for event in events][:2] == ["session.created", "session.updated"]
    assert events[-1]["type"] == "session.closed"


@pytest.mark.parametrize(
    ("turn", "sentence"),
    [
        ({"hear": "one", "say": "uno", "match": "two"}, "turn 1 expects what matches 'two', not 'one'."),
        ({"hear": "one", "fail": "The interpreter is tired."}, "The interpreter is tired."),
        (
            {"hear": "one", "call": {"name": "f"}},
            "turn 1 has no `say`, which is the translation of what was heard.",
        ),
        ({"say": "uno"}, "turn 1 has no words for this speech. Give it `hear`, here or in a turn after it."),
    ],
)
async def test_what_the_scenario_does_not_foresee(interpreted, turn, sentence):
    events = await interpreted(turn)
    (message,) = failures(events)
    assert message.endswith(sentence)
    assert events[-1]["type"] == "session.closed"


async def test_past_the_last_turn(interpreted):
    events = await interpreted({"hear": "one", "say": "uno"}, speeches=2)
    assert words(events, "output") == "uno "
    (why,) = failures(events)
    assert why.startswith("The scenario has no more turns, so there are no words for this speech. Write another")


async def test_a_loop_begins_again(interpreted):
    events = await interpreted({"hear": "ping", "say": "pong"}, speeches=3, loop=True)
    assert words(events, "output") == "pong pong pong "
