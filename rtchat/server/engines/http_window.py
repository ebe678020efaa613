"""A conversation that is more than the model's window: found out by asking, and what is left out then.

A server of this shape does not say beforehand how much its model takes, nor how it counts tokens. Most refuse what
is too much at once, and say both figures in the refusal.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass

from rtchat.server.engines.base import Message, Prompt

ROOM = 0.8
"""Share of the window that a conversation may take when it is cut; the rest is for the answer."""
STEP = 0.25
"""What is left out grows by this share of the window.

The cut then stays where it is for some turns, so the server can go on from what it has computed before.
"""

_ABOUT_IT = re.compile(
    r"(?:context|model) (?:length|size|window)|context_length|n_ctx|max_tokens must be at least 1, got -",
    re.IGNORECASE,
)
_WINDOW = re.compile(r"(?:(?:context|model) (?:length|size|window)|n_ctx)[^\d_]{0,20}(\d+)", re.IGNORECASE)
_IMAGE, _EACH = 1000, 20  # characters that an image, and the frame around a message, count as


@dataclass(frozen=True, slots=True)
class Overflow:
    """What was too much.

    Attributes:
        asked: Tokens of the request; 0 when that was not said.
        window: Tokens that the model takes; 0 when that was not said.
        exact: Whether `asked` was counted to its end; vLLM stops counting when it is too much.
    """

    asked: int = 0
    window: int = 0
    exact: bool = True


def overflow(said: str) -> Overflow | None:
    """What a refusal says of the window; None when it is about something else.

    Args:
        said: Its text: "request (3020 tokens) exceeds the available context size (512 tokens)".
    """
    if not _ABOUT_IT.search(said):
        return None
    figures = [int(figure) for figure in re.findall(r"\d+", said)]
    window = int(found[1]) if (found := _WINDOW.search(said)) else 0
    asked = max(figures, default=0)
    return Overflow(asked, window, "at least" not in said) if 0 < window < asked else Overflow()


class Shortening:
    """Leaves out what is too much for one server."""

    def __init__(self) -> None:
        self._per_token = math.inf  # characters, of a server that stops counting: the fewest that it told of

    def of(self, prompt: Prompt, by: Overflow) -> list[Message] | None:
        """The messages without the oldest ones, beginning with the user; None when there is nothing to leave out.

        The last message always stays: it is what is to be answered.
        """
        messages = prompt.messages
        sizes = [len(each.text) + len(each.name) + _EACH + _IMAGE * len(each.images) for each in messages]
        whole = sum(sizes) + len(prompt.instructions) + len(json.dumps(list(prompt.tools)))
        if by.window:
            per_token = whole / by.asked
            if not by.exact:
                per_token = self._per_token = min(per_token, self._per_token)
            step = max(1.0, STEP * by.window * max(1, round(per_token)))
            needed = math.ceil((whole - ROOM * by.window * per_token) / step) * step
        else:
            needed = sum(sizes) / 2
        at, gone = 0, 0
        while at < len(messages) - 1 and (gone < needed or messages[at].role != "user"):
            gone += sizes[at]
            at += 1
        return list(messages[at:]) if at else None
