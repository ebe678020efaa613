"""The JSGF grammar of what the built-in assistant understands, for the recogniser.

A recogniser that knows what may be said hears it much better than one that expects any English.
Words are lower case, as in the recogniser's dictionary; those that it does not have are its to drop.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from rtchat.server.engines.cities import CITIES
from rtchat.server.engines.numbers import TEENS, TENS, UNITS
from rtchat.server.engines.toolbox import Tool, fields_of, values_of, words_of

_NUMBERS = f"""
<digit> = {" | ".join(UNITS[1:])};
<below_hundred> = zero | <digit> | {" | ".join(TEENS)} | ({" | ".join(TENS)}) [<digit>];
<number> = <below_hundred> | (a | <digit>) hundred [[and] <below_hundred>] | (a | <below_hundred>) thousand;
"""

_PHRASES = """
<polite> = please | can you | could you;
<hello> = hello [there] | hi [there] | good (morning | afternoon | evening) | how are you [today];
<bye> = goodbye | bye | good night | see you later;
<thanks> = thank you [very much] | thanks;
<stop> = stop | wait | never mind | cancel | be quiet;
<help> = help | what can you do | what else can you do;
<who> = who are you | (what is | what's) your name | what are you | are you a robot;
<me> = (what is | what's) my name | who am i | do you remember my name;
<again> = what did you [just] say | say that again | repeat that | pardon | what did i [just] say;
<there> = can you hear me | are you there;
<joke> = tell me (a | another) joke | another joke | make me laugh;
<story> = tell me a [long] story | tell a story;
<time> = what time is it [now | in <city>] | (what is | what's) the time | tell me the time
  | do you know what time it is;
<date> = what day is it [today] | (what is | what's) the date [today] | (what is | what's) today's date
  | what day is tomorrow | what year is it;
<count> = count [up] [from <number>] to <number> | count down from <number>;
<operator> = plus | minus | times | multiplied by | divided by | over;
<sum> = (what is | what's | calculate | how much is) <number> <operator> <number> [<operator> <number>]
  | what is the square root of <number> | (what is | what's) <number> percent of <number>;
<weather> = (what is | what's | how is | tell me) the (weather | temperature) [like]
  [in <city> [today | now | and in <city>]];
<place> = (what | how) about <city> | [and] in <city>;
<unit> = second | seconds | minute | minutes | hour | hours;
<timer> = (set | start) (a | an) timer [for (a | an | <number>) <unit>]
  | set a <number> (second | minute | hour) timer;
<yes> = yes | no | okay;
"""

_NAMES = (
    *("hello", "bye", "thanks", "stop", "help", "who", "me", "again", "there", "yes"),
    *("joke", "story", "time", "date", "count", "sum", "weather", "timer", "place"),
)


def build(tools: Sequence[Tool] = ()) -> str:
    """The grammar, with phrases for `tools` made of their names and enum values."""
    rules = [_tool_rule(tool, at) for at, tool in enumerate(tools)]
    names = [f"<{name}>" for name in _NAMES] + [f"<tool{at}>" for at, rule in enumerate(rules) if rule]
    city = " | ".join(city.lower() for city in CITIES)
    return (
        "#JSGF V1.0;\ngrammar assistant;\n"
        "public <turn> = (/0.97/ <NULL> | /0.03/ <polite>) <what>"
        " (/0.97/ <NULL> | /0.02/ (please | thank you) | /0.01/ and <ask>);\n"
        "<ask> = <time> | <date> | <joke> | <weather> | <sum>;\n"
        f"<what> = {' | '.join(names)};\n"
        f"<city> = {city};\n{_NUMBERS}{_PHRASES}" + "\n".join(rule for rule in rules if rule) + "\n"
    )


def _tool_rule(tool: Tool, at: int) -> str:
    """For `set_light(room: kitchen|hall, on: bool)`: set [the] light [to | in | ...] [the] kitchen ..."""
    words = [word for word in words_of(str(tool.get("name", ""))) if word.isalpha()]
    if not words or {"weather", "time", "timer", "calculate"} & set(words):
        return ""  # these have phrases of their own
    verb, things = (words[0], words[1:]) if len(words) > 1 else ("", words)
    slots = [slot for kind in fields_of(tool).values() if (slot := _slot(kind))]
    slot = f" [{' | '.join(slots)}]" * min(len(slots), 2)
    link = "[in | on | to | for | of | at] [the | a | my]"
    verbs = f"({verb} | what is | turn [on | off] | switch [on | off])" if verb else "[what is | use]"
    return f"<tool{at}> = {verbs} [the | a | my | me] {' '.join(things)} {link}{slot};"


def _slot(kind: Mapping[str, Any]) -> str:
    if "enum" in kind:
        spoken = [" ".join(re.findall(r"[a-z]+", str(value).lower())) for value in values_of(kind)]
        return " | ".join(value for value in spoken if value)
    return {"integer": "<number>", "number": "<number>", "boolean": "on | off"}.get(str(kind.get("type")), "")
