"""What the built-in assistant can talk about by itself: one function a skill, from a turn to an answer or None."""

from __future__ import annotations

import re

from rtchat.server.engines import toolbox
from rtchat.server.engines.numbers import number_words
from rtchat.server.engines.story import JOKES, STORY, sentences
from rtchat.server.engines.turn import Answer, Turn, has

MOST_COUNTED = 100


def repeat_after_me(turn: Turn) -> Answer | None:
    """For "repeat after me: ...": the same, as it was said."""
    match = re.match(
        r"(?:please |can you |could you |now )*(?:repeat(?: this)?(?: after me)?|say(?: after me)?)\b[\s:,]+(.+)",
        turn.raw.strip(),
        re.IGNORECASE | re.DOTALL,
    )
    if not match or re.match(r"(that|it|again|after me|what (?:you|i|did))\b", match[1], re.IGNORECASE):
        return None
    words = match[1].strip(" \"'“”")
    return [words[:1].upper() + words[1:] + ("" if words[-1:] in ".!?" else ".")] if words else None


def what_was_said(turn: Turn) -> Answer | None:
    """For "what did you say?" and "what did I say?"."""
    if has(turn.text, "what did i (?:just )?say"):
        said = turn.said("user")
        return [f"You said: {said[-1]}"] if said else ["You have not said anything before."]
    if not has(
        turn.text, "what did you (?:just )?say", "(?:say|repeat) (?:that|it)", "say again", "come again", "pardon"
    ):
        return None
    said = turn.said("assistant")
    return [f"I said: {said[-1]}"] if said else ["I have not said anything yet."]


_MY_NAME = r"\b(?:my name is|call me|i am called)\s+((?-i:[\w'-]+)(?:\s+(?!and\b)[A-Z][\w'-]+)?)"


def user_name(turn: Turn) -> Answer | None:
    """For "my name is Ada": remembered for as long as the conversation is."""
    if has(turn.text, "what is my name", "who am i", "(?:know|remember) my name"):
        told = [match[1] for said in turn.said("user") if (match := re.search(_MY_NAME, said, re.IGNORECASE))]
        return [f"Your name is {_name(told[-1])}."] if told else ["You have not told me your name."]
    match = re.search(_MY_NAME, turn.raw, re.IGNORECASE)
    return [f"Nice to meet you, {_name(match[1])}."] if match else None


def _name(said: str) -> str:
    return said.title() if said.islower() else said


def own_name(turn: Turn) -> Answer | None:
    """Who it is, honestly."""
    if has(
        turn.text, "your name", "who are you", "what are you", "are you (?:a |an )?(?:human|real|robot|ai|model)"
    ):
        return ["I am rtchat's built-in assistant.", "I am made of a few rules, not a language model."]
    return None


def what_it_can(turn: Turn) -> Answer | None:
    """What it can do in this session."""
    if not (
        has(turn.text, "what (?:can|else can) you do", "what do you do", "how do you work")
        or turn.text.strip(" ?!.") == "help"
    ):
        return None
    answer: Answer = [
        "I can tell you the time and the date, do arithmetic, count, tell a joke or a long story, "
        "remember your name, and repeat after you."
    ]
    if turn.tools:
        names = [" ".join(toolbox.words_of(str(tool.get("name", "")))) for tool in turn.tools[:6]]
        answer.append(f"The tools of this session are {', '.join(names)}.")
    return answer


def small_talk(turn: Turn) -> Answer | None:
    """Greetings, thanks, goodbye and the like; only when there is nothing else in the turn."""
    text = turn.text.strip(" .,!?")
    for pattern, answer in (
        (r"(?:ok |okay )?(?:stop|quiet|be quiet|never mind|nevermind|cancel|shut up|wait)(?: it)?", "Okay."),
        (
            r"(?:hello|hi|hey|good (?:morning|afternoon|evening|day))(?: there| again| assistant| everyone)*",
            None,
        ),
        (
            r"(?:hello |hi |hey )?how are you(?: doing| today)*|how is it going",
            "I am fine, thank you. What can I do for you?",
        ),
        (r"(?:ok |okay |no )?(?:thank you|thanks|cheers)(?: very much| so much| a lot)*", "You are welcome."),
        (r"(?:ok |okay )?(?:goodbye|good bye|bye|bye bye|see you|see you later|good night|farewell)", "Goodbye."),
        (r"(?:can|do) you hear me(?: now)?|are you (?:still )?there|testing|test", "Yes, I hear you."),
        (r"yes|yeah|no|ok|okay|sure|right|good|great|nice|cool", "All right. What can I do for you?"),
    ):
        if re.fullmatch(pattern, text):
            return [answer or _greeting(turn)]
    return None


def _greeting(turn: Turn) -> str:
    hour = turn.now.hour
    part = "morning" if 5 <= hour < 12 else "afternoon" if 12 <= hour < 18 else "evening"
    return f"Good {part}. What can I do for you?" if "good" in turn.text else "Hello. What can I do for you?"


def story(turn: Turn) -> Answer | None:
    """A story of about two minutes, to listen to or to interrupt."""
    return [*sentences(STORY)] if has(turn.text, "story", "fairy ?tale", "bedtime") else None


def joke(turn: Turn) -> Answer | None:
    """Another joke each time."""
    if not has(turn.text, "jokes?", "something funny", "make me laugh"):
        return None
    told = sum(any(sentences(j)[0] in said for j in JOKES) for said in turn.said("assistant"))
    return [*sentences(JOKES[told % len(JOKES)])]


def count(turn: Turn) -> Answer | None:
    """For "count to ten", up or down."""
    match = re.search(r"\bcount (?:up |down )?(?:from (-?\d+) )?(?:up |down )?(?:to|till|until) (-?\d+)", turn.text)
    down = re.search(r"\bcount down from (\d+)", turn.text)
    if match:
        last = int(match[2])
        first = int(match[1]) if match[1] else 1
    elif down:
        first, last = int(down[1]), 0
    else:
        return None
    if abs(last - first) >= MOST_COUNTED:
        return [f"That is far. I count no more than {MOST_COUNTED} numbers."]
    step = 1 if last >= first else -1
    words = [number_words(n) for n in range(first, last + step, step)]
    tens = [", ".join(words[at : at + 10]) for at in range(0, len(words), 10)]
    tens[0] = tens[0].capitalize()
    return [*(f"{ten}," for ten in tens[:-1]), f"{tens[-1]}."]
