from datetime import UTC, datetime
from typing import Any

import pocketsphinx
import pytest

from rtchat.server.engines.assistant import answer
from rtchat.server.engines.base import Message, Prompt
from rtchat.server.engines.grammar import build

LIGHT = {
    "type": "function",
    "name": "set_light",
    "parameters": {
        "properties": {"room": {"enum": ["kitchen", "living_room"]}, "on": {"type": "boolean"}},
        "required": ["room", "on"],
    },
}
ORDER = {"type": "function", "name": "order", "parameters": {"properties": {"number": {"type": "integer"}}}}
WEATHER = {"type": "function", "name": "get_weather", "parameters": {"properties": {"city": {"type": "string"}}}}
TIMER = {"type": "function", "name": "set_timer", "parameters": {"properties": {"seconds": {"type": "number"}}}}
TOOLS = (LIGHT, ORDER, WEATHER, TIMER)
NOW = datetime(2026, 11, 20, 15, 4, tzinfo=UTC)

SAID = """
hello there; good morning; how are you today; goodbye; thank you very much; stop; never mind; help;
what can you do; who are you; what's your name; what is my name; what did you just say; say that again;
can you hear me; tell me a joke; another joke; tell me a long story; what time is it; what's the time;
tell me the time; what's the date today; what day is tomorrow; what year is it; count to ten;
count down from twenty three; yes; what is seventeen times twenty three;
how much is one hundred and five minus forty two plus a thousand; what is the square root of sixteen;
what's fifteen percent of eighty; set a timer for five minutes; set a timer for an hour;
set a ten minute timer; what is the weather in paris; what's the temperature in new york now;
tell me the weather in tokyo and in london; please tell me a joke; tell me a joke please;
what time is it and what is the weather in rio de janeiro
"""
PHRASES = [" ".join(phrase.split()) for phrase in SAID.split(";")]


@pytest.fixture(scope="module")
def understands() -> Any:
    """Does the grammar, as pocketsphinx compiles it, accept these words?"""
    decoder = pocketsphinx.Decoder(lm=None, loglevel="FATAL")
    models: dict[int, Any] = {}

    def accepts(words: str, tools: tuple[Any, ...] = ()) -> bool:
        if len(tools) not in models:
            decoder.add_jsgf_string(f"tools{len(tools)}", build(tools))
            models[len(tools)] = decoder.get_fsg(f"tools{len(tools)}")
        return bool(models[len(tools)].accept(words))

    return accepts


@pytest.mark.parametrize("phrase", PHRASES)
def test_what_the_assistant_answers_is_in_the_grammar(understands: Any, phrase: str):
    assert understands(phrase)
    said = str(answer(Prompt("", [Message("user", phrase)], TOOLS), NOW))
    assert "language model. " not in said
    assert "OPENAI_API_KEY" not in said


@pytest.mark.parametrize(
    "words", ["where can i buy a bicycle", "what time", "weather paris", "my name is alice", "and"]
)
def test_what_is_not_in_the_grammar(understands: Any, words: str):
    assert not understands(words)


@pytest.mark.parametrize(
    "words",
    ["set the light in the kitchen on", "turn on the light in the living room", "order five"],
)
def test_tools_bring_their_words(understands: Any, words: str):
    assert understands(words, TOOLS)
    assert not understands(words)


def test_a_tool_of_strange_names_breaks_nothing(understands: Any):
    strange = {
        "type": "function",
        "name": "x-2 <y>; {z}",
        "parameters": {"properties": {"a": {"enum": ["|;<", "", 3]}, "b": 1}},
    }
    assert understands("hello", (strange,))


@pytest.mark.parametrize("schema", ["x", 1, ["x"], {"properties": "x"}, {"properties": {"a": {"enum": "x"}}}])
def test_what_is_no_schema_breaks_nothing(schema: Any):
    rule = "<tool0> = (open | what is | turn [on | off] | switch [on | off]) [the | a | my | me] door"
    assert rule in build([{"name": "open_door", "parameters": schema}])
