"""The built-in assistant: a `LanguageModel` made of rules, honest about it.

It answers at once, costs nothing and is always there, so that every part of a conversation (speech, tools,
interruption) can be tried with no key and no network. It is pure: the clock comes in.
"""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import datetime

from rtchat.server.engines import errands, talk, toolbox
from rtchat.server.engines.base import Message, Prompt, TextPiece, ToolCall
from rtchat.server.engines.grammar import build
from rtchat.server.engines.results import say_result
from rtchat.server.engines.story import sentences
from rtchat.server.engines.turn import Answer, Skill, Turn, normalise

ABOUT = (
    "I am rtchat's built-in assistant, made of a few rules, not a language model. "
    "I can tell the time, calculate, use this session's tools, tell a story, and repeat after you. "
    "For a real conversation, set OPENAI_API_KEY."
)
NOT_UNDERSTOOD = "I did not understand that. Ask me what I can do, or set OPENAI_API_KEY for a real conversation."

SKILLS: tuple[Skill, ...] = (
    talk.what_was_said,
    talk.user_name,
    talk.own_name,
    talk.what_it_can,
    talk.small_talk,
    errands.timer,
    errands.weather,
    talk.count,
    errands.time,
    errands.date,
    errands.arithmetic,
    errands.any_tool,
    talk.joke,
    talk.story,
)
"""Tried in this order; the first that answers wins."""


class RuleAssistant:
    """`LanguageModel` by rules.

    Args:
        now: The clock, local time.
    """

    name = "rules"

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now

    async def respond(self, prompt: Prompt) -> AsyncIterator[TextPiece | ToolCall]:
        """Answer sentence by sentence; joined, the pieces are the whole text."""
        first = True
        for part in answer(prompt, self._now()):
            if isinstance(part, ToolCall):
                yield part
            else:
                yield TextPiece(part if first else f" {part}")
                first = False

    def grammar(self, prompt: Prompt) -> str:
        """The JSGF grammar of what it understands with the tools of this session."""
        return build(_callable(prompt))


def answer(prompt: Prompt, now: datetime) -> Answer:
    """All that there is to say and to call for `prompt`."""
    last = prompt.messages[-1] if prompt.messages else None
    if rest := _unheard(prompt.instructions):
        return rest
    if last and last.role == "tool":
        return _results(prompt.messages)
    if last and last.role == "system":
        return _told(last.text)
    if last and last.role == "assistant" and (told := _told(prompt.instructions, only_quoted=True)):
        return told
    asked = next((at for at in reversed(range(len(prompt.messages))) if prompt.messages[at].role == "user"), None)
    if asked is None:
        return _told(prompt.instructions, only_quoted=True) or ["Hello. What can I do for you?"]
    before, raw = prompt.messages[:asked], prompt.messages[asked].text
    if not raw.strip():
        silent = asked > 0 and before[-1].role == "system" and before[-1].text.startswith("No user speech")
        return ["Are you still there?"] if silent else ["I did not catch that."]
    if images := re.findall(r"\[image: (.+?)\]", raw):
        return _images(images, Message("user", re.sub(r"\[image: .+?\]", " ", raw).strip()), prompt, now)
    turn = Turn(normalise(raw), raw, before, _callable(prompt), now)
    found = _understood(turn)
    if prompt.tool_choice not in ("auto", "none") and not any(isinstance(part, ToolCall) for part in found or ()):
        return _required(turn)
    return found or _not_understood(before)


def _images(images: list[str], asked: Message, prompt: Prompt, now: datetime) -> Answer:
    """Honest about images, and then whatever else was asked with them, if it can be answered."""
    listed = images[0] if len(images) == 1 else f"{', '.join(images[:-1])} and {images[-1]}"
    said = f"I cannot see images; {'this is' if len(images) == 1 else 'these are'} {listed}."
    turn = Turn(normalise(asked.text), asked.text, (), _callable(prompt), now)
    return [said, *((asked.text and _understood(turn)) or ())]


def _callable(prompt: Prompt) -> Sequence[toolbox.Tool]:
    """The tools that `tool_choice` leaves."""
    tools = [tool for tool in prompt.tools if tool.get("type", "function") == "function" and tool.get("name")]
    if prompt.tool_choice in ("auto", "required"):
        return tools
    return [tool for tool in tools if tool["name"] == prompt.tool_choice]  # "none" is no tool's name


def _understood(turn: Turn) -> Answer | None:
    """The turn as one request, or as several ("... and ..."), or as what it adds to the request before."""
    if said := talk.repeat_after_me(turn):
        return said
    parts = _parts(turn)
    answers = [_one(part) for part in parts]
    if len(parts) > 1 and all(answers):
        return [piece for found in answers if found for piece in found]
    if whole := _one(turn):
        return whole
    if any(answers):  # the rest was chatter
        return [piece for found in answers if found for piece in found]
    return _follow_up(turn)


def _one(turn: Turn) -> Answer | None:
    return next((found for skill in SKILLS if (found := skill(turn))), None)


def _again(turn: Turn, text: str, raw: str | None = None) -> Turn:
    return Turn(text, raw if raw is not None else text, turn.before, turn.tools, turn.now)


_AND = re.compile(r"(?:[.?!;,]\s+|\s+)(?:and then|and also|and|then|also)\s+|[.?!;,]\s+")


def _parts(turn: Turn) -> list[Turn]:
    """The turn cut at "and" and at commas; "in Oslo" after "weather in Paris" becomes "weather in Oslo"."""
    parts: list[Turn] = []
    raws = [piece for piece in _AND.split(turn.raw) if piece.strip(" .?!,")]
    for piece in _AND.split(turn.text):
        text = piece.strip(" .?!,;")
        if not text:
            continue
        raw = raws[len(parts)] if len(raws) > len(parts) else text
        part = _again(turn, text, raw)
        if parts and not _one(part) and (longer := _elided(parts[-1].text, text)):
            part = _again(turn, longer)
        parts.append(part)
    return parts


def _elided(before: str, text: str) -> str | None:
    """`before` with its last place or thing replaced by `text`, when that is short: see `_parts`."""
    thing = re.sub(r"^(?:in|for|at|of|to) ", "", text)
    at = max((match.start() for match in re.finditer(r" (?:in|for|at|of|to) ", before)), default=-1)
    if at < 0 or len(thing.split()) > 4:
        return None
    preposition = before[at:].split()[0]
    return f"{before[:at]} {preposition} {thing}"


def _follow_up(turn: Turn) -> Answer | None:
    """What "and in Oslo?", or just "Oslo", means after another question."""
    text = re.sub(r"^(?:(?:and|or|what about|how about|what is) )+", "", turn.text).strip(" .?!,")
    earlier = turn.said("user")
    if not earlier:
        return None
    before = normalise(earlier[-1]).strip(" .?!,")
    asked = turn.said("assistant")[-1:]
    if asked and re.search(r"^(?:For which city|For how long)\?|I need to know the", asked[0]):
        return _one(_again(turn, f"{before} {text}")) or _one(_again(turn, f"{before} for {text}"))
    if text == turn.text.strip(" .?!,") and not re.match(r"(?:in|for|at) ", text):
        return None
    longer = _elided(before, text)
    return _one(_again(turn, longer)) if longer else None


def _not_understood(before: Sequence[Message]) -> Answer:
    known = any(sentences(ABOUT)[0] in message.text for message in before if message.role == "assistant")
    return [NOT_UNDERSTOOD] if known else [*sentences(ABOUT)]


def _required(turn: Turn) -> Answer:
    """`tool_choice` asks for a call: the tool that fits best, or else the first that can be called at all."""
    best = toolbox.choose(turn.tools, turn.text)
    calls = [toolbox.call(tool, turn.text) for tool in ([best] if best else []) + list(turn.tools)]
    found = next((call for call in calls if isinstance(call, ToolCall)), None)
    if found:
        return [found]
    if calls and isinstance(calls[0], toolbox.Missing):
        return [f"To {' '.join(toolbox.words_of(calls[0].tool))} I need to know the {calls[0].parameter}."]
    return ["This session has no tool that I could call."]


def _results(messages: Sequence[Message]) -> Answer:
    """The results of the calls since anybody last spoke."""
    start = len(messages)
    while start and messages[start - 1].role in ("tool", "call"):
        start -= 1
    calls = {message.call_id: message for message in messages if message.role == "call"}
    said: Answer = []
    for message in messages[start:]:
        if message.role == "tool":
            asked = calls.get(message.call_id, Message("call", "{}", message.name))
            said.append(say_result(asked.name, asked.text, message.text))
    return said


def _unheard(instructions: str) -> Answer:
    """The rest of an answer that was broken off: `Not heard yet: "..."`, a JSON string, on a line of its own."""
    quoted = re.search(r'^Not heard yet: (".*")$', instructions, re.MULTILINE)
    try:
        return [*sentences(json.loads(quoted[1]))] if quoted else []
    except ValueError:  # somebody's own words
        return []


def _told(text: str, *, only_quoted: bool = False) -> Answer:
    """What a system message (or the instructions) asks to be said: "Tell the user: the tea is ready"."""
    quoted = re.search(r"\b(?:say|repeat|tell|greet)\b[^.\"“]*[\"“](.+?)[\"”]", text, re.IGNORECASE | re.DOTALL)
    if quoted:
        return [*sentences(quoted[1])]
    if only_quoted:
        return []
    order = r"(?:please )?(?:(?:tell|inform|remind) the user(?: that| now)?|say(?: that)?)\b[:,]? ?"
    told = [sentence for sentence in sentences(text) if not re.match(order, sentence, re.IGNORECASE)]
    if told:  # "The tea timer has ended. Tell the user now."
        return [*told]
    words = re.sub(rf"^{order}", "", text.strip(), flags=re.IGNORECASE)
    return [*sentences(words[:1].upper() + words[1:])]
