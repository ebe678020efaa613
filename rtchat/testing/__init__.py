"""Testing a voice agent against a server that behaves like the real one (docs/testing.md).

With pytest, the fixture `realtime_server` is there by itself; without it, `with RealtimeServer() as server:`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rtchat.testing.babbling import babble
    from rtchat.testing.seen import Seen
    from rtchat.testing.server import RealtimeServer

__all__ = ["RealtimeServer", "Seen", "babble"]

_WHERE = {"RealtimeServer": "server", "Seen": "seen", "babble": "babbling"}


def __getattr__(name: str) -> Any:
    """Import on first use: the plugin is loaded in every run of pytest, also where nobody wants it."""
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(import_module(f"{__name__}.{_WHERE[name]}"), name)
    globals()[name] = found
    return found
