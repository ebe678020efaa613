"""Texts in the pieces in which delta events tell them."""

from __future__ import annotations

import re


def words(text: str) -> list[str]:
    """The text in pieces of a word each, with the space before it."""
    return re.findall(r"\s*\S+\s*$|\s*\S+|\s+", text)


def pieces(arguments: str) -> list[str]:
    """A call's arguments in pieces about as large as the API's (recorded): a word, or what stands between two."""
    return re.findall(r"\w{1,16}|\W{1,4}", arguments)
