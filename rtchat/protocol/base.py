"""The base of every value on the wire."""

from __future__ import annotations

import base64
from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, ConfigDict, PlainSerializer


class Model(BaseModel):
    """A frozen value of the wire.

    A field that was left out and a field that is explicitly null are different things to the API, so only the
    fields that were set are written (`exclude_unset`). Tags that have a single possible value (`type`, mostly)
    count as set. Fields that this version does not know are ignored: the real service adds some unannounced.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", val_json_bytes="base64", protected_namespaces=())


class Tagged(Model):
    """A value with a `type` that is always written."""

    tags: ClassVar[frozenset[str]] = frozenset({"type"})

    def model_post_init(self, _context: Any, /) -> None:
        """Count the tags as set."""
        self.__pydantic_fields_set__.update(self.tags)


class Event(Model):
    """What crosses the wire. `wire.encode` writes its `type`."""

    event_id: str | None = None


def _standard_base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


Audio = Annotated[bytes, PlainSerializer(_standard_base64, return_type=str, when_used="json")]
"""Sound in an event: base64 on the wire (standard alphabet), bytes in Python."""
