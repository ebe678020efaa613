"""The models that this server can stand in for."""

from __future__ import annotations

import re

from rtchat import catalog
from rtchat.server.dialogue.checks import Rejected

ASSISTANT = "rtchat-assistant"
"""The built-in assistant under its own name."""
_PAIR = re.compile(r"apertium:\w+-\w+")


def check_model(model: str | None) -> str:
    """A model that this server can stand in for.

    Raises:
        Rejected: There is no such conversation model.
    """
    if not model:
        example = f"wss://api.openai.com/v1/realtime?model={catalog.DEFAULT_MODEL}"
        raise Rejected("missing_model", f"You must provide a model parameter, for example {example}")
    known = catalog.find_model(model)
    if model == ASSISTANT or _PAIR.fullmatch(model) or (known and known.kind == "conversation"):
        return model
    raise Rejected("invalid_model", f'Model "{model}" is not supported in realtime mode.', "model")


def check_translation_model(model: str | None) -> str:
    """A model that this server can stand in for, or `apertium:xx-yy` to say the source language too.

    Raises:
        Rejected: There is no such translation model.
    """
    model = model or catalog.DEFAULT_TRANSLATION_MODEL
    known = catalog.find_model(model)
    if _PAIR.fullmatch(model) or (known and known.kind == "translation"):
        return model
    raise Rejected("invalid_model", f'Model "{model}" is not supported in translation mode.', "model")
