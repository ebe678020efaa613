"""How much of a conversation its model is given: `session.truncation`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from rtchat import catalog
from rtchat.protocol.config import RetentionRatio, Truncation

SMALL_WINDOW = 28_224
"""Input tokens of the models of 32k that answer with 4,096 at most (docs); also of models that nobody knows."""

T = TypeVar("T")


class TooLong(Exception):
    """The conversation does not fit, and may not be cut."""


def input_limit(model: str) -> int:
    """Tokens that a model may be given."""
    known = catalog.find_model(model)
    if known is None or known.context is None or known.max_output is None or known.context <= 32_000:
        return SMALL_WINDOW
    return known.context - known.max_output


def kept(
    items: Sequence[T], tokens: Callable[[T], int], *, fixed: int, truncation: Truncation | None, model: str
) -> int:
    """Index of the oldest item that the model is still given; those before it are dropped.

    The last item always stays: it is what is to be answered.

    Args:
        items: Oldest first.
        tokens: Of an item.
        fixed: Tokens of instructions and tools, which are never dropped.
        truncation: The session's; None counts as `auto`.
        model: The session's.

    Raises:
        TooLong: It would have to be cut, and truncation is `disabled`.
    """
    room = max(0, input_limit(model) - fixed)
    ratio = 1.0
    if isinstance(truncation, RetentionRatio):
        ratio = truncation.retention_ratio
        wanted = truncation.token_limits.post_instructions if truncation.token_limits else None
        room = room if wanted is None else min(room, wanted)
    sizes = [tokens(item) for item in items]
    left = sum(sizes)
    if left <= room:
        return 0
    if truncation == "disabled":
        raise TooLong
    at = 0
    while at < len(items) - 1 and left > room * ratio:
        left -= sizes[at]
        at += 1
    return at
