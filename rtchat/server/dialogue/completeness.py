"""Does it sound as if somebody who has said this has finished, or is still looking for words?

Rules for what recognisers give: with punctuation (neural ones) or bare words (small ones). The words are English
with the joining words of a few other languages; punctuation is understood in all.
"""

from __future__ import annotations

import re

NOTHING = 0.0
"""Nothing was understood: a breath, or a word that has only begun."""
HANGING = 0.1
"""The sentence cannot end like this."""
BEGUN = 0.3
"""More is likely to follow."""
UNCLEAR = 0.5
FINISHED = 0.9
CERTAIN = 0.95
"""Nobody goes on after that without being asked to."""

_FILLERS = "um uh uhm erm er hmm hm mm eh ah well so ähm äh euh este"
_JOINING = (
    "and or but because cause cuz if unless until while whereas although though since plus nor either whether "
    "y o pero porque und oder aber weil dass et ou mais parce que"
)
_BEFORE_A_NOUN = (
    "the a an my your our their its every some any very really quite "
    "i'm i'd i'll i've it's he's she's we're we'll they're you're let's gonna wanna "
    "el los las un una der die das le les"
)
_HANGS = frozenset(f"{_FILLERS} {_JOINING} {_BEFORE_A_NOUN}".split()) - {"so", "well"}
_PREPOSITIONS = re.compile(r"to|of|for|with|from|at|by|into|about|than|as|like|between|without|under|near")
"""They can end a question ("where are you from") but hardly anything else."""

_TERMINAL = re.compile(
    r"\b(please|thanks|thank you( very much| so much)?|(good)?bye|good night|that's (all|it)|that is (all|it)|"
    r"never ?mind|forget it|you know what i mean)$"
)
_WHOLE = re.compile(
    r"(yes|yeah|yep|no|nope|ok|okay|sure|right|exactly|maybe|of course|hello|hi|hey|hey there|hello there|"
    r"good (morning|afternoon|evening)|stop|cancel|wait|pause|continue|go on|go ahead|repeat|again|help|quit|exit|"
    r"enough|shut up|be quiet|repeat that|say (that|it) again|say again|not really|not yet|i see|i agree|"
    r"me too|all right|alright|got it|i don't know|no idea|sí|oui|non|ja|nein|danke|gracias|merci)"
)
_POLITE = re.compile(
    rf"^(({'|'.join(_FILLERS.split())}|and|but|ok|okay|hey|hi|hello|yes|yeah|no|please|now|then) )+"
)
_QUESTION = re.compile(
    r"(what|who|whose|where|when|why|how|which|what's|who's|where's|when's|how's|"
    r"(is|are|am|was|were|do|does|did|can|could|will|would|shall|should|may|might|have|has|had) "
    r"(i|you|he|she|it|we|they|there|that|this|these|those|the|my|your|our|anyone|anybody|somebody)\b)"
)
_COMMAND = re.compile(
    r"(set|turn|switch|play|stop|start|open|close|call|tell|show|give|add|remove|delete|remind|find|read|send|make|"
    r"put|take|go|translate|repeat|write|cancel|book|order|check|search|look|help|say|sing|count|convert|calculate|"
    r"wake|pause|resume|mute|explain|describe|list|name|spell|roll|flip|pick|let me|i want you to)\b"
)
_WANTS_MORE = re.compile(
    r"\b(tell|give|show|ask|remind|call|let) (me|him|her|us|them)$|"
    r"\b(i (want|need|think|mean|guess|was|am|would|will|can)|you know|going|kind|sort|such|one of)$|"
    r"\b(name|number|address|problem|thing|it|that|this|there) (is|was|are)$"
)
_NUMBER = re.compile(
    r"\b(\d+|zero|oh|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|twenty|thirty|forty|fifty|"
    r"sixty|seventy|eighty|ninety|hundred|thousand|point)$"
)
"""Whoever dictates a number pauses between its groups; and after "in five" the minutes are still to come."""


def completeness(text: str) -> float:
    """How finished a turn sounds that has come as far as this: 0 not at all, 1 surely.

    Args:
        text: What was understood of it.
    """
    written = text.strip().lower().replace("\u2019", "'")
    bare = " ".join(re.sub(r"[^\w\s']", " ", written).split())
    if not bare:
        return NOTHING
    if re.search(r"(\.\.\.|[…,:;–—-])[\"')]*$", written):
        return HANGING
    asks = written.endswith("?")
    if not asks and _hangs(bare):
        return HANGING
    if asks or _TERMINAL.search(bare):
        return CERTAIN
    if _WHOLE.fullmatch(bare):
        return FINISHED
    if written.endswith((".", "!", "。", "！")):
        return BEGUN if _WANTS_MORE.search(bare) else FINISHED
    return _unpunctuated(bare)


def _hangs(bare: str) -> bool:
    last = bare.rpartition(" ")[2]
    if last in _HANGS:
        return not _WHOLE.fullmatch(bare)
    return bool(_PREPOSITIONS.fullmatch(last)) and not _QUESTION.match(_POLITE.sub("", bare))


def _unpunctuated(bare: str) -> float:
    core = _POLITE.sub("", bare)
    if _WHOLE.fullmatch(core):
        return FINISHED
    words = len(core.split())
    if _QUESTION.match(core):
        return FINISHED if words > 2 and not _WANTS_MORE.search(core) else BEGUN
    if _WANTS_MORE.search(core) or _NUMBER.search(core):
        return BEGUN
    if _COMMAND.match(core):
        return FINISHED if words > 2 else UNCLEAR
    return UNCLEAR
