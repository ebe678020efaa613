"""Ids, as the API makes them."""

from __future__ import annotations

import random
import secrets
import string
from collections.abc import Callable

_LETTERS = string.ascii_letters + string.digits


def new_id(prefix: str) -> str:
    """An id: 21 random characters after the prefix, 16 after `call`."""
    return _id(prefix, secrets.token_bytes(_length(prefix)))


def seeded(chance: random.Random) -> Callable[[str], str]:
    """Makes ids that are the same for the same seed."""
    return lambda prefix: _id(prefix, chance.randbytes(_length(prefix)))


def _length(prefix: str) -> int:
    return 16 if prefix == "call" else 21


def _id(prefix: str, chance: bytes) -> str:
    return f"{prefix}_{''.join(_LETTERS[byte % len(_LETTERS)] for byte in chance)}"
